"""Simulated converters: recordings played back, a simulated house, constant powers."""

from __future__ import annotations

from wattwheel.drivers.sim.house import HouseSource
from wattwheel.drivers.sim.playback import RecordingSource, open_recording
from wattwheel.drivers.sim.synthesis import ConstantSource

__all__ = ["ConstantSource", "HouseSource", "RecordingSource", "open_recording"]
