"""An XML document of strangers, read into a small tree: bounded in every direction, each node with its line.

Theory of operation. The octets are refused before any parsing when they are too many, no UTF-8, hold a NUL or the words
of a document type: without a document type there are no entities, no external files and no amplification. Expat then
only splits text into tags. Its name spaces stay off, since it would copy a long address into every name; the few
prefixes that are allowed are resolved here, from the root element alone. A document has bounds for depth, elements and
attributes of an element.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.parsers import expat

from wattwheel.model.errors import ConfigError

DOCUMENT_OCTETS_MAX = 1 << 20
DEPTH_MAX = 16
ELEMENTS_MAX = 20_000
ATTRIBUTES_MAX = 32
FOUND_LENGTH_MAX = 60
NAMESPACE_PREFIX = "xmlns"
INSTANCE_NAMESPACE, INSTANCE_PREFIX = "http://www.w3.org/2001/XMLSchema-instance", "xsi"

_ATTRIBUTE = re.compile(rb"""([^\s=<>/"']+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_FORBIDDEN = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODINGS = ("utf-8", "utf8")


class Node:
    """One element.

    Attributes:
        name: with its prefix, as the schema spells it.
        line: of its start tag, counted from 1.
        attributes: as written, entities of characters resolved.
        children: elements within it.
        text: the characters directly within it.
    """

    __slots__ = ("_pieces", "attributes", "children", "line", "name", "offset")

    def __init__(self, name: str, line: int, offset: int, attributes: dict[str, str]) -> None:
        self.name, self.line, self.offset, self.attributes = name, line, offset, attributes
        self.children: list[Node] = []
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """The characters directly within the element."""
        return "".join(self._pieces)

    def add_text(self, text: str) -> None:
        """More characters."""
        self._pieces.append(text)

    def named(self, name: str) -> list[Node]:
        """Its children of that name."""
        return [child for child in self.children if child.name == name]


class Document:
    """A read document: its root, and on which line what stands."""

    def __init__(self, root: Node, octets: bytes, prefixes: Mapping[str, str]) -> None:
        self.root = root
        self._octets = octets
        self._written_as = {known: written for written, known in prefixes.items()}

    def attribute_line(self, node: Node, attribute: str) -> int:
        """The line on which `attribute` of `node` stands; that of the tag when it has no such attribute."""
        prefix, colon, local = attribute.partition(":")
        written = f"{self._written_as.get(prefix, prefix)}:{local}" if colon else attribute
        name = re.compile(rb"<[^\s/>]+").match(self._octets, node.offset)
        position = name.end() if name else node.offset
        while match := re.compile(rb"\s*").match(self._octets, position):
            pair = _ATTRIBUTE.match(self._octets, match.end())
            if pair is None:
                return node.line
            if pair[1] == written.encode():
                return node.line + self._octets.count(b"\n", node.offset, pair.start())
            position = pair.end()
        return node.line


class _Refused(Exception):
    def __init__(self, line: int, found: object, allowed: str) -> None:
        self.line, self.found, self.allowed = line, found, allowed


class _Builder:
    """What expat calls. Prefixes of the document become those of `namespaces` (address to prefix)."""

    def __init__(self, namespaces: Mapping[str, str], parser: expat.XMLParserType) -> None:
        self._namespaces = namespaces
        self._parser = parser
        self._open: list[Node] = []
        self._elements = 0
        self.prefixes: dict[str, str] = {}
        self.root: Node | None = None
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self._declare
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype

    def _refuse(self, found: object, allowed: str) -> _Refused:
        return _Refused(self._parser.CurrentLineNumber, found, allowed)

    def _declare(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise self._refuse(f"encoding {shortened(encoding)}", "UTF-8")

    def _doctype(self, *_given: object) -> None:
        raise self._refuse("a document type", "none: no entities and no outside files")

    def _start(self, tag: str, pairs: list[str]) -> None:
        self._elements += 1
        if len(self._open) >= DEPTH_MAX:
            raise self._refuse(f"{shortened(tag)} at depth {len(self._open) + 1}", f"elements {DEPTH_MAX} deep at most")
        if self._elements > ELEMENTS_MAX:
            raise self._refuse(f"element number {self._elements}", f"at most {ELEMENTS_MAX} elements")
        if len(pairs) > 2 * ATTRIBUTES_MAX:
            raise self._refuse(
                f"{len(pairs) // 2} attributes of {shortened(tag)}", f"at most {ATTRIBUTES_MAX} attributes an element"
            )
        written = dict(zip(pairs[::2], pairs[1::2], strict=True))
        if not self._open:
            self._note_prefixes(written)
        attributes = {self._known(name): value for name, value in written.items() if not self._is_namespace(name)}
        node = Node(self._known(tag), self._parser.CurrentLineNumber, self._parser.CurrentByteIndex, attributes)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def _note_prefixes(self, attributes: Mapping[str, str]) -> None:
        for name, address in attributes.items():
            prefix, _, local = name.partition(":")
            if prefix != NAMESPACE_PREFIX:
                continue
            if not local or address not in self._namespaces:
                allowed = " or ".join(f'xmlns:{own}="{known}"' for known, own in self._namespaces.items())
                raise self._refuse(f'{shortened(name)}="{shortened(address)}"', allowed or "no name space")
            if self._namespaces[address] in self.prefixes.values():
                raise self._refuse(f"{shortened(address)} under two prefixes", "one prefix for each name space")
            self.prefixes[local] = self._namespaces[address]

    def _is_namespace(self, name: str) -> bool:
        if name.partition(":")[0] != NAMESPACE_PREFIX:
            return False
        if self._open:
            raise self._refuse(shortened(name), "name spaces are declared at the root element")
        return True

    def _known(self, name: str) -> str:
        prefix, colon, local = name.partition(":")
        if not colon:
            return name
        if prefix not in self.prefixes:
            raise self._refuse(
                shortened(name), f"the prefixes {', '.join(self.prefixes) or 'of the root (it has none)'}"
            )
        return f"{self.prefixes[prefix]}:{local}"

    def _end(self, tag: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].add_text(text)


def read_document(octets: bytes, namespaces: Mapping[str, str], file: str | None = None) -> Document:
    """The document in `octets`. Raises ConfigError, with `file` and line, for whatever is no XML or exceeds a bound.

    Args:
        namespaces: addresses of the name spaces that may be used, and the prefix that each gets in the tree.
    """
    _check_octets(octets, file)
    parser = expat.ParserCreate("utf-8")  # what the document says of its encoding changes nothing
    builder = _Builder({**namespaces, INSTANCE_NAMESPACE: INSTANCE_PREFIX}, parser)
    try:
        parser.Parse(octets, True)
    except _Refused as refused:
        raise ConfigError(f"line {refused.line}", refused.found, refused.allowed, file) from None
    except expat.ExpatError as error:
        lines = octets.split(b"\n", error.lineno)
        stood = lines[error.lineno - 1].strip() if error.lineno <= len(lines) else b""
        found = shortened(stood.decode("utf-8", "replace")) or "the end of the file"
        allowed = f"well-formed XML ({expat.ErrorString(error.code)})"
        raise ConfigError(f"line {error.lineno}", found, allowed, file) from None
    assert builder.root is not None  # expat refuses a document without one
    return Document(builder.root, octets, builder.prefixes)


def _check_octets(octets: bytes, file: str | None) -> None:
    if len(octets) > DOCUMENT_OCTETS_MAX:
        raise ConfigError("whole file", f"more than {DOCUMENT_OCTETS_MAX} octets", "a shorter file", file)

    def refuse(offset: int, found: object, allowed: str) -> ConfigError:
        return ConfigError(f"line {octets.count(bytes([10]), 0, offset) + 1}", found, allowed, file)

    if (offset := octets.find(b"\0")) >= 0:
        raise refuse(offset, "a NUL octet", "UTF-8 text")
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refuse(error.start, octets[error.start : error.start + 1], "UTF-8 text") from None
    if match := _FORBIDDEN.search(octets):
        found = match[0].decode()
        raise refuse(match.start(), found, "no document type, not even in a comment: no entities and no outside files")


def shortened(text: str) -> str:
    """`text`, cut when it would flood the screen."""
    return text if len(text) <= FOUND_LENGTH_MAX else text[:FOUND_LENGTH_MAX] + "..."
