"""Every row of the register table, asked of a whole meter with real frames: a value, or a reason why not."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from wattwheel.apex.messages import Control
from wattwheel.boot.items import answered_identifiers, item_rows, reason_of, reasons
from wattwheel.boot.standard_module import READS, ROUTES, listed_prefixes
from wattwheel.model.catalogue import ITEMS_2007, item_2007
from wattwheel.model.errors import ItemValueError
from wattwheel.model.harmonics import BLOCKS, is_harmonic
from wattwheel.protocols.dlt645.items import decode
from wattwheel.testing.world import World, simulated_settings

LEVEL_2, LEVEL_4 = "220022", "440044"
NO_DATA, NOT_AUTHORISED = 2, 4
BEFORE_SETTLEMENT = datetime(2026, 6, 30, 23, 59, 30, tzinfo=UTC)
WRITTEN = {
    0x04000103: "15",
    0x04000601: "05",
    0x04000602: "41",
    0x04000603: "14",
    0x04000B02: "9999",
    0x04010000: "010101",
    0x04010001: "000001",
    0x04000801: "7f",
    0x04030001: "26100101",
    0x04050101: "00000100",
    0x04060001: "00001000",
    0x0400010C: "26070103120000",
}
"""One item of each kind that has a record of its own, as the picture prints it."""


def is_secret(di: int) -> bool:
    return not item_2007(di).read


@pytest.fixture(scope="module")
def world():
    """See `happened`."""
    return happened()


def happened(profile: str = "2007") -> World:
    """A meter to which things have happened."""
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_2=LEVEL_2, password_level_4=LEVEL_4)
    meter = msgspec.structs.replace(settings.meter, profile=profile)
    settings = msgspec.structs.replace(settings, dlt645=own, meter=meter)
    world = World(3, settings=settings, calendar=BEFORE_SETTLEMENT)
    world.set_power(3000)
    world.await_ready()
    assert world.request(0x1A, b"\x02" + bytes.fromhex(LEVEL_2)[::-1] + bytes(4)) == (0x9A, b"")
    world.advance(65)
    for di, digits in WRITTEN.items():
        assert world.write(di, bytes.fromhex(digits)[::-1], 4, LEVEL_4) == (0x94, b""), f"{di:08X}"
    world.advance(125)  # a whole minute since the clock was set
    return world


@pytest.fixture(scope="module")
def answers(world):
    """What the meter says to a read of each row."""
    return {item.di: world.ask(item.di) for item in ITEMS_2007}


def test_each_row_is_a_value_or_a_refusal_with_a_reason(answers):
    for di, answer in answers.items():
        if answer.error is not None:
            assert answer.error == (NOT_AUTHORISED if is_secret(di) else NO_DATA), f"{di:08X}: ERR {answer.error}"
            assert reason_of(di) is not None, f"{di:08X} {item_2007(di).name} is refused without a reason"


def test_each_value_fits_its_picture(answers):
    for di, answer in answers.items():
        if answer.error is None:
            try:
                decode(item_2007(di), answer.data)
            except ItemValueError as fault:
                pytest.fail(f"{di:08X}: {fault}")


def test_no_reason_is_left_over(answers):
    """The list can only shrink: a reason that no refused row of a new meter needs has to go."""
    needed = Counter(reason_of(item.di) for item in ITEMS_2007 if item.di not in answered_identifiers())
    assert [reason.prefix for reason in reasons() if not needed[reason]] == []
    assert {reason.state for reason in reasons()} == {"empty", "absent"}
    assert len({reason.prefix for reason in reasons()}) == len(reasons())


def test_what_was_empty_is_answered_once_there_is_something(answers):
    for di in (*(0x03300001 + (kind << 8) for kind in (0, *range(4, 0x0D), 0x0F, 0x10)), 0x03300101, *WRITTEN):
        assert answers[di].error is None, f"{di:08X}"


def text(words: str, octets: int) -> str:
    return words.encode().ljust(octets, b"\0").hex()


NEW_VALUES = {
    0x04000101: "26070305",
    0x04000102: "010203",
    0x0400010C: "26070406112233",
    0x04000103: "30",
    0x04000104: "05",
    0x04000106: "2610010000",
    0x04000107: "2610010000",
    0x04000108: "2610010000",
    0x04000109: "2610010000",
    0x04000403: text("METER 1", 32),
    0x04000404: text("100V", 6),
    0x04000405: text("1.5A", 6),
    0x04000406: text("10A", 6),
    0x04000407: text("0.5S", 4),
    0x04000408: text("2.0", 4),
    0x0400040B: text("model 7", 10),
    0x0400040C: text("2026-01-01", 10),
    0x0400040D: text("DL/T 645", 16),
    0x0400040E: "000000123456",
    0x04000703: "04",
    0x04000801: "3e",
    0x04000802: "01",
    0x04000A01: "01010000",
    0x04000B02: "1512",
    0x04000B03: "2012",
    0x04000E01: "010000",
    0x04000E02: "010000",
    0x04001101: "01",
    0x04010000: "030101",
    0x04010001: "060001",
    0x04020000: "030101",
    0x04020001: "060001",
    0x04030001: "26110101",
}
"""Digits of a legal value, as the picture prints them; of any other row it is the one next to what it has."""

CLOCK = (0x04000101, 0x04000102, 0x0400010C)
"""Goes on while it is read back."""

NOT_WRITTEN = {
    **dict.fromkeys((0x04000701, 0x04000702, 0x04000704, 0x04000705), "the meter has no such port"),
    **dict.fromkeys(range(0x04000C01, 0x04000C0B), "passwords are changed by 18H alone"),
    **dict.fromkeys(range(0x04000D01, 0x04000D0D), "the metering core has no such coefficients"),
    **dict.fromkeys((*range(0x0400B501, 0x0400B509), *range(0x0400B510, 0x0400B515)), "freezes of the 2020 profile"),
}
"""Rows that are for writing and that this meter does not have: a write is refused, no requested data."""

OWN_VALUE = {0x04000401: "any other address would be that of another meter"}
NOT_READ = {0x04001503: bytes(12)}


def neighbours(octets: bytes) -> list[bytes]:
    """The numbers next to that in `octets`, BCD or bits, as long as they have as many octets."""
    digits = octets[::-1].hex()
    base = 10 if digits.isdecimal() else 16
    numbers = [int(digits, base) + step for step in (1, -1)]
    texts = [f"{number:0{len(digits)}{'d' if base == 10 else 'x'}}" for number in numbers if number >= 0]
    return [bytes.fromhex(text)[::-1] for text in texts if len(text) == len(digits)]


def writable() -> list[int]:
    return [item.di for item in ITEMS_2007 if item.write]


def test_each_writable_row_is_written_with_another_value_and_read_back():
    world = happened()
    for di in writable():
        before = world.ask(di)
        if di in NOT_WRITTEN:
            octets = item_2007(di).octets
            assert octets is not None
            assert world.write(di, bytes(octets), 4, LEVEL_4) == (0xD4, bytes((NO_DATA,))), f"{di:08X}"
            continue
        if di in NEW_VALUES:
            values = [bytes.fromhex(NEW_VALUES[di])[::-1]]
        else:
            values = [NOT_READ[di]] if di in NOT_READ else [before.data] if di in OWN_VALUE else neighbours(before.data)
        assert di in NOT_READ or di in OWN_VALUE or before.data not in values, f"{di:08X} has this value already"
        taken = next((value for value in values if world.write(di, value, 4, LEVEL_4) == (0x94, b"")), None)
        assert taken is not None, f"{di:08X} {item_2007(di).name} takes none of {[value.hex() for value in values]}"
        if di not in NOT_READ:
            assert is_told(di, world.ask(di).check(), taken), f"{di:08X} {item_2007(di).name}"
        if before.error is None and di not in CLOCK:
            assert world.write(di, before.data, 4, LEVEL_4) == (0x94, b""), f"{di:08X}: its value of before"
    assert world.meter.crashes == []


def is_told(di: int, told: bytes, written: bytes) -> bool:
    """Whether what is read is what was written; the clock has gone on by some seconds."""
    number, expected = told[::-1].hex(), written[::-1].hex()
    return number == expected or (di in CLOCK and 0 <= int(number) - int(expected) <= 5)


def test_what_is_not_written_is_no_more_than_what_the_meter_has_not():
    assert set(NOT_WRITTEN) | set(OWN_VALUE) | set(NOT_READ) | set(NEW_VALUES) <= set(writable())
    answered = answered_identifiers()
    assert not set(NOT_WRITTEN) & answered
    assert all(item_2007(di).di not in answered for di in NOT_READ)


def test_a_row_that_is_not_for_writing_is_refused(world):
    for item in ITEMS_2007:
        if not item.write and item.octets is not None and item.di >> 24 == 4:
            assert world.write(item.di, bytes(item.octets), 4, LEVEL_4)[0] == 0xD4, item.di_text


# -- lists


def test_the_lists_of_all_owners_together_are_what_is_answered(world, answers):
    listed: set[int] = set()
    for prefix in listed_prefixes(READS):
        listed |= listed_by_owner(world, int(prefix.ljust(8, "0"), 16))
    good = {di for di, answer in answers.items() if answer.error is None}
    single_orders = {di for di in answers if is_harmonic(di) and di not in BLOCKS}
    assert good - listed == single_orders
    assert {di for di in listed if di in answers} - good == set()


def listed_by_owner(world: World, di: int) -> set[int]:
    """What the owner of `di` lists in its group."""
    told: list[bytes] = []
    world.meter.ask(Control.LIST, di, (di & 0xFF000000).to_bytes(4, "little"), lambda reply: told.append(reply.data))
    world.advance(0.2)
    return {int.from_bytes(told[0][at : at + 4], "little") for at in range(0, len(told[0]), 4)}


def test_each_owner_of_a_group_is_asked_for_its_list_once():
    prefixes = listed_prefixes(
        [("03", "energy"), ("033004", "platform"), ("033000", "parameters"), ("033005", "parameters")]
    )
    assert prefixes == ["03", "033004", "033005"]
    assert len({route[:2] for route in ROUTES}) == len(ROUTES)


def test_the_command_says_why():
    for row in item_rows(unanswered_only=True):
        assert row["why"], row["di"]


def test_what_the_2020_profile_alone_has_is_answered_and_written_there():
    world = happened("2020")
    groups = {reason.prefix: reason for reason in reasons() if "2020 profile" in reason.why}
    assert set(groups) == {"0400B5", "B048", "B050", "B5"}
    own = [item for item in ITEMS_2007 if reason_of(item.di) in groups.values()]
    answered = {item.di for item in own if world.ask(item.di).error is None}
    counts = {0xB0480000, 0xB0500000, 0xB0500100}
    assert {di for di in answered if di >> 24 == 0xB0} == counts
    assert {di for di in answered if di >> 24 == 4} == {item.di for item in own if item.write}
    assert {di >> 16 & 0xFF for di in answered if di >> 24 == 0xB5} >= {0x05, 0x06}  # a settlement at a month's end
    for di in answered:
        decode(item_2007(di), world.ask(di).check())
        if di >> 24 == 4:
            value = neighbours(world.ask(di).check())[0]
            assert world.write(di, value, 4, LEVEL_4) == (0x94, b""), f"{di:08X}"
            assert world.ask(di).check() == value
    assert world.meter.crashes == []
