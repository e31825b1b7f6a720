"""The management end of the core link, sans I/O: octets in, readings and octets out.

Theory of operation. Each push carries running totals; what is kept is the highest value ever taken of each register,
so lost, late, doubled and garbled pushes neither lose nor double energy, and no register ever falls. A core that
comes back with lower totals (a cut of the supply, a damaged memory) is flagged: its registers are held at the last
good value until they pass it, one by one, and `behind_microjoule` says by how much they are short. A core that says
itself that it has lost its registers is believed: what it tells is published, and whoever books goes on from there.

Supervision: a push is due each second, or as often as the settings say. After three missed ones the last readings are
published once more as STALE. Requests are answered or given up in bounded time; either side may restart at any instant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from wattwheel.hil.clock import Clock
from wattwheel.model.core_records import CoreFault, CoreIdentity, CoreReport, CoreStatus
from wattwheel.model.errors import RemoteProtocolError
from wattwheel.model.records import EnergyTotals, Momentary, Quality, Readings
from wattwheel.protocols.corelink import ANSWER, KINDS, Kind, LinkReader, Message, Side, pack
from wattwheel.protocols.corelink_bodies import (
    WITH_MOMENTARY,
    WITH_STATUS,
    CalendarTime,
    Result,
    Totals,
    decode_identity,
    decode_momentary,
    decode_status,
    decode_totals,
    encode_address,
    encode_calendar,
)
from wattwheel.services.plug_fetching import PlugFetching

PUSH_NS = 1_000_000_000
GRACE_NS = 500_000_000
"""How late a push may be before it counts as missed."""
MISSED_MAX = 3
"""Missed pushes after which the readings are STALE."""
INCOMPLETE_NS = 300_000_000
"""How long the rest of a push may stay out before the totals are published without it."""
LOOK_NS = 100_000_000
ASKS_MAX = 16
ASK_TRY_NS = 400_000_000
ASK_TRIES_MAX = 2
OVERDUE_MAX = 64
"""Tries without an answer whose numbers are remembered, so that a late answer is known as one."""
IDENTIFY_AGAIN_NS = 5_000_000_000
LATE_IN_A_ROW_MAX = 8
"""More pushes with old numbers than this in a row come from a core that lost its sequence."""

_CALENDAR_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

CLOCK_PATIENCE_NS = 10_000_000_000
"""So long after the start nothing is published before the meter's time is known; then the host's has to do."""

OnAnswer = Callable[[Result | None, bytes], None]


class ClockState(NamedTuple):
    """The meter's clock beside its time: how often it was set, whether it is lost, known at all, and doubtful."""

    changes: int = 0
    is_lost: bool = False
    is_known: bool = True
    is_doubtful: bool = False


@dataclass(slots=True)
class _Push:
    number: int
    taken_ns: int
    contents: int
    is_published: bool = False


@dataclass(slots=True)
class _Ask:
    kind: Kind
    body: bytes
    on_answer: OnAnswer
    due_ns: int
    tries_left: int


