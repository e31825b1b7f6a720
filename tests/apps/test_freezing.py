"""Freezing: each kind at its time, rings, contents, what was missed, clocks that go back, restarts and commands."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.apps.turns import MOMENTARY, Clockwork, at, octets_of, shown_time, wire

from wattwheel.apps.freezing import LATE_MINUTES_MAX, Freezing
from wattwheel.model.bcd import signed
from wattwheel.model.catalogue import item_2007
from wattwheel.model.energy_items import MICROJOULE_PER_CENTIWATTHOUR as CENTI
from wattwheel.model.freeze_content import DEPTHS, FreezeKind
from wattwheel.model.records import Quality
from wattwheel.model.tariff_parameters import RunningSets
from wattwheel.protocols.dlt645.items import decode
from wattwheel.sdk import ANSWER_OCTETS_MAX, Function

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())
TIMED, INSTANT, ZONES, TABLES, HOURLY, PRICES, DAILY, STEPS = FreezeKind
NOW = "99999999"
HOURLY_INTERVAL, HOURLY_START, DAILY_TIME = 0x04001202, 0x04001201, 0x04001203


def clockwork(written: dict[int, str] | None = None, saved: dict | None = None) -> Clockwork:
    return Clockwork(Freezing(), written, saved)


def item(works: Clockwork, kind: FreezeKind, back: int, which: int = 0) -> bytes | None:
    return works.function.look(0x05000000 | kind << 16 | which << 8 | back, b"")


def times(works: Clockwork, kind: FreezeKind) -> list[str]:
    """Nominal times, the newest first."""
    found = [item(works, kind, back) for back in range(1, 256)]
    told = [shown_time(octets) for octets in found if octets is not None]
    assert found[len(told) :] == [None] * (255 - len(told))
    return told


def forward(works: Clockwork, kind: FreezeKind, back: int) -> int:
    return int(item(works, kind, back, 1)[3::-1].hex())


def command(works: Clockwork, pattern: str) -> object:
    return works.function.prepare(Function.FREEZE, wire(pattern), b"", works.turn)


def freeze(works: Clockwork, pattern: str) -> None:
    works.carry_out(command(works, pattern))


# -- each kind at its time (F-01)


def test_hourly_and_daily_freezes_come_by_themselves():
    works = clockwork()
    works.run("2026-02-27 22:30", "2026-03-01 02:10")
    assert times(works, HOURLY)[:3] == ["2603010200", "2603010100", "2603010000"]
    assert len(times(works, HOURLY)) == 28
    assert times(works, DAILY) == ["2603010000", "2602280000"]
    assert forward(works, DAILY, 1) == forward(works, HOURLY, 3) == 25 * 60 + 30 + 1
    assert times(works, TIMED) == times(works, INSTANT) == times(works, ZONES) == []


def test_the_very_first_minute_may_be_the_one():
    works = clockwork()
    works.push("2026-03-01 00:00")
    assert times(works, DAILY) == times(works, HOURLY) == ["2603010000"]


def test_the_hourly_freeze_has_a_start_and_an_interval():
    works = clockwork({HOURLY_START: "2603010715", HOURLY_INTERVAL: "20"})
    works.run("2026-03-01 06:00", "2026-03-01 08:20")
    assert times(works, HOURLY) == ["2603010815", "2603010755", "2603010735", "2603010715"]
    works = clockwork({HOURLY_INTERVAL: "00"})
    works.run("2026-03-01 06:00", "2026-03-01 08:20")
    assert times(works, HOURLY) == []


def test_the_daily_freeze_has_its_time():
    works = clockwork({DAILY_TIME: "0630"})
    works.run("2026-03-01 06:00", "2026-03-02 06:29")
    assert times(works, DAILY) == ["2603010630"]
    works.run("2026-03-02 06:30", "2026-03-02 06:30")
    assert times(works, DAILY) == ["2603020630", "2603010630"]


def test_another_daily_time_counts_from_when_it_is_there():
    works = clockwork()
    works.run("2026-02-28 23:59", "2026-03-01 00:02")
    works.push("2026-03-01 12:10")
    works.parameters = works.parameters | {DAILY_TIME: wire("0600")}
    works.run("2026-03-01 12:11", "2026-03-01 12:20")
    assert times(works, DAILY) == ["2603010000"]
    works.parameters = works.parameters | {DAILY_TIME: wire("1221")}
    works.run("2026-03-01 12:21", "2026-03-01 12:30")
    assert times(works, DAILY) == ["2603011221", "2603010000"]


def test_the_last_pattern_is_the_one_that_freezes():
    works = clockwork()
    works.push("2026-03-01 10:00:10")
    freeze(works, "99999930")
    works.run("2026-03-01 10:01", "2026-03-01 11:20")
    assert times(works, TIMED) == ["2603011030"]
    freeze(works, "99991130")
    works.run("2026-03-01 11:21", "2026-03-02 12:00")
    assert times(works, TIMED) == ["2603021130", "2603011130", "2603011030"]
    assert times(works, INSTANT) == []


@pytest.mark.parametrize("case", VECTORS["freeze_pattern_MMDDhhmm"], ids=lambda case: case["pattern"])
def test_the_worked_patterns_freeze_at_their_next_time(case):
    works = clockwork()
    works.push(case["now"])
    freeze(works, case["pattern"])
    if case["next"].startswith("at once"):
        assert times(works, INSTANT) == [case["now"][2:].translate({ord(each): None for each in "- :"})]
        return
    due = at(case["next"])
    works.push(due - timedelta(minutes=1))
    assert times(works, TIMED) == []
    assert works.push(due)
    assert times(works, TIMED) == [f"{due:%y%m%d%H%M}"]


def test_a_pattern_is_not_obeyed_for_the_minute_in_which_it_comes():
    works = clockwork()
    works.push("2026-03-01 10:30:10")
    freeze(works, "99999930")
    works.push("2026-03-01 10:30:50")
    works.push("2026-03-01 10:31")
    assert times(works, TIMED) == []


@pytest.mark.parametrize("pattern", ["99990099", "13010000", "99992400", "9999AA00", "02300000"])
def test_what_is_no_pattern_is_refused_and_changes_nothing(pattern):
    works = clockwork()
    works.push("2026-03-01 10:00")
    before = dict(works.saved)
    assert command(works, pattern) == 1
    assert works.function.prepare(Function.FREEZE, b"\x99", b"", works.turn) == 1
    works.keep()
    assert works.saved == before


def test_at_once_freezes_the_last_push_and_nothing_before_it_is_saved():
    works = clockwork()
    works.push("2026-03-01 10:00:10", 100)
    prepared = command(works, NOW)
    assert times(works, INSTANT) == []
    works.carry_out(prepared)
    works.push("2026-03-01 10:00:11", 200)
    freeze(works, NOW)
    assert times(works, INSTANT) == ["2603011000"]
    assert forward(works, INSTANT, 1) == 200


def test_at_once_several_times_a_minute_replaces_the_newest_and_pushes_out_none():
    works = clockwork()
    for minute in range(3):
        works.push(f"2026-03-01 10:0{minute}:10", minute)
        freeze(works, NOW)
    for centi in range(3, 9):
        works.push(f"2026-03-01 10:02:{10 + centi}", centi)
        freeze(works, NOW)
    for each in (works, clockwork(saved=works.saved)):
        assert times(each, INSTANT) == ["2603011002", "2603011001", "2603011000"]
        assert [forward(each, INSTANT, back) for back in (1, 2, 3)] == [8, 1, 0]


def test_after_a_meter_clear_at_once_makes_the_first_entry_anew():
    works = clockwork()
    works.push("2026-03-01 10:00:10", 5)
    freeze(works, NOW)
    works.carry_out(works.function.clear(works.turn, b""))
    freeze(works, NOW)
    assert times(works, INSTANT) == ["2603011000"]


SWITCHES = [
    (ZONES, lambda instant: RunningSets(zones=1, zones_switched=instant)),
    (TABLES, lambda instant: RunningSets(day_tables=1, day_tables_switched=instant)),
]


@pytest.mark.parametrize(("kind", "sets"), SWITCHES)
def test_a_switch_over_freezes_with_its_instant(kind, sets):
    works = clockwork()
    works.push("2026-03-01 10:01")
    works.sets = sets(wire("2603011010"))
    assert works.push("2026-03-01 10:12:30", 77)  # executed late, and not at the turn of a minute
    assert times(works, kind) == ["2603011010"]
    assert forward(works, kind, 1) == 77
    assert not works.push("2026-03-01 10:13")
    again = clockwork(saved=works.saved)
    again.sets = works.sets
    again.push("2026-03-01 10:14")
    assert times(again, kind) == ["2603011010"]
    assert sum(len(times(again, each)) for each in FreezeKind) == 1


@pytest.mark.parametrize("kind", [PRICES, STEPS])
def test_fee_control_tells_of_its_switch_overs(kind):
    works = clockwork()
    works.push("2026-03-01 10:00")
    works.function.switch_over(kind, wire("2603011010"))
    assert works.push("2026-03-01 10:10", 5)
    works.function.switch_over(kind, wire("2603011010"))
    assert not works.push("2026-03-01 10:11", 6)
    assert times(works, kind) == ["2603011010"]
    again = clockwork(saved=works.saved)
    again.function.switch_over(kind, wire("2603011010"))
    again.push("2026-03-01 10:14")
    assert times(again, kind) == ["2603011010"]


def test_what_was_switched_before_freezing_began_is_no_switch_over():
    works = clockwork()
    works.sets = RunningSets(1, 1, wire("2501010000"), wire("2501010000"))
    works.push("2026-03-01 10:00")
    assert times(works, ZONES) == times(works, TABLES) == []


def test_nothing_is_due_before_the_parameters_are_heard():
    works = clockwork()
    heard, works.parameters = works.parameters | {DAILY_TIME: wire("0001")}, {}
    works.push("2026-03-01 00:00")
    assert times(works, DAILY) == times(works, HOURLY) == []
    works.parameters = heard
    works.push("2026-03-01 00:00:01")
    assert (times(works, DAILY), times(works, HOURLY)) == ([], ["2603010000"])
    works.push("2026-03-01 00:01")
    assert times(works, DAILY) == ["2603010001"]


# -- rings (F-02)


@pytest.mark.parametrize("kind", FreezeKind, ids=lambda kind: kind.name)
def test_a_ring_keeps_as_many_as_it_is_deep(kind):
    works = clockwork()
    works.push("2026-03-01 10:01")
    ring, depth = works.function._rings[kind], DEPTHS[kind]
    for minute in range(1, depth + 2):
        key, octets = ring.next_entry(minute, {1: bytes((minute % 100, 0, 0, 0))})
        ring.add(minute, octets)
        works.saved[key] = octets
    again = clockwork(saved=works.saved)
    for each in (works, again):
        told = times(each, kind)
        assert len(told) == depth
        assert told[0] > told[-1] == shown_time(octets_of(at("2000-01-01 00:02")))
        assert item(each, kind, depth + 1) is item(each, kind, 0) is None
    assert len(works.saved) == depth + 1  # and the state


def test_the_hourly_ring_wraps_as_time_goes_on():
    works = clockwork({HOURLY_INTERVAL: "01"})
    works.run("2026-03-01 10:00", "2026-03-01 14:14")  # 255 minutes
    told = times(works, HOURLY)
    assert (told[0], told[-1], len(told)) == ("2603011414", "2603011001", 254)
    assert [forward(works, HOURLY, back) for back in (1, 254)] == [255, 2]


def test_depths():
    assert [DEPTHS[kind] for kind in FreezeKind] == [60, 3, 2, 2, 254, 2, 62, 2]
    for kind, depth in DEPTHS.items():  # and the register table knows as many
        assert item_2007(0x05000000 | kind << 16 | depth).read
        with pytest.raises(LookupError):
            item_2007(0x05000000 | kind << 16 | depth + 1)


# -- contents (F-04)

SHARES = tuple(tuple(1000 * tariff + number for number in range(8)) for tariff in (1, 2, 3))
DEMAND = bytes(range(32))


def full(word: str = "FF") -> Clockwork:
    works = clockwork({0x04000903: word})
    works.shares = tuple(tuple(each * CENTI for each in share) for share in SHARES)
    works.tariffs, works.demands = 3, {0x0101FF00: DEMAND, 0x0102FF00: DEMAND[::-1]}
    works.push("2026-03-01 10:00")
    freeze(works, NOW)
    return works


def energies(*numbers: int) -> bytes:
    return b"".join(signed(each, 4) for each in numbers)


EXPECTED = {
    0x01: energies(6000, 1000, 2000, 3000),
    0x02: energies(6003, 1001, 2001, 3001),
    0x03: energies(2 * 6000 + 6 + 15, 2007, 4007, 6007),  # I + IV
    0x04: energies(2 * 6000 + 9 + 12, 2007, 4007, 6007),  # II + III
    0x05: energies(6006, 1002, 2002, 3002),
    0x06: energies(6009, 1003, 2003, 3003),
    0x07: energies(6012, 1004, 2004, 3004),
    0x08: energies(6015, 1005, 2005, 3005),
    0x09: DEMAND,
    0x0A: DEMAND[::-1],
    0x10: b"".join(signed(each, 3) for each in (50004, 10000, 20000, 20004, -12000, 1000, 2000, -15000)),
}
BITS = [{0x01}, {0x02}, {0x03}, {0x04}, {0x05, 0x06, 0x07, 0x08}, {0x09}, {0x0A}, {0x10}]
TIME = wire("2603011000")


@pytest.mark.parametrize("word", [0x00, 0xFF, 0x6B, *(1 << bit for bit in range(8))])
def test_the_content_word_chooses(word):
    works = full(f"{word:02X}")
    chosen = set().union(*(items for bit, items in enumerate(BITS) if word >> bit & 1))
    for which, octets in EXPECTED.items():
        assert item(works, INSTANT, 1, which) == (octets if which in chosen else None)
    assert item(works, INSTANT, 1) == TIME
    pieces = [TIME, *(octets if which in chosen else b"" for which, octets in EXPECTED.items())]
    block = item(works, INSTANT, 1, 0xFF)
    assert block == b"".join(piece + b"\xaa" for piece in pieces)
    parts = decode(item_2007(0x0501FF01), block).parts
    assert [part.raw for part in parts] == pieces
    if 0x01 in chosen:
        assert [part.number for part in parts[1].parts] == [6000, 1000, 2000, 3000]
    if 0x10 in chosen:
        assert [part.number for part in parts[-1].parts] == [50004, 10000, 20000, 20004, -12000, 1000, 2000, -15000]


def test_each_kind_has_its_content_word():
    words = {0x04000902: "01", 0x04000903: "02", 0x04000904: "04", 0x04000905: "02", 0x04000906: "08"}
    works = clockwork(words)
    works.push("2026-02-28 23:59")
    freeze(works, NOW)
    freeze(works, "99990000")
    works.sets = RunningSets(1, 1, wire("2603010000"), wire("2603010000"))
    works.function.switch_over(PRICES, wire("2603010000"))
    works.function.switch_over(STEPS, wire("2603010000"))
    works.push("2026-03-01 00:00")
    held = {kind: [which for which in range(1, 17) if item(works, kind, 1, which) is not None] for kind in FreezeKind}
    assert held == {
        TIMED: [1],
        INSTANT: [2],
        **{kind: [3] for kind in (ZONES, TABLES, PRICES, STEPS)},
        HOURLY: [2],
        DAILY: [4],
    }


WORD_DEFAULTS = {0x04000902: "FF", 0x04000903: "FF", 0x04000904: "FF", 0x04000905: "03", 0x04000906: "FF"}


@pytest.mark.parametrize("is_known", [True, False])
def test_a_content_word_that_was_never_written_leaves_nothing_out(is_known):
    """As the defaults say, and the same when no parameter service tells any."""
    works = clockwork()
    assert {di: works.parameters[di].hex().upper() for di in WORD_DEFAULTS} == WORD_DEFAULTS
    if not is_known:
        works.parameters = {di: octets for di, octets in works.parameters.items() if di not in WORD_DEFAULTS}
    works.push("2026-02-28 23:59")
    freeze(works, NOW)
    freeze(works, "99990000")
    works.push("2026-03-01 00:00")
    held = {kind: [which for which in range(1, 17) if item(works, kind, 1, which) is not None] for kind in FreezeKind}
    everything = [*range(1, 11), 16]
    assert held == {
        **dict.fromkeys((TIMED, INSTANT, DAILY), everything),
        HOURLY: [1, 2],
        **{kind: [] for kind in (ZONES, TABLES, PRICES, STEPS)},
    }


def test_an_hourly_entry_has_the_totals_of_both_directions():
    works = clockwork({0x04000905: "FF"})
    works.shares, works.tariffs = tuple(tuple(each * CENTI for each in share) for share in SHARES), 3
    works.push("2026-03-01 10:00")
    assert item(works, HOURLY, 1, 0xFF) == TIME + b"\xaa" + energies(6000) + b"\xaa" + energies(6003) + b"\xaa"
    assert item(works, HOURLY, 1, 1) == energies(6000)
    assert [item(works, HOURLY, 1, which) for which in range(3, 17)] == [None] * 14


@pytest.mark.parametrize(("momentary", "quality"), [(None, Quality.VALID), (MOMENTARY, Quality.STALE)])
def test_what_is_not_known_is_frozen_as_not_available(momentary, quality):
    works = clockwork()
    works.momentary, works.quality, works.tariffs = momentary, quality, 2
    works.push("2026-03-01 10:00")
    freeze(works, NOW)
    assert item(works, INSTANT, 1, 0x10) == b"\xff" * 24
    assert item(works, INSTANT, 1, 0x09) == b"\xff" * 24
    assert decode(item_2007(0x0501FF01), item(works, INSTANT, 1, 0xFF)).parts[-1].parts[0].number is None


def test_an_entry_of_63_tariffs_can_be_answered():
    works = clockwork()
    works.tariffs, works.shares = 63, ((10**16,) * 8,) * 63
    works.push("2026-03-01 10:00")
    freeze(works, NOW)
    block = item(works, INSTANT, 1, 0xFF)
    assert 3100 < len(block) <= ANSWER_OCTETS_MAX
    assert decode(item_2007(0x0501FF01), block).parts is not None


# -- what was missed (F-05) and clocks that go back (F-06)


@pytest.mark.parametrize("case", VECTORS["daily_freeze_catch_up"], ids=lambda case: str(case["missed"]))
def test_missed_days_are_filled_with_the_energy_found_now(case):
    works = clockwork()
    works.push(at(case["power_off"]) - timedelta(days=1), 10)
    works.push(case["power_off"], 10)
    before = times(works, DAILY)
    hours = times(works, HOURLY)
    freeze(works, "99990000")
    again = clockwork(saved=works.saved)
    again.push(case["power_on"], 99)
    filled = times(again, DAILY)[: len(times(again, DAILY)) - len(before)]
    assert filled == [day[2:].replace("-", "") + "0000" for day in reversed(case["stored"])]
    assert {forward(again, DAILY, back) for back in range(1, len(filled) + 1)} <= {99}
    is_now = case["power_on"].endswith("00:00")
    assert times(again, TIMED) == (["2403010000"] if is_now else [])
    is_hour = case["power_on"].endswith(":00")
    assert times(again, HOURLY)[is_hour:] == hours


@pytest.mark.parametrize(("second", "is_frozen"), [(0, True), (1, True), (2, False), (15, False)])
def test_an_instant_without_supply_is_not_filled_but_for_the_day(second, is_frozen):
    before = clockwork()
    before.push("2026-03-01 20:00")
    freeze(before, "99990000")
    for heard_later_s in (0, 5):
        works = clockwork(saved=before.saved)
        works.is_power_up = True
        heard, works.parameters = works.parameters, {} if heard_later_s else works.parameters
        works.push(f"2026-03-02 00:00:{second:02d}")
        works.parameters = heard
        works.push(f"2026-03-02 00:00:{second + heard_later_s:02d}")
        assert times(works, HOURLY) == ["2603020000"] * is_frozen + ["2603012000"]
        assert times(works, TIMED) == ["2603020000"] * is_frozen
        assert times(works, DAILY) == ["2603020000"]


def test_a_clock_set_forward_over_midnight_freezes_the_day():
    works = clockwork()
    works.run("2026-03-01 22:00", "2026-03-01 22:30")
    works.push("2026-03-04 09:10")
    assert times(works, DAILY) == ["2603040000", "2603030000", "2603020000"]
    assert times(works, HOURLY) == ["2603012200"]


@pytest.mark.parametrize(("late", "is_frozen"), [(1, True), (LATE_MINUTES_MAX - 1, True), (LATE_MINUTES_MAX, False)])
def test_an_instant_that_a_running_meter_steps_over_is_frozen_when_it_is_near(late, is_frozen):
    works = clockwork()
    works.run("2026-03-01 10:50", "2026-03-01 10:59")
    freeze(works, "99991100")
    works.push(at("2026-03-01 11:00") + timedelta(minutes=late))
    assert times(works, HOURLY) == (["2603011100"] if is_frozen else [])
    assert times(works, TIMED) == (["2603011100"] if is_frozen else [])


def test_a_clock_that_goes_back_over_midnight_freezes_once():
    works = clockwork()
    works.run("2026-02-28 23:50", "2026-03-01 00:01")
    freeze(works, "99990000")
    works.run("2026-02-28 23:58", "2026-03-01 00:05")
    works.run("2026-02-28 23:58", "2026-03-01 00:05")
    assert times(works, DAILY) == times(works, HOURLY) == ["2603010000"]
    assert times(works, TIMED) == ["2603010000"]
    assert forward(works, DAILY, 1) == 11


def test_after_a_clock_that_was_years_wrong_the_days_go_on():
    works = clockwork()
    works.run("2026-03-01 23:50", "2026-03-01 23:51")
    works.push("2032-01-01 12:00")
    assert len(times(works, DAILY)) == 7
    works.run("2026-03-01 23:52", "2026-03-02 00:10")
    assert times(works, DAILY)[0] == "2603020000"
    again = clockwork(saved=works.saved)
    again.push("2026-03-03 00:05")
    assert times(again, DAILY)[:2] == ["2603030000", "2603020000"]


# -- one image (F-07)


def test_all_freezes_of_a_minute_have_the_same_registers():
    works = clockwork({0x04000905: "FF"})
    works.push("2026-02-28 23:59", 50)
    freeze(works, "99990000")
    works.sets = RunningSets(1, 0, wire("2603010000"))
    works.push("2026-03-01 00:00", 123)
    works.push("2026-03-01 00:00:01", 124)
    for kind in (TIMED, ZONES, HOURLY, DAILY):
        assert (times(works, kind), forward(works, kind, 1)) == (["2603010000"], 123)


# -- restarts


def test_a_restart_in_the_minute_of_a_freeze_does_not_freeze_again_or_miss_it():
    works = clockwork()
    works.push("2026-02-28 23:59:58", 1)
    saved = dict(works.saved)
    works.push("2026-03-01 00:00:01", 2)
    lost, kept = clockwork(saved=saved), clockwork(saved=works.saved)
    lost.push("2026-03-01 00:00:03", 3)
    kept.push("2026-03-01 00:00:03", 3)
    assert [(times(each, DAILY), forward(each, DAILY, 1)) for each in (lost, kept)] == [
        (["2603010000"], 3),
        (["2603010000"], 2),
    ]
    assert forward(kept, HOURLY, 1) == 2


@given(
    st.dictionaries(
        st.sampled_from(["freezing state", "freezing 0 1", "freezing 6 1", "freezing 9 1", "freezing x"]),
        st.binary(max_size=40),
    )
)
def test_what_was_saved_by_another_is_forgotten(saved):
    works = clockwork(saved=saved)
    works.run("2026-02-28 23:58", "2026-03-01 00:01")
    assert times(works, DAILY)[0] == "2603010000"


STEPS_OF_LIFE = st.lists(
    st.tuples(
        st.sampled_from(("push", "push", "push", "kill", "back", "forward", "pattern", "now", "daily", "hourly")),
        st.integers(1, 2000),
    ),
    max_size=30,
)


@settings(deadline=None)  # a machine may be busy
@given(STEPS_OF_LIFE, st.integers(1, 50))
def test_whatever_the_clock_and_the_supply_do_no_time_is_frozen_twice(steps, per_push):
    works, now = clockwork({HOURLY_INTERVAL: "50"}), at("2026-02-27 23:00")
    works.push(now)
    for what, number in steps:
        if what == "kill":
            works = Clockwork(Freezing(), None, works.saved)
        elif what == "back":
            now -= timedelta(minutes=number)
        elif what == "forward":
            now += timedelta(minutes=number)
        elif what == "pattern":
            freeze(works, f"999999{number % 60:02}")
        elif what == "now":
            freeze(works, NOW)
        elif what == "daily":
            works.parameters = works.parameters | {DAILY_TIME: wire(f"{number % 24:02}{number % 60:02}")}
        elif what == "hourly":
            works.parameters = works.parameters | {HOURLY_INTERVAL: wire(f"{number % 100:02}")}
        now += timedelta(seconds=per_push)
        works.push(now, (works.shares[0][0] // CENTI) + 1)
        for kind in (TIMED, HOURLY, DAILY):
            told = times(works, kind)
            assert len(set(told)) == len(told)
            assert len(told) <= DEPTHS[kind]
        again = Clockwork(Freezing(), None, works.saved)
        for kind in FreezeKind:
            assert times(again, kind) == times(works, kind)


# -- the meter clear


def test_a_meter_clear_leaves_no_entry_and_keeps_the_pattern():
    works = clockwork()
    works.run("2026-02-28 23:30", "2026-03-01 00:05")
    freeze(works, NOW)
    freeze(works, "99999930")
    prepared = works.function.clear(works.turn, b"")
    assert times(works, DAILY)
    works.carry_out(prepared)
    assert [key for key in works.saved if key != "freezing state"] == []
    assert list(works.function.listed()) == []
    works.push("2026-03-01 00:05:30")
    works.run("2026-03-01 00:06", "2026-03-01 00:30")
    assert times(works, TIMED) == ["2603010030"]
    again = clockwork(saved=works.saved)
    assert times(again, TIMED) == ["2603010030"]
    assert times(again, DAILY) == times(again, HOURLY) == times(again, INSTANT) == []


def test_in_the_minute_of_a_clear_nothing_is_frozen_again():
    works = clockwork()
    works.run("2026-02-28 23:59", "2026-03-01 00:00")
    works.carry_out(works.function.clear(works.turn, b""))
    works.turn = None  # the same minute comes again
    works.push("2026-03-01 00:00:30")
    assert times(works, DAILY) == times(works, HOURLY) == []


def test_what_is_listed_is_answered():
    works = full()
    listed = list(works.function.listed())
    assert len(listed) == len(set(listed)) == 13 + 4  # and the hour
    assert all(works.function.look(di, b"") is not None for di in listed)
    assert works.function.look(0x05010001, b"\x01") is None
    assert works.function.look(0x05080001, b"") is works.function.look(0x00010000, b"") is None
