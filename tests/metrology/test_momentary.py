"""Momentary values as they travel."""

from __future__ import annotations

import pytest
from tests.metrology.truth import CONVERTER, meter, run

from wattwheel.metrology.momentary import momentary
from wattwheel.metrology.wiring import Wiring
from wattwheel.model.records import ElementReading
from wattwheel.testing.stimulus import Wave, silent, sine


def test_three_phases():
    reading = momentary(run("3p_unbalanced").windows[0])
    total, a, b, c = reading.elements
    assert (a.voltage_millivolt, b.voltage_millivolt, c.voltage_millivolt) == pytest.approx(
        (220_000, 209_000, 231_000), abs=5
    )
    assert b.current_microampere == pytest.approx(4_000_000, abs=200)
    assert b.active_power_milliwatt == pytest.approx(723_997, abs=40)
    assert c.reactive_power_millivar == pytest.approx(-814_670, abs=60)
    assert c.apparent_power_millivoltampere == pytest.approx(1_386_000, abs=60)
    assert c.power_factor_millionth == pytest.approx(809_017, abs=50)
    assert (b.phase_angle_millidegree, c.phase_angle_millidegree) == pytest.approx((30_000, 324_000), abs=5)
    assert (b.voltage_angle_millidegree, c.voltage_angle_millidegree) == pytest.approx((240_000, 120_000), abs=5)
    assert a.voltage_angle_millidegree == 0
    assert a.thd_voltage_millipercent < 5
    assert a.thd_current_millipercent < 100
    assert total.active_power_milliwatt == pytest.approx(2_945_295, abs=150)
    assert total.reactive_power_millivar == pytest.approx(-396_670, abs=150)
    assert total.apparent_power_millivoltampere == pytest.approx(3_322_000, abs=150)
    assert total.power_factor_millionth == pytest.approx(886_603, abs=50)
    assert total.voltage_millivolt is total.current_microampere is total.phase_angle_millidegree is None
    assert reading.frequency_millihertz == 50_000
    assert reading.neutral_current_microampere == pytest.approx(3_969_880, abs=500)
    assert not reading.sequence_reversed
    assert reading.voltage_unbalance_millipercent == pytest.approx(2886, abs=3)


def test_a_single_phase_leaves_the_others_empty():
    reading = momentary(run("harm5_iec").windows[0])
    assert reading.elements[2] == reading.elements[3] == ElementReading()
    assert reading.elements[1].thd_voltage_millipercent == pytest.approx(10_000, abs=5)
    assert reading.elements[1].thd_current_millipercent == pytest.approx(40_000, abs=5)
    assert reading.neutral_current_microampere is None
    assert reading.current_unbalance_millipercent is None


def test_no_load_shows_nothing():
    wave = Wave((sine(50.0, 220.0),), (silent,))
    element = momentary(meter([CONVERTER.sample(wave, 1.0, 1)], CONVERTER).windows[0]).elements[1]
    assert (element.active_power_milliwatt, element.reactive_power_millivar) == (0, 0)
    assert (element.apparent_power_millivoltampere, element.power_factor_millionth) == (0, 1_000_000)
    assert (element.phase_angle_millidegree, element.thd_current_millipercent) == (0, None)
    assert element.voltage_millivolt == pytest.approx(220_000, abs=5)


def test_a_dead_phase_has_no_angles():
    wave = Wave((silent, sine(50.0, 220.0, -120.0), sine(50.0, 220.0, 120.0)), (sine(50.0, 5.0, -120.0),) * 3)
    window = meter([CONVERTER.sample(wave, 1.0, 1)], CONVERTER, Wiring.FOUR_WIRE).windows[0]
    reading = momentary(window)
    assert reading.elements[1].voltage_angle_millidegree is reading.elements[1].phase_angle_millidegree is None
    assert reading.elements[1].thd_voltage_millipercent is None
    assert reading.elements[2].active_power_milliwatt == pytest.approx(1_100_000, abs=50)
    assert not reading.sequence_reversed


def test_three_wires_have_no_element_b():
    wave = Wave((sine(50.0, 100.0, 30.0), sine(50.0, 100.0, 90.0)), (sine(50.0, 5.0), sine(50.0, 5.0, 120.0)))
    window = meter([CONVERTER.sample(wave, 1.0, 1)], CONVERTER, Wiring.THREE_WIRE).windows[0]
    reading = momentary(window)
    assert reading.elements[2] == ElementReading()
    assert reading.elements[3].active_power_milliwatt == pytest.approx(433_013, abs=50)
    assert reading.elements[0].power_factor_millionth == pytest.approx(1_000_000, abs=200)
    assert reading.elements[3].voltage_angle_millidegree == pytest.approx(60_000, abs=5)


def test_nothing_at_all():
    wave = Wave((silent,), (silent,))
    from wattwheel.metrology.measure import Chain

    reading = momentary(Chain(CONVERTER.form()).feed(CONVERTER.sample(wave, 1.0, 1))[0])
    assert reading.frequency_millihertz is None
    assert reading.elements[1].power_factor_millionth == 1_000_000


@pytest.mark.parametrize(("current_degrees", "sign"), [(0.0, 1), (60.0, 1), (-60.0, 1), (180.0, -1), (120.0, -1)])
def test_the_current_has_the_sign_of_the_power(current_degrees, sign):
    wave = Wave((sine(50.0, 220.0),), (sine(50.0, 5.0, current_degrees),))
    element = momentary(meter([CONVERTER.sample(wave, 1.0, 1)], CONVERTER).windows[0]).elements[1]
    assert element.current_microampere == pytest.approx(sign * 5_000_000, abs=200)
    assert element.active_power_milliwatt * sign > 0
