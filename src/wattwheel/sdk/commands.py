"""Commands that an APP carries out: freeze, clear, relay. Each is answered exactly once, when it is durable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Message

if TYPE_CHECKING:
    from wattwheel.sdk.meter import Meter

OPERATOR_OCTETS = 4


class Command:
    """A command under way.

    Attributes:
        data: as on the line, without level, password and operator code.
        operator: the operator code, for the record; empty where the function has none.
        is_answered: `done` or `refuse` has been called, or nobody waits for an answer (a broadcast).
    """

    def __init__(self, bus: BusPort, request: Message, is_notice: bool, has_operator: bool) -> None:
        self._bus, self._request = bus, request
        at = OPERATOR_OCTETS if has_operator else 0
        self.operator, self.data = request.data[:at], request.data[at:]
        self.is_answered = is_notice

    def done(self, data: bytes = b"") -> None:
        """It is done, and on the medium."""
        if not self.is_answered:
            self.is_answered = True
            self._bus.reply(self._request, data)

    def refuse(self, error: int) -> None:
        """Nothing was done; `error`: ERR octet of DL/T 645-2007."""
        if not self.is_answered:
            self.is_answered = True
            self._bus.reply(self._request, error=error)


OnCommand = Callable[["Meter", Command], None]
