"""Switch-over by copying: whatever is lost when, the set in force changes once at its instant, and never back."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model import prices
from wattwheel.model.prices import PRICES_SWITCH, STEPS_SWITCH, PriceSets
from wattwheel.model.profile import PROFILE_DI, YEAR_2020, after_copy, copied_di, is_2020
from wattwheel.model.set_copies import CONSUMED, MEMBERS, asked, copied_sets, copy_of
from wattwheel.model.tariff_parameters import DAY_TABLES_SWITCH, ZONES_SWITCH, RunningSets, plan_of, switched

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
TABLE, STANDBY = 0x04010001, 0x04020001
PROFILE = {PROFILE_DI: YEAR_2020}


def wire(digits: str) -> bytes:
    return bytes.fromhex(digits)[::-1]


PAST, FURTHER, FUTURE = wire("2606011159"), wire("2606011158"), wire("2606011201")
VALUES = {TABLE: wire("000001"), STANDBY: wire("000004"), DAY_TABLES_SWITCH: PAST}


def told(values, copied, more=PROFILE):
    return {**values, **more, **{copied_di(switch): at for switch, at in copied.items()}}


def test_the_second_set_runs_until_it_is_copied_and_then_the_first():
    sets = switched(RunningSets(), told(VALUES, {}), NOON)
    assert sets == RunningSets(day_tables=1, day_tables_switched=PAST)
    assert switched(sets, told(VALUES, {}), NOON) is sets
    copy = copy_of(VALUES, {}, asked(sets, PriceSets()))
    assert copy.items == {**{TABLE + at: VALUES.get(STANDBY + at) for at in range(8)}, DAY_TABLES_SWITCH: CONSUMED}
    after = told({**VALUES, TABLE: VALUES[STANDBY], DAY_TABLES_SWITCH: CONSUMED}, copy.copied)
    assert switched(sets, after, NOON) == RunningSets(day_tables=0, day_tables_switched=PAST)
    assert copy_of(after, copy.copied, asked(sets, PriceSets())) is None


def test_without_the_profile_the_sets_toggle():
    sets = switched(RunningSets(), VALUES, NOON)
    assert sets.day_tables == 1
    assert switched(sets, {**VALUES, DAY_TABLES_SWITCH: FURTHER}, NOON).day_tables == 0
    assert not is_2020(VALUES)
    assert not is_2020(None)
    assert is_2020(PROFILE)


def test_each_member_has_its_standby_item():
    assert MEMBERS[ZONES_SWITCH] == ((0x04010000, 0x04020000),)
    assert MEMBERS[DAY_TABLES_SWITCH] == tuple((0x04010001 + at, 0x04020001 + at) for at in range(8))
    assert MEMBERS[PRICES_SWITCH] == tuple((0x04050101 + at, 0x04050201 + at) for at in range(63))
    steps = [(0x04060001, 0x04060201, 6), (0x04060101, 0x04060301, 7), (0x04060401, 0x04060501, 4)]
    assert MEMBERS[STEPS_SWITCH] == tuple((own + at, by + at) for own, by, count in steps for at in range(count))


def test_an_instant_that_was_written_meanwhile_is_not_consumed():
    values = {**VALUES, DAY_TABLES_SWITCH: FUTURE}
    copy = copy_of(values, {}, {DAY_TABLES_SWITCH: PAST})
    assert DAY_TABLES_SWITCH not in copy.items
    assert copy.items[TABLE] == VALUES[STANDBY]
    assert copy.copied == {DAY_TABLES_SWITCH: PAST}
    assert copy_of(values, {PRICES_SWITCH: PAST}, {DAY_TABLES_SWITCH: PAST}).copied == {
        PRICES_SWITCH: PAST,
        DAY_TABLES_SWITCH: PAST,
    }


def test_a_meter_that_ran_its_second_set_goes_on_with_it_when_it_gets_the_profile():
    """Also when another instant, which has not come, was written since."""
    sets = RunningSets(day_tables=1, day_tables_switched=FURTHER)
    values = {**VALUES, DAY_TABLES_SWITCH: FUTURE}
    assert switched(sets, told(values, {}), NOON) is sets
    assert asked(sets, PriceSets()) == {DAY_TABLES_SWITCH: FURTHER}
    copy = copy_of(values, {}, asked(sets, PriceSets()))
    after = told({**values, TABLE: VALUES[STANDBY]}, copy.copied)
    assert switched(sets, after, NOON) == RunningSets(day_tables_switched=FURTHER)
    toggled_twice = RunningSets(day_tables=0, day_tables_switched=PAST)
    assert switched(toggled_twice, told(VALUES, {}), NOON) is toggled_twice
    assert asked(toggled_twice, PriceSets()) == {}


def test_a_further_instant_that_comes_before_the_copy_leaves_the_standby_set_in_force():
    waiting = RunningSets(day_tables=1, day_tables_switched=FURTHER)
    sets = switched(waiting, told(VALUES, {}), NOON)
    assert sets == RunningSets(day_tables=1, day_tables_switched=PAST)
    assert switched(sets, told(VALUES, {DAY_TABLES_SWITCH: FURTHER}), NOON) is sets


def test_a_copy_of_what_a_cut_made_forgotten_was_executed():
    assert after_copy(0, b"", PRICES_SWITCH, told({}, {PRICES_SWITCH: PAST})) == (0, PAST)
    assert after_copy(0, FURTHER, PRICES_SWITCH, told({}, {PRICES_SWITCH: PAST})) == (0, PAST)
    assert after_copy(1, FURTHER, PRICES_SWITCH, told({}, {PRICES_SWITCH: PAST})) == (1, FURTHER)
    assert prices.copied(PriceSets(1, 1, PAST, FURTHER), told({}, {PRICES_SWITCH: PAST})) == PriceSets(
        0, 1, PAST, FURTHER
    )


@pytest.mark.parametrize("saved", [None, b"", b"\xff", b"\xc1", msgspec.msgpack.encode([1])])
def test_what_cannot_be_read_was_never_copied(saved):
    assert copied_sets(saved) == {}
    assert copied_sets(msgspec.msgpack.encode({DAY_TABLES_SWITCH: PAST})) == {DAY_TABLES_SWITCH: PAST}


STEPS = st.lists(st.sampled_from(("push", "minute", "copy", "energy lost", "switch", "standby")), max_size=60)


@given(STEPS)
def test_whatever_is_lost_the_table_in_force_changes_at_instants_alone(steps):
    """Energy may forget the last change of its sets; the owner of the parameters tells what is on the medium."""
    values, copied = {TABLE: wire("000001"), STANDBY: wire("000002")}, {}
    sets = before_last = RunningSets()
    minute, tariff, expected = 0, 2, values[TABLE]
    for step in (*steps, "minute", "push", "copy", "push"):
        is_idle = not sets.day_tables and values.get(DAY_TABLES_SWITCH) in (None, CONSUMED)
        if step == "minute":
            minute += 1
        elif step == "switch" and is_idle:
            values = {**values, DAY_TABLES_SWITCH: wire(f"260601{12 + minute // 60}{minute % 60:02d}")}
        elif step == "standby" and is_idle:
            tariff = tariff % 12 + 1
            values = {**values, STANDBY: wire(f"0000{tariff:02d}")}
        elif step == "copy" and (copy := copy_of(values, copied, asked(sets, PriceSets()))) is not None:
            values = {**values, **{di: octets for di, octets in copy.items.items() if octets is not None}}
            copied = copy.copied
        elif step == "energy lost":
            sets = before_last
        now = switched(sets, told(values, copied), NOON.replace(hour=12 + minute // 60, minute=minute % 60))
        if now is not sets:
            before_last = sets
            if now.day_tables and now.day_tables_switched != sets.day_tables_switched:
                expected = values[STANDBY]
            sets = now
        assert (values[STANDBY] if sets.day_tables else values[TABLE]) == expected
        used = plan_of({**values, 0x04000202: b"\x01", 0x04000203: b"\x01", 0x04000204: b"\x12"}, sets).day_tables
        assert used[0][0].tariff == int(expected[:1].hex())
    assert sets.day_tables == 0
