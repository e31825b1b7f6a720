"""Platform management: the meter's clock, and which signal the multi-function terminal gives.

It owns the offset between the host's calendar and the meter's, publishes it to every partition, and is the only one
that changes it. Broadcast time (08H) is obeyed by the rules of `clock_rules.broadcast_verdict`. A write of date or time
is recorded in the transaction that keeps it (03300400); a broadcast is not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from wattwheel.apex.bus import TO_BUS, BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.partition import CLOCK_PORT, ClockSetting, StartContext
from wattwheel.apex.ports import SamplingDestinationPort
from wattwheel.apex.store import REQUEST_PORT, Loading, SaveResult, StoreClient
from wattwheel.model.catalogue import item_2007
from wattwheel.model.event_clears import Clears, Followed, emptied, followed
from wattwheel.model.event_ring import EventRing, time_octets
from wattwheel.protocols.dlt645 import items
from wattwheel.services.clock_rules import (
    DATE_DI,
    DATE_TIME_DI,
    OPERATOR_OCTETS,
    TIME_DI,
    Verdict,
    broadcast_time,
    broadcast_verdict,
    is_repeated,
    settlement_instants,
    written_time,
)
from wattwheel.services.signal_output import SIGNAL_DI, SignalOutput

STORE_BIT, CLEARS_BIT = 6, 7
OFFSET_KEY, SYNC_KEY, CHANGES_KEY = "clock_offset_s", "clock_synchronised_on", "clock_changes"
SETS_KEY, FOLLOWED_KEY = "clock_sets", "clears_followed"
PARAMETERS_PORT, CLEARS_PORT = "parameters", "clears"
ERROR_OTHER, ERROR_NO_DATA = 0x01, 0x02

CLOCK_SETS_DI = 0x03300400
OFFSET_S_MAX = 100 * 366 * 86_400
"""From any year that YY can say, 2000 to 2099, to any other."""

WAITING_MAX = 64
"""Writes that wait for the one under way; one more is refused."""

AHEAD_TOLD = timedelta(hours=1)
"""A saved clock that is further ahead of the host's is told at the start."""


class PlatformSettings(msgspec.Struct, frozen=True):
    """Settings of the partition. `utc_offset_minutes`: meter standard time minus UTC."""

    utc_offset_minutes: int = 0
    time_sync_per_day: int = 1


def saved_offset(octets: bytes) -> timedelta:
    """The offset that was saved. Raises ValueError for octets that are none, or that no clock could have."""
    seconds = msgspec.json.decode(octets, type=float)
    if not abs(seconds) <= OFFSET_S_MAX:
        raise ValueError(f"offset of {seconds} s")
    return timedelta(seconds=seconds)


