"""Maxima of the demand at the ends of settlement periods, what clears leave, and what is on the medium."""

from __future__ import annotations

import random
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.apps.demand_bench import NONE, OPERATOR, START, bench, maximum

from wattwheel.apps.demand import Demand
from wattwheel.model.catalogue import fields, item_2007
from wattwheel.model.demand import PERIOD, SLIP
from wattwheel.protocols.dlt645.items import decode
from wattwheel.sdk import Function, SaveResult

FORWARD, COMBINED_1 = 0x01010000, 0x01030000
QUADRANTS = (0x01050000, 0x01060000, 0x01070000, 0x01080000)
APPARENT = 0x01090000
TARIFFS = {0x04000204: "04", 0x04000203: "02"}


# -- settlement

JUNE = START.replace(day=30, hour=23, minute=50)
DAYS = {0x04000B01: "0100", 0x04000B02: "1506", 0x04000B03: "2006"}


@pytest.mark.parametrize("every_s", [1, 60])
def test_instant_1_takes_the_maxima_with_it(every_s):
    own = bench({PERIOD: "05", **TARIFFS}, JUNE)
    own.run(9, 10, 1, phases=((10, 0),), every_s=every_s)
    assert own.maximum(0x01010001) is None
    own.run(1, 20, 1, phases=((10, 0),), every_s=every_s)
    reached = (120_000, "2607010000")  # the window that ends with the period belongs to it
    assert own.maximum(0x01010001) == own.maximum(0x01010101) == reached
    assert own.block(0x0101FF01) == [reached, reached, NONE, NONE, NONE]
    assert own.maximum(0x01150001)[0] == 100_000
    assert own.maximum() == own.maximum(0x01150000) == own.maximum(0x01010100) == NONE
    assert own.now() == (0, 0, 0)
    own.run(4, 5, every_s=every_s)
    assert own.maximum() == NONE
    own.run(1, 5, every_s=every_s)
    assert own.maximum() == (50_000, "2607010005")
    assert own.block(0x010100FF) == [(50_000, "2607010005"), reached]
    assert own.block(0x010101FF) == [(50_000, "2607010005"), reached]
    assert own.block(0x011500FF)[1][0] == 100_000
    assert own.energy.look(0x0101FFFF) is None


def test_instants_2_and_3_take_nothing_and_have_nothing():
    own = bench({PERIOD: "05", **DAYS, **TARIFFS}, START.replace(day=15, hour=5, minute=50))
    own.run(10, 10)
    assert own.maximum()[0] == own.now()[0] == 100_000
    assert own.block(0x0101FF01) == ["ff"] * 5
    assert own.maximum(0x01150001) == own.maximum(0x01010101) == "ff"
    assert own.block(0x010100FF) == [(100_000, own.minute(5)), "ff"]
    own.run(1, 40)
    assert own.maximum()[0] == 160_000  # nothing restarted


def test_of_missed_periods_the_first_has_the_demand_and_later_ones_have_none():
    own = bench({PERIOD: "05", **DAYS}, START.replace(day=14))
    own.run(5, 10)
    reached = own.maximum()
    own.wait(3600 * 24 * 60)  # the 15th, the 20th, July, the 15th, the 20th, August
    own.start(is_power_up=True)
    own.push()
    assert own.maximum() == NONE
    assert own.block(0x010100FF) == [NONE, NONE, "ff", "ff", reached, "ff", "ff"]
    own.start(is_power_up=True)
    own.wait(3)
    own.push()
    assert own.block(0x010100FF) == [NONE, NONE, "ff", "ff", reached, "ff", "ff"]


def test_twelve_periods_are_kept_and_no_record_of_others():
    own = bench({PERIOD: "05"}, JUNE - timedelta(hours=1))
    for month in range(1, 16):
        own.run(5, month)
        own.at, own.mono_s = (own.at + timedelta(days=32)).replace(day=2), own.mono_s + 32 * 86400
        own.start(is_power_up=True)
        own.push()
    assert [value for value, _ in own.block(0x010100FF)] == [0, *(10_000 * month for month in range(15, 3, -1))]
    assert sum(key.startswith("demand period ") for key in own.medium.saved) == 12
    assert own.maximum(0x0101000D) is None


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_a_kill_at_any_time_around_a_settlement_changes_nothing(seed):
    chance = random.Random(seed)
    own, steady = (bench({PERIOD: "05", SLIP: "05"}, JUNE + timedelta(minutes=3)) for _ in range(2))
    for minute in range(20):
        steady.run(1, minute % 7)
        for _ in range(10):
            own.flow(minute % 7, seconds=6)
            own.wait(6)
            if own.at.second == 0 or chance.random() < 0.5:
                own.push()
            if chance.random() < 0.1:
                own.start()
        assert own.block(0x010100FF) == steady.block(0x010100FF)
        assert own.now() == steady.now()


