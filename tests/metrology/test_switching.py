"""Driving a relay and looking at its contact."""

from __future__ import annotations

import pytest

from wattwheel.drivers.sim.relay import SimRelay
from wattwheel.metrology.switching import OVERTAKEN_MAX, Switching

TICK_NS = 200_000_000


def looks(switching: Switching, relay: SimRelay, positions: str, start_ns: int = 0) -> list[bool]:
    """What it says after each half second in which the contact stood so: `o` open, `c` closed."""
    said = []
    for number, position in enumerate(positions):
        relay.is_open = position == "o"
        switching.look(start_ns + number * 500_000_000)
        said.append(switching.is_open)
    return said


@pytest.mark.parametrize(("positions", "says"), [("ooo", "cco"), ("oocooo", "ccccco"), ("ccoooccocco", "ccccooooooo")])
def test_three_looks_in_a_row_make_a_position(positions, says):
    relay = SimRelay()
    switching = Switching(relay)
    assert looks(switching, relay, positions) == [each == "o" for each in says]


def test_looks_between_two_samples_are_none():
    relay = SimRelay()
    switching = Switching(relay)
    relay.is_open = True
    said = []
    for number in range(10):
        switching.look(number * TICK_NS)
        said.append(switching.is_open)
    assert said.index(True) == 5  # at 0 s, 0.6 s and 1.0 s


def test_at_the_start_the_contact_is_believed():
    relay = SimRelay()
    relay.drive(True)
    assert Switching(relay).is_open is True


def test_the_newer_order_counts_whichever_comes_last():
    relay = SimRelay()
    switching = Switching(relay)
    assert switching.order(7, True)
    assert switching.order(8, False)
    assert not switching.order(7, True)
    assert (relay.is_open, relay.drives) == (False, 2)
    assert switching.order(8, False)
    assert relay.drives == 3  # the drive is repeated
    assert not switching.order(8 - OVERTAKEN_MAX, True)
    assert switching.order(7 - OVERTAKEN_MAX, True)  # a sender that began anew
    assert relay.is_open is True
