"""The words in which contacts are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.contacts import STATES, WATCHED_WITHOUT_MAINS, Contact, allowed, is_state, told_changes


@pytest.mark.parametrize("name", WATCHED_WITHOUT_MAINS)
def test_words_of_changes(name):
    on, off = STATES[name]
    assert told_changes(f"{name} {on}".encode(), 77) == (name, [(on, 77)])
    times_told = f"{name} {on} 20000101000100 {off} 20000102000000".encode()
    assert told_changes(times_told, 1 << 40) == (name, [(on, 60), (off, 86_400)])
    assert told_changes(times_told, 3600) == (name, [(on, 60), (off, 3600)])  # no later than now


@pytest.mark.parametrize(
    "words",
    [
        *("", "meter-cover", "meter-cover open 2026", "meter-cover open 20261340000000", "meter-cover open closed"),
        *("meter-cover open 20261121100000 closed", "meter-cover ajar 20261121100000", "window open 20261121100000"),
        *("meter-cover open 19991231235959", "meter-cover open 20261121100000 closed 2026112110000x"),
    ],
)
def test_what_says_no_change_is_refused(words):
    assert told_changes(words.encode(), 1 << 40) is None


@given(st.binary(max_size=60))
def test_no_words_of_changes_break_anything(octets):
    told = told_changes(octets, 0)
    assert told is None or all(is_state(told[0], state) for state, _ in told[1])


@pytest.mark.parametrize(
    ("digits", "is_one"),
    [("0011223344556677", True), ("FFFFFFFFFFFFFFFE", True), ("ffffffffffFFFFFF", False), ("00112233", False)],
)
def test_a_serial_number_is_not_what_stands_for_none(digits, is_one):
    assert is_state(Contact.SECURITY_ELEMENT, digits) is is_one
    assert "not all F" in allowed(Contact.SECURITY_ELEMENT)