# -- clears


def test_a_demand_clear_empties_maxima_restarts_windows_and_keeps_a_record():
    own = bench({PERIOD: "05", **TARIFFS}, JUNE)
    own.run(11, 10, 3, phases=((10, 3), (0, 0), (-1, -1)))
    own.run(5, 10, 3, phases=((10, 3), (0, 0), (-1, -1)))
    before = own.maximum()
    own.flow(10, seconds=20)
    own.wait(20)
    own.push()
    assert own.clear() == b""
    for di in (FORWARD, 0x01010100, QUADRANTS[0], COMBINED_1, APPARENT, 0x01150000, 0x013E0000):
        assert own.maximum(di) == NONE
    assert own.now() == (0, 0, 0)
    assert own.maximum(0x01010001)[0] == 100_000  # history stays
    record = own.energy.look(0x03300201)
    item = item_2007(0x03300201)
    decoded = decode(item, record)
    assert len(record) == item.octets == 202
    assert decoded.is_valid
    assert len(decoded.parts) == len(fields(item.layout))
    assert record[5::-1].hex() == f"{own.at:%y%m%d%H%M%S}"
    assert record[6:10] == OPERATOR
    maxima = [maximum(record[at : at + 8]) for at in range(10, 202, 8)]
    assert maxima[:6] == [before, NONE, (30_000, before[1]), NONE, NONE, NONE]
    assert maxima[6:12] == [before, NONE, (30_000, before[1]), NONE, NONE, NONE]
    assert maxima[12:18] == [NONE] * 6
    assert maxima[18:] == [NONE, (10_000, before[1]), NONE, NONE, (10_000, before[1]), NONE]
    own.flow(10, seconds=40)
    own.wait(40)
    own.push()
    own.run(4, 10)
    assert own.maximum() == NONE
    own.run(1, 10)
    assert own.maximum() == (100_000, own.minute())


def test_the_ten_newest_clears_are_kept_and_counted():
    own = bench()
    assert own.energy.look(0x03300200) == bytes(3)
    assert own.energy.look(0x03300201) is None
    for _ in range(12):
        own.clear()
    assert own.energy.look(0x03300200) == b"\x12\x00\x00"
    assert own.energy.look(0x0330020A) is not None
    assert own.energy.look(0x0330020B) is None
    own.start()
    assert own.energy.look(0x03300200) == b"\x12\x00\x00"


def test_a_clear_that_the_medium_does_not_take_changes_nothing():
    own = bench({PERIOD: "05"})
    own.run(5, 10)
    own.medium.result = SaveResult.MEDIUM_FAILED
    assert own.clear() == own.command(Function.CLEAR_METER) == 1
    assert own.maximum()[0] == own.now()[0] == 100_000
    assert own.energy.look(0x03300200) == bytes(3)
    own.medium.result = SaveResult.SAVED
    own.run(1, 15)
    own.start()
    own.push()
    assert own.maximum() == (110_000, own.minute())


def test_a_clear_with_data_is_refused():
    own = bench()
    assert own.command(Function.CLEAR_DEMAND, b"\x00") == 1
    assert own.energy.look(0x03300200) == bytes(3)


@pytest.mark.parametrize("every_s", [1, 60])
def test_a_meter_clear_empties_everything_and_the_registers_go_on_from_nothing(every_s):
    own = bench({PERIOD: "05"}, JUNE)
    own.run(15, 10, phases=((10, 0),), every_s=every_s)
    own.clear()
    own.run(5, 10, phases=((10, 0),), every_s=every_s)
    assert own.command(Function.CLEAR_METER) == b""
    assert own.maximum() == own.maximum(0x01150000) == NONE
    assert own.maximum(0x01010001) is None
    assert own.energy.look(0x03300200) == bytes(3)
    assert not any(key.startswith("demand period ") for key in own.medium.saved)
    own.start()
    own.run(4, 7, phases=((7, 0),), every_s=every_s)
    assert own.maximum() == NONE
    assert own.maximum(0x01010001) is None
    own.run(1, 7, phases=((7, 0),), every_s=every_s)
    assert own.maximum() == own.maximum(0x01150000) == (70_000, own.minute())


