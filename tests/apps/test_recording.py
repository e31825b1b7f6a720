"""Event records: contents and lengths, rings, restarts, lost supply, clears; the rhythm of pushes is no matter."""

from __future__ import annotations

import random
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.apps.event_bench import START, STEADY, Bench, Flow, number, time
from tests.apps.test_event_judge import SlowJudge, thresholds

from wattwheel.apps.event_book import EventBook
from wattwheel.apps.event_conditions import EVENT_OF_SLOT, EVENTS, Layout
from wattwheel.apps.event_watch import watch_of
from wattwheel.apps.recording import CLEARS_KEY, WATCH_KEY
from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import UnknownItem
from wattwheel.model.ratings import Ratings
from wattwheel.model.records import REGISTER_COUNT, Quality
from wattwheel.sdk import Function

LOW_A = Flow(volts=(160.0, 220.0, 220.0))
DEAD = Flow(volts=(0.0, 0.0, 0.0), amperes=(0.0, 0.0, 0.0))
OPERATOR = bytes.fromhex("12345678")
LENGTHS = {
    Layout.AMPERE_HOURS: 131,
    Layout.PHASE: 115,
    Layout.ENERGY: 76,
    Layout.IMBALANCE: 78,
    Layout.CURRENT: 15,
    Layout.TIMES: 12,
    Layout.DEMAND: 20,
}
FLOW_OF = {
    "voltage loss": Flow(volts=(160.0, 160.0, 160.0)),
    "under-voltage": Flow(volts=(160.0, 160.0, 160.0)),
    "over-voltage": Flow(volts=(265.0, 265.0, 265.0)),
    "phase failure": Flow(volts=(220.0, 100.0, 100.0), amperes=(5.0, 0.0, 0.0)),
    "current loss": Flow(amperes=(5.0, 0.0, 0.0)),
    "over-current": Flow(amperes=(73.0, 73.0, 73.0)),
    "interruption": Flow(amperes=(0.0, 0.0, 0.0)),
    "reversal": Flow(watts=(-1000, -1000, -1000)),
    "overload": Flow(watts=(16_000, 16_000, 16_000)),
    "all voltages lost": Flow(volts=(0.0, 0.0, 0.0), amperes=(1.0, 3.0, 2.0), watts=(0, 0, 0)),
    "voltage sequence": Flow(is_reversed=True),
    "current sequence": Flow(lag_degrees=(0, 120, 240)),
    "voltage imbalance": Flow(volts=(220.0, 220.0, 150.0)),
    "current imbalance": Flow(amperes=(5.0, 5.0, 3.0)),
    "severe imbalance": Flow(amperes=(5.0, 5.0, 0.4)),
    "power down": DEAD,
    "power factor": Flow(factor=0.2),
}


def records(bench: Bench, event, slot: int) -> list[bytes]:
    at = event.slots.index(slot) + 1 if len(event.slots) > 1 else 0
    base = event.family << 16 | at << 8
    return [octets for number in range(1, 11) if (octets := bench.read(base + number)) is not None]


def everything(bench: Bench) -> dict[int, bytes | None]:
    return {di: bench.read(di) for di in bench.recording.listed()}


# -- records


@pytest.mark.parametrize("name", FLOW_OF)
def test_every_event_begins_after_its_delay_ends_after_it_and_has_its_length(name):
    event = next(each for each in EVENTS if each.name == name)
    slot, bench = event.slots[-1], Bench()
    before, after = (2, 2) if name == "power down" else (61, 61)
    begin = START + 70 + (0 if name == "power down" else 60)
    end = START + 70 + 200 + (1 if name in ("power down", "all voltages lost") else 60)
    bench.run(70)
    bench.run(before - 1, FLOW_OF[name])
    assert not bench.recording.judge.active >> slot & 1
    bench.run(201 - before, FLOW_OF[name])
    assert bench.recording.judge.active >> slot & 1
    lasting = records(bench, event, slot) if event.family else []
    assert [octets[6:12] for octets in lasting if event.layout is not Layout.CURRENT] in ([], [bytes(6)])
    bench.run(after, STEADY)
    if not event.family:
        assert not lasting
        return
    (octets,) = records(bench, event, slot)
    assert len(octets) == len(lasting[0]) == LENGTHS[event.layout]
    assert octets[:6] == lasting[0][:6] == time(begin)
    assert octets[-6:] == time(end) if event.layout is Layout.CURRENT else octets[6:12] == time(end)
    place = event.slots.index(slot) + 1 if len(event.slots) > 1 else 0
    assert int(item_2007(event.family << 16 | place << 8 | 1).octets) == len(octets)
    counts = bench.read(event.family << 16)
    assert len(counts) == int(item_2007(event.family << 16).octets)
    width = len(counts) // len(event.slots)
    assert number(counts[-width:][:3]) == 1
    if width == 6:
        assert number(counts[-3:]) == (end - begin) // 60


