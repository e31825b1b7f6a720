"""The signal chain, bound to a ledger: samples in, booked energy, momentary values, pictures and events out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from wattwheel.metrology.calibration import Calibration
from wattwheel.metrology.crossing import TICKS_PER_SAMPLE
from wattwheel.metrology.halfcycle import EVENTS_MAX, EventKind, HalfCycles
from wattwheel.metrology.measure import Chain
from wattwheel.metrology.momentary import momentary
from wattwheel.metrology.wiring import Rating, Wiring
from wattwheel.model.core_records import Disturbance, HalfCycleEvent, PhaseWave, Waveform
from wattwheel.model.records import Momentary

if TYPE_CHECKING:
    from wattwheel.hil.sampling import SampleBlock, SampleFormat
    from wattwheel.metrology.ledger import EnergyLedger
    from wattwheel.metrology.quantities import Picture, Window

_STEP_MAX = 2**32 - 1
_DISTURBANCES = {
    EventKind.DIP: Disturbance.DIP,
    EventKind.SWELL: Disturbance.SWELL,
    EventKind.INTERRUPTION: Disturbance.INTERRUPTION,
}


class ChainMeter:
    """Measures samples, books their windows into a ledger and keeps the newest window for display."""

    def __init__(
        self, ledger: EnergyLedger, form: SampleFormat, wiring: Wiring, rating: Rating, calibration: Calibration
    ) -> None:
        """Raises ConfigError when form, wiring, rating and calibration do not fit together."""
        self._ledger = ledger
        self._half_cycles = HalfCycles()
        self._chain = Chain(form, wiring, rating, calibration, self._half_cycles)
        self._newest: Window | None = None
        self._numbered: deque[HalfCycleEvent] = deque(maxlen=EVENTS_MAX)
        self._event_number = 0

    def feed(self, block: SampleBlock) -> None:
        """Measure and book all windows that `block` completes. A gap in the samples only ends the open window."""
        self._book(self._chain.feed(block))

    def finish(self) -> None:
        """Book what is left up to the last sample: at an orderly stop."""
        self._book(self._chain.finish())

    def _book(self, windows: list[Window]) -> None:
        for window in windows:
            self._ledger.book(window)
            if window.is_displayable:
                self._newest = window
        while self._half_cycles.events:
            self._number_event()

    def _number_event(self) -> None:
        event = self._half_cycles.events.popleft()
        self._event_number += 1
        self._numbered.append(
            HalfCycleEvent(
                number=self._event_number,
                phase=event.phase,
                kind=_DISTURBANCES[event.kind],
                first_sample=max(0, event.start // TICKS_PER_SAMPLE),
                half_cycles=event.half_cycles,
                extreme_millivolt=round(event.extreme_v_rms * 1000),
            )
        )

    def momentary(self) -> Momentary | None:
        """Of the newest whole window, None before the first."""
        return None if self._newest is None else momentary(self._newest)

    def waveform(self) -> Waveform | None:
        """The last cycle of the newest whole window, None before the first. Frequency 0: no voltage to follow."""
        if self._newest is None:
            return None
        return _waveform(self._newest.picture(), self._newest.frequency_hz or 0.0)

    def no_load(self) -> int:
        """One bit an element (total, a, b, c): set where the newest window's active power is below the threshold."""
        window = self._newest
        if window is None:
            return 0
        threshold = window.rating.no_load_power_w
        bits = int(abs(sum(window.active_power_w)) < threshold)
        for element, power in zip(window.wiring.elements, window.active_power_w, strict=True):
            bits |= (abs(power) < threshold) << element
        return bits

    def events(self, since: int) -> list[HalfCycleEvent]:
        """Dips, swells and interruptions with a number above `since`, oldest first."""
        return [event for event in self._numbered if event.number > since]


def _waveform(picture: Picture, frequency_hz: float) -> Waveform:
    traces = zip(
        picture.voltage_v_per_count, picture.current_a_per_count, picture.voltage, picture.current, strict=True
    )
    waves = [
        PhaseWave(_step(volts * 1e6), _step(amps * 1e9), voltage, current) for volts, amps, voltage, current in traces
    ]
    return Waveform(round(frequency_hz * 1000), tuple(waves))


def _step(size: float) -> int:
    return min(max(1, round(size)), _STEP_MAX)
