"""Hostile documents: refused with a line, before they cost anything."""

from __future__ import annotations

import re
import tracemalloc

import pytest

from wattwheel.kernel.module_xml import NAMESPACE, NAMESPACES, read_module
from wattwheel.kernel.xml_tree import (
    ATTRIBUTES_MAX,
    DEPTH_MAX,
    DOCUMENT_OCTETS_MAX,
    ELEMENTS_MAX,
    INSTANCE_NAMESPACE,
    read_document,
)
from wattwheel.model.errors import ConfigError

BOMB = b"<!DOCTYPE a [<!ENTITY a0 'ha'>%s]><a>&a9;</a>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (n + 1, b"&a%d;" % n * 10) for n in range(9)
)
LONG = 500_000
HOSTILE = {
    "entity bomb": (BOMB, "<!DOCTYPE"),
    "entity of one long text": (
        b"<!DOCTYPE a [<!ENTITY x '" + b"x" * LONG + b"'>]><a>" + b"&x;" * 10_000 + b"</a>",
        "<!DOCTYPE",
    ),
    "outside entity": (
        b'\n<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "line 2: found '<!DOCTYPE'",
    ),
    "outside document type": (b'<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>', "no outside files"),
    "parameter entity": (b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///dev/zero"> %p;]><a/>', "<!DOCTYPE"),
    "document type in other letters": (b"<!doctype a><a/>", "<!doctype"),
    "unknown entity": (b"<a>\n&x;</a>", "line 2: found '&x;</a>'; allowed: well-formed XML"),
    "too long": (b"<a>" + b" " * DOCUMENT_OCTETS_MAX + b"</a>", f"more than {DOCUMENT_OCTETS_MAX} octets"),
    "depth": (b"<a>" * 100_000, f"a at depth {DEPTH_MAX + 1}'; allowed: elements {DEPTH_MAX} deep at most"),
    "elements": (b"<a>" + b"<a/>" * (ELEMENTS_MAX + 1) + b"</a>", f"element number {ELEMENTS_MAX + 1}"),
    "attributes": (
        b"<a " + b" ".join(b'b%d=""' % n for n in range(80_000)) + b"/>",
        f"at most {ATTRIBUTES_MAX} attributes",
    ),
    "one attribute twice": (b'<a b="" b=""/>', "duplicate attribute"),
    "long name space in every name": (
        b'<p:a xmlns:p="' + b"u" * LONG + b'" ' + b" ".join(b'p:b%d=""' % n for n in range(30_000)) + b"/>",
        f"at most {ATTRIBUTES_MAX} attributes",
    ),
    "another name space": (b'<a xmlns:p="urn:p"><p:b/></a>', "found 'xmlns:p=\"urn:p\"'; allowed: xmlns:ww="),
    "default name space": (f'<a xmlns="{NAMESPACE}"/>'.encode(), "allowed: xmlns:ww="),
    "name space within": (
        f'<a>\n<b xmlns:ww="{NAMESPACE}"/></a>'.encode(),
        "line 2: found 'xmlns:ww'; allowed: name spaces are",
    ),
    "a prefix that is none": (
        b"<a>\n<p:b/></a>",
        "line 2: found 'p:b'; allowed: the prefixes of the root (it has none)",
    ),
    "one name space twice": (f'<a xmlns:p="{NAMESPACE}" xmlns:q="{NAMESPACE}"/>'.encode(), "under two prefixes"),
    "NUL": (b"<a>\n\0</a>", "line 2: found 'a NUL octet'"),
    "UTF-16": ("<a/>".encode("utf-16"), "a NUL octet"),
    "UTF-32": ("<a/>".encode("utf-32"), "a NUL octet"),
    "Latin-1": (b"<a>\n\n\xe9</a>", "line 3: found b'\\xe9'; allowed: UTF-8 text"),
    "Latin-1 said": (b'<?xml version="1.0" encoding="latin-1"?><a/>', "found 'encoding latin-1'; allowed: UTF-8"),
    "UTF-7 said": (b'<?xml version="1.0" encoding="utf-7"?>+ADw-a+AD4-', "found 'encoding utf-7'"),
    "nothing": (b"", "the end of the file"),
    "no end": (b"<a>\n<b>", "line 2"),
    "two roots": (b"<a/>\n<a/>", "line 2"),
    "cut in a letter": ("<a>電</a>".encode()[:4], "UTF-8 text"),
    "character that is none": (b"<a>&#1;</a>", "reference to invalid character number"),
    "a tag of a megabyte": (b"<" + b"a" * (DOCUMENT_OCTETS_MAX - 1), "well-formed XML"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_it_is_refused(what):
    octets, words = HOSTILE[what]
    with pytest.raises(ConfigError) as refused:
        read_document(octets, NAMESPACES, "m.xml")
    text = str(refused.value)
    assert words in text
    assert re.match(r"m\.xml: (line \d+|whole file): found ", text)
    assert len(text) < 500


@pytest.mark.parametrize("what", HOSTILE)
def test_it_costs_little_memory(what):
    octets, _words = HOSTILE[what]
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError):
            read_module(octets)
        _now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 48 * DOCUMENT_OCTETS_MAX


def test_a_document_within_the_bounds():
    head = '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n'
    text = f'{head}<a xmlns:own="{NAMESPACE}" b="&lt;&#233;">\n<own:c\nown:d="e"/>x</a>'
    document = read_document(text.encode(), NAMESPACES)
    root = document.root
    assert (root.name, root.line, root.attributes, root.text) == ("a", 2, {"b": "<é"}, "\nx")
    (child,) = root.children
    assert (child.name, child.line, child.attributes) == ("ww:c", 3, {"ww:d": "e"})
    assert document.attribute_line(child, "ww:d") == 4
    assert document.attribute_line(child, "none") == 3


def test_where_an_editor_finds_the_schema_may_be_told():
    text = f'<a xmlns:i="{INSTANCE_NAMESPACE}" i:noNamespaceSchemaLocation="a.xsd"/>'
    assert list(read_document(text.encode(), NAMESPACES).root.attributes) == ["xsi:noNamespaceSchemaLocation"]
