"""The chain as a whole: any block size, any gap, any width of counts, dead phases, slow and fast converters."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrology.truth import CASES, METER_D, PPM, meter, run

from wattwheel.hil.sampling import SampleBlock
from wattwheel.metrology.cycles import WindowKind
from wattwheel.metrology.energy import Registers
from wattwheel.metrology.halfcycle import HalfCycles
from wattwheel.metrology.measure import Chain
from wattwheel.metrology.pulses import Pulses
from wattwheel.metrology.quantities import Window
from wattwheel.metrology.wiring import Rating, Wiring
from wattwheel.model.errors import ConfigError
from wattwheel.testing.stimulus import Converter, Wave, scaled, silent, sine, sines, split, stepped, wave_of

CONVERTER = Converter()


def everything(window: Window) -> tuple[object, ...]:
    """All that a window says, to the last bit."""
    return (
        window.span,
        window.active_power_w,
        window.reactive_power_var,
        window.voltage_v_rms,
        window.current_a_rms,
        window.frequency_hz,
        window.phasors,
        window.thd_current,
        window.neutral_a_rms,
        window.picture(),
    )


def outcome(blocks: list[SampleBlock], converter: Converter, wiring: Wiring, rating: Rating = METER_D) -> object:
    half_cycles = HalfCycles()
    chain = Chain(converter.form(blocks[0].voltage.shape[1]), wiring, rating, half_cycles=half_cycles)
    registers, pulses = Registers(), Pulses(1_000_000)
    windows, instants = [], []
    for window in [window for block in blocks for window in chain.feed(block)] + chain.finish():
        registers.book(window)
        instants += pulses.book(registers.fine_active(), window.span)
        windows.append(everything(window))
    return windows, registers.to_state(), instants, list(half_cycles.series), list(half_cycles.events)


TROUBLED = 1
"""The phase that is locked first from the start that the troubled supply is sampled from."""


def troubled_supply() -> Wave:
    """Three phases: the reference dips, then dies for half a second; everything dies for a while; 49 Hz throughout."""
    angles = (0.0, -120.0, 120.0)
    dead = stepped(2.0, 2.5, 0.0)
    reference = stepped(0.7, 0.78, 0.4)
    lost = stepped(1.2, 1.8, 0.0)
    volts = []
    for phase, angle in enumerate(angles):
        curve = scaled(sines(49.0, {1: (220.0, angle), 5: (9.0, 10.0)}), dead)
        volts.append(scaled(scaled(curve, reference), lost) if phase == TROUBLED else curve)
    amps = tuple(sines(49.0, {1: (5.0, angle - 40.0), 3: (1.0, 5.0)}) for angle in angles)
    return Wave(tuple(volts), amps, 49.0)


SIZES = {
    "1..700": [random.Random(5).randint(1, 700) for _ in range(997)],
    "4096": [4096],
    "20833": [20833],
    "7": [7],
    "32769": [32769],
}


@pytest.fixture(scope="module")
def troubled() -> tuple[SampleBlock, object]:
    block = CONVERTER.sample(troubled_supply(), 3.5, 9, -0.0371)
    return block, outcome([block], CONVERTER, Wiring.FOUR_WIRE)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_blocks_of_any_size_give_the_same_bits(sizes, troubled):  # E02
    block, whole = troubled
    assert outcome(split(block, sizes), CONVERTER, Wiring.FOUR_WIRE) == whole


@pytest.mark.parametrize("bits", [16, 24])
def test_single_samples_give_the_same_bits(bits):  # E02
    converter = Converter(bits=bits)
    block = converter.sample(wave_of(CASES["quadriform_ir46"]), 1.0, 9)
    assert outcome(split(block, [1]), converter, Wiring.SINGLE_PHASE) == outcome(
        [block], converter, Wiring.SINGLE_PHASE
    )


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=30), st.sampled_from([16, 24]))
def test_any_way_of_cutting_gives_the_same_bits(sizes, bits):  # E02
    converter = Converter(bits=bits, rate_hz=3200.0)
    block = converter.sample(wave_of(CASES["harm357_mix"]), 2.0, 1, 0.004)
    assert outcome(split(block, sizes), converter, Wiring.SINGLE_PHASE) == outcome(
        [block], converter, Wiring.SINGLE_PHASE
    )


def test_every_sample_is_metered_once(troubled):
    spans = [entry[0] for entry in troubled[1][0]]
    assert spans[0].start // 2**20 <= 1
    assert all(before.end == after.start for before, after in pairwise(spans))
    assert spans[-1].end // 2**20 >= len(troubled[0].voltage) - 4
    kinds = {span.kind for span in spans}
    assert kinds == {WindowKind.WHOLE, WindowKind.FREE, WindowKind.PARTIAL}


def test_energy_is_whole_through_dips_dead_phases_and_no_voltage(troubled):
    block, (windows, *_) = troubled
    form = CONVERTER.form(3)
    for phase in range(3):
        volts = block.voltage[:, phase].astype(np.float64) * form.voltage_v_per_count[phase]
        amps = block.current[:, phase].astype(np.float64) * form.current_a_per_count[phase]
        true_j = float(volts @ amps) / form.rate_hz
        metered_j = sum(entry[1][phase] * (entry[0].end - entry[0].start) / 2**20 / form.rate_hz for entry in windows)
        # The sum of all samples holds the first and last few, which lie outside of every window.
        assert metered_j == pytest.approx(true_j, abs=220.0 * 5.0 * 2.0 * 5 / form.rate_hz)


def test_the_reference_changes_over_and_the_others_go_on(troubled):
    spans = [entry[0] for entry in troubled[1][0]]
    at = [(span.start / 2**20 * 48e-6 - 0.0371, span) for span in spans]
    assert {span.reference for time, span in at if 0.1 < time < 1.1 and span.kind is WindowKind.WHOLE} == {TROUBLED}
    assert {span.reference for time, span in at if 1.5 < time < 1.8 and span.kind is WindowKind.WHOLE} == {2}
    assert next(span for time, span in at if 2.2 < time < 2.4).kind is WindowKind.FREE
    assert all(span.kind is WindowKind.WHOLE for time, span in at if 2.9 < time < 3.2)
    for entry in troubled[1][0]:
        time = entry[0].start / 2**20 * 48e-6 - 0.0371
        if entry[0].kind is WindowKind.WHOLE and (0.15 < time < 0.4 or 1.5 < time < 1.7 or 2.9 < time < 3.2):
            assert entry[5] == pytest.approx(49.0, abs=1e-3)
            assert entry[1][2] == pytest.approx(1100.0 * math.cos(math.radians(40.0)), rel=1e-3)


def test_a_dip_does_not_bend_the_windows(troubled):
    dipped = [entry for entry in troubled[1][0] if 0.5 < entry[0].start / 2**20 * 48e-6 - 0.0371 < 0.8]
    assert any(entry[0].predicted for entry in dipped)
    for entry in dipped:
        assert entry[5] == pytest.approx(49.0, abs=0.02)


def test_a_gap_is_counted_and_nothing_is_invented():
    block = CONVERTER.sample(wave_of(CASES["sine_pf1"]), 3.0, 2)
    chain = Chain(CONVERTER.form())
    begin, lost = 20_000, 10_000
    before = SampleBlock(0, block.voltage[:begin], block.current[:begin])
    after = SampleBlock(begin + lost, block.voltage[begin + lost :], block.current[begin + lost :])
    windows = [*chain.feed(before), *chain.feed(after), *chain.finish()]
    assert (chain.gaps, chain.samples_lost, chain.samples_repeated) == (1, lost, 0)
    metered = sum(window.duration_s for window in windows) * CONVERTER.rate_hz
    assert metered == pytest.approx(len(block.voltage) - lost - chain.samples_unmetered, abs=3.0)
    assert chain.samples_unmetered <= 12
    assert not any(window.span.start / 2**20 < begin + lost and window.span.end / 2**20 > begin for window in windows)
    energy = sum(window.active_power_w[0] * window.duration_s for window in windows)
    true = sum(
        float(part.voltage[:, 0].astype(float) @ part.current[:, 0].astype(float)) for part in (before, after)
    ) * (chain.scales.volts[0] * chain.scales.amperes[0] / CONVERTER.rate_hz)
    assert energy == pytest.approx(true, abs=2200.0 * 16 / CONVERTER.rate_hz)


def test_samples_that_come_again_are_left_out():
    block = CONVERTER.sample(wave_of(CASES["sine_pf1"]), 1.5, 2)
    once, twice = Chain(CONVERTER.form()), Chain(CONVERTER.form())
    windows = once.feed(block)
    first, second = split(block, [20_000, 20_000])
    again = SampleBlock(15_000, block.voltage[15_000:], block.current[15_000:])
    assert [everything(w) for w in twice.feed(first) + twice.feed(again) + twice.feed(second)] == [
        everything(w) for w in windows
    ]
    assert (twice.gaps, twice.samples_repeated) == (0, 5_000 + len(second.voltage))


def test_pieces_too_short_to_meter_are_counted():
    chain = Chain(CONVERTER.form())
    block = CONVERTER.sample(wave_of(CASES["sine_pf1"]), 0.1, 2)
    for first in (0, 1000, 2000):
        assert chain.feed(SampleBlock(first, block.voltage[:9], block.current[:9])) == []
    assert chain.finish() == []
    assert chain.finish() == []
    assert (chain.gaps, chain.samples_lost, chain.samples_unmetered) == (2, 1982, 27)


@pytest.mark.parametrize("rate_hz", [400.0, 600.0, 1200.0, 3200.0, 4000.0, 8000.0, 30707.24, 50_000.0])
@pytest.mark.parametrize(("nominal_hz", "frequency_hz"), [(50.0, 45.0), (50.0, 50.013), (50.0, 65.0), (60.0, 60.0)])
def test_converters_slow_and_fast(rate_hz, nominal_hz, frequency_hz):
    converter = Converter(rate_hz=rate_hz)
    wave = Wave((sine(frequency_hz, 220.0),), (sine(frequency_hz, 5.0, -60.0),), frequency_hz)
    block = converter.sample(wave, 4.0, 4, 0.0042)
    result = meter([block], converter, rating=Rating(nominal_hz=nominal_hz))
    # Fewer samples average less noise, and the curve that the window's ends lie on is known by fewer points.
    noise_ppm = 25.0 * max(1.0, math.sqrt(20_833.0 / rate_hz))
    shape_ppm = next(
        ppm for least, ppm in ((30, 0.0), (15, 30.0), (7, 120.0), (6, 800.0)) if rate_hz / frequency_hz > least
    )
    limit = (noise_ppm + shape_ppm) * PPM
    for window in result.windows:
        assert window.frequency_hz == pytest.approx(frequency_hz, abs=0.5e-3)
        assert abs(window.active_power_w[0] - 550.0) <= limit * 1100.0
        assert abs(window.reactive_power_var[0] - 550.0 * math.sqrt(3.0)) <= limit * 1100.0
        assert window.voltage_v_rms[0] == pytest.approx(220.0, rel=limit)
    assert abs(result.net_energy_j / result.seconds - 550.0) <= (60.0 if rate_hz < 1000.0 else 20.0) * PPM * 1100.0
    cycles = {window.span.cycles for window in result.windows}
    assert cycles == {10 if nominal_hz == 50.0 else 12}


def test_wider_counts_see_smaller_currents():
    narrow, wide = run("sine_pf1_0.02A"), run("sine_pf1_0.02A", converter=Converter(bits=24, noise_lsb=0.02))
    for result, limit in ((narrow, 0.012), (wide, 0.0005)):
        assert max(abs(window.current_a_rms[0] / 0.02 - 1.0) for window in result.windows) <= limit
    assert wide.net_energy_j / wide.seconds == pytest.approx(4.4, rel=20 * PPM)


def test_counts_of_24_bits_are_added_exactly():
    limit = 2**23 - 1
    rng = np.random.default_rng(1)
    count = 20_000
    square = np.where(np.arange(count) % 400 < 200, -limit, limit)[:, None] + rng.integers(-1000, 1, (count, 1))
    block = SampleBlock(0, square.astype(np.int32), square.astype(np.int32))
    converter = Converter(rate_hz=20_000.0, bits=24)
    window = next(w for w in Chain(converter.form()).feed(block) if w.span.kind is WindowKind.WHOLE)
    start, end = window.span.start >> 20, window.span.end >> 20
    inner = [int(value) for value in square[start - 1 : end - 1, 0]]
    exact = sum(value * value for value in inner)
    sums = window._sums
    assert abs(sums.squares_voltage[0] - exact) < 8.0 * limit * limit  # the ends, at most
    assert sums.squares_voltage[0] == sums.squares_current[0] == sums.products[0]


def test_a_neutral_current_that_is_measured():
    converter = CONVERTER
    wave = wave_of(CASES["3p_one_phase"])
    block = converter.sample(wave, 1.0, 1)
    form = converter.form(3, has_neutral=True)
    window = Chain(form, Wiring.FOUR_WIRE).feed(block._replace(neutral=block.current[:, 0] // 2))[2]
    assert window.neutral_a_rms == pytest.approx(2.5, rel=1e-3)
    assert len(window.phasors) == 7


def test_a_single_phase_has_no_neutral_and_no_unbalance():
    window = run("sine_pf1").windows[0]
    assert window.neutral_a_rms is window.voltage_unbalance is window.current_unbalance is None


def test_no_voltage_at_all():
    wave = Wave((silent,), (sine(50.0, 5.0),))
    chain = Chain(CONVERTER.form())
    windows = chain.feed(CONVERTER.sample(wave, 1.0, 1))
    assert [window.span.kind for window in windows] == [WindowKind.FREE] * 4
    assert windows[0].frequency_hz is None
    assert windows[0].current_a_rms[0] == pytest.approx(5.0, rel=1e-4)
    assert windows[0].power_factor[0] == pytest.approx(0.0, abs=0.1)


def test_a_picture_of_one_cycle():
    case = CASES["sine_pf05_ind"]
    picture = run("sine_pf05_ind").windows[2].picture()
    at = np.arange(64) / 64 * 2 * np.pi
    volts = np.array(picture.voltage[0]) * picture.voltage_v_per_count[0]
    amps = np.array(picture.current[0]) * picture.current_a_per_count[0]
    assert np.abs(volts - case["v"]["1"][0] * math.sqrt(2) * np.sin(at)).max() < 0.1
    assert np.abs(amps - 5.0 * math.sqrt(2) * np.sin(at - np.pi / 3)).max() < 0.02
    assert max(map(abs, picture.voltage[0])) == 32767


@pytest.mark.parametrize("begin_deg", [0, 1, 60, 119, 121, 180, 240, 359])
def test_a_picture_begins_where_the_first_voltage_rises_whichever_voltage_is_followed(begin_deg):
    """The first voltage whose crossing is seen is followed, and that depends on where the samples begin."""
    turns = [-120.0 * number for number in range(3)]
    volts, amps = ([sine(50.0, rms, turn) for turn in turns] for rms in (220.0, 5.0))
    wave = Wave(tuple(volts), tuple(amps))
    chain = Chain(CONVERTER.form(3), Wiring.FOUR_WIRE)
    picture = chain.feed(CONVERTER.sample(wave, 1.0, 3, start_s=begin_deg / 360 / 50))[2].picture()
    at = np.arange(64) / 64 * 2 * np.pi
    for number in range(3):
        volts = np.array(picture.voltage[number]) * picture.voltage_v_per_count[number]
        assert np.abs(volts - 220.0 * math.sqrt(2) * np.sin(at - number * 2 * np.pi / 3)).max() < 0.2


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"rate_hz": 399.0}, "rate_hz"),
        ({"rate_hz": 50_001.0}, "rate_hz"),
        ({"bits": 25}, "bits"),
        ({"voltage_v_per_count": (1.0, 1.0)}, "samples"),
    ],
)
def test_samples_that_cannot_be_metered(change, where):
    with pytest.raises(ConfigError, match=where):
        Chain(CONVERTER.form()._replace(**change))


@pytest.mark.parametrize("wiring", [Wiring.FOUR_WIRE, Wiring.THREE_WIRE])
def test_wirings_need_their_columns(wiring):
    with pytest.raises(ConfigError, match="columns"):
        Chain(CONVERTER.form(1), wiring)


@pytest.mark.parametrize(
    "rating",
    [
        Rating(nominal_hz=16.7),
        Rating(reference_voltage_v=0.0),
        Rating(starting_current_a=-1.0),
        Rating(no_load_share=-0.1),
    ],
)
def test_ratings_that_cannot_be(rating):
    with pytest.raises(ConfigError, match="rating"):
        Chain(CONVERTER.form(), rating=rating)
