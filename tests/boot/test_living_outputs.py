"""A living meter that switches its load and gives its pulses, over deaths of either core."""

import json
import os
import signal
import subprocess
import sys

import pytest

from wattwheel.boot.control import hold_relay, order_fee_control
from wattwheel.model.errors import Refused
from wattwheel.testing.living import LivingMeter

METER = """
[meter]
wiring = "1p2w"
nominal_voltage_v = 230
nominal_current_a = 5
maximum_current_a = 60
nominal_frequency_hz = 50
current_ratio = 1
[input]
kind = "constant"
voltage_v = [230.0]
active_power_w = [9000.0]
[web]
enabled = false
"""
MICROJOULE_A_PULSE = 562_500_000
LOOKS_MAX, LOOK_S = 400, 0.05


def wait_for(meter, condition, what):
    """Until it holds; AssertionError when it never does."""
    for _ in range(LOOKS_MAX):
        if condition():
            return
        assert not meter.process_ended_within(LOOK_S), meter.output
    raise AssertionError(what)


def numbers(path, kind="active"):
    pulses = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [pulse["number"] for pulse in pulses if pulse["kind"] == kind]


def test_pulses_are_given_once_over_deaths_of_either_core(tmp_path):
    path = tmp_path / "pulses"
    settings = METER + f'[pulse_output]\nfile = "{path}"\n'
    with LivingMeter(settings, state=tmp_path / "state") as meter:
        wait_for(meter, lambda: len(numbers(path)) > 10, "no pulses")
        for name in ("metering_core", "kernel", "metering_core"):
            before = len(numbers(path))
            os.kill(meter.status()["pids"][name], signal.SIGKILL)
            wait_for(
                meter, lambda before=before: len(numbers(path)) > before + 10, f"no pulses after the death of {name}"
            )
        wait_for(meter, lambda: len(numbers(path, "second")) > 3, "no second pulses")
        wait_for(meter, lambda: meter.status()["pulses"] is not None, "no pulses in the status")
        status = meter.status()
        energy, pulses = status["energy_microjoule"]["import_active"], status["pulses"]["active"]
        assert energy // MICROJOULE_A_PULSE == pulses
        assert len(numbers(path)) >= pulses - 10
        assert meter.stop() == 0, meter.output
    assert numbers(path) == list(range(1, len(numbers(path)) + 1))
    assert len(numbers(path)) >= pulses


def test_a_relay_switches_the_load_sticks_and_keeps_its_position(tmp_path):
    settings = METER + '[fee_control]\nmode = "local"\n'
    state = tmp_path / "state"
    with LivingMeter(settings, state=state) as meter:
        wait_for(meter, lambda: meter.status()["relay_open"] is True, "it is open: nothing was paid")
        at_trip = meter.status()["energy_microjoule"]["import_active"]
        os.kill(meter.status()["pids"]["metering_core"], signal.SIGKILL)
        wait_for(
            meter, lambda: meter.status()["link"] == "up" and meter.status()["push_sequence"] > 5, "it is not back"
        )
        assert meter.status()["energy_microjoule"]["import_active"] == at_trip
        order_fee_control(str(state), "open-wallet 100")
        wait_for(meter, lambda: meter.status()["relay_open"] is False, "it has not closed")
        wait_for(meter, lambda: meter.status()["energy_microjoule"]["import_active"] > at_trip, "nothing flows")
        words = ["contact", "relay", "stuck", "--state", str(state)]
        assert subprocess.run([sys.executable, "-m", "wattwheel", *words], timeout=30, check=False).returncode == 0
        order_fee_control(str(state), "refund 100")
        before = meter.status()["energy_microjoule"]["import_active"]
        wait_for(meter, lambda: meter.status()["energy_microjoule"]["import_active"] > before, "the load goes on")
        assert meter.status()["relay_open"] is False
        assert meter.stop() == 0, meter.output


def test_a_meter_without_a_relay_has_none_to_hold(tmp_path):
    state = tmp_path / "state"
    with LivingMeter(METER, state=state) as meter:
        wait_for(meter, lambda: meter.status()["push_sequence"], "no push")
        assert meter.status()["relay_open"] is None
        with pytest.raises(Refused):
            hold_relay(str(state), True)
