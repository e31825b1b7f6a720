"""The part of XML Schema that the module configuration is written in, and checking a document against it.

The schema's files stay the one source: they are read here, printed for editors of others, and the manual's tables come
from them. Whatever form they use beyond this part is an assertion that fails, and the tests hold these checks against
a whole implementation of the standard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from wattwheel.kernel.xml_tree import INSTANCE_PREFIX, Document, Node, read_document, shortened

SCHEMA_NAMESPACE, SCHEMA_PREFIX = "http://www.w3.org/2001/XMLSchema", "xs"
NUMBER_LENGTH_MAX = 40
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.([0-9]*))?|\.([0-9]+))")
_BLANKS = " \t\r\n"


class SimpleType(NamedTuple):
    """What the text of an attribute may be: a base of the standard and its limits. A pattern comes with `words`."""

    base: str
    values: tuple[str, ...] = ()
    pattern: str = ""
    least: Decimal | None = None
    most: Decimal | None = None
    length_min: int = 0
    length_max: int | None = None
    fraction_digits: int | None = None
    words: str = ""

    def allows(self, text: str) -> bool:
        """Whether `text` is of this type."""
        if self.base == "boolean":
            return text.strip(_BLANKS) in BOOLEANS
        if self.base in ("integer", "decimal"):
            return self._allows_number(text.strip(_BLANKS))
        return (
            (not self.values or text in self.values)
            and (not self.pattern or re.fullmatch(self.pattern, text) is not None)
            and len(text) >= self.length_min
            and (self.length_max is None or len(text) <= self.length_max)
        )

    def _allows_number(self, text: str) -> bool:
        match = (_INTEGER if self.base == "integer" else _DECIMAL).fullmatch(text)
        if match is None or len(text) > NUMBER_LENGTH_MAX:
            return False
        number = Decimal(text)
        digits = len(text.partition(".")[2].rstrip("0"))
        return (
            (self.least is None or number >= self.least)
            and (self.most is None or number <= self.most)
            and (self.fraction_digits is None or digits <= self.fraction_digits)
        )

    def in_words(self) -> str:
        """What is allowed, for people."""
        if self.words:
            return self.words
        if self.base == "boolean":
            return "true or false"
        if self.values:
            return f"{', '.join(self.values[:-1])} or {self.values[-1]}" if len(self.values) > 1 else self.values[0]
        if self.base in ("integer", "decimal"):
            kind = "whole number" if self.base == "integer" else "number"
            digits = f", up to {self.fraction_digits} decimals" if self.fraction_digits is not None else ""
            return f"a {kind} from {self.least:f} to {self.most:f}{digits}"
        return f"{self.length_min} to {self.length_max} characters" if self.length_max else "a text"


class Attribute(NamedTuple):
    """One attribute of an element; `text` says what it is for."""

    name: str
    type: SimpleType
    is_required: bool
    default: str | None
    text: str


class Place(NamedTuple):
    """A child element and how often it may stand there; `most` None: without limit."""

    element: Element
    least: int
    most: int | None


class Element(NamedTuple):
    """One kind of element. In a choice the children stand in any order, else in that of `places`."""

    name: str
    text: str
    attributes: Mapping[str, Attribute]
    places: tuple[Place, ...]
    is_choice: bool
    choice_most: int | None
    has_text: bool


class Fault(NamedTuple):
    """One thing that is wrong on `line`."""

    line: int
    where: str
    found: object
    allowed: str


class SchemaReader:
    """Elements and types of schema files, by name; those of a target name space with its prefix."""

    def __init__(self, files: Mapping[str, bytes], namespaces: Mapping[str, str]) -> None:
        """`files`: prefix of the target name space ("" for none) to the octets."""
        self._types: dict[str, Node] = {}
        self._elements: dict[str, Node] = {}
        self._attributes: dict[str, Node] = {}
        kinds = {
            "xs:simpleType": self._types,
            "xs:complexType": self._types,
            "xs:element": self._elements,
            "xs:attribute": self._attributes,
        }
        for prefix, octets in files.items():
            root = read_document(octets, {SCHEMA_NAMESPACE: SCHEMA_PREFIX, **namespaces}).root
            for node in root.children:
                if node.name in kinds:
                    kinds[node.name][_prefixed(prefix, node.attributes["name"])] = node
                else:
                    assert node.name in ("xs:annotation", "xs:import"), node.name

    def element(self, name: str) -> Element:
        """The global element `name`."""
        return self._element(self._elements[name], name)

    def _element(self, node: Node, name: str) -> Element:
        prefix = name.partition(":")[0] if ":" in name else ""
        inner = node.named("xs:complexType")
        text, kind = _documentation(node), node.attributes.get("type", "")
        if not inner and kind == "xs:string":
            return Element(name, text, {}, (), False, None, True)
        made_of = inner[0] if inner else self._types[kind]
        attributes = [self._attribute(child) for child in made_of.named("xs:attribute")]
        groups = [child for child in made_of.children if child.name in ("xs:sequence", "xs:choice")]
        assert len(groups) <= 1, name
        places = tuple(self._place(child, prefix) for group in groups for child in group.children)
        is_choice = bool(groups) and groups[0].name == "xs:choice"
        choice_most = _most(groups[0]) if is_choice else None
        return Element(name, text, {own.name: own for own in attributes}, places, is_choice, choice_most, False)

    def _place(self, node: Node, prefix: str) -> Place:
        assert node.name == "xs:element", node.name
        least, most = int(node.attributes.get("minOccurs", "1")), _most(node)
        if "ref" in node.attributes:
            return Place(self.element(node.attributes["ref"]), least, most)
        return Place(self._element(node, _prefixed(prefix, node.attributes["name"])), least, most)

    def _attribute(self, node: Node) -> Attribute:
        is_required = node.attributes.get("use") == "required"
        name = node.attributes.get("ref") or node.attributes["name"]
        if "ref" in node.attributes:
            node = self._attributes[name]
        return Attribute(
            name,
            self._simple(node.attributes["type"]),
            is_required,
            node.attributes.get("default"),
            _documentation(node),
        )

    def _simple(self, name: str) -> SimpleType:
        if name in ("xs:string", "xs:boolean"):
            return SimpleType(name.removeprefix("xs:"))
        (restriction,) = self._types[name].named("xs:restriction")
        values: dict[str, list[str]] = {}
        for facet in restriction.children:
            values.setdefault(facet.name.removeprefix("xs:"), []).append(facet.attributes["value"])

        def one(facet: str) -> str | None:
            return values.pop(facet)[0] if facet in values else None

        least, most, digits = one("minInclusive"), one("maxInclusive"), one("fractionDigits")
        made = SimpleType(
            base=restriction.attributes["base"].removeprefix("xs:"),
            values=tuple(values.pop("enumeration", ())),
            pattern=one("pattern") or "",
            least=Decimal(least) if least is not None else None,
            most=Decimal(most) if most is not None else None,
            length_min=int(one("minLength") or 0),
            length_max=int(length) if (length := one("maxLength")) is not None else None,
            fraction_digits=int(digits) if digits is not None else None,
            words=_documentation(self._types[name]),
        )
        assert not values, f"{name}: {values}"
        assert bool(made.pattern) <= bool(made.words), f"{name}: a pattern tells people nothing"
        assert made.base in ("string", "integer", "decimal"), made.base
        return made


def _prefixed(prefix: str, name: str) -> str:
    return f"{prefix}:{name}" if prefix else name


def _most(node: Node) -> int | None:
    written = node.attributes.get("maxOccurs", "1")
    return None if written == "unbounded" else int(written)


def _documentation(node: Node) -> str:
    return " ".join(
        text.text.strip() for note in node.named("xs:annotation") for text in note.named("xs:documentation")
    )


def faults_in(document: Document, element: Element) -> Iterator[Fault]:
    """What in `document` does not fit `element`, from the top down."""
    root = document.root
    if root.name != element.name:
        yield Fault(root.line, "root element", shortened(root.name), element.name)
        return
    yield from _node_faults(document, root, element)


def _node_faults(document: Document, node: Node, element: Element) -> Iterator[Fault]:
    yield from _attribute_faults(document, node, element)
    if not element.has_text and (text := node.text.strip()):
        yield Fault(node.line, element.name, shortened(text), "no text in this element")
    yield from _children_faults(node, element)
    known = {place.element.name: place.element for place in element.places}
    for child in node.children:
        if child.name in known:
            yield from _node_faults(document, child, known[child.name])


def _attribute_faults(document: Document, node: Node, element: Element) -> Iterator[Fault]:
    for name, value in node.attributes.items():
        attribute = element.attributes.get(name)
        if attribute is None:
            if node is document.root and name.startswith(f"{INSTANCE_PREFIX}:"):  # where an editor finds the schema
                continue
            allowed = f"the attributes {', '.join(element.attributes)}" if element.attributes else "no attributes"
            yield Fault(document.attribute_line(node, name), element.name, shortened(name), allowed)
        elif not attribute.type.allows(value):
            where = f"{element.name} {name}"
            yield Fault(document.attribute_line(node, name), where, shortened(value), attribute.type.in_words())
    for name, attribute in element.attributes.items():
        if attribute.is_required and name not in node.attributes:
            yield Fault(node.line, element.name, f"no {name}", f"{name}: {attribute.type.in_words()}")


def _children_faults(node: Node, element: Element) -> Iterator[Fault]:
    names = [place.element.name for place in element.places]
    for child in node.children:
        if child.name not in names:
            allowed = f"the elements {', '.join(names)}" if names else "no elements within it"
            yield Fault(child.line, element.name, shortened(child.name), allowed)
    if element.is_choice:
        if element.choice_most is not None and len(node.children) != element.choice_most:
            yield Fault(node.line, element.name, f"{len(node.children)} elements", f"one of {', '.join(names)}")
        return
    for place in element.places:
        children = node.named(place.element.name)
        if not place.least <= len(children) <= (place.most or len(children)):
            line = node.line if place.most is None or len(children) <= place.most else children[place.most].line
            yield Fault(line, element.name, f"{len(children)} {place.element.name}", _times(place))
    peak = 0
    for child in (child for child in node.children if child.name in names):
        if names.index(child.name) < peak:
            yield Fault(child.line, element.name, f"{child.name} after {names[peak]}", f"the order {', '.join(names)}")
            break
        peak = names.index(child.name)


def _times(place: Place) -> str:
    if place.least == place.most:
        return f"exactly {place.least}"
    return f"{place.least} to {place.most}" if place.most is not None else f"at least {place.least}"
