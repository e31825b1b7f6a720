"""The multi-function terminal in the partition `platform`: what it gives is selected, and told to the metering core."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.partition import StartContext
from wattwheel.apex.ports import SamplingDestinationPort
from wattwheel.model.private_items import TERMINAL_DI
from wattwheel.services.signal_output import STATUS_WORD_3, Signal, SignalOutput, Terminal

SECOND_BIT = 8


class TerminalSignals:
    """The selection (1DH, or a key that is held), counted; and where there is an output, the pulses that are due."""

    def __init__(
        self, context: StartContext, local: Callable[[], datetime], parameters: SamplingDestinationPort | None
    ) -> None:
        """`local`: the meter's standard time, marked as UTC."""
        self._context, self._counters, self._clock = context, context.counters, context.clock
        self._local, self._parameters = local, parameters
        self._output = SignalOutput()

    @property
    def selected(self) -> Signal:
        """What the terminal gives."""
        return self._output.selected

    def select(self, data: bytes) -> bool:
        """Take the octet of 1DH. False: there is no such signal, and the former one goes on."""
        is_selected = self._output.select(data)
        self._counters.add("signals_selected" if is_selected else "signals_refused")
        return is_selected

    def step(self) -> None:
        """Take the next one: a key was held."""
        self._output.step()
        self._counters.add("signals_selected")

    def start(self, bus: BusPort) -> None:
        """Tell the metering core over `bus` of each pulse from now on."""

        def give(signal: Signal) -> None:
            self._counters.add("signals_given")
            bus.tell(Control.OUTPUT, TERMINAL_DI, bytes((signal,)))

        def ask_word(on_word: Callable[[bytes], None]) -> None:
            def replied(message: Message | None) -> None:
                if message is not None and not message.error:
                    on_word(message.data)

            bus.ask(Control.READ, STATUS_WORD_3, b"", replied)

        terminal = Terminal(self._output, self._clock, self._local, self._parameters_told, give, ask_word)
        post = self._context.wheel.poster(SECOND_BIT)
        changes = self._clock.changes

        def look() -> None:
            nonlocal changes
            if changes == self._clock.changes:  # else the clock was set meanwhile: this is none of its seconds
                terminal.look()
            changes = self._clock.changes
            terminal.arm(post)

        self._context.wheel.task(SECOND_BIT, look)
        terminal.arm(post)

    def _parameters_told(self) -> bytes | None:
        return self._parameters.read()[0] if self._parameters is not None else None
