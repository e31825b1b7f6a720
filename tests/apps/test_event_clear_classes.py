"""CL-07: an event clear (1BH) of each class there is empties what it names, leaves all the others, and is recorded.

One meter to which everything has happened, cleared class by class through the channel: forwards, and another meter
backwards, so that each class was cleared while others were there.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.apps.test_contacts import tell
from tests.apps.test_energy_tariffs import wire
from tests.apps.test_fee_control_world import FAR, pay
from tests.apps.test_meter_clear import LEVEL_2, LEVEL_4, OPERATOR, clear_data

from wattwheel.model.event_thresholds import DELAYS
from wattwheel.testing.world import World, simulated_settings

STATISTICS = 0x03100000
DONE = (0x9B, b"")
EVENT_CLEARS = 0x03300300
CALENDAR = datetime(2026, 6, 10, 12, 0, 30, tzinfo=UTC)
NORMAL = {"voltage_v": (220, 220, 220), "current_a": (5, 5, 5)}

WRITTEN = {  # one item of each kind of programming records
    0x03300000: (0x04000103, "30"),
    0x03300500: (0x04010001, "000001"),
    0x03300600: (0x04010000, "010101"),
    0x03300700: (0x04000801, "7f"),
    0x03300800: (0x04030001, "26100101"),
    0x03300900: (0x04000601, "09"),
    0x03300A00: (0x04000602, "14"),
    0x03300B00: (0x04000603, "41"),
    0x03300C00: (0x04000B02, "9999"),
    0x03300F00: (0x04050101, "00000001"),
    0x03301000: (0x04060001, "00001000"),
}
CONTACTS = {  # a contact and its states
    0x03060000: ("auxiliary-supply", "lost", "present"),
    0x03300D00: ("meter-cover", "open", "closed"),
    0x03300E00: ("terminal-cover", "open", "closed"),
    0x03350000: ("magnetic-field", "present", "absent"),
    0x03370000: ("internal-supply", "abnormal", "normal"),
    0xB0490000: ("metering-chip", "faulty", "sound"),
    0xB0520000: ("module-plug", "removed", "inserted"),
}
WHOLE_FAMILIES = (0x03350000, 0xB0520000)
JUDGED = (*range(0x0301, 0x0306), *range(0x0307, 0x0310), 0x0311, 0x0312)
CLASSES: dict[int, tuple[int, ...]] = {
    **{family << 16 | 0xFF: (family << 16,) for family in JUDGED},
    **{(di | 0xFFFF if di in WHOLE_FAMILIES else di | 0xFF): (di,) for di in CONTACTS},
    **{di | 0xFF: (di,) for di in (*WRITTEN, 0x03300200, 0x03300400, 0x03340000, 0x03360000)},
    STATISTICS | 0xFF: (STATISTICS,),
    0x033301FF: (0x03330101, 0x03330601),
    0x1D0000FF: (0x1D000001, 0x1D00FF01),
    0x1E00FFFF: (0x1E000001, 0x1E00FF01),
    0x1FFFFFFF: (0x1F000001,),
}
"""Identifier of the clear to what it empties: counts, and records where there is no count."""

RECORD_OF = {0x03010000: 0x03010101, 0x03300A00: 0x03300A01, 0x03350000: 0x03350001, 0x03360000: 0x03360001}
"""Of some counts, a record that goes with them."""


@pytest.fixture
def world():
    passwords = {"password_level_2": LEVEL_2, "password_level_4": LEVEL_4}
    settings = simulated_settings(dlt645=passwords, fee_control={"mode": "local"})
    world = World(5, settings=settings, calendar=CALENDAR)
    world.set_power(3300, **NORMAL)
    world.await_ready()
    let_everything_happen(world)
    return world


def let_everything_happen(world: World) -> None:
    for di, digits in (*WRITTEN.values(), *((delay, "00") for delay in DELAYS.values())):
        assert world.write(di, wire(digits), 4, LEVEL_4) == (0x94, b""), f"{di:08X}"
    world.advance(3)
    assert pay(world, "recharge 50 1") == pay(world, "refund 5") == 0
    trip = b"\x1a\x00" + FAR
    assert world.request(0x1C, clear_data(2, LEVEL_2) + trip) == (0x9C, b"")
    world.advance(3)
    assert world.request(0x1C, clear_data(2, LEVEL_2) + b"\x1c\x00" + FAR) == (0x9C, b"")
    world.advance(3)
    assert pay(world, "relay-contact open") == 0
    world.advance(8)
    assert pay(world, "relay-contact follow") == 0
    for name, on, _ in CONTACTS.values():
        assert tell(world, name, on) == 0
    for flow in (
        {"voltage_v": (150, 270, 220)},  # loss, under, over, imbalance
        {"voltage_v": (100, 220, 220), "current_a": (0, 5, 5)},  # phase failure, current loss, imbalance of currents
        {"current_a": (0, 5, 80)},  # interruption, over-current
    ):
        world.set_power(3300, **{**NORMAL, **flow})
        world.advance(4)
    world.set_power(-1000, 20_000, 1000, **NORMAL)  # reversal, overload
    world.advance(4)
    world.set_power(10, 10, 10, reactive_var=(1000, 1000, 1000), **NORMAL)  # power factor
    world.advance(4)
    assert world.write(0x04090D01, wire("000001"), 4, LEVEL_4) == (0x94, b"")
    world.set_power(3300, **NORMAL, is_reversed=True)  # sequences; the demand is above its limit after a minute
    world.advance(130)
    assert world.write(0x04090D01, wire("475200"), 4, LEVEL_4) == (0x94, b"")
    world.set_power(0, voltage_v=(0, 0, 0), current_a=(5, 5, 5))  # power-down, and after a minute all voltages lost
    world.advance(70)
    world.set_power(3300, **NORMAL)
    for name, _, off in CONTACTS.values():
        assert tell(world, name, off) == 0
    assert world.request(0x19, clear_data(4, LEVEL_4)) == (0x99, b"")
    assert world.write(0x0400010C, wire("26061003120800"), 4, LEVEL_4) == (0x94, b"")
    world.advance(130)


def there(world: World) -> dict[int, bytes]:
    """What there is of all classes; what there is not is missing, and so is a count of nothing."""
    found = {}
    wanted = {di for dis in CLASSES.values() for di in dis} | set(RECORD_OF.values())
    for di in sorted(wanted):
        answer = world.ask(di)
        if answer.error is None and any(octets := answer.check()):
            found[di] = octets if di != STATISTICS else b"minutes"
        else:
            assert answer.error in (None, 2), f"{di:08X}"
    return found


def minutes(world: World) -> int:
    """Those of the running month for which the voltage was looked at."""
    return int(world.ask(STATISTICS).check()[2::-1].hex())


@pytest.mark.parametrize("is_backwards", [False, True])
def test_each_class_goes_and_all_others_stay(world, is_backwards):
    before = there(world)
    missing = [f"{di:08X}" for dis in CLASSES.values() for di in dis if di not in before]
    assert missing == [], "everything has happened"
    assert minutes(world) > 3
    for number, (di, emptied) in enumerate(sorted(CLASSES.items(), reverse=is_backwards), 1):
        assert world.request(0x1B, clear_data(2, LEVEL_2) + di.to_bytes(4, "little")) == DONE, f"{di:08X}"
        if STATISTICS in emptied:
            assert minutes(world) == 0
        world.advance(2)
        gone = {*emptied, *(RECORD_OF[each] for each in emptied if each in RECORD_OF)}
        expected = {each: octets for each, octets in before.items() if each not in gone}
        now = there(world)
        if STATISTICS not in expected:  # those of a month that goes on begin anew
            now.pop(STATISTICS, None)
        assert now == expected, f"{di:08X}"
        assert world.read(EVENT_CLEARS) == number
        assert world.ask(EVENT_CLEARS + 1).check()[6:] == OPERATOR + di.to_bytes(4, "little")
        before = now
    assert before == {}


def test_the_records_of_clears_themselves_stay(world):
    assert world.request(0x1A, clear_data(2, LEVEL_2)) == (0x9A, b"")
    assert world.request(0x1B, clear_data(2, LEVEL_2) + b"\xff" * 4) == DONE
    world.advance(3)
    assert (world.read(0x03300100), world.read(EVENT_CLEARS)) == (1, 1)
    for di in (0x033001FF, 0x033003FF):
        assert world.request(0x1B, clear_data(2, LEVEL_2) + di.to_bytes(4, "little")) == DONE
    assert (world.read(0x03300100), world.read(EVENT_CLEARS)) == (1, 3)
