"""Test output: E03, instants, width and queue."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metrology.truth import CONVERTER, run

from wattwheel.metrology.cycles import Span, WindowKind
from wattwheel.metrology.energy import FINE_BITS, MICROJOULE_PER_KWH, Registers
from wattwheel.metrology.pulses import QUEUE_MAX, WIDTH_S, Pulses, TestOutput, flash_width_s
from wattwheel.model.errors import ConfigError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "signal-output.json").read_text())
FINE_PER_PULSE = (MICROJOULE_PER_KWH << FINE_BITS) // 1200


def span(start: int, end: int) -> Span:
    return Span(start, end, WindowKind.WHOLE, 10, (end - start) // 10, ())


def test_a_day_at_sixty_amperes():  # E03
    windows = run("sine_pf1_60A").windows
    registers, pulses = Registers(), Pulses(1200)
    seconds, counted = 0.0, 0
    while seconds < 24 * 3600.0:
        for one in windows:
            registers.book(one)
            counted += len(pulses.book(registers.fine_active(), one.span))
            behind = registers.fine_active() - counted * FINE_PER_PULSE
            assert 0 <= behind < FINE_PER_PULSE
            seconds += one.duration_s
    assert counted == pulses.count == pytest.approx(13.2 * seconds / 3600.0 * 1200, rel=1e-5)


@given(st.lists(st.integers(0, 40 * FINE_PER_PULSE), min_size=1, max_size=30), st.integers(1, 10_000))
def test_instants_lie_in_their_windows_and_in_order(gains, constant):
    pulses, energy, instants = Pulses(constant), 0, []
    for number, gain in enumerate(gains):
        energy += gain
        new = pulses.book(energy, span(number * 1000, number * 1000 + 1000))
        assert all(number * 1000 <= instant <= number * 1000 + 1000 for instant in new)
        instants += new
    assert instants == sorted(instants)
    assert len(instants) == pulses.count == energy * constant // (MICROJOULE_PER_KWH << FINE_BITS)


def test_instants_are_evenly_spaced_under_steady_load():
    registers, pulses, instants = Registers(), Pulses(1_000_000), []
    for one in run("sine_pf1_60A").windows:
        registers.book(one)
        instants += pulses.book(registers.fine_active(), one.span)
    gaps = [(after - before) / 2**20 / CONVERTER.rate_hz for before, after in pairwise(instants)]
    assert min(gaps) == pytest.approx(3.6 / 13_200.0, rel=1e-4)
    assert max(gaps) == pytest.approx(3.6 / 13_200.0, rel=1e-4)


def test_counting_goes_on_where_the_register_stands():
    energy = 5 * FINE_PER_PULSE + FINE_PER_PULSE // 2
    pulses = Pulses(1200, energy)
    assert pulses.count == 5
    assert pulses.book(energy + FINE_PER_PULSE // 2, span(0, 1000)) == [1000]
    assert pulses.book(energy + FINE_PER_PULSE // 2, span(1000, 2000)) == []


@pytest.mark.parametrize("constant", [0, -5, 1_000_001])
def test_constants_that_cannot_be(constant):
    with pytest.raises(ConfigError, match="constant"):
        Pulses(constant)


def test_flashes_have_full_width_and_full_pauses():
    output = TestOutput(1000.0)
    flashes = output.light([0, 10, 500, 501])
    assert flashes == [(0, 80), (160, 240), (500, 580), (660, 740)]
    assert output.light([2000]) == [(2000, 2080)]
    assert output.dropped == 0


def test_the_queue_is_bounded():
    output = TestOutput(1000.0)
    lit = output.light([0] * (QUEUE_MAX + 10))
    assert len(lit) + output.dropped == QUEUE_MAX + 10
    assert 1 <= output.dropped < 10
    assert all(after.on - before.off == 80 for before, after in pairwise(lit[:100]))


TICKS_PER_SECOND = 8000


@pytest.mark.parametrize("vector", VECTORS["pulse"], ids=lambda vector: vector["power_kw"])
def test_intervals_at_a_constant_load_are_those_of_theory_within_a_millisecond(vector):
    constant, power_w = vector["constant_imp_per_kwh"], float(vector["power_kw"]) * 1000
    pulses, fine, instants = Pulses(constant), 0, []
    window_s = 0.2
    for number in range(round(20 * float(vector["pulse_interval_s"]) / window_s) + 2):
        fine += round(power_w * window_s * 1e6) << FINE_BITS
        start = round(number * window_s * TICKS_PER_SECOND)
        instants += pulses.book(fine, span(start, start + round(window_s * TICKS_PER_SECOND)))
    intervals = [(after - before) / TICKS_PER_SECOND for before, after in pairwise(instants)]
    assert len(intervals) >= 18
    for interval in intervals:
        assert interval == pytest.approx(float(vector["pulse_interval_s"]), abs=0.001)


@pytest.mark.parametrize("vector", VECTORS["pulse_max"], ids=lambda vector: str(vector["constant"]))
def test_a_flash_is_shorter_only_where_pulses_at_maximum_load_come_too_close(vector):
    maximum_w = vector["i_max_a"] * vector["u_v"] * vector["phases"]
    assert maximum_w == pytest.approx(float(vector["max_kw"]) * 1000)
    shortest_s = float(vector["min_interval_ms"]) / 1000
    width_s = flash_width_s(vector["constant"], maximum_w)
    assert width_s == pytest.approx(min(WIDTH_S, shortest_s / 2), rel=1e-3)
    output = TestOutput(TICKS_PER_SECOND, width_s)
    instants = [round(number * shortest_s * TICKS_PER_SECOND) for number in range(1000)]
    flashes = output.light(instants)
    assert max(flash.on - instant for flash, instant in zip(flashes, instants, strict=True)) < TICKS_PER_SECOND // 20
