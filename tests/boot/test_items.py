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
    """A meter to which things have happened."""
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_2=LEVEL_2, password_level_4=LEVEL_4)
    world = World(3, settings=msgspec.structs.replace(settings, dlt645=own), calendar=BEFORE_SETTLEMENT)
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


def test_each_writable_row_takes_its_own_value_back(world, answers):
    written = 0
    for item in ITEMS_2007:
        answer = answers[item.di]
        if not item.write or answer.error is not None or item.members is not None:
            continue
        assert world.write(item.di, answer.data, 4, LEVEL_4) == (0x94, b""), f"{item.di_text} {item.name}"
        written += 1
    assert written > 20
    assert world.write(0x04000C05, b"\4\0\0\0", 4, LEVEL_4) == (0xD4, b"\x02")
    assert world.meter.crashes == []


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
