"""From the settings of an input to the converter that they describe."""

from __future__ import annotations

from wattwheel.drivers.linux.sampling import StreamSource
from wattwheel.drivers.sim.sampling import ConstantSource, HouseSource, open_recording
from wattwheel.hil.sampling import SampleSource
from wattwheel.model.inputs import ConstantInput, HouseInput, InputSettings, RecordingInput, checked_input


def open_source(
    settings: InputSettings,
    *,
    origin_ns: int,
    speed: float = 1.0,
    voltage_ratio: float = 1.0,
    current_ratio: float = 1.0,
    minute_of_day: float = 0.0,
) -> SampleSource:
    """The converter of `settings`, ready to be read.

    Args:
        settings: checked again here.
        origin_ns: monotonic time at which the first sample is due.
        speed: factor on the time of simulated inputs; a stream keeps its own time.
        voltage_ratio: of the voltage transformers; divides the primary voltages of a recording.
        current_ratio: of the current transformers; divides the primary currents of a recording.
        minute_of_day: local minute of the day at `origin_ns`, for a simulated house.

    Raises ConfigError or RecordingError: one sentence, nothing half open.
    """
    checked_input(settings)
    if isinstance(settings, RecordingInput):
        return open_recording(settings, origin_ns, speed, voltage_ratio, current_ratio)
    if isinstance(settings, HouseInput):
        return HouseSource(settings, origin_ns, speed, minute_of_day)
    if isinstance(settings, ConstantInput):
        return ConstantSource(settings, origin_ns, speed)
    return StreamSource(settings)
