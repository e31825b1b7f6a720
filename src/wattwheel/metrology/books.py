"""The signal chain with its registers, pulses and events as one thing: what the metering core keeps the books with."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from wattwheel.metrology.calibration import Calibration
from wattwheel.metrology.crossing import TICKS_PER_SAMPLE
from wattwheel.metrology.energy import Registers
from wattwheel.metrology.halfcycle import EVENTS_MAX, EventKind, HalfCycles
from wattwheel.metrology.measure import Chain
from wattwheel.metrology.momentary import momentary
from wattwheel.metrology.pulses import Pulses
from wattwheel.metrology.wiring import Rating, Wiring
from wattwheel.model.core_records import Disturbance, HalfCycleEvent, PhaseWave, Waveform
from wattwheel.model.records import Momentary

if TYPE_CHECKING:
    from wattwheel.hil.sampling import SampleBlock, SampleFormat
    from wattwheel.metrology.quantities import Picture, Window

_STEP_MAX = 2**32 - 1
_DISTURBANCES = {
    EventKind.DIP: Disturbance.DIP,
    EventKind.SWELL: Disturbance.SWELL,
    EventKind.INTERRUPTION: Disturbance.INTERRUPTION,
}


class Books(Protocol):
    """The chain with its registers, as the device sees them."""

    def feed(self, block: SampleBlock) -> None:
        """Measure and book all windows that `block` completes. A gap in the samples only ends the open window."""

    def finish(self) -> None:
        """Book what is left up to the last sample: at an orderly stop."""

    def registers(self) -> tuple[int, ...]:
        """The 24 registers in microjoule, in the order of `model.records.EnergyTotals`."""

    def pulses(self) -> tuple[int, int]:
        """Active and reactive test pulses since the first start."""

    def momentary(self) -> Momentary | None:
        """Of the newest whole window, None before the first."""

    def waveform(self) -> Waveform | None:
        """The last cycle of the newest whole window, None before the first."""

    def no_load(self) -> int:
        """One bit an element (total, a, b, c): set where the newest window's active power is below the threshold."""

    def events(self, since: int) -> list[HalfCycleEvent]:
        """Dips, swells and interruptions with a number above `since`, oldest first."""

    def to_state(self) -> bytes:
        """Registers with their remainders."""

    def from_state(self, state: bytes) -> None:
        """Continue from `to_state`. Raises StorageError for octets that are no state, and changes nothing."""


class ChainBooks:
    """`Books` over the signal chain."""

    def __init__(
        self,
        form: SampleFormat,
        wiring: Wiring,
        rating: Rating,
        calibration: Calibration,
        constants_imp_per_kwh: tuple[int, int],
    ) -> None:
        """`constants_imp_per_kwh`: active, reactive. Raises ConfigError when the parts do not fit together."""
        self._half_cycles = HalfCycles()
        self._chain = Chain(form, wiring, rating, calibration, self._half_cycles)
        self._registers = Registers()
        self._constants = constants_imp_per_kwh
        self._active, self._reactive = (Pulses(constant) for constant in constants_imp_per_kwh)
        self._newest: Window | None = None
        self._numbered: deque[HalfCycleEvent] = deque(maxlen=EVENTS_MAX)
        self._event_number = 0

    def feed(self, block: SampleBlock) -> None:
        """See `Books`."""
        self._book(self._chain.feed(block))

    def finish(self) -> None:
        """See `Books`."""
        self._book(self._chain.finish())

    def _book(self, windows: list[Window]) -> None:
        registers = self._registers
        for window in windows:
            registers.book(window)
            self._active.book(registers.fine_active(), window.span)
            self._reactive.book(registers.fine_reactive(), window.span)
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

    def registers(self) -> tuple[int, ...]:
        """See `Books`."""
        return self._registers.snapshot()

    def pulses(self) -> tuple[int, int]:
        """See `Books`."""
        return self._active.count, self._reactive.count

    def momentary(self) -> Momentary | None:
        """See `Books`."""
        return None if self._newest is None else momentary(self._newest)

    def waveform(self) -> Waveform | None:
        """See `Books`. Frequency 0: there was no voltage to follow."""
        if self._newest is None:
            return None
        return _waveform(self._newest.picture(), self._newest.frequency_hz or 0.0)

    def no_load(self) -> int:
        """See `Books`."""
        window = self._newest
        if window is None:
            return 0
        threshold = window.rating.no_load_power_w
        bits = int(abs(sum(window.active_power_w)) < threshold)
        for element, power in zip(window.wiring.elements, window.active_power_w, strict=True):
            bits |= (abs(power) < threshold) << element
        return bits

    def events(self, since: int) -> list[HalfCycleEvent]:
        """See `Books`."""
        return [event for event in self._numbered if event.number > since]

    def to_state(self) -> bytes:
        """See `Books`."""
        return self._registers.to_state()

    def from_state(self, state: bytes) -> None:
        """See `Books`."""
        self._registers = Registers.from_state(state)
        active, reactive = self._constants
        self._active = Pulses(active, self._registers.fine_active())
        self._reactive = Pulses(reactive, self._registers.fine_reactive())


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
