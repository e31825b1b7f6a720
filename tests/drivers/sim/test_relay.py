"""The simulated relay, and the samples behind it."""

from __future__ import annotations

import numpy as np

from wattwheel.drivers.sim.relay import SimRelay, SwitchedSource
from wattwheel.drivers.sim.synthesis import ConstantSource
from wattwheel.model.inputs import ConstantInput


def test_it_keeps_its_position_and_sticks_over_a_restart(tmp_path):
    path = tmp_path / "relay.position"
    moved: list[bool] = []
    relay = SimRelay(path, moved.append)
    assert relay.is_open is False
    relay.drive(True)
    relay.drive(True)
    assert relay.hold(True)
    relay.drive(False)
    again = SimRelay(path, moved.append)
    assert (again.is_open, again.is_held, moved) == (True, True, [True])
    again.drive(False)
    assert again.is_open is True
    again.hold(False)
    again.drive(False)
    assert SimRelay(path).is_open is False
    assert moved == [True, False]


def test_a_position_that_cannot_be_kept_is_taken_all_the_same(tmp_path):
    relay = SimRelay(tmp_path / "nowhere" / "relay.position")
    relay.drive(True)
    assert relay.is_open is True


def test_behind_an_open_relay_there_is_voltage_and_no_current():
    settings = ConstantInput()
    relay = SimRelay()
    switched, plain = SwitchedSource(ConstantSource(settings, 0, 1.0), relay), ConstantSource(settings, 0, 1.0)
    for half_seconds, is_open in ((1, False), (2, True), (3, False)):
        relay.drive(is_open)
        now_ns = half_seconds * 500_000_000
        for block, whole in zip(switched.read(now_ns), plain.read(now_ns), strict=True):
            assert block.first == whole.first
            assert np.array_equal(block.voltage, whole.voltage)
            assert np.array_equal(block.current, whole.current * (not is_open))
            assert block.current.dtype == whole.current.dtype
            assert len(whole.current) < 10 or whole.current.any()
    assert switched.format == plain.format
