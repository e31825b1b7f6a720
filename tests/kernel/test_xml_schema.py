"""The shipped schema: our checks say of any document what a whole implementation of XML Schema says."""

from __future__ import annotations

import random
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree
from tests.kernel.modules import modules

from wattwheel.kernel.module_rules import CHANNELS_MAX, HEALTH_ERRORS, HEALTH_STATES, STOP_RANK_MAX
from wattwheel.kernel.module_xml import NAMESPACE, NAMESPACES, module_schema, schema_octets
from wattwheel.kernel.module_xml_write import write_module
from wattwheel.kernel.xml_schema import faults_in
from wattwheel.kernel.xml_tree import read_document

SAMPLE = (Path(__file__).parents[1] / "vectors/module.xml").read_bytes()
WHOLE = etree.XMLSchema(etree.parse(str(files("wattwheel.kernel") / "data/ARINC_653_Module.xsd")))
VALUES = (
    *("true", "TRUE", "0", "1", "-1", "+2", "3.", ".5", "1e3", "0x1", "65535", "65536", "65537", "9" * 18, "1000000"),
    *("1000000.1", "0.0000000001", "0.123456789", "0.1234567890", "SOURCE", "LEVEL_A", "L3", "a:b", "*", "é", "IDLE"),
    *("POWER_FAILURE", "", " 5 ", " SOURCE", "a b:c", "n" * 30, "n" * 31, "n" * 65),
)


def ours(octets):
    return list(faults_in(read_document(octets, NAMESPACES), module_schema()))


def elements(node):
    yield node
    for child in node.children:
        yield from elements(child)


def changed(chance):
    """The sample with a few changes that keep it well-formed."""
    root = etree.fromstring(SAMPLE, etree.XMLParser(remove_comments=True))
    for _ in range(chance.randint(1, 3)):
        nodes = list(root.iter())
        node, other = chance.choice(nodes), chance.choice(nodes)
        what = chance.randrange(8)
        if what <= 2 and node.attrib:
            node.attrib[chance.choice(list(node.attrib))] = chance.choice(VALUES)
        elif what == 3 and node.attrib:
            del node.attrib[chance.choice(list(node.attrib))]
        elif what == 4 and other.attrib:
            name = chance.choice(list(other.attrib))
            if not name.startswith("{http"):
                node.attrib[name] = other.attrib[name]
        elif what == 5 and node is not root:
            node.getparent().remove(node)
        elif what == 6 and node is not root and other is not node and node not in other.iterancestors():
            other.append(etree.fromstring(etree.tostring(node)))
        elif what == 7 and len(node):
            node.append(node[0])  # which moves it behind the others
    etree.cleanup_namespaces(root, top_nsmap={"ww": NAMESPACE})
    return etree.tostring(root)


@pytest.mark.parametrize("seed", range(20))
def test_our_checks_agree_with_a_whole_implementation(seed):
    chance = random.Random(seed)
    verdicts = []
    for _ in range(40):
        octets = changed(chance)
        faults = ours(octets)
        verdicts.append(not faults)
        assert WHOLE.validate(etree.fromstring(octets)) is not bool(faults), (octets.decode(), faults, WHOLE.error_log)
    assert len(set(verdicts)) == 2


@given(modules())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_is_valid(config):
    octets = write_module(config)
    assert WHOLE.validate(etree.fromstring(octets)), WHOLE.error_log
    assert ours(octets) == []


def test_the_schema_is_valid_and_the_sample_uses_all_of_it():
    assert WHOLE.validate(etree.fromstring(SAMPLE))
    used = {(node.name, name) for node in elements(read_document(SAMPLE, NAMESPACES).root) for name in node.attributes}

    def declared(element):
        yield from ((element.name, name) for name in element.attributes)
        for place in element.places:
            yield from declared(place.element)

    assert set(declared(module_schema())) <= used


def find(element, name):
    if element.name == name:
        return element
    return next(filter(None, (find(place.element, name) for place in element.places)), None)


def test_the_schema_and_the_rules_say_the_same():
    row, state = find(module_schema(), "Error_ID_Level"), find(module_schema(), "System_State_Entry")
    assert set(row.attributes["ErrorIdentifier"].type.values) == {*HEALTH_ERRORS, "POWER_FAILURE"}
    assert set(state.attributes["SystemState"].type.values) == set(HEALTH_STATES)
    assert find(module_schema(), "Partition").attributes["ww:StopRank"].type.most == STOP_RANK_MAX
    (channel,) = find(module_schema(), "Connection_Table").places
    assert channel.most == CHANNELS_MAX


def test_every_element_and_attribute_is_explained():
    def check(element):
        assert element.text or element.name == "Process", element.name
        for attribute in element.attributes.values():
            assert attribute.text or element.name == "Process", (element.name, attribute.name)
        for place in element.places:
            check(place.element)

    check(module_schema())
    assert len(schema_octets()) == 2