class MeteringLink:
    """What the metering service knows and does; `send` writes to the core, `on_readings` publishes."""

    def __init__(
        self,
        clock: Clock,
        send: Callable[[bytes], None],
        on_readings: Callable[[Readings], None],
        meter_address: Callable[[], str],
        push_ns: int = PUSH_NS,
        clock_state: Callable[[], ClockState] = lambda: ClockState(),
    ) -> None:
        self._clock, self._send, self._on_readings = clock, send, on_readings
        self._meter_address = meter_address
        self._push_ns = push_ns
        self._clock_state = clock_state
        self._held: Quality | None = None
        self._changes_heard = 0
        self._held_until_ns = clock.now_ns() + CLOCK_PATIENCE_NS
        self._reader = LinkReader(Side.CORE)
        self._counts: Counter[str] = Counter()
        self._asks: dict[int, _Ask] = {}
        self._overdue: dict[int, Kind] = {}  # tries that nobody waits for any more, by number
        self._number = clock.now_ns()  # so that a restarted service never repeats a number the core remembers
        self._push: _Push | None = None
        self._early: dict[int, Message] = {}
        self._starts = self._late_in_a_row = self._missed = self._behind = 0
        self._kept: tuple[int, ...] = ()
        self._told: tuple[int, ...] = ()
        self._pulses = (0, 0)
        self._momentary: Momentary | None = None
        self._momentary_ns = self._due_from_ns = clock.now_ns()
        self._status: CoreStatus | None = None
        self._identity: CoreIdentity | None = None
        self._quality = Quality.INVALID
        self.plug = PlugFetching(self.ask, self._plug_news)
        self._identify_ns = 0
        self._identify()
        self.ask(Kind.PUSH_NOW, b"", _ignore)

    # --- arrivals

    def arrived(self, octets: bytes) -> None:
        """Take octets of the core in any portion. Never raises."""
        self._take_all(self._reader.feed(octets, self._clock.now_ns()))

    def _take_all(self, messages: list[Message]) -> None:
        for message in messages:
            try:
                self._take(message)
            except RemoteProtocolError:
                self._counts["bodies_refused"] += 1

    def _take(self, message: Message) -> None:
        kind = message.kind
        if kind == Kind.TOTALS:
            self._take_totals(message)
        elif kind in (Kind.MOMENTARY, Kind.STATUS):
            self._take_detail(message)
        elif kind == Kind.CALENDAR:
            self._answer(message, encode_calendar(self._calendar()))
        elif kind == Kind.METER_ADDRESS:
            self._answer(message, encode_address(self._meter_address()))
            self._identify()  # it says now what it has been told
        elif kind & ANSWER and kind & ~ANSWER in KINDS:
            self._take_answer(message)
        else:
            self._counts["messages_unknown"] += 1

    def _take_totals(self, message: Message) -> None:
        totals = decode_totals(message.body)
        last = self._push
        if last is not None and totals.starts == self._starts and message.number <= last.number:
            self._counts["pushes_late"] += 1
            self._late_in_a_row += 1
            if self._late_in_a_row <= LATE_IN_A_ROW_MAX:
                return
        if last is not None:
            if not last.is_published:
                self._publish_incomplete()
            if message.number > last.number + 1:
                self._counts["pushes_lost"] += message.number - last.number - 1
        if totals.starts != self._starts:
            self._core_started(totals.starts)
        self._late_in_a_row = self._missed = 0
        self._counts["pushes"] += 1
        now = self._clock.now_ns()
        self._due_from_ns = now
        self._push = _Push(message.number, now, totals.contents)
        self._book(totals)
        early, self._early = self._early, {}
        for detail in early.values():
            if detail.number == message.number:
                self._take_detail(detail)
        self._publish_if_complete()

    def _core_started(self, starts: int) -> None:
        if self._push is not None:
            self._counts["core_restarts"] += 1
        self._starts = starts
        self._identity = None
        self._identify()

    def _book(self, totals: Totals) -> None:
        """Keep the highest value of each register: none ever falls."""
        self._told = totals.microjoule
        if not self._kept:
            self._kept, self._pulses = totals.microjoule, totals.pulses
            return
        behind = max(kept - new for kept, new in zip(self._kept, totals.microjoule, strict=True))
        if behind > 0:
            self._counts["totals_fell"] += 1
        self._behind = max(0, behind)
        self._kept = tuple(map(max, self._kept, totals.microjoule))
        self._pulses = (max(self._pulses[0], totals.pulses[0]), max(self._pulses[1], totals.pulses[1]))

    def _take_detail(self, message: Message) -> None:
        push = self._push
        if push is None or message.number > push.number:
            self._early[message.kind] = message  # overtook its totals; one of each kind waits
            return
        if message.number != push.number:
            self._counts["details_late"] += 1
            return
        if message.kind == Kind.MOMENTARY:
            self._momentary, self._momentary_ns = decode_momentary(message.body), self._clock.now_ns()
            push.contents &= ~WITH_MOMENTARY
        else:
            self._status = decode_status(message.body)
            push.contents &= ~WITH_STATUS
            self.plug.hear(self._status)
        self._publish_if_complete()

    # --- publishing and supervision

    def _publish_if_complete(self) -> None:
        if self._push is not None and not self._push.is_published and self._push.contents == 0:
            self._publish(Quality.VALID)

    def _publish_incomplete(self) -> None:
        self._counts["pushes_incomplete"] += 1
        self._publish(Quality.VALID)

    def clock_heard(self) -> None:
        """The meter's time may be known now: publish what has waited for it. Of one that was set the core is told."""
        changes = self._clock_state().changes
        if changes != self._changes_heard:
            self._changes_heard = changes
            self._number += 1
            self._answer(Message(Kind.CALENDAR, self._number, b""), encode_calendar(self._calendar()))
        if (held := self._held) is not None:
            self._publish(held)

    def _plug_news(self) -> None:
        if self._push is not None and self._push.is_published:
            self._publish(self._quality)

    def _publish(self, quality: Quality) -> None:
        push = self._push
        assert push is not None
        push.is_published = True
        self._quality = quality
        if self._behind and self._status is not None and self._status.faults & CoreFault.REGISTERS_LOST:
            self._kept, self._behind = self._told, 0
            self._counts["registers_lost"] += 1
        clock = self._clock_state()
        is_patient = not clock.is_known and self._clock.now_ns() < self._held_until_ns
        self._held = quality if is_patient else None
        if is_patient:  # a push of another time would settle and freeze what is not due
            return
        if self._clock.now_ns() - self._momentary_ns > MISSED_MAX * self._push_ns and quality is Quality.VALID:
            self._momentary = None
        self._on_readings(
            Readings(
                at_ns=push.taken_ns,
                calendar_s=self._calendar().milliseconds / 1000,
                quality=quality,
                totals=EnergyTotals(push.number, self._kept),
                momentary=self._momentary,
                pulses=self._pulses,
                clock_changes=clock.changes,
                relay_open=self._status.relay_open if self._status is not None else None,
                is_clock_lost=clock.is_lost,
                core_faults=self._faults(),
                plug=self.plug.octets,
                is_clock_doubtful=clock.is_doubtful,
            )
        )

    def _faults(self) -> int:
        """Fault bits of the core, and that it stands behind what it has told before."""
        own = self._status.faults if self._status is not None else 0
        return own | (CoreFault.TOTALS_BEHIND if self._behind else 0)

    def look(self) -> None:
        """Supervise: to be called every LOOK_NS. Counts missed pushes, tells staleness, gives late requests up."""
        now = self._clock.now_ns()
        self._take_all(self._reader.expire(now))
        push = self._push
        if push is not None and not push.is_published and now - push.taken_ns >= INCOMPLETE_NS:
            self._publish_incomplete()
        missed = max(0, (now - self._due_from_ns - GRACE_NS) // self._push_ns)
        if missed > self._missed:
            self._counts["pushes_missed"] += missed - self._missed
            self._missed = missed
        if missed >= MISSED_MAX and self._quality is Quality.VALID:
            self._counts["went_stale"] += 1
            self._publish(Quality.STALE)
        if self._identity is None and now - self._identify_ns >= IDENTIFY_AGAIN_NS:
            self._identify()
        for number in [number for number, ask in self._asks.items() if ask.due_ns <= now]:
            ask = self._asks.pop(number)
            self._overdue[number] = ask.kind
            while len(self._overdue) > OVERDUE_MAX:
                del self._overdue[next(iter(self._overdue))]
            self._again(ask, now)

    @property
    def starts(self) -> int:
        """Starts of the core in its life, 0 before it has said so."""
        return self._starts

    def report(self) -> CoreReport:
        """Everything known of the core now."""
        sequence = self._push.number if self._push is not None else 0
        return CoreReport(self._quality, self._identity, self._status, sequence, self._behind, self.counters())

    @property
    def behind_microjoule(self) -> int:
        """Largest amount by which a register of the core stands below what it has told before."""
        return self._behind

    def counters(self) -> dict[str, int]:
        """Traffic and faults of the link by name."""
        reader, status = self._reader, self._status
        return {
            "frames": reader.frames,
            "frames_rejected": reader.rejected,
            "frames_bad": reader.bad_parts,
            "frames_other_version": reader.other_versions,
            "frames_repeated": reader.repeated,
            "messages_incomplete": reader.incomplete,
            "behind_microjoule": self._behind,
            "core_faults": status.faults if status is not None else 0,
            **(status.pulse_figures() if status is not None else {}),
            **self._counts,
        }

    # --- requests in both directions

    def ask(self, kind: Kind, body: bytes, on_answer: OnAnswer) -> bool:
        """Send a request to the core; `on_answer` gets its result and body, or (None, b"") when it stays silent.

        False: ASKS_MAX requests wait already, nothing was sent.
        """
        if len(self._asks) >= ASKS_MAX:
            self._counts["asks_refused"] += 1
            return False
        self._send_ask(_Ask(kind, body, on_answer, 0, ASK_TRIES_MAX))
        return True

    def _send_ask(self, ask: _Ask) -> None:
        self._number += 1
        ask.due_ns = self._clock.now_ns() + ASK_TRY_NS
        ask.tries_left -= 1
        self._asks[self._number] = ask
        self._send(pack(Side.MANAGEMENT, Message(ask.kind, self._number, ask.body)))

    def _again(self, ask: _Ask, now: int) -> None:
        if ask.tries_left:
            self._send_ask(ask)
        else:
            self._counts["asks_unanswered"] += 1
            ask.on_answer(None, b"")

    def _take_answer(self, message: Message) -> None:
        ask = self._asks.get(message.number)
        if ask is None or message.kind != ask.kind | ANSWER:
            is_late = self._overdue.get(message.number) == message.kind & ~ANSWER
            if is_late:
                del self._overdue[message.number]
            self._counts["answers_late" if is_late else "answers_unexpected"] += 1
            return
        if not message.body or message.body[0] > max(Result):
            raise RemoteProtocolError("answer without a result")
        del self._asks[message.number]
        ask.on_answer(Result(message.body[0]), message.body[1:])

    def _answer(self, request: Message, body: bytes) -> None:
        self._counts["requests_answered"] += 1
        answer = Message(request.kind | ANSWER, request.number, bytes([Result.GOOD]) + body)
        self._send(pack(Side.MANAGEMENT, answer))

    def _identify(self) -> None:
        self._identify_ns = self._clock.now_ns()
        self.ask(Kind.IDENTIFY, b"", self._identified)

    def _identified(self, result: Result | None, body: bytes) -> None:
        if result is Result.GOOD:
            self._identity = decode_identity(body)

    def _calendar(self) -> CalendarTime:
        elapsed = self._clock.calendar() - _CALENDAR_EPOCH
        return CalendarTime(max(0, round(elapsed.total_seconds() * 1000)), True)


def _ignore(result: Result | None, body: bytes) -> None:
    """For requests whose effect is the answer."""
