"""Programming records: one a session and kind, with what was there before, kept with the write whatever dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.apps.parameters import default_items
from wattwheel.apps.programming_records import (
    COMBINATIONS,
    DAY_TABLES,
    HEAD_KEY,
    HOLIDAYS,
    KINDS,
    LISTED_MAX,
    PRICES,
    PROGRAMMING,
    REST_DAYS,
    SETTLEMENTS,
    STEPS,
    ZONES,
    Head,
    State,
    Wrote,
    following,
    key_released,
    kind_of,
    passwords_changed,
    recorded,
    saved_state,
)
from wattwheel.drivers.sim.clock import POWER_UP
from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import NotAnswered
from wattwheel.model.event_clears import ALL_EVENTS, Clears
from wattwheel.model.panel_state import PasswordChange
from wattwheel.protocols.dlt645.items import decode
from wattwheel.testing.world import World, simulated_settings

LEVEL_2, LEVEL_4 = "220022", "440044"
OPERATOR = 0x12345678
AUTHOR = OPERATOR.to_bytes(4, "little")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PERIOD, SLIP = 0x04000103, 0x04000104
DONE = (0x94, b"")


def wrote(di, seconds=0, operator=AUTHOR, by_key=False, values=None):
    return Wrote(di, operator, NOON + timedelta(seconds=seconds), by_key, values or default_items())


def after(*writes, state=None):
    state = state or State()
    for write in writes:
        state = recorded(state, write)[1]
    return state


def identifiers(record):
    return [int.from_bytes(record[at : at + 4], "little") for at in range(10, 50, 4)]


# -- the rules


def test_a_session_lists_its_first_ten_identifiers_each_once():
    dis = [0x04090101 + at for at in range(12)]
    state = after(*(wrote(di, at) for at, di in enumerate([dis[0], *dis])))
    (record,) = state.records[PROGRAMMING]
    assert len(record) == 50
    assert record[:10] == bytes.fromhex("000012201126") + AUTHOR
    assert identifiers(record) == dis[:LISTED_MAX]
    assert state.head.rings[PROGRAMMING].count == 1


def test_unused_places_are_ff():
    (record,) = after(wrote(PERIOD)).records[PROGRAMMING]
    assert identifiers(record) == [PERIOD] + [0xFFFFFFFF] * 9


@pytest.mark.parametrize(
    ("second", "is_new"),
    [
        (wrote(SLIP, 599), False),
        (wrote(SLIP, 600), True),
        (wrote(SLIP, -1), True),  # the clock was set back
        (wrote(SLIP, 1, operator=b"\0\0\0\1"), True),
    ],
)
def test_what_ends_a_session(second, is_new):
    assert after(wrote(PERIOD), second).head.rings[PROGRAMMING].count == 1 + is_new


def test_the_programming_key_ends_a_session_that_it_opened():
    with_key = after(wrote(PERIOD, by_key=True))
    released = key_released(with_key)[1]
    assert after(wrote(SLIP, 1, by_key=True), state=released).head.rings[PROGRAMMING].count == 2
    assert after(wrote(SLIP, 1, by_key=True), state=with_key).head.rings[PROGRAMMING].count == 1
    assert after(wrote(SLIP, 1), state=with_key).head.rings[PROGRAMMING].count == 2  # released while nobody looked
    without = after(wrote(PERIOD))
    assert key_released(without) == ({}, without)


RECORD_OCTETS = {
    DAY_TABLES: 682,
    ZONES: 94,
    REST_DAYS: 11,
    HOLIDAYS: 10,
    SETTLEMENTS: 16,
    PRICES: 10 + 2 * 4 * 4,  # of both sets and four tariffs
    STEPS: 114,
    **dict.fromkeys(COMBINATIONS, 11),
}
WRITTEN = {
    DAY_TABLES: (0x04010003, 0x04020008),
    ZONES: (0x04010000, 0x04020000),
    REST_DAYS: (0x04000801, 0x04000802),
    HOLIDAYS: (0x04030001, 0x040300FE),
    SETTLEMENTS: (0x04000B01, 0x04000B02, 0x04000B03),
    PRICES: (0x04050101, 0x0405023F),
    STEPS: (0x04060001, 0x04060307),
    **{kind: (di,) for kind, di in COMBINATIONS.items()},
}


def test_prices_of_a_meter_of_a_single_tariff():
    values = default_items() | {0x04000204: b"\0"}
    (record,) = after(wrote(0x04050101, values=values)).records[PRICES]
    assert len(record) == 10 + 2 * 4


@pytest.mark.parametrize("kind", RECORD_OCTETS, ids=lambda kind: f"{kind:08X}")
def test_a_kind_of_its_own_has_its_length_and_is_not_in_the_general_record(kind):
    for di in WRITTEN[kind]:
        state = after(wrote(di))
        assert list(state.records) == [kind]
        (record,) = state.records[kind]
        assert len(record) == RECORD_OCTETS[kind]
        decoded = decode(item_2007(kind + 1), record)
        if item_2007(kind + 1).octets is not None:
            assert item_2007(kind + 1).octets == len(record)
            assert decoded.parts[0].text.startswith("261120")


def test_the_record_has_what_was_there_before_the_sessions_first_write():
    values = default_items() | {0x04010001: bytes.fromhex("010000"), 0x04010002: bytes.fromhex("02000001003012")}
    changed = values | {0x04010001: bytes.fromhex("030000")}
    state = after(wrote(0x04010001, values=values), wrote(0x04010002, 9, values=changed))
    (record,) = state.records[DAY_TABLES]
    assert record[10:52] == bytes.fromhex("010000") + bytes(39)
    assert record[52:94] == bytes.fromhex("02000001003012") + bytes(35)
    assert record[94:] == b"\xff" * (682 - 94)


def test_a_list_of_holidays_is_as_long_as_it_was():
    values = default_items() | {0x04000205: bytes.fromhex("0200"), 0x04030003: bytes.fromhex("01011226")}
    (record,) = after(wrote(0x04030001, values=values)).records[HOLIDAYS]
    assert record[10:] == b"\xff" * 8 + bytes.fromhex("01011226")
    full = values | {0x04000205: bytes.fromhex("5402")}
    assert len(after(wrote(0x04030001, values=full)).records[HOLIDAYS][0]) == 10 + 4 * 254


def test_an_old_word_is_in_its_record():
    values = default_items() | {0x04000602: b"\x28", 0x04000802: b"\x03"}
    assert after(wrote(0x04000602, values=values)).records[0x03300A00][0][10:] == b"\x28"
    assert after(wrote(0x04000801, values=values)).records[REST_DAYS][0][10:] == b"\x03"
    settlements = after(wrote(0x04000B02, values=values)).records[SETTLEMENTS][0]
    assert settlements[10:] == bytes.fromhex("000199999999")


WRITES = st.lists(
    st.tuples(st.sampled_from([PERIOD, SLIP, 0x04010001, 0x04000601, 0x04030001]), st.integers(1, 700)), max_size=40
)


@given(WRITES)
def test_what_is_saved_write_by_write_is_the_state(writes):
    state, saved, second = State(), {}, 0
    for di, seconds in writes:
        second += seconds
        changes, state = recorded(state, wrote(di, second))
        saved.update(changes)
    assert saved_state(saved) == state
    for records in state.records.values():
        assert len(records) <= 10
    assert all(len(octets) <= 7936 and len(key) <= 64 for key, octets in saved.items())


def test_octets_of_another_version_are_forgotten():
    assert saved_state({HEAD_KEY: b"\xc1"}) == saved_state({HEAD_KEY: b"\x91\x01"}) == State()
    changes, state = recorded(State(), wrote(PERIOD))
    assert saved_state({HEAD_KEY: changes[HEAD_KEY]}).records == {PROGRAMMING: ()}  # its record is gone
    assert state.items()[PROGRAMMING] == b"\1\0\0"


# -- clears


def test_clears_are_followed_once_and_only_those_that_are_meant():
    state = after(wrote(PERIOD), wrote(0x04010001))
    changes, one = following(state, Clears(0, ((1, DAY_TABLES | 0xFF),)))
    assert list(one.records) == [PROGRAMMING]
    assert one.items()[DAY_TABLES] == bytes(3)
    assert f"programming record {DAY_TABLES:08X} 0" in changes
    written = after(wrote(0x04010001), state=one)
    assert following(written, Clears(0, ((1, DAY_TABLES | 0xFF),))) == ({}, written)
    assert DAY_TABLES not in following(written, Clears(0, ((1, 0), (2, ALL_EVENTS))))[1].records
    assert following(written, Clears(1, ()))[1].records == {}
    assert list(following(written, Clears(0, ((1, DAY_TABLES | 0xFF), (2, ZONES | 0xFF))))[1].records) == [
        PROGRAMMING,
        DAY_TABLES,
    ]


def test_numbers_of_clears_that_have_fallen_empty_nothing_and_count_from_there():
    state = after(wrote(PERIOD), state=following(State(), Clears(3))[1])
    fallen = following(state, Clears(2))[1]
    assert fallen.records == state.records
    assert following(fallen, Clears(3))[1].records == {}


def test_a_record_after_a_clear_in_the_same_session_is_new():
    state = following(after(wrote(PERIOD)), Clears(1))[1]
    again = after(wrote(SLIP, 1), state=state)
    assert identifiers(again.records[PROGRAMMING][0])[:2] == [SLIP, 0xFFFFFFFF]


def test_every_kind_is_in_the_register_table():
    assert {item_2007(kind).octets for kind in KINDS} == {3}
    assert kind_of(0x04000101) == PROGRAMMING


# -- in a meter


def meter(calendar=POWER_UP, **dlt645):
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_2=LEVEL_2, password_level_4=LEVEL_4, **dlt645)
    world = World(9, settings=msgspec.structs.replace(settings, dlt645=own), calendar=calendar)
    world.await_ready()
    return world


def write(world, di, digits, operator=OPERATOR):
    return world.write(di, bytes.fromhex(digits)[::-1], 4, LEVEL_4, operator)


def test_a_write_is_recorded_with_its_time_and_operator():
    world = meter()
    assert world.read(PROGRAMMING) == 0
    assert world.ask(PROGRAMMING + 1).error == 2
    assert write(world, PERIOD, "20") == (0xD4, b"\x01")
    assert world.read(PROGRAMMING) == 0
    assert write(world, PERIOD, "30") == DONE
    at = world.clock.calendar()
    record = world.ask(PROGRAMMING + 1).check()
    told = datetime.strptime(record[5::-1].hex(), "%y%m%d%H%M%S").replace(tzinfo=UTC)
    assert timedelta(0) <= at - told < timedelta(seconds=3)
    assert record[6:10] == AUTHOR
    assert identifiers(record)[0] == PERIOD
    world.advance(601)
    assert write(world, SLIP, "05") == DONE
    assert world.read(PROGRAMMING) == 2
    assert identifiers(world.ask(PROGRAMMING + 1).check())[0] == SLIP
    assert world.ask(PROGRAMMING + 2).check() == record
    assert world.meter.crashes == []


def test_releasing_the_key_ends_the_session_in_a_meter():
    world = meter(programming_key=True)
    world.press("program")
    assert write(world, PERIOD, "30") == DONE
    assert write(world, SLIP, "05") == DONE
    assert world.read(PROGRAMMING) == 1
    world.press("program")
    world.press("program")
    assert write(world, SLIP, "03") == DONE
    assert world.read(PROGRAMMING) == 2


def test_the_old_day_tables_come_in_several_frames():
    world = meter()
    old, new = "080001" * 14, "090002" * 14
    assert write(world, 0x04010001, old) == DONE
    assert write(world, 0x04010001, new, operator=1) == DONE
    record = world.ask(DAY_TABLES + 1).check()
    assert len(record) == 682
    assert record[10:52] == bytes.fromhex(old)[::-1]
    assert world.read(DAY_TABLES) == 2


@pytest.mark.parametrize("at_write", range(10))
def test_cut_at_every_write_value_and_record_come_together(at_write):
    world = meter()
    world.advance(1)
    world.cut_power_at_write(at_write)
    try:
        reply = write(world, 0x04000601, "09")
    except NotAnswered:
        reply = None
    world.advance(70)
    world.await_ready()
    is_done = world.read(0x03300900) == 1
    assert world.ask(0x04000601).check() == (b"\x09" if is_done else b"\x05")
    assert (world.ask(0x03300901).error is None) is is_done
    assert is_done or reply != DONE
    if is_done:
        assert world.ask(0x03300901).check()[10:] == b"\x05"
    assert world.meter.crashes == []


@pytest.mark.parametrize("victim", ["parameters", "store"])
@pytest.mark.parametrize("operations", range(12))
def test_killed_in_the_middle_of_a_write_value_and_record_come_together(victim, operations):
    world = meter()
    world.advance(1)
    world.kill_within(victim, operations)
    reply = write(world, 0x04000601, "09")
    world.quiet()
    world.kill("kernel")
    world.advance(4)
    is_done = world.ask(0x04000601).check() == b"\x09"
    assert world.read(0x03300900) == int(is_done)
    assert is_done or reply != DONE


@pytest.mark.parametrize("operations", range(16))
def test_a_clear_that_counts_is_followed_whenever_energy_dies(operations):
    world = meter()
    assert write(world, PERIOD, "30") == DONE
    world.advance(2)
    world.kill_within("energy", operations)
    clear = bytes((2,)) + bytes.fromhex(LEVEL_2)[::-1] + AUTHOR
    reply = world.request(0x1A, clear)
    world.quiet()
    world.advance(4)
    is_cleared = world.read(0x03300100) == 1
    assert world.read(PROGRAMMING) == int(not is_cleared)
    assert is_cleared or reply != (0x9A, b"")
    world.kill("kernel")
    world.advance(4)
    assert world.read(PROGRAMMING) == int(not is_cleared)


@pytest.mark.parametrize("victim", [None, "parameters", "energy"])
def test_a_meter_clear_empties_them_also_when_somebody_was_dead(victim):
    world = meter()
    assert write(world, PERIOD, "30") == DONE
    world.advance(2)
    clear = bytes((2,)) + bytes.fromhex(LEVEL_2)[::-1] + AUTHOR
    if victim == "parameters":
        world.meter.body("parameters").kill()
    assert world.request(0x1A, clear) == (0x9A, b"")
    if victim is not None:
        world.kill(victim)
    world.advance(3)
    assert world.read(PROGRAMMING) == 0
    assert world.ask(PROGRAMMING + 1).error == 2
    assert world.read(PERIOD) == 30
    assert write(world, SLIP, "05") == DONE
    for name in ("parameters", "energy", "kernel"):
        world.kill(name)
        world.advance(3)
        assert world.read(PROGRAMMING) == 1


def test_a_session_of_twelve_items_through_the_channel():
    """EV-12: one record with the first ten; what has a kind of its own is not among them."""
    world = meter()
    dis = [0x04090101 + at for at in range(3)] + [0x04090201, 0x04090301, 0x04090401, 0x04090402, 0x04090501]
    dis += [0x04090601, 0x04090701, 0x04090702, 0x04090703]
    assert len(dis) == 12
    for at, di in enumerate(dis):
        assert world.write(di, world.ask(di).check(), 4, LEVEL_4, OPERATOR) == DONE, f"{di:08X}"
        if at == 5:
            assert write(world, 0x04000601, "09") == DONE
    record = world.ask(PROGRAMMING + 1).check()
    assert world.read(PROGRAMMING) == 1
    assert (identifiers(record), record[6:10]) == (dis[:10], AUTHOR)
    assert (world.ask(PROGRAMMING + 2).error, world.read(0x03300900)) == (2, 1)


# -- changed passwords (18H), which another service keeps


def change_password(world, level, new, password=LEVEL_4, by=4):
    data = (0x04000C01 + level).to_bytes(4, "little") + bytes((by,)) + bytes.fromhex(password)[::-1]
    return world.request(0x18, data + bytes((level,)) + bytes.fromhex(new)[::-1])


def test_a_changed_password_is_recorded_once_and_a_refused_one_is_not():
    world = meter()
    assert change_password(world, 4, "123456", "000000")[0] == 0xD8
    world.advance(2)
    assert world.read(PROGRAMMING) == 0
    assert change_password(world, 4, "123456")[0] == 0x98
    world.advance(2)
    record = world.ask(PROGRAMMING + 1).check()
    assert (identifiers(record)[:2], record[6:10]) == ([0x04000C05, 0xFFFFFFFF], bytes(4))
    told = datetime.strptime(record[5::-1].hex(), "%y%m%d%H%M%S").replace(tzinfo=UTC)
    assert timedelta(0) <= world.clock.calendar() - told < timedelta(seconds=5)
    for name in ("security", "parameters", "kernel"):
        world.kill(name)
        world.advance(10)
        assert world.read(PROGRAMMING) == 1


def test_commands_without_an_operator_belong_to_the_session_that_lasts():
    world = meter()
    assert write(world, PERIOD, "30") == DONE
    assert change_password(world, 6, "123456")[0] == 0x98
    world.advance(2)
    record = world.ask(PROGRAMMING + 1).check()
    assert (identifiers(record)[:3], record[6:10]) == ([PERIOD, 0x04000C07, 0xFFFFFFFF], AUTHOR)
    assert world.read(PROGRAMMING) == 1


@pytest.mark.parametrize("operations", range(14))
@pytest.mark.parametrize("victim", ["parameters", "security"])
def test_a_password_that_counts_is_recorded_whenever_somebody_dies(victim, operations):
    world = meter()
    world.advance(1)
    world.kill_within(victim, operations)
    reply = change_password(world, 4, "123456")
    world.quiet()
    world.kill("kernel")
    world.advance(10)
    is_changed = world.write(PERIOD, b"\x30", 4, "123456", OPERATOR) == DONE
    assert is_changed or reply is None or reply[0] != 0x98
    listed = [each for place in range(1, world.read(PROGRAMMING) + 1) for each in records_at(world, place)]
    assert (0x04000C05 in listed) is is_changed
    assert listed.count(0x04000C05) <= 1


def records_at(world, place):
    return identifiers(world.ask(PROGRAMMING + place).check())


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 9)), max_size=8), st.integers(0, 6))
def test_password_changes_are_recorded_once_however_often_they_are_told(told, known):
    """Numbers that fall come from a service that has lost its state; they record nothing, and count from there."""
    of_each = {number: PasswordChange(number, NOON, level) for number, level in told}
    told = [of_each[number] for number in sorted(of_each)]
    before = State(Head(password_change=known))
    changes, state = passwords_changed(before, told, False)
    new = [change for change in told if change.number > known]
    listed = identifiers(state.records[PROGRAMMING][0]) if new else []
    assert [di for di in listed if di != 0xFFFFFFFF] == list(dict.fromkeys(0x04000C01 + each.level for each in new))
    assert saved_state(dict(changes)) == state or not changes
    assert passwords_changed(state, told, False) == ({}, state)
