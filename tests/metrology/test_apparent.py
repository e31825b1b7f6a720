"""Apparent energy against closed forms: rms voltage times rms current times time, whatever the angle and shape."""

from __future__ import annotations

import math

import pytest
from tests.metrology.truth import CASES, CONVERTER, PPM, meter, run

from wattwheel.metrology.energy import STATE_OCTETS, STATE_OCTETS_BEFORE, Registers
from wattwheel.metrology.wiring import Wiring
from wattwheel.model.records import REGISTER_COUNT, REGISTERS
from wattwheel.testing.stimulus import Converter, Wave, sine, sines

IMPORT, EXPORT = REGISTERS.index("import_apparent"), REGISTERS.index("export_apparent")
VOLTS, AMPERES = 220.0, 5.0


def booked(result, register=IMPORT, element=0):
    """Mean apparent power by a register, in VA."""
    return result.energy_j(element * len(REGISTERS) + register) / result.seconds


@pytest.mark.parametrize("angle_deg", [0.0, 30.0, 60.0, 89.0, 120.0, 180.0, 240.0, 271.0, 315.0])
def test_of_a_sine_it_is_voltage_times_current_at_every_angle(angle_deg):
    wave = Wave((sine(50.0, VOLTS),), (sine(50.0, AMPERES, -angle_deg),))
    result = meter([CONVERTER.sample(wave, 5.6, 1, -0.123)], CONVERTER)
    own, other = (IMPORT, EXPORT) if math.cos(math.radians(angle_deg)) > 0 else (EXPORT, IMPORT)
    assert booked(result, own) == pytest.approx(VOLTS * AMPERES, rel=20 * PPM)
    assert booked(result, other) == 0.0
    active, reactive = (result.energy_j(place) for place in (0 if own == IMPORT else 1, 2))
    assert active <= result.energy_j(own) * (1 + 20 * PPM)
    if 0.0 < angle_deg < 90.0:
        triangle = math.hypot(active, reactive)
        assert result.energy_j(own) == pytest.approx(triangle, rel=20 * PPM)


@pytest.mark.parametrize("name", ["harm5_iec", "harm357_mix", "quadriform_ir46", "peaked_ir46", "voltage_5th_12pct"])
def test_harmonics_count_in_full(name):
    expected, result = CASES[name]["expected"], run(name)
    assert booked(result) == pytest.approx(expected["vrms"] * expected["irms"], rel=20 * PPM)
    assert booked(result) > 1.001 * math.hypot(expected["p"], expected["q1"])


def test_harmonics_of_the_current_alone_raise_apparent_energy_and_not_the_others():
    current = sines(50.0, {1: (5.0, -40.0), 3: (3.0, 15.0), 7: (1.0, 99.0)})
    result = meter([CONVERTER.sample(Wave((sine(50.0, VOLTS),), (current,)), 5.6, 2, -0.05)], CONVERTER)
    assert booked(result) == pytest.approx(VOLTS * math.sqrt(25.0 + 9.0 + 1.0), rel=20 * PPM)
    angle = math.radians(40.0)
    for register, power in ((0, VOLTS * 5.0 * math.cos(angle)), (2, VOLTS * 5.0 * math.sin(angle))):
        assert booked(result, register) == pytest.approx(power, rel=20 * PPM)


def test_direct_current_is_left_out_as_in_active_energy():
    expected = CASES["dc_offsets_adc"]["expected"]
    assert booked(run("dc_offsets_adc")) == pytest.approx(expected["vrms_ac"] * expected["irms_ac"], rel=20 * PPM)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("3p_")])
def test_the_total_is_the_arithmetic_sum_in_the_direction_of_the_algebraic_one(name):
    expected, result = CASES[name]["expected"], run(name)
    for element, power, apparent in zip((1, 2, 3), expected["p"], expected["s"], strict=True):
        own, other = (IMPORT, EXPORT) if power >= 0 else (EXPORT, IMPORT)
        assert booked(result, own, element) == pytest.approx(apparent, rel=20 * PPM)
        assert booked(result, other, element) == 0.0
    own, other = (IMPORT, EXPORT) if expected["p_total"] >= 0 else (EXPORT, IMPORT)
    assert booked(result, own) == pytest.approx(expected["s_arithmetic"], rel=20 * PPM)
    assert booked(result, other) == 0.0
    phases = [result.registers._fine[8 * element + register] for element in (1, 2, 3) for register in (6, 7)]
    assert result.registers._fine[own] == sum(phases)


def test_two_elements_have_the_apparent_energy_of_a_balanced_three_wire_load():
    volts = (sine(50.0, 100.0, 30.0), sine(50.0, 100.0, 90.0))
    currents = (sine(50.0, AMPERES, -37.0), sine(50.0, AMPERES, 83.0))
    converter = Converter(voltage_v_rms=150.0, current_a_peak=12.0)
    result = meter([converter.sample(Wave(volts, currents), 5.0, 1, 0.003)], converter, Wiring.THREE_WIRE)
    assert booked(result) == pytest.approx(math.sqrt(3.0) * 100.0 * AMPERES, rel=20 * PPM)
    for element in (1, 3):
        assert booked(result, IMPORT, element) == pytest.approx(100.0 * AMPERES, rel=20 * PPM)


def test_an_import_and_an_export_in_turn_stay_apart():
    case = CASES["sine_pf05_ind"]
    forth, back = (sine(50.0, AMPERES, angle) for angle in (-60.0, 120.0))
    registers = Registers()
    for current in (forth, back, forth):
        for window in meter([CONVERTER.sample(Wave((sine(50.0, VOLTS),), (current,)), 2.0, 3)], CONVERTER).windows:
            registers.book(window)
    snapshot = registers.snapshot()
    assert snapshot[IMPORT] == pytest.approx(2 * snapshot[EXPORT], rel=20 * PPM)
    assert snapshot[IMPORT] / snapshot[0] == pytest.approx(1 / case["expected"]["pf"], rel=20 * PPM)


def test_without_load_none_is_booked_and_a_reactive_load_is_one():
    idle = Wave((sine(50.0, 253.0),), (sine(50.0, 0.005),))
    assert meter([CONVERTER.sample(idle, 5.0, 7)], CONVERTER).registers.snapshot() == (0,) * REGISTER_COUNT
    reactive = run("sine_pure_inductive")
    assert reactive.energy_j(0) == reactive.energy_j(1) == 0.0
    assert booked(reactive) == pytest.approx(CASES["sine_pure_inductive"]["expected"]["s"], rel=20 * PPM)


def test_a_state_without_apparent_energy_is_taken_up_and_goes_on():
    whole = run("3p_unbalanced").registers
    fine = [whole._fine[at] for at in range(REGISTER_COUNT) if at % len(REGISTERS) < 6]
    before = b"".join(each.to_bytes(16, "little") for each in fine)
    assert len(before) == STATE_OCTETS_BEFORE < STATE_OCTETS
    taken = Registers.from_state(before)
    assert [taken._fine[at] for at in range(REGISTER_COUNT) if at % len(REGISTERS) < 6] == fine
    assert all(taken._fine[at] == 0 for at in range(REGISTER_COUNT) if at % len(REGISTERS) >= 6)
    assert Registers.from_state(taken.to_state()).to_state() == taken.to_state()
    begun = taken.snapshot()
    taken.book(run("3p_unbalanced").windows[0])
    assert all(now >= then for now, then in zip(taken.snapshot(), begun, strict=True))
    assert taken.snapshot()[IMPORT] > 0