def test_an_event_clear_empties_the_records_of_demand_clears():
    own = bench({PERIOD: "05"})
    own.run(5, 10)
    own.clear()
    turn = own.energy._turn
    assert own.demand.clear_events(0x033000FF, turn) is None
    for di in (0xFFFFFFFF, 0x033002FF):
        prepared = own.demand.clear_events(di, turn)
        assert prepared.changes == {"demand clears": None}
        assert own.energy.look(0x03300200) != bytes(3)
        prepared.apply()
        assert own.energy.look(0x03300200) == bytes(3)
        own.clear()


# -- the medium


def test_the_windows_outlive_a_kill_and_not_a_loss_of_the_supply():
    for is_power_up in (False, True):
        own = bench({PERIOD: "05"})
        own.run(4, 10, every_s=5)
        own.flow(10, seconds=25)
        own.wait(25)
        own.start(is_power_up)
        own.push()
        own.flow(10, seconds=35)
        own.wait(35)
        own.push()
        assert own.maximum() == (NONE if is_power_up else (100_000, own.minute()))


def test_maxima_outlive_everything():
    own = bench({PERIOD: "05", **TARIFFS, 0x04010001: "000003"})
    own.run(5, 10, -3)
    before = {di: own.energy.look(di) for di in own.demand.listed() if di >> 24 == 1}
    own.start(is_power_up=True)
    own.push()
    assert {di: own.energy.look(di) for di in own.demand.listed() if di >> 24 == 1} == before


def test_periods_from_before_anything_of_demands_was_kept_have_none():
    own = bench({PERIOD: "05"}, JUNE)
    own.run(15, 10)
    for key in [key for key in own.medium.saved if key.startswith("demand ")]:
        del own.medium.saved[key]
    own.start()
    own.push()
    assert own.block(0x010100FF) == [NONE, "ff"]
    own.run(6, 10)
    own.start()
    own.push()
    assert own.block(0x010100FF) == [(100_000, own.minute(1)), "ff"]


def test_registers_that_begin_anew_beside_windows_that_do_not_make_no_maximum():
    own = bench({PERIOD: "05"})
    own.run(50, 900)
    own.command(Function.CLEAR_METER)
    own.run(3, 10)
    own.medium.saved["books"] = b""  # the core's totals are the best there is, the clear is forgotten
    own.start()
    own.run(7, 10)
    assert own.maximum() == (100_000, own.minute(1))


def test_only_what_has_changed_is_saved():
    own = bench({PERIOD: "05"})
    own.run(5, 10, every_s=60)
    own.medium.saved.clear()
    own.flow(1, seconds=5)
    own.wait(5)
    own.push()
    assert own.medium.saved == {}
    own.run(1, 1, every_s=60)
    assert set(own.medium.saved) == {"books", "demand windows"}


KEYS = ("demand windows", "demand maxima", "demand periods", "demand clears", "demand period 13931520 1")
ANY = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.booleans() | st.binary(max_size=9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=12),
    max_leaves=60,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), st.binary(max_size=40) | ANY.map(msgspec.msgpack.encode)))
def test_octets_that_are_not_its_own_are_forgotten(saved):
    own = bench({PERIOD: "05"}, JUNE)
    own.run(12, 10)
    own.medium.saved |= saved
    own.start()
    own.run(12, 11)
    assert own.maximum()[0] == 110_000
    for di in own.demand.listed():
        assert own.energy.look(di) is not None


def test_windows_of_another_form_are_forgotten_whatever_is_wrong_with_them():
    own = bench({PERIOD: "05"})
    own.run(7, 10)
    good = msgspec.msgpack.decode(own.medium.saved["demand windows"])
    wrong = [
        (0, 7), (1, 2), (2, [0, [1], 1, 0, 0, 0]), (3, [[1] * 7]), (3, []),
        (4, [5] * 3), (5, []), (7, [True]), (9, [0]),
    ]  # fmt: skip
    for place, value in [*wrong, (2, [*good[2][:2], 10**9, *good[2][3:]])]:
        saved = {"demand windows": msgspec.msgpack.encode([*good[:place], value, *good[place + 1 :]])}
        fresh = Demand()
        fresh.begin(saved)
        assert fresh.look(0x02800004, b"") == 0, f"{place}: {value}"
    fresh = Demand()
    fresh.begin(own.medium.saved)
    assert fresh.look(0x02800004, b"") == 100_000
