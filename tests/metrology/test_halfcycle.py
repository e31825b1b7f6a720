"""RMS renewed every half cycle, dips, swells and interruptions: D01."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from tests.metrology.truth import CASES, CONVERTER, meter

from wattwheel.metrology.halfcycle import EVENTS_MAX, EventKind, HalfCycles, Limits, VoltageEvent
from wattwheel.metrology.wiring import Wiring
from wattwheel.testing.stimulus import Converter, Wave, scaled, silent, sine, stepped, wave_of

UN = 220.0


def watch(wave: Wave, seconds: float, start_s: float, converter: Converter = CONVERTER) -> HalfCycles:
    half_cycles = HalfCycles()
    wiring = Wiring.SINGLE_PHASE if len(wave.voltage) == 1 else Wiring.FOUR_WIRE
    meter([converter.sample(wave, seconds, 11, start_s)], converter, wiring, half_cycles=half_cycles)
    return half_cycles


def supply(*changes: tuple[float, float, float]) -> Wave:
    curve = sine(50.0, UN)
    for change in changes:
        curve = scaled(curve, stepped(*change))
    return Wave((curve,), (silent,))


@pytest.mark.parametrize("start_s", [-0.0031, -0.0877, -0.1293, -0.1711])
def test_dip_to_forty_percent(start_s):  # D01
    expected = CASES["dip_40pct_5cycles"]["expected"]
    seen = watch(wave_of(CASES["dip_40pct_5cycles"]), 2.0, start_s)
    times = [value.at / 2**20 / CONVERTER.rate_hz + start_s for value in seen.series]
    below = [(time, value.voltage_v_rms[0]) for time, value in zip(times, seen.series, strict=True)]
    below = [(time, volts) for time, volts in below if volts < 0.9 * UN]
    assert len(below) == 11
    half = UN * math.sqrt((1.0 + 0.16) / 2.0)
    for place, (time, volts) in enumerate(below):
        assert time == pytest.approx(1.0 + 0.01 * place, abs=0.1e-3)
        assert volts == pytest.approx(half if place in (0, 10) else expected["u_residual"], abs=0.0005 * UN)
    (event,) = seen.events
    assert (event.phase, event.kind, event.half_cycles) == (0, EventKind.DIP, 11)
    assert event.duration_s == pytest.approx(expected["duration_s"], abs=0.1e-3)
    assert event.start / 2**20 / CONVERTER.rate_hz + start_s == pytest.approx(1.0, abs=0.1e-3)
    assert event.extreme_v_rms == pytest.approx(expected["u_residual"], abs=0.0005 * UN)
    others = [value.voltage_v_rms[0] for value in seen.series if value.voltage_v_rms[0] > 0.9 * UN]
    assert others == pytest.approx([UN] * len(others), abs=0.0005 * UN)


def test_the_series_has_no_holes():
    seen = watch(wave_of(CASES["dip_40pct_5cycles"]), 2.0, -0.02)
    steps = np.diff([value.at for value in seen.series]) / 2**20 / CONVERTER.rate_hz
    assert steps == pytest.approx(0.01, abs=0.05e-3)


def test_swell_and_interruption():
    # 1.2 Un for 4 cycles, then nothing for 20 cycles: longer than marks are set without crossings.
    seen = watch(supply((0.6, 0.68, 1.2), (1.0, 1.4, 0.0)), 2.5, -0.07)
    swell, interruption = seen.events
    assert swell.kind is EventKind.SWELL
    assert swell.extreme_v_rms == pytest.approx(1.2 * UN, rel=5e-4)
    assert swell.half_cycles == 9  # one mixed cycle of 1.105 Un at either end
    assert interruption.kind is EventKind.INTERRUPTION
    assert interruption.extreme_v_rms < 0.05
    assert interruption.duration_s == pytest.approx(0.41, abs=0.02)


def test_hysteresis():
    dipped = supply((0.5, 0.8, 0.89), (0.8, 1.2, 0.91))
    (event,) = watch(dipped, 1.8, 0.0).events
    assert event.half_cycles == 69  # 0.91 is no end yet; both mixed cycles at the edges lie above


def test_an_event_that_lasts_is_open():
    seen = watch(supply((0.5, 9.0, 0.5)), 1.5, 0.0)
    assert not seen.events
    assert seen.open_phases() == {0: EventKind.DIP}
    seen.restart()
    assert seen.open_phases() == {}


def test_every_phase_has_its_own_events():
    curves = [sine(50.0, UN, angle) for angle in (0.0, -120.0, 120.0)]
    curves[2] = scaled(curves[2], stepped(0.6, 0.7, 0.5))
    seen = watch(Wave(tuple(curves), (silent,) * 3), 1.5, 0.0)
    (event,) = seen.events
    assert event.phase == 2
    assert event.extreme_v_rms == pytest.approx(0.5 * UN, rel=1e-3)


@pytest.mark.parametrize("rate_hz", [400.0, 3200.0])
def test_slow_converters(rate_hz):
    seen = watch(wave_of(CASES["dip_40pct_5cycles"]), 2.0, -0.013, Converter(rate_hz=rate_hz))
    (event,) = seen.events
    assert event.half_cycles == 11
    assert event.extreme_v_rms == pytest.approx(88.0, abs=0.005 * UN)


def test_events_nobody_takes_give_way():
    seen = HalfCycles(Limits(dip=0.8))
    opened = seen._open
    assert opened == {}
    for number in range(EVENTS_MAX + 3):
        seen._finish(0, _ended(number), 0.01, UN)
    assert len(seen.events) == EVENTS_MAX
    assert seen.events_dropped == 3
    assert isinstance(seen.events[0], VoltageEvent)
    assert seen.events[0].start == 3


def _ended(start: int):
    from wattwheel.metrology.halfcycle import _Open

    return _Open(False, start, 4, 100.0)


def test_dips_anywhere_leave_no_trace_beside_their_edges():
    chance = random.Random(1)
    for _ in range(15):
        f = chance.uniform(48.0, 52.0)
        begin, length = 0.5 + chance.uniform(0.0, 0.4), chance.uniform(0.06, 0.5)
        residual, start_s = chance.uniform(0.06, 0.85), chance.uniform(-0.2, 0.0)
        dipped = scaled(sine(f, UN), stepped(begin, begin + length, residual))
        for value in watch(Wave((dipped,), (silent,)), 1.6, start_s).series:
            at, reach = value.at / 2**20 / CONVERTER.rate_hz + start_s, 0.6 / f
            if begin + reach < at < begin + length - reach:
                assert value.voltage_v_rms[0] == pytest.approx(residual * UN, abs=0.0005 * UN)
            elif not begin - reach < at < begin + length + reach:
                assert value.voltage_v_rms[0] == pytest.approx(UN, abs=0.0005 * UN)
