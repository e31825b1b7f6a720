"""A partition's end on the virtual bus: ask, answer, tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from wattwheel.apex.messages import DATA_OCTETS_MAX, HEAD, DamagedMessageError, Kind, Message, unpack
from wattwheel.apex.partition import StartContext

TO_BUS = "to_bus"
FROM_BUS = "from_bus"
ASKS_UNDER_WAY = 32
"""Requests that a partition may have under way, unless the module gives it another quota. The bus holds it to twice as
many: what a dead predecessor left counts for a while."""
ASKS_WAITING_MAX = 4096
UNSENT_MAX = 8192
ASK_TIMEOUT_NS = 1_000_000_000
TIMEOUT_LOOK_NS = 100_000_000

_HEAD = HEAD.pack
_REQUEST, _REPLY, _NOTICE = int(Kind.REQUEST), int(Kind.REPLY), int(Kind.NOTICE)

OnReply = Callable[[Message | None], None]
Answer = Callable[[Message], None]
_Ask = tuple[int, int, bytes, OnReply, int]


class BusPort:
    """Both directions of a partition's pair of queuing ports to the bus.

    Asks are gathered while tasks run and leave together when the board is empty; beyond the quota they wait here for
    answers to those before them. Answers are given by calling `reply`, in the same task or any later one.

    Args:
        quota: requests that may be under way.
    """

    def __init__(self, context: StartContext, arrival_bit: int = 4, quota: int = ASKS_UNDER_WAY) -> None:
        self._quota = quota
        self._waiting: deque[_Ask] = deque()
        self._on_room: Callable[[], None] | None = None
        self._out = context.queuing_source(TO_BUS)
        self._in = context.queuing_destination(FROM_BUS)
        self._counters = context.counters
        self._clock = context.clock
        self._now_ns = context.clock.now_ns
        self._gathered: list[bytes] = []
        self._unsent: deque[bytes] = deque()
        self._asks: dict[int, tuple[OnReply, int]] = {}  # by ticket: whom to tell, and until when
        self._ticket = self._now_ns() // 1000 & 0xFFFFFFFF  # a reply to a dead predecessor matches nothing here
        self._is_looking = False
        self._on_request: Answer | None = None
        self._on_notice: Answer | None = None
        context.wheel.task(arrival_bit, self._drain)
        self._in.on_message(context.wheel.poster(arrival_bit))
        self._out.on_space(self.flush)
        context.wheel.before_rest(self.flush)

    @property
    def unsent(self) -> int:
        """Port messages that wait for room."""
        return len(self._unsent)

    def on_request(self, answer: Answer) -> None:
        """Let `answer` see each REQUEST; it calls `reply` now or later."""
        self._on_request = answer

    def on_notice(self, action: Answer) -> None:
        """Let `action` see each NOTICE."""
        self._on_notice = action

    def has_room(self) -> bool:
        """Whether a request would leave now. Whoever has other things to do until then asks this before `ask`."""
        return len(self._asks) < self._quota and not self._waiting and not self._unsent

    def on_room(self, action: Callable[[], None]) -> None:
        """Call `action` whenever an answer, a time-out or room in the port lets requests leave again."""
        self._on_room = action

    def ask(self, control: int, di: int, data: bytes, on_reply: OnReply, timeout_ns: int = ASK_TIMEOUT_NS) -> bool:
        """Send a request; `on_reply` gets the reply, or None `timeout_ns` after it has left. False: too many wait.

        `data`: up to `DATA_OCTETS_MAX` octets, here and below.
        """
        assert len(data) <= DATA_OCTETS_MAX, f"{len(data)} octets"
        if len(self._asks) < self._quota and not self._waiting:
            self._leave(control, di, data, on_reply, timeout_ns)
            return True
        if len(self._waiting) >= ASKS_WAITING_MAX:
            self._counters.add("bus_asks_refused")
            return False
        self._waiting.append((control, di, data, on_reply, timeout_ns))
        return True

    def _leave(self, control: int, di: int, data: bytes, on_reply: OnReply, timeout_ns: int) -> None:
        self._ticket = ticket = (self._ticket + 1) & 0xFFFFFFFF
        self._asks[ticket] = (on_reply, self._now_ns() + timeout_ns)
        self._gathered.append(_HEAD(_REQUEST, control, 0, 0, len(data), 0, ticket, di) + data)
        if not self._is_looking:
            self._is_looking = True
            self._clock.call_at(self._clock.now_ns() + TIMEOUT_LOOK_NS, self._look_for_late)

    def _let_leave(self) -> None:
        """There may be room again: for requests that wait here, then for whoever waits with them elsewhere."""
        waiting, asks = self._waiting, self._asks
        while waiting and len(asks) < self._quota:
            self._leave(*waiting.popleft())
        if self._on_room is not None and self.has_room():
            self._on_room()

    def reply(self, request: Message, data: bytes = b"", error: int = 0, quality: int = 0) -> None:
        """Answer `request`. Exactly once each; the bus drops and counts anything else."""
        assert len(data) <= DATA_OCTETS_MAX, f"{len(data)} octets"
        _kind, control, di, ticket, _error, _origin, _data, _quality = request
        self._gathered.append(_HEAD(_REPLY, control, error, quality, len(data), 0, ticket, di) + data)

    def tell(self, control: int, di: int = 0, data: bytes = b"") -> None:
        """Send a notice: one way, to whoever owns (control, di)."""
        assert len(data) <= DATA_OCTETS_MAX, f"{len(data)} octets"
        self._gathered.append(_HEAD(_NOTICE, control, 0, 0, len(data), 0, 0, di) + data)

    def _drain(self) -> None:
        octets = self._in.receive()
        if octets is None:
            return
        try:
            messages = unpack(octets)
        except DamagedMessageError:
            self._counters.add("bus_messages_damaged")
            messages = []
        for message in messages:
            self._take(message)
        if self._waiting or self._on_room is not None:
            self._let_leave()
        self.flush()  # whoever waits for an answer gets it first; letting go of the message can follow
        self._in.done()

    def _take(self, message: Message) -> None:
        kind = message.kind
        if kind == _REPLY:
            ask = self._asks.pop(message.ticket, None)
            if ask is None:
                self._counters.add("bus_replies_late")
            else:
                ask[0](message)
        elif kind == _REQUEST and self._on_request is not None:
            self._on_request(message)
        elif kind == _NOTICE and self._on_notice is not None:
            self._on_notice(message)
        else:
            self._counters.add("bus_messages_unexpected")

    def _look_for_late(self) -> None:
        now = self._clock.now_ns()
        late = [ticket for ticket, (_on_reply, due_ns) in self._asks.items() if due_ns <= now]
        for ticket in late:
            self._counters.add("bus_asks_timed_out")
            self._asks.pop(ticket)[0](None)
        if late:
            self._let_leave()
        self._is_looking = bool(self._asks)
        if self._is_looking:
            self._clock.call_at(now + TIMEOUT_LOOK_NS, self._look_for_late)

    def flush(self) -> None:
        """Send what was gathered, packed together."""
        if self._unsent:
            self._send_unsent()
            if not self._unsent and self._on_room is not None:
                self._on_room()
        gathered = self._gathered
        if not gathered:
            return
        if len(gathered) == 1:
            self._send(gathered[0])
        else:
            self._send_packed(gathered)
        gathered.clear()

    def _send_packed(self, gathered: list[bytes]) -> None:
        size_max = self._out.max_message_size
        together: list[bytes] = []
        size = 0
        for octets in gathered:
            if size + len(octets) > size_max:
                self._send(b"".join(together))
                together, size = [], 0
            together.append(octets)
            size += len(octets)
        self._send(b"".join(together))

    def _send(self, octets: bytes) -> None:
        if self._unsent or not self._out.send(octets):
            if len(self._unsent) >= UNSENT_MAX:
                self._counters.add("bus_messages_dropped")
            else:
                self._unsent.append(octets)

    def _send_unsent(self) -> None:
        while self._unsent and self._out.send(self._unsent[0]):
            self._unsent.popleft()
