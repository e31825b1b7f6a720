"""A living meter that switches its load and gives its pulses, over deaths of either core."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
from tests.head_end import ADDRESS, HeadEnd

from wattwheel.boot.control import hold_relay, order_fee_control, set_contact
from wattwheel.boot.simulate import simulate
from wattwheel.model.errors import NotAnswered, Refused
from wattwheel.protocols.dlt645.frame import Frame
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


def test_plug_events_are_recorded_by_the_core_also_without_supply(tmp_path):
    state = tmp_path / "state"
    with pytest.raises(NotAnswered):
        set_contact(str(state), "module-plug", "removed")  # there is no meter
    with LivingMeter(METER, state=state) as meter:
        wait_for(meter, lambda: meter.status()["push_sequence"], "no push")
        assert set_contact(str(state), "security-element", "0123456789abcdef")
        assert set_contact(str(state), "module-plug", "removed")
        head_end = HeadEnd(meter.door("dlt645"))
        assert head_end.read(0xB0520000) == 1
        os.kill(meter.status()["pids"]["metering_core"], signal.SIGKILL)
        wait_for(meter, lambda: set_when_back(state, "inserted"), "the core is not back")
        wait_for(meter, lambda: head_end.read(0xB0520000) == 2, "it was not recorded")
        head_end.close()
        assert meter.stop() == 0, meter.output
    done = subprocess.run(
        [sys.executable, "-m", "wattwheel", "contact", "module-plug", "removed", "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "its board has noted it" in done.stderr
    with pytest.raises(NotAnswered):
        set_contact(str(state), "meter-cover", "open")
    assert not set_contact(str(state), "security-element", "fedcba9876543210")
    given = {"days": 1, "load": "constant", "repeats": True, "script": None, "state": str(state), "say": print}
    settings = tmp_path / "meter.toml"
    settings.write_text(METER)
    assert simulate(str(settings), "2026-02-28", **given)["ok"]  # knows nothing of it, and leaves it to the core
    with LivingMeter(METER, state=state) as meter:
        head_end = HeadEnd(meter.door("dlt645"))
        wait_for(meter, lambda: head_end.read(0xB0520000) == 4, "it was not recorded")
        kinds = [
            head_end.ask(Frame(ADDRESS, 0x11, di.to_bytes(4, "little"))).data[-1]
            for di in range(0xB0520001, 0xB0520005)
        ]
        assert kinds == [3, 1, 2, 1]
        head_end.close()


def set_when_back(state, position):
    with contextlib.suppress(NotAnswered, Refused):
        return set_contact(str(state), "module-plug", position)
    return False
