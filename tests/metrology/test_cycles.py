"""From crossings to windows: believed, set and lost marks, and that nothing depends on when crossings arrive."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattwheel.metrology.cycles import MISSED_MARKS_MAX, Span, Synchroniser, WindowKind

RATE_HZ = 10_000.0
CYCLE = 200 << 20


def sync(phases: int = 1) -> Synchroniser:
    synchroniser = Synchroniser(RATE_HZ, 50.0, 10, phases)
    synchroniser.restart(1 << 20)
    return synchroniser


def regular(count: int, start: int = 50 << 20, cycle: int = CYCLE) -> list[int]:
    return [start + number * cycle for number in range(count)]


def kinds(spans: list[Span]) -> list[WindowKind]:
    return [span.kind for span in spans]


def test_ten_cycles_make_a_window():
    crossings = regular(40)
    spans = sync().advance([crossings], crossings[-1])
    assert kinds(spans) == [WindowKind.PARTIAL, *[WindowKind.WHOLE] * 3]
    assert spans[0].end == crossings[2]
    assert spans[1].marks == tuple(crossings[2:13])
    assert all(span.cycles == 10 and span.period == CYCLE and span.predicted == 0 for span in spans[1:])
    assert all(before.end == after.start for before, after in pairwise(spans))


@pytest.mark.parametrize("away", [CYCLE // 30, -CYCLE // 30, None])
def test_a_crossing_out_of_place_is_set_by_the_period(away):
    crossings = regular(30)
    if away is None:
        del crossings[7]
    else:
        crossings[7] += away
    spans = sync().advance([crossings], crossings[-1])
    assert spans[1].marks == tuple(regular(30)[2:13])
    assert [span.predicted for span in spans] == [0, 1, 0]


def test_a_crossing_too_many_is_left_out():
    crossings = sorted([*regular(30), regular(30)[6] + CYCLE // 3, regular(30)[9] - CYCLE // 100 * 3])
    spans = sync().advance([crossings], crossings[-1])
    assert spans[1].marks == tuple(regular(30)[2:13])
    assert spans[1].predicted == 0


def test_a_moved_mark_that_was_believed_moves_no_other():
    crossings = regular(30)
    crossings[6] += CYCLE // 60  # within the tolerance
    del crossings[7:9]
    spans = sync().advance([crossings], crossings[-1])
    marks = regular(30)[2:13]
    marks[4] += CYCLE // 60
    assert spans[1].marks == tuple(marks)


def test_a_lost_voltage_gives_way_to_free_windows_and_comes_back():
    before = regular(15)
    later = regular(20, before[-1] + 60 * CYCLE + CYCLE // 7)
    spans = sync().advance([before + later], later[-1])
    assert WindowKind.FREE in kinds(spans)
    lost = next(place for place, span in enumerate(spans) if span.kind is WindowKind.FREE)
    assert spans[lost - 1].kind is WindowKind.PARTIAL
    assert spans[lost - 1].end == before[-1]
    assert spans[lost].end - spans[lost].start == 10 * CYCLE
    assert spans[lost].reference is None
    assert kinds(spans)[-2:] == [WindowKind.PARTIAL, WindowKind.WHOLE]
    assert spans[-2].end == later[2]


def test_a_jump_of_phase_is_followed_after_a_few_cycles():
    before = regular(20)
    later = regular(40, before[-1] + CYCLE + CYCLE // 4)
    spans = sync().advance([before + later], later[-1])
    assert spans[-1].marks == tuple(mark for mark in later if spans[-1].start <= mark <= spans[-1].end)
    assert sum(span.predicted for span in spans) <= MISSED_MARKS_MAX


def test_a_jump_of_frequency_is_followed():
    before = regular(20)
    later = regular(60, before[-1] + CYCLE * 9 // 10, CYCLE * 9 // 10)
    spans = sync().advance([before + later], later[-1])
    assert spans[-1].period == CYCLE * 9 // 10


def test_another_phase_takes_over():
    first, second = regular(20), regular(60, (50 << 20) + CYCLE // 3)
    spans = sync(2).advance([first, second], second[-1])
    assert [span.reference for span in spans[:2]] == [0, 0]
    assert spans[-1].reference == 1
    assert WindowKind.FREE not in kinds(spans)


def test_the_end_closes_what_is_left():
    synchroniser = sync()
    crossings = regular(8)
    assert kinds(synchroniser.advance([crossings], crossings[-1])) == [WindowKind.PARTIAL]
    (span,) = synchroniser.close(crossings[-1] + 5)
    assert (span.start, span.end, span.cycles) == (crossings[2], crossings[-1] + 5, 5)
    assert span.fundamental_start == span.end - 5 * CYCLE
    assert synchroniser.close(crossings[-1] + 5) == []


@st.composite
def disturbed(draw) -> list[list[int]]:
    chance = random.Random(draw(st.integers(0, 10**6)))
    phases = []
    for phase in range(2):
        crossings, at = [], (30 << 20) + phase * CYCLE // 3
        while at < 120 * CYCLE:
            fate = chance.random()
            if fate < 0.03:
                at += chance.randrange(30) * CYCLE
            elif fate < 0.06:
                at += chance.randrange(CYCLE)
            if fate > 0.1:
                crossings.append(at + chance.choice((0, 0, 0, 1, -1)) * chance.randrange(CYCLE // 25))
            at += CYCLE + chance.randrange(-2000, 2000)
        phases.append(sorted(crossings))
    return phases


@settings(deadline=None, max_examples=60)
@given(disturbed(), st.lists(st.integers(CYCLE // 20, 3 * CYCLE), min_size=1, max_size=10), st.integers(0, CYCLE))
def test_when_crossings_arrive_does_not_matter(phases, steps, early):
    end = 121 * CYCLE
    whole = sync(2)
    expected = whole.advance(phases, end) + whole.close(end)
    parts, found, at, turn = sync(2), [], 0, 0
    given_up_to = [0, 0]
    while at < end:
        at = min(end, at + steps[turn % len(steps)])
        turn += 1
        new = []
        for phase, crossings in enumerate(phases):  # crossings may be told before the horizon reaches them
            stop = sum(crossing <= at + early for crossing in crossings)
            new.append(crossings[given_up_to[phase] : stop])
            given_up_to[phase] = max(stop, given_up_to[phase])
        found += parts.advance(new, at)
    assert found + parts.close(end) == expected
    assert expected[0].start == 1 << 20
    assert expected[-1].end == end
    assert all(before.end == after.start for before, after in pairwise(expected))
