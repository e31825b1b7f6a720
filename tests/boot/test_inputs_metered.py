"""Every simulated input through the metering core: what comes out is what the input is said to hold.

The core and `measure` share no arithmetic, so each checks the other here.
"""

from __future__ import annotations

import pytest

from wattwheel.boot.measure import measure
from wattwheel.drivers.inputs import open_source
from wattwheel.drivers.sim.house import HouseSource
from wattwheel.drivers.sim.recordings import BUNDLED
from wattwheel.metrology.calibration import Calibration
from wattwheel.metrology.ledger import EnergyLedger
from wattwheel.metrology.meter import ChainMeter
from wattwheel.metrology.wiring import Rating, Wiring
from wattwheel.model.errors import ConfigError
from wattwheel.model.inputs import ConstantInput, HouseInput, InputSettings, RecordingInput
from wattwheel.model.records import Momentary


def metered(
    settings: InputSettings, seconds: int, wiring: Wiring, rating: Rating, **more: float
) -> tuple[Momentary, EnergyLedger]:
    """The newest momentary values and the ledger after `seconds` of an input."""
    source = open_source(settings, origin_ns=0, **more)
    ledger = EnergyLedger(1200, 1200)
    meter = ChainMeter(ledger, source.format, wiring, rating, Calibration())
    for tick in range(1, 5 * seconds + 1):
        for block in source.read(tick * 200_000_000):
            meter.feed(block)
    newest = meter.momentary()
    assert newest is not None
    return newest, ledger


def test_the_bundled_recording_repeated_is_the_recording_measured_as_a_period():
    newest, _ = metered(
        RecordingInput(), 2, Wiring.FOUR_WIRE, Rating(60.0, 347.0, 0.005), voltage_ratio=1, current_ratio=50
    )
    expected = measure(BUNDLED, periodic=True)
    for element, phase in zip(newest.elements[1:], "abc", strict=True):
        ac = expected["phases"][phase]["ac"]
        assert element.voltage_millivolt == pytest.approx(ac["voltage_v_rms"] * 1e3, rel=1e-5)
        assert element.current_microampere == pytest.approx(ac["current_a_rms"] / 50 * 1e6, rel=2e-5)
        assert element.active_power_milliwatt == pytest.approx(ac["active_power_w"] / 50 * 1e3, rel=2e-5)
        assert element.reactive_power_millivar == pytest.approx(ac["reactive_power_var"] / 50 * 1e3, rel=1e-4)
    assert newest.frequency_millihertz == pytest.approx(expected["frequency_hz"] * 1e3, abs=1)


def test_constant_powers_are_booked():
    settings = ConstantInput(
        voltage_v=(220.0,) * 3, active_power_w=(1100.0, 1100.0, -500.0), reactive_power_var=(0.0, 300.0, 0.0)
    )
    newest, ledger = metered(settings, 10, Wiring.FOUR_WIRE, Rating())
    powers = [element.active_power_milliwatt for element in newest.elements]
    assert powers == pytest.approx([1_700_000, 1_100_000, 1_100_000, -500_000], rel=2e-4)
    assert newest.elements[2].reactive_power_millivar == pytest.approx(300_000, rel=1e-3)
    registers = ledger.registers()
    import_total, export_c = registers[0], registers[3 * 8 + 1]
    assert 9.5 * 1_700e6 < import_total <= 10.001 * 1_700e6
    assert export_c / import_total == pytest.approx(500 / 1700, rel=1e-3)
    assert registers[1 * 8 + 1] == registers[3 * 8] == 0


def test_the_house_is_metered():
    source = HouseSource(HouseInput(), 0, 1.0, 1080.0)
    newest, _ = metered(HouseInput(), 4, Wiring.SINGLE_PHASE, Rating(), minute_of_day=1080.0)
    active, _, voltage = source.powers_at(1080.06)
    assert newest.elements[1].active_power_milliwatt == pytest.approx(active * 1e3, rel=2e-3)
    assert newest.elements[1].voltage_millivolt == pytest.approx(voltage * 1e3, rel=2e-3)


def test_an_input_with_too_few_phases_is_refused():
    with pytest.raises(ConfigError, match="1"):
        metered(HouseInput(phases=1), 1, Wiring.FOUR_WIRE, Rating())
