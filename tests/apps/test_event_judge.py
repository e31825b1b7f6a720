"""Begin and end of all events: a judge that looks at many seconds at once against one that looks at each second."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.apps.event_bench import RATINGS, Flow

from wattwheel.apps.event_conditions import (
    ALL_LOST,
    DEMAND,
    NEUTRAL,
    POWER_DOWN,
    POWER_FACTOR,
    SLOTS,
    Conditions,
    Situation,
    delays_of,
    demand_slot,
    off_of,
)
from wattwheel.apps.event_judge import Judge
from wattwheel.apps.parameters import Settings, default_items
from wattwheel.model.event_thresholds import thresholds_of
from wattwheel.model.ratings import Ratings

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())
SHORT = {0x04090104: 5, 0x04090202: 3, 0x04090704: 0, 0x04090903: 7, 0x04090A02: 1, 0x04090D03: 4, 0x04090E02: 2}
"""Delays in seconds; the others are a minute."""


def thresholds(ratings: Ratings = RATINGS, short: dict[int, int] | None = None, **written: int):
    parameters = default_items(Settings(ratings=ratings))
    parameters |= {di: bytes.fromhex(f"{delay:02}") for di, delay in (short or {}).items()}
    return thresholds_of(parameters)._replace(**written)


class SlowJudge:
    """The rules, second by second, each written down once more."""

    def __init__(self, ratings: Ratings) -> None:
        self.ratings = ratings
        self.active: set[int] = set()
        self.counters = dict.fromkeys(range(SLOTS), 0)
        self.down_since: int | None = None
        self.told: list[tuple[int, str, int]] = []

    def conditions(self, flow: Flow, t, demands) -> set[int]:
        phases = self.ratings.phases
        u = {p: round(1000 * flow.volts[p]) for p in phases}
        i = {p: abs(round(1e6 * flow.amperes[p])) for p in phases}
        w = {p: flow.milliwatt[p] for p in phases}
        critical, load = 0.6 * self.ratings.nominal_voltage_millivolt, self.ratings.nominal_current_microampere * 0.05
        on: set[int] = set()
        for p in phases:
            if t.loss_voltage and t.loss_current:
                if p in self.active:
                    on |= {p} if not u[p] > t.loss_recovery_voltage else set()
                elif u[p] < t.loss_voltage and i[p] > t.loss_current:
                    on.add(p)
            if t.under_voltage and u[p] < t.under_voltage:
                on.add(3 + p)
            if t.over_voltage and u[p] > t.over_voltage:
                on.add(6 + p)
            if t.failure_voltage and t.failure_current and u[p] < t.failure_voltage and i[p] < t.failure_current:
                on.add(9 + p)
            if t.current_loss_voltage and t.current_loss_current:
                others = any(i[q] > t.current_loss_recovery for q in phases if q != p)
                if 12 + p in self.active:
                    on |= {12 + p} if not i[p] > t.current_loss_recovery else set()
                elif others and u[p] > t.current_loss_voltage and i[p] < t.current_loss_current:
                    on.add(12 + p)
            if t.over_current and i[p] > t.over_current:
                on.add(15 + p)
            if t.interruption_voltage and t.interruption_current:
                on |= {18 + p} if u[p] > t.interruption_voltage and i[p] < t.interruption_current else set()
            if t.reversal and w[p] < 0 and -w[p] > t.reversal:
                on.add(21 + p)
            if t.overload and w[p] > t.overload:
                on.add(24 + p)
        if all(each < critical for each in u.values()):
            on.add(POWER_DOWN)
        if len(phases) == 3 and all(each > critical for each in u.values()):
            on |= {28} if flow.is_reversed else set()
            angles = [(-120 if not flow.is_reversed else 120) * p - flow.lag_degrees[p] for p in range(3)]
            turns_back = (angles[1] - angles[0]) % 360 == 120 and (angles[2] - angles[0]) % 360 == 240
            on |= {29} if turns_back and all(each > load for each in i.values()) else set()
        if len(phases) > 1 and max(u.values()) > critical:
            rate = (max(u.values()) - min(u.values())) * 10_000 // max(u.values())
            on |= {30} if t.voltage_imbalance and rate > t.voltage_imbalance else set()
        if len(phases) > 1 and max(u.values()) >= critical and max(i.values()) > load:
            rate = (max(i.values()) - min(i.values())) * 10_000 // max(i.values())
            on |= {31} if t.current_imbalance and rate > t.current_imbalance else set()
            on |= {32} if t.severe_imbalance and rate > t.severe_imbalance else set()
            on |= {POWER_FACTOR} if t.power_factor and abs(flow.factor) * 1e6 < t.power_factor else set()
        if len(phases) == 1 and flow.neutral is not None and max(u.values()) >= critical:
            currents = (max(i.values()), round(1e6 * flow.neutral))
            if max(currents) > 0.2 * self.ratings.nominal_current_microampere:
                on |= {NEUTRAL} if (max(currents) - min(currents)) * 10_000 // max(currents) > 5000 else set()
        p, q = demands
        if t.demand_active and p is not None and abs(p) > t.demand_active:
            on.add(DEMAND if p >= 0 else DEMAND + 1)
        if t.demand_reactive and q is not None and abs(q) > t.demand_reactive:
            quadrant = {(True, True): 0, (False, True): 1, (False, False): 2, (True, False): 3}[(p or 0) >= 0, q >= 0]
            on.add(DEMAND + 2 + quadrant)
        return on

    def second(self, at: int, flow: Flow, t, demands=(None, None)) -> None:
        on = self.conditions(flow, t, demands)
        delays, off = delays_of(t), off_of(t)
        is_down = POWER_DOWN in self.active
        flips = []
        for slot in range(SLOTS):
            if slot == ALL_LOST or (is_down and slot != POWER_DOWN):
                continue
            if (slot in on) == (slot in self.active):
                self.counters[slot] = 0
                continue
            self.counters[slot] += 1
            delay = 0 if off >> slot & 1 else delays[slot]
            if delay == 0 or self.counters[slot] == delay + 1:
                flips.append(slot)
        if POWER_DOWN in flips and not is_down:
            self.down_since = at - 1
            for slot in sorted(self.active):
                self.told.append((slot, "end", at - 1))
            self.told.append((POWER_DOWN, "begin", at - 1))
            self.active, self.counters = {POWER_DOWN}, dict.fromkeys(range(SLOTS), 0)
            return
        for slot in flips:
            self.counters[slot] = 0
            self.told.append((slot, "end" if slot in self.active else "begin", at))
            self.active ^= {slot}
        if is_down and POWER_DOWN not in self.active:
            self.down_since = None
            if ALL_LOST in self.active:
                self.active.remove(ALL_LOST)
                self.told.append((ALL_LOST, "end", at))
        if self.down_since is not None and at == self.down_since + 60:
            currents = [abs(flow.amperes[p]) * 1e6 for p in self.ratings.phases]
            if max(currents) > self.ratings.nominal_current_microampere * 0.05:
                self.active.add(ALL_LOST)
                self.told.append((ALL_LOST, "begin", at))


def fast(runs, limits, ratings: Ratings, demands=(None, None)):
    judge, conditions, at, told = Judge(), Conditions(ratings), 0, []
    for (flow, seconds), t in zip(runs, limits, strict=True):
        judge.off, judge.delays_s = off_of(t), delays_of(t)
        situation = Situation(flow.momentary(ratings.phases), t, demands)
        flips = judge.look(
            lambda active, found=situation: conditions.hold(found, active),
            lambda found=situation: conditions.carries_current(found.momentary),
            seconds,
        )
        told += [(flip.slot, "begin" if flip.begins else "end", at + flip.look) for flip in flips]
        at += seconds
    return told, judge


def slow(runs, limits, ratings: Ratings, demands=(None, None)):
    judge, at = SlowJudge(ratings), 0
    for (flow, seconds), t in zip(runs, limits, strict=True):
        for _ in range(seconds):
            at += 1
            judge.second(at, flow, t, demands)
    return judge.told, judge


VOLTS = st.sampled_from((0.0, 50.0, 131.9, 132.1, 150.0, 171.5, 180.0, 187.1, 220.0, 264.1))
AMPERES = st.sampled_from((0.0, 0.01, 0.024, 0.026, 0.1, 0.249, 0.251, 5.0, 72.1))
WATTS = st.sampled_from((-1000, -6, -5, 0, 100, 15_840, 15_841))
FLOWS = st.builds(
    Flow,
    st.tuples(VOLTS, VOLTS, VOLTS),
    st.tuples(AMPERES, AMPERES, AMPERES),
    st.tuples(WATTS, WATTS, WATTS),
    vars=st.just((0, 0, 0)),
    is_reversed=st.booleans(),
    factor=st.sampled_from((1.0, 0.29, -0.1)),
    lag_degrees=st.sampled_from(((0, 0, 0), (0, 240, 120), (0, 120, 240))),
    neutral=st.sampled_from((None, 0.0, 0.1, 0.999, 1.001, 2.51, 5.0, 72.1)),
)
RUNS = st.lists(st.tuples(FLOWS, st.one_of(st.integers(1, 8), st.integers(55, 130))), min_size=1, max_size=14)
OFF = st.sampled_from(("loss_voltage", "under_voltage", "interruption_current", "power_factor", "demand_active", ""))
DEMANDS = st.sampled_from(((None, None), (475_201, 475_199), (-475_201, 475_201), (0, -475_201), (-1, -475_201)))


@settings(max_examples=300, deadline=None)
@given(RUNS, st.sampled_from(("3p4w", "3p3w", "1p2w")), st.booleans(), st.lists(OFF, max_size=3), DEMANDS)
def test_many_seconds_at_once_are_what_each_second_would_have_been(runs, wiring, is_short, offs, demands):
    ratings = Ratings(wiring, 220_000, 5_000_000, 60_000_000)
    usual = thresholds(ratings, SHORT if is_short else None)
    limits = [usual] * len(runs)
    for at, name in enumerate(offs):
        if name:
            limits[at:] = [t._replace(**{name: 0}) for t in limits[at:]]
    found, quick = fast(runs, limits, ratings, demands)
    expected, plain = slow(runs, limits, ratings, demands)
    assert sorted(found, key=lambda flip: (flip[2], flip)) == sorted(expected, key=lambda flip: (flip[2], flip))
    assert {slot for slot in range(SLOTS) if quick.active >> slot & 1} == plain.active
    assert [state.differing_s for state in quick.states] == [plain.counters[slot] for slot in range(SLOTS)]


@settings(max_examples=100, deadline=None)
@given(RUNS, st.data())
def test_how_the_seconds_are_grouped_does_not_matter(runs, data):
    limits = thresholds(short=SHORT)
    whole, _ = fast(runs, [limits] * len(runs), RATINGS)
    parts = []
    for flow, seconds in runs:
        cut = data.draw(st.integers(1, seconds))
        parts += [(flow, cut), (flow, seconds - cut)] if cut < seconds else [(flow, seconds)]
    assert fast(parts, [limits] * len(parts), RATINGS)[0] == whole


@pytest.mark.parametrize("case", VECTORS["event_delay"])
def test_the_worked_examples_of_delays_hold_for_an_event_of_a_phase(case):
    limits = thresholds(short={0x04090202: case["delay_s"]})
    low = Flow(volts=(220.0, 160.0, 220.0))
    runs = [(low if condition else Flow(), seconds) for condition, seconds in case["runs"]]
    told = [flip for flip in fast(runs, [limits] * len(runs), RATINGS)[0] if flip[0] == 4]
    assert told == [(4, each["action"], each["second_index"] + 1) for each in case["actions"]]


# -- single conditions


def held(flow: Flow, active: int = 0, ratings: Ratings = RATINGS, demands=(None, None), **written: int) -> set[int]:
    t = thresholds(ratings, **written)
    found = Conditions(ratings).hold(Situation(flow.momentary(ratings.phases), t, demands), active) & ~off_of(t)
    return {slot for slot in range(SLOTS) if found >> slot & 1}


def test_a_steady_load_is_no_event():
    assert held(Flow()) == set()


@pytest.mark.parametrize("case", VECTORS["imbalance"])
def test_the_worked_examples_of_imbalance_rates(case):
    volts = tuple(value / 10 for value in case["values"])
    amperes = tuple(value / 1000 for value in case["values"])
    rate = case["rate_0_01pct"]
    assert (30 in held(Flow(volts=volts), voltage_imbalance=max(1, rate - 1))) is (rate > 1)
    assert 30 not in held(Flow(volts=volts), voltage_imbalance=max(1, rate))
    assert (31 in held(Flow(amperes=amperes), current_imbalance=max(1, rate - 1))) is (rate > 1)
    assert 31 not in held(Flow(amperes=amperes), current_imbalance=max(1, rate))


def test_three_wires_have_no_phase_b_and_their_rates_are_of_a_and_c():
    ratings = Ratings("3p3w", 100_000, 5_000_000, 6_000_000)
    assert held(Flow(volts=(100, 0, 100)), ratings=ratings) == set()
    assert held(Flow(volts=(100, 0, 69)), ratings=ratings) == {2, 5, 30}
    assert held(Flow(volts=(100, 0, 100), amperes=(5, 0, 0)), ratings=ratings) >= {14, 20, 31, 32}


def test_one_phase_has_no_imbalance_no_sequence_and_no_power_factor():
    ratings = Ratings("1p2w", 220_000, 5_000_000, 60_000_000)
    assert held(Flow(volts=(220, 0, 0), amperes=(5, 0, 0), factor=0.1, is_reversed=True), ratings=ratings) == set()


@pytest.mark.parametrize(
    ("phase", "neutral", "holds"),
    [
        (5, 5, False),
        (5, 2.51, False),
        (5, 2.5, False),  # 50 % is not more than 50 %
        (5, 2.49, True),
        (2.49, 5, True),
        (1, 0, False),  # not above a fifth of the nominal current
        (1.01, 0, True),
        (0, 1.01, True),
        (5, None, False),
    ],
)
def test_a_neutral_current_that_is_another_one_than_the_phase_s(phase, neutral, holds):
    ratings = Ratings("1p2w", 220_000, 5_000_000, 60_000_000)
    flow = Flow(volts=(220, 0, 0), amperes=(phase, 0, 0), neutral=neutral)
    assert (NEUTRAL in held(flow, ratings=ratings)) is holds
    assert NEUTRAL not in held(flow)  # of three phases it says nothing


def test_sequences_and_power_factor():
    assert held(Flow(is_reversed=True, lag_degrees=(0, 240, 120))) == {28}
    assert held(Flow(is_reversed=True)) == {28, 29}  # the currents turn with the voltages
    assert held(Flow(lag_degrees=(0, 120, 240))) == {29}
    assert held(Flow(factor=-0.299)) == {POWER_FACTOR}
    assert held(Flow(factor=0.3)) == set()


def test_demands_belong_to_directions_and_quadrants():
    assert held(Flow(), demands=(475_201, None)) == {34}
    assert held(Flow(), demands=(-475_201, None)) == {35}
    assert held(Flow(), demands=(475_200, 475_200)) == set()
    quadrants = ((1, 475_201), (-1, 475_201), (-1, -475_201), (1, -475_201))
    assert [held(Flow(), demands=each) for each in quadrants] == [{36}, {37}, {38}, {39}]
    assert [demand_slot(*each) for each in quadrants] == [36, 37, 38, 39]


def test_a_current_of_a_phase_is_lost_only_while_another_carries_one():
    assert 12 in held(Flow(amperes=(0, 5, 5)))
    assert 12 not in held(Flow(amperes=(0, 0.25, 0.25)))
    assert 12 in held(Flow(amperes=(0.2, 0, 0)), active=1 << 12)  # it ends above its recovery limit
    assert 12 not in held(Flow(amperes=(0.3, 0, 0)), active=1 << 12)
