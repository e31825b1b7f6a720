"""The changing functions of DL/T 645-2007 on their way over the bus: allowed first, then done, then answered.

14H, 19H, 1AH, 1BH and 1CH ask the security service whether level, password and programming key suffice, and only then
go to the owner of the identifier or of the function, who answers when the change is on the medium. 15H needs the
programming key alone. 18H goes to the security service as it is; 16H, 17H and 1DH need no authority, nor 08H where it
is answered. Whatever is not answered in time is refused with "other error"; it may have been done all the same, and
can be repeated without harm: what is written is a value and no difference, and what is clear stays clear.

Event records lie in several partitions. So a clear (1AH, 1BH) that is done is answered when those that follow it have
followed, or when its time is over: it is durable either way, and who was dead follows it later.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import WITH_OPERATOR, Control, Message
from wattwheel.apex.partition import Counters
from wattwheel.hil.clock import Clock
from wattwheel.model.private_items import FOLLOWERS
from wattwheel.protocols.dlt645.functions import ERR_NO_DATA, ERR_OTHER, RESPONSE, Function2007
from wattwheel.protocols.dlt645.legality import abnormal_reply

ANSWER_TIMEOUT_NS = 380_000_000
"""For all that is asked on the bus about one frame. With the bus end's look and 20 ms of reply delay it makes 500 ms, a
line's longest wait."""

DI_OCTETS, AUTHORITY_OCTETS, LEVEL_AND_PASSWORD_OCTETS = 4, 8, 4
INTERNAL_DI3 = 0x0E  # identifiers of the meter's own partitions; no head-end sees them

CLEARS = (Function2007.CLEAR_METER, Function2007.CLEAR_EVENTS)
"""What empties event records, wherever they are kept."""

OPEN_TO_ALL = (
    *(Function2007.FREEZE, Function2007.CHANGE_RATE, Function2007.OUTPUT),
    *(Function2007.CHANGE_PASSWORD, Function2007.BROADCAST_TIME),
)
"""What goes to its owner as it is; the owner of 18H judges it himself."""

Answered = Callable[[int, bytes], None]
"""Takes control octet and data field of the reply."""


class Writing:
    """Changes under way. `unknown_error`: ERR of a write of what nobody lets be written."""

    def __init__(self, bus: BusPort, clock: Clock, counters: Counters, unknown_error: int) -> None:
        self._bus, self._clock, self._counters = bus, clock, counters
        self._unknown_error = unknown_error

    def change(self, function: Function2007, data: bytes, answered: Answered) -> None:
        """Do what a frame with `data` wants; `answered` is called exactly once."""
        if function in OPEN_TO_ALL:
            self._ask(function, Control(function), 0, data, self._due_ns(), answered)
        elif function is Function2007.WRITE_ADDRESS:
            self._authorized(function, 0, bytes(AUTHORITY_OCTETS) + data, answered)
        elif Control(function) in WITH_OPERATOR:
            self._authorized(function, 0, data, answered)
        else:
            self._authorized(function, int.from_bytes(data[:DI_OCTETS], "little"), data[DI_OCTETS:], answered)

    def broadcast(self, function: Function2007, data: bytes) -> None:
        """Do what a frame to everybody wants; nobody is answered."""
        self._bus.tell(Control(function), 0, data)

    def _authorized(self, function: Function2007, di: int, data: bytes, answered: Answered) -> None:
        """`data`: level, password, operator code, and what the owner gets beside the last."""
        authority, due_ns = data[:AUTHORITY_OCTETS], self._due_ns()
        passed_over = AUTHORITY_OCTETS if function is Function2007.WRITE_ADDRESS else LEVEL_AND_PASSWORD_OCTETS

        def allowed(reply: Message | None) -> None:
            if reply is None or reply.error:
                self._conclude(function, reply, answered)
            elif di >> 24 == INTERNAL_DI3:
                self._refuse(function, ERR_NO_DATA, answered)
            else:
                self._ask(function, Control(function), di, data[passed_over:], due_ns, answered)

        if not self._bus.ask(Control.AUTHORIZE, di, bytes((function,)) + authority, allowed, ANSWER_TIMEOUT_NS):
            self._conclude(function, None, answered)

    def _due_ns(self) -> int:
        return self._clock.now_ns() + ANSWER_TIMEOUT_NS

    def _ask(
        self, function: Function2007, control: Control, di: int, data: bytes, due_ns: int, answered: Answered
    ) -> None:
        left_ns = max(1, due_ns - self._clock.now_ns())

        def done(reply: Message | None) -> None:
            if function in CLEARS:
                self._follow(function, reply, due_ns, answered)
            else:
                self._conclude(function, reply, answered)

        if not self._bus.ask(control, di, data, done, left_ns):
            self._conclude(function, None, answered)

    def _follow(self, function: Function2007, reply: Message | None, due_ns: int, answered: Answered) -> None:
        """A clear is done, or refused: conclude once everybody else who keeps records of events has followed it."""
        waiting = set(FOLLOWERS) if reply is not None and not reply.error else set()
        if not waiting:
            self._conclude(function, reply, answered)

        def followed(di: int, told: Message | None) -> None:
            waiting.discard(di)
            if told is None or told.error:
                self._counters.add("clears_followed_later")
            if not waiting:
                self._conclude(function, reply, answered)

        for di in tuple(waiting):
            left_ns = max(1, due_ns - self._clock.now_ns())
            if not self._bus.ask(Control.CLEAR_EVENTS, di, b"", partial(followed, di), left_ns):
                followed(di, None)

    def _conclude(self, function: Function2007, reply: Message | None, answered: Answered) -> None:
        if reply is None:
            self._counters.add("changes_unanswered")
            self._refuse(function, ERR_OTHER, answered)
        elif reply.error:
            self._refuse(function, reply.error, answered)
        else:
            self._counters.add("changes_done")
            answered(function | RESPONSE, reply.data)

    def _refuse(self, function: Function2007, error: int, answered: Answered) -> None:
        self._counters.add("changes_refused")
        refusal = abnormal_reply(function, self._unknown_error if error == ERR_NO_DATA else error)
        answered(refusal.control, refusal.data)
