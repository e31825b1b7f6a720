"""Limits of the 2020 profile: 12 tariffs, 20 public holidays, each refused with its own bit of ERR."""

from __future__ import annotations

import msgspec
import pytest

from wattwheel.apps.parameters import default_items, refusal
from wattwheel.model.limits_2020 import error_2020
from wattwheel.testing.world import World, simulated_settings

LEVEL_4 = "440044"
CASES = [
    (0x04000204, "12", 0),
    (0x04000204, "13", 0x40),
    (0x04000204, "63", 0x40),
    (0x04000205, "0020", 0),
    (0x04000205, "0021", 0x01),
    (0x04000205, "0254", 0x01),
    (0x04030014, "26010101", 0),
    (0x04030015, "26010101", 0x01),
    (0x040300FE, "26010101", 0x01),
    (0x04010001, "120012" + "000001", 0),
    (0x04010001, "120013" + "000001", 0x40),
    (0x04020008, "130013", 0x40),
    (0x04010000, "123108", 0),
    (0x0405010C, "00001000", 0),
    (0x0405010D, "00001000", 0x40),
    (0x0405023F, "00001000", 0x40),
    (0x04050101, "99999999", 0),
    (0x04000203, "14", 0),
    (0x04060106, "00001000", 0),
]
"""What the 2007 profile lets be written, all of it: identifier, digits, ERR in the 2020 profile."""


@pytest.mark.parametrize(("di", "digits", "error"), CASES)
def test_what_is_beyond_is_refused(di, digits, error):
    octets = bytes.fromhex(digits)[::-1]
    assert refusal(default_items(), di, octets) == 0
    assert error_2020(di, octets) == error


@pytest.mark.parametrize("profile", ["2007", "2020"])
def test_over_the_wire(profile):
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=LEVEL_4)
    meter = msgspec.structs.replace(settings.meter, profile=profile)
    world = World(2, settings=msgspec.structs.replace(settings, dlt645=own, meter=meter))
    world.await_ready()
    for di, digits, error in CASES:
        octets, is_good = bytes.fromhex(digits)[::-1], profile == "2007" or not error
        before = world.ask(di)
        reply = world.write(di, octets, 4, LEVEL_4)
        assert reply == ((0x94, b"") if is_good else (0xD4, bytes((error,)))), f"{di:08X}"
        assert world.ask(di).data == (octets if is_good else before.data)