class Platform:
    """The service's state and its answers."""

    def __init__(self, context: StartContext, settings: PlatformSettings) -> None:
        self._settings = settings
        self._context = context
        self._counters = context.counters
        self._clock = context.clock
        self._offset_port = context.sampling_source(CLOCK_PORT) if context.has_port(CLOCK_PORT) else None
        self._parameters = _destination(context, PARAMETERS_PORT)
        self._clears = _destination(context, CLEARS_PORT)
        self._offset = timedelta(0)
        self._changes = 0
        self._synchronised_on = ""
        self._synchronised_times = 0
        self._sets = EventRing()
        self._followed = Followed()
        self._signal = SignalOutput()
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_saving = False
        self._store = StoreClient.of(context, STORE_BIT) if context.has_port(REQUEST_PORT) else None
        if self._store is not None:
            self._is_saving = True  # nothing is changed before it is known what there was
            self._store.load(self._loaded)
        else:
            self._set_offset(self._offset, self._changes)
        if self._clears is not None:
            context.wheel.task(CLEARS_BIT, lambda: self._in_turn(self._follow_clears))
            self._clears.on_message(context.wheel.poster(CLEARS_BIT))
        if context.has_port(TO_BUS):
            self._bus = BusPort(context)
            self._bus.on_request(self._answer)
            self._bus.on_notice(self._hear)

    def _loaded(self, loading: Loading) -> None:
        records = loading.records
        try:
            if changes := records.get(CHANGES_KEY):
                self._changes = msgspec.json.decode(changes, type=int)
            if offset := records.get(OFFSET_KEY):
                self._offset = saved_offset(offset)
                if self._offset > AHEAD_TOLD:
                    days = self._offset / timedelta(days=1)
                    self._context.report("clock", f"goes on in meter time, {days:.1f} days ahead of this machine's")
            if on := records.get(SYNC_KEY):
                self._synchronised_on, self._synchronised_times = msgspec.json.decode(on, type=tuple[str, int])
        except (ValueError, RecursionError):  # of another version: the host's clock is the best there is
            self._counters.add("clock_unreadable")
        self._set_offset(self._offset, self._changes)  # also that there is none: nobody takes a push before
        try:
            if sets := records.get(SETS_KEY):
                self._sets = msgspec.msgpack.decode(sets, type=EventRing)
            if follows := records.get(FOLLOWED_KEY):
                self._followed = msgspec.msgpack.decode(follows, type=Followed)
        except (ValueError, RecursionError):
            self._counters.add("records_unreadable")
        self._saved()
        self._in_turn(self._follow_clears)

    def local(self) -> datetime:
        """The meter's standard time, marked as UTC."""
        host = self._clock.host_calendar() + self._offset
        return host + timedelta(minutes=self._settings.utc_offset_minutes)

    def _set_offset(self, offset: timedelta, changes: int) -> None:
        self._offset, self._changes = offset, changes
        if self._offset_port is not None:
            self._offset_port.write(msgspec.json.encode(ClockSetting(offset.total_seconds(), changes)))

    # -- one change after the other

    def _in_turn(self, action: Callable[[], object]) -> None:
        """Run `action` when no change is on its way to the medium."""
        if self._is_saving:
            self._waiting.append(action)
        else:
            action()

    def _save(self, records: dict[str, bytes], on_saved: Callable[[SaveResult], None]) -> None:
        assert self._store is not None
        self._is_saving = True

        def saved(result: SaveResult) -> None:
            on_saved(result)
            self._saved()

        self._store.save(records, promised=True, on_saved=saved)

    def _saved(self) -> None:
        self._is_saving = False
        while self._waiting and not self._is_saving:
            self._waiting.popleft()()

    # -- broadcast time

    def _hear(self, message: Message) -> None:
        if message.control == Control.BROADCAST_TIME:
            self._in_turn(lambda: self.synchronise(message.data))
        elif message.control == Control.OUTPUT:
            self._select(message.data)

    def synchronise(self, data: bytes, request: Message | None = None) -> Verdict:
        """Obey or ignore a broadcast time; what was decided is counted, and told to whoever asked."""
        received, own = broadcast_time(data), self.local()
        today = own.date().isoformat()
        obeyed = self._synchronised_times if self._synchronised_on == today else 0
        per_day = self._settings.time_sync_per_day
        verdict = broadcast_verdict(received, own, obeyed, per_day, self._settlements())
        self._counters.add(verdict)
        if verdict is not Verdict.ACCEPTED or received is None:
            self._reply(request, ERROR_OTHER)
            return verdict
        self._set_offset(self._offset + (received - own), self._changes + 1)
        self._synchronised_on, self._synchronised_times = today, obeyed + 1
        if self._store is None:
            self._reply(request, 0)
        else:
            records = self._records(self._offset, self._changes)
            self._save(records, lambda result: self._reply(request, _error(result)))
        return verdict

    def _settlements(self) -> frozenset[tuple[int, int]]:
        octets = self._parameters.read()[0] if self._parameters is not None else None
        return frozenset() if octets is None else settlement_instants(msgspec.msgpack.decode(octets, type=_VALUES))

    def _reply(self, request: Message | None, error: int) -> None:
        if request is not None:
            self._bus.reply(request, error=error)

    def _records(self, offset: timedelta, changes: int) -> dict[str, bytes]:
        return {
            OFFSET_KEY: msgspec.json.encode(offset.total_seconds()),
            SYNC_KEY: msgspec.json.encode((self._synchronised_on, self._synchronised_times)),
            CHANGES_KEY: msgspec.json.encode(changes),
        }

    # -- writes

    def _write(self, request: Message) -> None:
        """Set the clock, by any step: whoever may write parameters may. It moves once that is on the medium."""
        own = self.local()
        operator, octets = request.data[:OPERATOR_OCTETS], request.data[OPERATOR_OCTETS:]
        written = written_time(request.di, octets, own)
        offset = None if written is None else self._offset + (written - own)
        if written is None or offset is None or abs(offset.total_seconds()) > OFFSET_S_MAX:
            self._counters.add("time_impossible")
            self._bus.reply(request, error=ERROR_OTHER)
            return
        sets = self._sets
        if not sets.records or not is_repeated(sets.records[0], operator, own, written):
            sets = sets.added(operator + time_octets(own) + time_octets(written))
        obeyed = (self._synchronised_on, self._synchronised_times)
        if written.date() != own.date():  # a day of its own: the time may be broadcast once more
            self._synchronised_on, self._synchronised_times = "", 0

        def saved(result: SaveResult) -> None:
            if result is SaveResult.SAVED:
                self._counters.add("time_written")
                self._sets = sets
                self._set_offset(offset, self._changes + 1)
            else:
                self._synchronised_on, self._synchronised_times = obeyed
            self._bus.reply(request, error=_error(result))

        records = self._records(offset, self._changes + 1)
        self._save({**records, SETS_KEY: msgspec.msgpack.encode(sets)}, saved)

    def _follow_clears(self) -> None:
        """Empty the records of clock setting when a meter or event clear wants it."""
        octets = self._clears.read()[0] if self._clears is not None else None
        if octets is None or self._store is None:
            return
        clears = msgspec.msgpack.decode(octets, type=Clears)
        now = followed(clears)
        if now == self._followed:
            return
        if emptied(clears, self._followed, (CLOCK_SETS_DI,)):
            self._sets = EventRing()
        self._followed = now
        records = {SETS_KEY: msgspec.msgpack.encode(self._sets), FOLLOWED_KEY: msgspec.msgpack.encode(now)}
        self._save(records, lambda result: None)

    # -- answers

    def _answer(self, request: Message) -> None:
        if request.control == Control.READ:
            octets = self.octets(request.di)
            self._bus.reply(request, octets or b"", error=0 if octets is not None else ERROR_NO_DATA)
        elif request.control == Control.WRITE:
            self._take(request, lambda: self._write(request))
        elif request.control == Control.BROADCAST_TIME:
            self._take(request, lambda: self.synchronise(request.data, request))
        elif request.control == Control.OUTPUT:
            is_selected = self._select(request.data)
            self._bus.reply(request, request.data if is_selected else b"", error=0 if is_selected else ERROR_OTHER)
        elif request.control == Control.LIST:
            self._bus.reply(request, b"".join(di.to_bytes(4, "little") for di in self._listed(request.di >> 24)))
        else:
            self._bus.reply(request, error=ERROR_OTHER)

    def _take(self, request: Message, action: Callable[[], object]) -> None:
        """Change the clock as `request` wants, after those before it."""
        if request.control == Control.WRITE and (request.di not in _CLOCK_ITEMS or self._store is None):
            self._bus.reply(request, error=ERROR_NO_DATA)
        elif len(self._waiting) >= WAITING_MAX:
            self._bus.reply(request, error=ERROR_OTHER)
        else:
            self._in_turn(action)

    def _select(self, data: bytes) -> bool:
        is_selected = self._signal.select(data)
        self._counters.add("signals_selected" if is_selected else "signals_refused")
        return is_selected

    def _listed(self, group: int) -> list[int]:
        return [di for di in (*_CLOCK_ITEMS, *self._sets.items(CLOCK_SETS_DI)) if di >> 24 == group]

    def octets(self, di: int) -> bytes | None:
        """Item octets of what this service owns, None for anything else."""
        if di == SIGNAL_DI:
            return bytes((self._signal.selected,))
        if di not in _CLOCK_ITEMS:
            return self._sets.items(CLOCK_SETS_DI).get(di)
        local = self.local()
        weekday = f"{(local.weekday() + 1) % 7:02d}"
        date, time = f"{local:%y%m%d}{weekday}", f"{local:%H%M%S}"
        text = {DATE_DI: date, TIME_DI: time, DATE_TIME_DI: date + time}[di]
        return items.encode(item_2007(di), text)


_CLOCK_ITEMS = (DATE_DI, TIME_DI, DATE_TIME_DI)
_VALUES = dict[int, bytes]


def _destination(context: StartContext, port: str) -> SamplingDestinationPort | None:
    return context.sampling_destination(port) if context.has_port(port) else None


def _error(result: SaveResult) -> int:
    return 0 if result is SaveResult.SAVED else ERROR_OTHER


def start(context: StartContext) -> None:
    """Entry of the partition `platform`. Settings: JSON of `PlatformSettings`."""
    Platform(context, context.decode_settings(PlatformSettings))