def test_a_record_tells_increments_what_was_measured_and_ampere_hours():
    low = Flow(
        volts=(220.0, 160.0, 220.0), amperes=(10.0, 20.0, 30.0), watts=(-2000, 3000, 6000), vars=(100, -200, 300)
    )
    bench = Bench()
    bench.run(60, low)
    before = list(bench.elements)
    bench.run(3661, low)  # it begins with the second 60
    (lasting,) = records(bench, EVENTS[0], 1)
    bench.run(60, STEADY._replace(volts=(220.0, 186.0, 220.0), amperes=(0.0, 0.0, 0.0)))  # below the recovery limit
    assert bench.recording.judge.active >> 1 & 1
    bench.run(61, STEADY._replace(amperes=(0.0, 0.0, 0.0)))
    (octets,) = records(bench, EVENTS[0], 1)
    assert lasting[6:12] == bytes(6)
    assert lasting[:6] == octets[:6] == time(START + 60)
    at = lambda offset, size=4: number(octets[offset : offset + size])  # noqa: E731
    hour = lambda watts: watts * 3661 // 36_000  # noqa: E731  0.01 kWh
    total = [hour(9000 - 2000), hour(0)]
    assert sum(before) > 0
    assert [at(12), at(16)] == total
    assert [at(28), at(32)] == [0, hour(2000)]
    phase_b = octets[28 + 29 : 28 + 58]
    assert number(phase_b[:4]) == hour(3000)
    assert [number(phase_b[place : place + 4]) for place in (4, 8, 12)] == [0, hour(200), 0]  # quadrant IV
    assert phase_b[16:18] == bytes.fromhex("1600")[::-1]
    assert phase_b[18:21] == bytes.fromhex("020000")[::-1]
    assert phase_b[21:24] == bytes.fromhex("030000")[::-1]
    assert phase_b[24:27] == bytes.fromhex("802000")[::-1]  # the sign is the top bit
    assert phase_b[27:29] == bytes.fromhex("1000")[::-1]
    assert [at(115 + 4 * place) for place in range(4)] == [amperes * 3661 // 36 for amperes in (60, 10, 20, 30)]


def test_combined_reactive_energies_keep_their_sign():
    bench = Bench()
    flow = Flow(is_reversed=True, watts=(100, 100, 100), vars=(-36_000, 36_000, 36_000))
    bench.run(61 + 3600, flow)
    (octets,) = records(bench, EVENT_OF_SLOT[28], 28)
    bench.recording._words = bench.recording._words._replace(reactive=(0x81, 0x14))  # I - IV
    (octets,) = records(bench, EVENT_OF_SLOT[28], 28)
    assert octets[12 + 16 + 8 : 12 + 16 + 12] == bytes.fromhex("80003600")[::-1]
    assert octets[12 + 32 + 8 : 12 + 32 + 12] == bytes.fromhex("00003600")[::-1]


def test_what_a_picture_cannot_hold_is_not_told():
    bench = Bench()
    bench.run(61, Flow(volts=(265.0,) * 3, amperes=(900.0, 5.0, 5.0), watts=(1000, 1000, 1000)))
    (octets,) = records(bench, EVENTS[2], 6)
    assert octets[28 + 18 : 28 + 21] == b"\xff\xff\xff"
    assert octets[28 + 16 : 28 + 18] == bytes.fromhex("2650")[::-1]


def test_imbalance_tells_the_largest_rate_while_it_lasts():
    bench = Bench()
    for volts, seconds in ((140.0, 100), (110.0, 5), (150.0, 100)):
        bench.run(seconds, Flow(volts=(220.0, 220.0, volts)))
    bench.run(61)
    (octets,) = records(bench, EVENT_OF_SLOT[30], 30)
    assert number(octets[12:14]) == (220 - 110) * 10_000 // 220


@pytest.mark.parametrize("cadence_s", [1, 60])
def test_demand_over_limit_tells_the_largest_demand_and_its_minute(cadence_s):
    bench = Bench(cadence_s)
    for minutes, demand in ((2, 475_200), (2, 475_201), (1, 500_000), (3, 490_000), (2, 0)):
        bench.demands = {0x02800004: demand, 0x02800005: -475_300 if demand else 0}
        bench.run(60 * minutes)
    forward, quadrant_4 = (bench.read(0x03120001 | place << 8) for place in (1, 6))
    assert forward == time(START + 180) + time(START + 540) + bytes.fromhex("500000")[::-1] + time(START + 240)[1:]
    assert quadrant_4[:6] == time(START + 60)
    assert number(quadrant_4[12:15]) == 475_300
    assert number(bench.read(0x03120000)[:3]) == 1
    assert bench.read(0x03120201) is None


# -- the state machine


def test_flicker_shorter_than_the_delay_is_nothing():
    bench = Bench()
    for _ in range(20):
        bench.run(60, LOW_A)
        bench.run(1)
    assert not any(any(octets) for di, octets in everything(bench).items() if di >> 16 != 0x0310)
    assert bench.urgent == 0


@pytest.mark.parametrize(
    ("di", "between", "beyond", "lost"),
    [
        (0x0301, Flow(volts=(187.0, 220.0, 220.0)), Flow(volts=(187.1, 220.0, 220.0)), LOW_A),
        (0x030B, Flow(amperes=(0.25, 5.0, 5.0)), Flow(amperes=(0.2501, 5.0, 5.0)), Flow(amperes=(0.02, 5.0, 5.0))),
    ],
)
def test_lost_voltage_and_current_begin_below_one_limit_and_end_above_another(di, between, beyond, lost):
    bench = Bench()
    bench.run(100, between)
    assert bench.count(di << 16) == 0
    bench.run(100, lost)
    bench.run(100, between)
    assert bench.read(di << 16 | 0x0101)[6:12] == bytes(6)
    bench.run(61, beyond)
    assert bench.read(di << 16 | 0x0101)[:12] == time(START + 160) + time(START + 360)
    bench.run(100, between)
    assert bench.count(di << 16) == 1


def test_a_threshold_of_0_ends_an_event_at_once_and_begins_none():
    bench = Bench()
    bench.run(100, LOW_A)
    assert bench.count(0x03020000) == 1
    bench.write(x04090201="0000")
    bench.run(1, LOW_A)
    (octets,) = records(bench, EVENTS[1], 3)
    assert octets[6:12] == time(START + 100)
    bench.run(200, LOW_A)
    assert bench.count(0x03020000) == 1
    bench.write(x04090201="1716")
    bench.run(60, LOW_A)
    assert bench.count(0x03020000) == 1
    bench.run(1, LOW_A)
    assert bench.count(0x03020000) == 2


def test_limits_that_were_written_count_from_the_push_that_finds_them():
    bench = Bench(60)
    bench.run(120, LOW_A)
    bench.run(30, LOW_A)
    bench.write(x04090201="0000", x04090101="0000")
    bench.run(90, LOW_A)
    for event in EVENTS[:2]:
        (octets,) = records(bench, event, event.slots[0])
        assert octets[:12] == time(START + 60) + time(START + 180)
    bench.write(x04090201="1716", x04090202="00")
    bench.run(120, LOW_A)
    assert bench.read(0x03020101)[:6] == time(START + 240)


def test_the_ring_holds_ten_and_the_counter_goes_on():
    bench = Bench(x04090202="00")
    for _ in range(11):
        bench.run(2, LOW_A)
        bench.run(2)
    assert bench.count(0x03020000) == 11
    found = records(bench, EVENTS[1], 3)
    assert len(found) == 10
    begins = [START + 4 * number for number in range(10, 0, -1)]
    assert [octets[:6] for octets in found] == [time(second) for second in begins]
    bench.run(2, LOW_A)
    assert [octets[:6] for octets in records(bench, EVENTS[1], 3)] == [time(START + 44), *map(time, begins[:9])]
    assert bench.count(0x03020000) == 12
    assert bench.read(0x0302010B) is None
    assert number(bench.read(0x11010001)) == 12
    assert number(bench.read(0x11010002)) == 0  # 22 seconds and one that lasts


def test_minutes_are_those_of_all_events_and_of_the_one_that_lasts():
    bench = Bench()
    for _ in range(3):
        bench.run(90, LOW_A)
        bench.run(90)
    bench.run(61 + 29, LOW_A)
    assert number(bench.read(0x03020000)[3:6]) == number(bench.read(0x11010002)) == (3 * 90 + 29) // 60
    assert [number(bench.read(0x11020000 | field)) for field in (1, 2)] == [0, 0]


def test_supply_lost_while_voltages_are_lost_ends_them_and_one_look_finds_the_current():
    two_lost = Flow(volts=(100.0, 100.0, 220.0), amperes=(1.0, 1.0, 1.0))
    all_lost = Flow(volts=(100.0, 100.0, 100.0), amperes=(0.0, 1.5, 0.0))
    bench = Bench()
    bench.run(100, two_lost)
    assert bench.count(0x03010000) == 1
    bench.run(60, all_lost)
    down = START + 100
    for slot in (0, 1):
        (octets,) = records(bench, EVENTS[0], slot)
        assert octets[6:12] == time(down)
    assert bench.count(0x03110000) == 1
    assert bench.count(0x03050000) == 0
    bench.run(1, all_lost)
    assert bench.read(0x03050001) == time(down + 60) + bytes.fromhex("001500")[::-1] + bytes(6)
    bench.run(30, all_lost._replace(amperes=(0.0, 0.0, 0.0)))
    assert bench.read(0x03050001)[-6:] == bytes(6)
    bench.run(2)
    back = START + 192
    assert bench.read(0x03050001)[-6:] == time(back)
    assert bench.read(0x03110001) == time(down) + time(back)
    assert bench.read(0x03050000) == bytes.fromhex("000001")[::-1] + bytes(3)


def test_without_a_current_60_s_after_the_loss_no_later_one_counts():
    bench = Bench()
    bench.run(62, DEAD)
    bench.run(300, FLOW_OF["all voltages lost"])
    assert bench.count(0x03050000) == 0


# -- the rhythm of pushes


SCENARIOS = st.lists(
    st.tuples(
        st.builds(
            Flow,
            st.tuples(*[st.sampled_from((0.0, 100.0, 160.0, 180.0, 220.0, 270.0))] * 3),
            st.tuples(*[st.sampled_from((0.0, 0.02, 1.0, 5.0, 80.0))] * 3),
            st.tuples(*[st.sampled_from((-2000, 0, 7, 3001, 17_000))] * 3),
            vars=st.tuples(*[st.sampled_from((-700, 0, 901))] * 3),
            is_reversed=st.booleans(),
            factor=st.sampled_from((1.0, 0.2)),
            neutral=st.none(),
            lag_degrees=st.just((0, 120, 240)),
        ),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(SCENARIOS, st.sampled_from(("60", "00", "01", "45", "99")))
def test_pushes_once_a_second_and_once_a_minute_make_the_same_records(scenario, delay):
    benches = [Bench(cadence_s, x04090104=delay, x04090303=delay, x04090302=delay) for cadence_s in (1, 60)]
    for bench in benches:
        for flow, minutes in scenario:
            bench.run(60 * minutes, flow)
        bench.push(flow)
    assert everything(benches[0]) == everything(benches[1])


@settings(max_examples=25, deadline=None)
@given(SCENARIOS, st.integers(0, 1 << 30))
def test_kills_at_any_push_change_no_record(scenario, seed):
    chance = random.Random(seed)
    killed, spared = Bench(), Bench()
    for flow, minutes in scenario:
        for bench in (killed, spared):
            left = 60 * minutes
            while left:
                seconds = min(left, chance.randint(1, 80)) if bench is killed else left
                bench.run(seconds, flow)
                left -= seconds
                if bench is killed and left:
                    bench.kill()
    for bench in (killed, spared):
        bench.push(flow)
    assert everything(killed) == everything(spared)


@settings(max_examples=30, deadline=None)
@given(SCENARIOS)
def test_begin_and_end_times_are_those_of_a_look_each_second(scenario):
    bench, slow, at = Bench(60), SlowJudge(Bench().ratings), START
    limits = thresholds()
    for flow, minutes in scenario:
        bench.run(60 * minutes, flow)
        for second in range(at, at + 60 * minutes):
            slow.second(second, flow, limits)
        at += 60 * minutes
    bench.push(flow)
    slow.second(at, flow, limits)
    for event in EVENTS:
        for slot in event.slots if event.family else ():
            told = [(what, second) for each, what, second in slow.told if each == slot]
            begins = [second for what, second in told if what == "begin"][::-1][:10]
            assert [octets[:6] for octets in records(bench, event, slot)] == [time(second) for second in begins]


# -- restarts and lost supply


def test_a_cut_of_the_supply_ends_what_lasts_with_the_last_push_that_was_saved():
    bench = Bench()
    bench.run(150, LOW_A)
    bench.sequence += 2
    bench.pass_s(3600)
    saved = msgspec.msgpack.decode(bench.store[WATCH_KEY])[0]
    assert START + 120 <= saved <= START + 150
    bench.kill()
    bench.push(LOW_A)
    (octets,) = records(bench, EVENTS[1], 3)
    assert octets[:12] == time(START + 60) + time(saved)
    assert number(octets[12:16]) == sum(LOW_A.milliwatt) * (150 - 60) // 36_000_000
    assert bench.read(0x03110001) == time(saved) + time(bench.second)
    assert bench.count(0x03110000) == 1
    assert number(bench.read(0x03020000)[3:6]) == (saved - START - 60) // 60
    assert not bench.recording.judge.active
    bench.run(60, LOW_A)
    assert bench.count(0x03020000) == 1
    bench.run(1, LOW_A)
    assert bench.count(0x03020000) == 2  # judged afresh
    assert bench.read(0x03020101)[:6] == time(bench.second - 1)
    assert bench.read(0x03020102) == octets


def test_a_killed_partition_is_no_cut_of_the_supply():
    bench = Bench()
    bench.run(150, LOW_A)
    for away_s in (2, 30, 170, 3600):
        bench.kill()
        bench.sequence += away_s
        bench.pass_s(away_s)
        bench.run(5, LOW_A)
    assert bench.count(0x03110000) == 0
    assert bench.count(0x03020000) == 1
    assert bench.read(0x03020101)[6:12] == bytes(6)


def test_while_the_partition_is_dead_what_was_seen_last_goes_on():
    bench = Bench()
    bench.run(130)
    bench.kill()
    bench.sequence += 50
    bench.pass_s(50)
    bench.run(60, LOW_A)  # it may have been low before, but nobody saw it
    assert bench.count(0x03020000) == 0
    bench.run(11, LOW_A)
    bench.kill()
    bench.sequence += 50
    bench.pass_s(50)
    bench.push(LOW_A)
    assert bench.read(0x03020101)[:6] == time(START + 240)
    bench.run(30)
    bench.kill()
    bench.sequence += 50
    bench.pass_s(50)
    bench.push(LOW_A)
    bench.run(1, LOW_A)
    assert bench.read(0x03020102) is None
    assert bench.read(0x03020101)[6:12] == time(START + 362)  # the 61st second without it, seen or not


def test_a_core_that_pushes_seldom_is_no_cut_of_the_supply_either():
    bench = Bench(60, ratings=Ratings("3p4w", 220_000, 5_000_000, 60_000_000, 60_000))
    bench.cadence_s = 1  # numbers one by one
    bench.push(STEADY)
    for _ in range(5):
        bench.pass_s(60)
        bench.push(STEADY)
    bench.save()
    bench.kill()
    bench.sequence += 10
    bench.pass_s(11 * 60)
    bench.push(STEADY)
    assert bench.count(0x03110000) == 0
    bench.kill()
    bench.pass_s(3600)
    bench.push(STEADY)
    assert bench.count(0x03110000) == 1


@pytest.mark.parametrize("step_s", [-86_400, -100, 100, 86_400 * 40])
def test_a_clock_that_is_set_moves_no_delay(step_s):
    bench = Bench()
    bench.run(100)
    bench.run(30, LOW_A)
    bench.second += step_s
    bench.run(30, LOW_A)
    assert bench.count(0x03020000) == 0
    bench.run(1, LOW_A)
    assert bench.count(0x03020000) == 1
    assert bench.read(0x03020101)[:6] == time(START + 160 + step_s)


def test_silence_and_stale_readings_are_not_judged():
    bench = Bench()
    bench.run(10)
    for _ in range(300):
        bench.pass_s(1)
        bench.push(LOW_A, Quality.STALE)
    assert bench.recording.judge.pending == 0
    bench.run(61, LOW_A)  # the first look is that of the push now
    assert bench.count(0x03020000) == 1
    bench.pass_s(3600)
    bench.push(STEADY)
    assert bench.recording.judge.active  # nobody knows for how long it has been over
    bench.run(61)
    assert not bench.recording.judge.active
    bench.run(30, LOW_A)
    bench.pass_s(300)
    bench.run(30, LOW_A)
    assert not bench.recording.judge.active  # the silence counts as no second
    bench.run(1, LOW_A)
    assert bench.recording.judge.active


@given(st.lists(st.tuples(st.sampled_from([*(e.key for e in EVENTS), WATCH_KEY, CLEARS_KEY]), st.binary(max_size=60))))
def test_saved_octets_of_any_kind_are_forgotten_or_taken_and_never_a_crash(saved):
    bench = Bench()
    bench.store = dict(saved)
    bench.kill()
    bench.run(3, LOW_A)
    assert all(isinstance(octets, bytes) for octets in everything(bench).values())


def saved_by_a_busy_meter() -> dict[str, bytes]:
    bench = Bench()
    bench.run(70, LOW_A)
    bench.run(70, Flow(volts=(160.0, 220.0, 100.0)))
    bench.run(70, DEAD)
    bench.run(30, LOW_A)
    return bench.store


SAVED = saved_by_a_busy_meter()
ODD = st.none() | st.integers(-(1 << 62), 1 << 62) | st.binary(max_size=3) | st.lists(st.integers(-2, 9), max_size=24)


def poked(value, data):
    """`value` with something else in one place."""
    if isinstance(value, list) and value and data.draw(st.integers(0, 9)):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], poked(value[place], data), *value[place + 1 :]]
    return data.draw(ODD)


@given(st.data(), st.sampled_from(sorted(SAVED)), st.sampled_from((1, 5000)))
def test_saved_values_with_something_odd_in_them_are_taken_or_forgotten_and_go_on(data, key, away_s):
    bench = Bench()
    bench.run(1)
    bench.store = SAVED | {key: msgspec.msgpack.encode(poked(msgspec.msgpack.decode(SAVED[key]), data))}
    bench.kill()
    bench.second, bench.at_ns = START + 240 + away_s, (240 + away_s) * 10**9
    bench.sequence += 240
    bench.run(3, LOW_A)
    bench.run(130)
    assert all(isinstance(octets, bytes) for octets in everything(bench).values())
    bench.kill()
    bench.run(3)


# -- clears


def cleared(bench: Bench, di: int):
    data = di.to_bytes(4, "little")
    prepared = bench.recording.prepare(Function.CLEAR_EVENTS, data, OPERATOR, bench.turn)
    if isinstance(prepared, int):
        return prepared
    emptied = bench.recording.clear_events(di, bench.turn)
    bench.obey(prepared)
    bench.obey(emptied)
    return None


@pytest.fixture
def full() -> Bench:
    bench = Bench()
    low = Flow(volts=(160.0, 160.0, 220.0), is_reversed=True)
    bench.run(200, low)
    bench.run(100)
    bench.run(100, LOW_A)
    return bench


def test_an_event_clear_of_a_class_leaves_the_others(full):
    before = everything(full)
    assert cleared(full, 0x030202FF) is None
    after = everything(full)
    assert full.read(0x03020201) is None
    assert full.read(0x03020101) == before[0x03020101]
    gone = {di for di in before if before[di] != after.get(di)}
    assert gone == {0x03020000, 0x03020201, 0x11020001, 0x11020002, 0x03300300}
    assert number(full.read(0x03300300)) == 1
    assert full.read(0x03300301) == time(full.second - 1) + OPERATOR + bytes.fromhex("030202FF")[::-1]
    assert len(full.read(0x03300301)) == 14


@pytest.mark.parametrize("di", [0x0302FFFF, 0x030200FF, 0x1100FFFF])
def test_a_clear_of_all_phases(full, di):
    assert cleared(full, di) is None
    assert full.read(0x03020000) == bytes(18)
    assert full.read(0x03020101) is None
    assert full.count(0x03010000) > 0


def test_an_event_clear_of_all_empties_all_but_the_clears_also_over_a_restart(full):
    assert cleared(full, 0x030101FF) is None
    assert cleared(full, 0xFFFFFFFF) is None
    full.kill()
    found = everything(full)
    clears = {di: octets for di, octets in found.items() if di >> 8 == 0x033003}
    assert len(clears) == 3
    assert clears[0x03300301][-4:] == b"\xff" * 4
    assert all(not any(octets) for di, octets in found.items() if di not in clears)
    full.run(60, LOW_A)
    assert full.count(0x03020000) == 0
    full.run(2, LOW_A)
    assert full.count(0x03020000) == 1  # judged afresh


@pytest.mark.parametrize("di", [0x03020101, 0x030202FE, 0xFFFFFFFE, 0x00000000, 0x040003FF, 0x050000FF])
def test_what_is_no_class_is_refused_and_changes_nothing(full, di):
    before = everything(full)
    assert cleared(full, di) == 0x01
    assert everything(full) == before


@pytest.mark.parametrize("data", [b"", b"\xff" * 3, b"\xff" * 5])
def test_a_clear_needs_an_identifier(full, data):
    assert full.recording.prepare(Function.CLEAR_EVENTS, data, OPERATOR, full.turn) == 0x01


def test_nothing_is_cleared_before_it_is_on_the_medium(full):
    before = everything(full)
    full.recording.prepare(Function.CLEAR_EVENTS, b"\xff" * 4, OPERATOR, full.turn)
    full.recording.clear_events(0xFFFFFFFF, full.turn)
    full.recording.clear(full.turn, OPERATOR)
    assert everything(full) == before


def test_a_meter_clear_keeps_the_record_of_event_clears_and_parameters_only(full):
    assert cleared(full, 0x030101FF) is None
    kept = full.read(0x03300301)
    full.obey(full.recording.clear(full.turn, OPERATOR))
    full.elements, full.meter_clears = [0] * REGISTER_COUNT, 1
    found = everything(full)
    assert {di for di, octets in found.items() if any(octets)} == {0x03300300, 0x03300301}
    assert full.read(0x03300301) == kept
    full.kill()
    full.run(62, LOW_A)
    (octets,) = records(full, EVENTS[1], 3)
    assert not any(octets[12:28])  # increments count from the clear


def test_what_was_saved_without_apparent_energy_is_taken_up_and_goes_on():
    bench = Bench(1, x04090202="30")
    bench.run(100, LOW_A)
    changes = bench.recording.changes()
    kept = dict(bench.store) | {key: octets for key, octets in changes.items() if octets}

    def narrow(node):
        """A saved value whose lists of all registers have six of each element."""
        if isinstance(node, list) and len(node) == REGISTER_COUNT:
            return [node[at] for at in range(REGISTER_COUNT) if at % 8 < 6]
        return [narrow(each) for each in node] if isinstance(node, list) else node

    bench.store = {key: msgspec.msgpack.encode(narrow(msgspec.msgpack.decode(octets))) for key, octets in kept.items()}
    assert bench.store != kept
    watch = watch_of(kept["recording"])
    before = watch_of(bench.store["recording"])
    assert len(watch.counted.elements) == len(before.counted.elements) == REGISTER_COUNT
    assert [a for at, a in enumerate(before.counted.elements) if at % 8 < 6] == [
        a for at, a in enumerate(watch.counted.elements) if at % 8 < 6
    ]
    bench.recording = bench.made()
    bench.run(100, LOW_A)
    bench.run(100)
    octets = bench.read(0x03010101)
    other = Bench(1, x04090202="30")
    other.run(200, LOW_A)
    other.run(100)
    assert octets == other.read(0x03010101)
    assert any(octets[12:16])


@pytest.mark.parametrize("cadence_s", [1, 60])
def test_increments_after_a_meter_clear_count_from_it_in_any_rhythm(cadence_s):
    bench = Bench(cadence_s, x04090202="30")
    heavy = Flow(volts=(160.0, 220.0, 220.0), watts=(3_600_000, 0, 0))
    bench.run(600, heavy)
    bench.push(heavy)
    bench.obey(bench.recording.clear(bench.turn, OPERATOR))
    bench.elements, bench.meter_clears = [0] * REGISTER_COUNT, 1
    bench.run(120, heavy)
    bench.push(heavy)
    octets = bench.read(0x03020101)
    assert octets[:6] == time(START + 631)
    assert number(octets[12:16]) == 89 * 100  # 89 s of 3.6 MW


# -- status words


def test_the_status_words_tell_events_directions_and_sets(full):
    recording = full.recording
    assert [recording.status_bits(word) for word in range(1, 8)] == [0, 0, 0, 0b11, 0, 0, 0]
    flow = Flow(
        volts=(265.0, 220.0, 100.0),
        amperes=(80.0, 0.0, 0.0),
        watts=(16_000, -17_000, 0),
        vars=(-1, -500, 0),
        is_reversed=True,
        factor=0.1,
    )
    full.demands = {0x02800004: -475_300}
    full.run(130, flow)
    words = [recording.status_bits(word) for word in range(1, 8)]
    assert words[:3] == [0b11_0000, 0b011_0010, 0]
    assert words[3] == 1 << 2 | 1 << 4 | 1 << 5
    assert words[4] == 1 << 3 | 1 << 6 | 1 << 8
    assert words[5] == 1 << 1 | 1 << 7
    assert words[6] == 1 << 2 | 1 << 3 | 1 << 6 | 1 << 7 | 1 << 8
    full.run(10, DEAD)
    assert [recording.status_bits(word) for word in range(1, 8)] == [0, 0, 2 << 1, 0, 0, 0, 1 << 5]


def test_every_identifier_that_is_listed_is_in_the_register_table(full):
    for di in full.recording.listed():
        try:
            item = item_2007(di)
        except UnknownItem:
            pytest.fail(f"{di:08X} is not in the table")
        assert len(full.read(di)) == int(item.octets)


def test_identifiers_of_nobody_are_nobodys(full):
    for di in (
        0x03000000,
        0x03010400,
        0x0302010B,
        0x03050101,
        0x10000001,
        0x10040001,
        0x1F010001,
        0x1D000001,
        0x03300401,
    ):
        assert full.read(di) is None


# -- flash


def test_a_steady_meter_saves_one_small_record_a_minute_and_begins_at_once():
    bench = Bench()
    bench.run(600)
    changes = bench.recording.changes()
    assert set(changes) == {WATCH_KEY}
    assert len(changes[WATCH_KEY]) < 600
    assert bench.urgent == 0
    bench.run(62, LOW_A)
    assert bench.urgent == 1
    assert EVENTS[1].key in bench.store


def test_an_event_that_flickers_is_saved_at_once_once_a_minute_only():
    bench = Bench(x04090202="00")
    for _ in range(150):
        bench.run(1, LOW_A)
        bench.run(1)
    assert bench.urgent == 5
    assert bench.count(0x03020000) == 150


def test_the_largest_pages_fit_a_record():
    bench = Bench(**{f"x{di:08X}": "00" for di in (0x04090104, 0x04090202)})
    for _ in range(12):
        bench.run(2, FLOW_OF["voltage loss"])
        bench.run(2)
    bench.run(2, FLOW_OF["voltage loss"])
    assert max(map(len, bench.store.values())) < 7936
    assert sys.getsizeof(bench.store[EVENTS[0].key]) > 3 * 10 * 131
    again = EventBook(bench.store)
    assert again.pages == bench.recording.book.pages
