"""What a metering core gives besides its figures: it drives a relay, flashes pulses, gives signals of a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wattwheel.hil.relay import LoadSwitch
from wattwheel.metrology.pulse_output import PulseCounters
from wattwheel.metrology.switching import OVERTAKEN_MAX, Switching
from wattwheel.protocols.corelink import Kind
from wattwheel.protocols.corelink_bodies import Result
from wattwheel.protocols.corelink_outputs import decode_flag, decode_pulse_order, decode_relay_order, decode_signal


class OutputFigures(NamedTuple):
    """The outputs' part of `model.core_records.CoreStatus`."""

    has_outputs: bool
    relay_open: bool | None
    pulses_given: int
    pulses_dropped: int


class CoreOutputs:
    """Relay and pulses of a core, either of which there may be none."""

    def __init__(self, relay: LoadSwitch | None = None, pulses: PulseCounters | None = None) -> None:
        """`pulses`: those that the core's ledger counts."""
        self._switching = None if relay is None else Switching(relay)
        self._pulses = pulses
        self._output = None if pulses is None else pulses.output
        self._newest_order = self._newest_signal = 0

    def take_up(self, octets: bytes) -> None:
        """Continue from `to_state`, before the registers are. Raises ItemValueError."""
        if self._pulses is not None:
            self._pulses.take_up(octets)

    def to_state(self) -> bytes:
        """What has to be kept with the registers."""
        return b"" if self._pulses is None else self._pulses.to_state()

    def begin(self, now_ns: int) -> None:
        """The registers stand as they were restored."""
        if self._pulses is not None:
            self._pulses.begin(now_ns)

    def look(self, now_ns: int) -> None:
        """Look at the relay's contact when that is due."""
        if self._switching is not None:
            self._switching.look(now_ns)

    def mark(self, is_synced: bool) -> bool:
        """The registers are about to be written, and forced to the medium where `is_synced`: whether `give` follows."""
        if self._output is None or not (is_synced or self._output.remembers):
            return False
        self._output.mark()
        return True

    def give(self) -> None:
        """They were: give the pulses that were due then."""
        if self._output is not None:
            self._output.give()

    def figures(self) -> OutputFigures:
        """For the status."""
        relay, output = self._switching, self._output
        return OutputFigures(
            relay is not None or output is not None,
            None if relay is None else relay.is_open,
            0 if output is None else output.given,
            0 if output is None else output.dropped,
        )

    def answer(self, kind: int, body: bytes, now_ns: int) -> Result:
        """Carry out a request of `REQUESTS`. What was metered up to now has been booked. RemoteProtocolError."""
        return REQUESTS[kind](self, body, now_ns)

    def _set_relay(self, body: bytes, now_ns: int) -> Result:
        order = decode_relay_order(body)
        if self._switching is None:
            return Result.NOT_AVAILABLE
        self._switching.order(order.number, order.is_open)
        return Result.GOOD

    def _hold_relay(self, body: bytes, now_ns: int) -> Result:
        is_held = decode_flag(body)
        if self._switching is None:
            return Result.NOT_AVAILABLE
        return Result.GOOD if self._switching.relay.hold(is_held) else Result.REFUSED

    def _set_pulses(self, body: bytes, now_ns: int) -> Result:
        order = decode_pulse_order(body)
        if self._pulses is None:
            return Result.NOT_AVAILABLE
        if not 0 < self._newest_order - order.number <= OVERTAKEN_MAX:
            self._newest_order = order.number
            constants = order.active_imp_per_kwh, order.reactive_imp_per_kvarh
            self._pulses.set(constants, order.width_ms, now_ns)
        return Result.GOOD

    def _give_signal(self, body: bytes, now_ns: int) -> Result:
        number, signal = decode_signal(body)
        if self._output is None:
            return Result.NOT_AVAILABLE
        if 0 <= self._newest_signal - number <= OVERTAKEN_MAX:
            return Result.GOOD
        self._newest_signal = number
        self._output.signal(signal.name.lower(), now_ns)
        return Result.GOOD


REQUESTS: dict[int, Callable[[CoreOutputs, bytes, int], Result]] = {
    Kind.SET_RELAY: CoreOutputs._set_relay,
    Kind.HOLD_RELAY: CoreOutputs._hold_relay,
    Kind.SET_PULSES: CoreOutputs._set_pulses,
    Kind.GIVE_SIGNAL: CoreOutputs._give_signal,
}
