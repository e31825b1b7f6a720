"""Registers: signs, quadrants, no load, exact sums, roll-over, state: A05, A06, E04, E05."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metrology.truth import CASES, CONVERTER, METER_D, meter, run

from wattwheel.apps.event_conditions import DEMAND, demand_slot
from wattwheel.boot.sim_core import quadrant_register
from wattwheel.metrology.energy import FINE_BITS, MICROJOULE_PER_KWH, STATE_OCTETS, Registers, view_kwh
from wattwheel.metrology.pulses import Pulses
from wattwheel.metrology.wiring import Rating, Wiring
from wattwheel.model.errors import ItemValueError
from wattwheel.model.records import REGISTER_COUNT, EnergyTotals
from wattwheel.protocols.corelink_bodies import REGISTER_MAX, Totals, decode_totals, encode_totals
from wattwheel.testing.stimulus import Wave, silent, sine, wave_of

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())

PULSE_MICROJOULE = MICROJOULE_PER_KWH // 1200


def window(active, reactive=(0.0, 0.0, 0.0), wiring=Wiring.FOUR_WIRE, seconds=0.2, rating=METER_D, apparent=None):
    """What registers look at in a window; without harmonics where `apparent` is not told."""
    phases = len(wiring.elements)
    return SimpleNamespace(
        active_power_w=list(active[:phases]),
        reactive_power_var=list(reactive[:phases]),
        apparent_power_va=list((apparent or tuple(map(math.hypot, active, reactive)))[:phases]),
        duration_s=seconds,
        wiring=wiring,
        rating=rating,
    )


def books(*windows) -> EnergyTotals:
    registers = Registers()
    for one in windows:
        registers.book(one)
    return EnergyTotals(0, registers.snapshot())


def test_a_register_at_its_end_stands_still_and_still_fits_the_link():
    registers = Registers()
    registers.preset((REGISTER_MAX - 1, *[0] * 28, REGISTER_MAX, 0, 0))
    for _ in range(3):
        registers.book(window((1e7, 1e7, 1e60), (0.0, 0.0, -1e60)))
    totals = Totals(0, 1, (0, 0), registers.snapshot())
    assert totals.microjoule[0] == totals.microjoule[24] == totals.microjoule[29] == REGISTER_MAX
    assert totals.microjoule[8] == 6_000_000_000_000
    assert decode_totals(encode_totals(totals)) == totals
    assert Registers.from_state(registers.to_state()).snapshot() == totals.microjoule


def test_signs_choose_the_register_element_by_element():
    totals = books(window((100.0, -30.0, 10.0), (50.0, 20.0, -40.0)))
    expected = {
        ("a", "import_active"): 20_000_000,
        ("a", "reactive_q1"): 10_000_000,
        ("b", "export_active"): 6_000_000,
        ("b", "reactive_q2"): 4_000_000,
        ("c", "import_active"): 2_000_000,
        ("c", "reactive_q4"): 8_000_000,
        ("total", "import_active"): 16_000_000,
        ("total", "reactive_q1"): 6_000_000,
    }
    for element in ("total", "a", "b", "c"):
        for name in ("import_active", "export_active", *(f"reactive_q{number}" for number in (1, 2, 3, 4))):
            assert totals.register(name, element) == pytest.approx(expected.get((element, name), 0), abs=1)


POWERS_OF_QUADRANTS = [
    *((1000.0 * case["p_kw"], 1000.0 * case["q_kvar"], case["quadrant"]) for case in VECTORS["quadrant"]),
    (0.0, 5.0, 1),
]


@pytest.mark.parametrize(("p", "q", "quadrant"), POWERS_OF_QUADRANTS)
def test_quadrants(p, q, quadrant):
    totals = books(window((p,), (q,), Wiring.SINGLE_PHASE))
    raised = [number for number in (1, 2, 3, 4) if totals.register(f"reactive_q{number}") > 0]
    assert raised == ([quadrant] if q else [])
    assert quadrant_register(round(1000 * p), round(1000 * q)) == f"reactive_q{quadrant}"
    assert demand_slot(round(p), round(q)) == DEMAND + 1 + quadrant
    assert totals.microjoule[:8] == totals.microjoule[8:16]


def test_an_import_that_flips_every_window_stays_apart():
    totals = books(*(window((sign * 1000.0,), wiring=Wiring.SINGLE_PHASE) for sign in (1.0, -1.0) * 500))
    assert totals.register("import_active") == totals.register("export_active") == 100_000 * 1_000_000


def test_the_direction_of_the_total_is_that_of_the_sum():
    totals = books(window((100.0, -300.0, 50.0)))
    assert totals.register("export_active") == 30_000_000
    assert totals.register("import_active") == 0
    assert totals.register("import_active", "c") == 10_000_000


def test_two_elements_are_gated_by_their_sum():
    totals = books(window((0.5, 900.0), (1.0, 300.0), Wiring.THREE_WIRE))
    assert totals.register("import_active", "a") == 100_000
    assert totals.register("import_active", "b") == 0
    assert totals.register("import_active") == 180_100_000
    assert books(window((900.0, -899.0), (1.0, 0.0), Wiring.THREE_WIRE)).microjoule == (0,) * REGISTER_COUNT


powers = st.floats(-30_000.0, 30_000.0).filter(lambda power: power == 0.0 or abs(power) > 2.0)


@given(st.lists(st.tuples(powers, powers, powers, powers), max_size=30))
def test_the_total_is_the_sum_of_the_phases_to_the_last_bit(runs):
    registers = Registers()
    for a, b, c, q in runs:
        before = registers._fine.copy()
        registers.book(window((a, b, c), (q, -q, a)))
        assert all(now >= then for now, then in zip(registers._fine, before, strict=True))
        fine = registers._fine
        assert fine[0] - fine[1] == sum(fine[element] - fine[element + 1] for element in (8, 16, 24))


def test_remainders_are_kept():
    registers = Registers()
    for _ in range(10_000):
        registers.book(window((2.5e-6,), wiring=Wiring.SINGLE_PHASE, rating=Rating(no_load_share=0.0)))
    assert registers.snapshot()[0] == pytest.approx(5000, abs=1)
    for _ in range(50):
        registers.book(window((1150.0,), wiring=Wiring.SINGLE_PHASE, seconds=0.02))
    assert registers.snapshot()[0] == pytest.approx(5000 + 1_150_000_000, abs=1)


def test_nothing_is_lost_at_a_gigawatt_hour():
    registers = Registers()
    registers.preset((10**6 * MICROJOULE_PER_KWH,) + (0,) * (REGISTER_COUNT - 1))
    for _ in range(1000):
        registers.book(window((3.0,), wiring=Wiring.SINGLE_PHASE, seconds=0.001))
    assert registers.snapshot()[0] == 10**6 * MICROJOULE_PER_KWH + 3_000_000


@pytest.mark.parametrize("name", ["no current", "half of the starting current"])
def test_no_load(name):  # A05, A06
    below = name != "no current"
    volts = sine(50.0, 220.0 if below else 253.0)
    wave = Wave((volts,), (sine(50.0, 0.4 * METER_D.starting_current_a) if below else silent,))
    result = meter([CONVERTER.sample(wave, 20.0, 7)], CONVERTER)
    registers = Registers.from_state(bytes(range(16)) * REGISTER_COUNT)  # some energy, remainders too
    state = registers.to_state()
    pulses = Pulses(1200, registers.fine_active())
    count = pulses.count
    for one in result.windows * 30:  # ten minutes of windows
        registers.book(one)
        assert pulses.book(registers.fine_active(), one.span) == []
    assert registers.to_state() == state
    assert pulses.count == count


def test_the_meter_starts():  # A04
    result = run("sine_pf1_0.02A", 60.0)
    assert result.net_energy_j / result.seconds == pytest.approx(4.4, rel=1000e-6)
    tau_s = 3.6e6 / (1200 * 220.0 * 0.02)
    registers, pulses, at = Registers(), Pulses(1200), 0.0
    found = []
    while at < 3.1 * tau_s:
        for one in result.windows:
            registers.book(one)
            found += [at] * len(pulses.book(registers.fine_active(), one.span))
            at += one.duration_s
    assert found[0] <= 1.5 * tau_s
    assert found[1] <= 3.0 * tau_s


def test_roll_over():  # E04
    full = 1_000_000 * MICROJOULE_PER_KWH
    registers = Registers()
    registers.preset((full - PULSE_MICROJOULE - 7,) + (0,) * (REGISTER_COUNT - 1))
    assert view_kwh(registers.snapshot()[0]) == 99_999_999
    pulses = Pulses(1200, registers.fine_active())
    for one in run("sine_pf1_60A").windows:
        registers.book(one)
        now = registers.snapshot()[0]
        pulses.book(registers.fine_active(), one.span)
        assert view_kwh(now) == now % full // (MICROJOULE_PER_KWH // 100)
        assert view_kwh(now, 4) == now % full // (MICROJOULE_PER_KWH // 10_000)
        assert pulses.count == registers.fine_active() * 1200 // (MICROJOULE_PER_KWH << FINE_BITS)
    assert registers.snapshot()[0] > full
    assert view_kwh(registers.snapshot()[0]) == (registers.snapshot()[0] - full) // (MICROJOULE_PER_KWH // 100)
    assert view_kwh(full) == view_kwh(full, 4) == view_kwh(7 * full + 3) == 0
    assert view_kwh(full - 1) == 99_999_999


@given(st.integers(0, 10**20), st.integers(1, MICROJOULE_PER_KWH))
def test_the_view_carries_exactly(microjoule, more):
    shown, later = view_kwh(microjoule), view_kwh(microjoule + more)
    steps = (microjoule + more) // (MICROJOULE_PER_KWH // 100) - microjoule // (MICROJOULE_PER_KWH // 100)
    assert (later - shown) % 10**8 == steps


def test_saved_killed_and_restored_after_every_window():  # E05
    chance = random.Random(3)
    whole, broken = Registers(), Registers()
    for name in ("3p_unbalanced", "3p_one_reversed"):
        for one in run(name).windows:
            whole.book(one)
            state = broken.to_state()
            for _ in range(chance.randrange(3)):
                broken.book(one)  # lost with the kill
                broken = Registers.from_state(state)
            broken.book(one)
            assert broken.to_state() == whole.to_state()
            assert len(broken.to_state()) == STATE_OCTETS
    assert any(fine & ((1 << FINE_BITS) - 1) for fine in whole._fine)


def test_a_state_of_the_wrong_length_is_refused():
    with pytest.raises(ItemValueError, match="octets"):
        Registers.from_state(b"\0" * (STATE_OCTETS - 1))


def test_wrong_registers_stay_exactly_zero():
    for name in ("sine_pf1", "sine_pure_inductive"):
        used = {0: "sine_pf1", 2: "sine_pure_inductive"}
        registers = run(name).registers
        assert {used[place] for place in range(6) if registers._fine[place]} == {name}
    assert wave_of(CASES["sine_pf1"]).frequency_hz == 50.0
