"""Platform management: the meter's clock, and which signal the multi-function terminal gives.

It owns the setting that makes the host's calendar the meter's, publishes it to every partition, and is the only one
that changes it. Broadcast time (08H) is obeyed by the rules of the meter's profile (`clock_rules`). A write of date or
time is recorded in the transaction that keeps it (03300400); of broadcasts, `broadcast_records` says what is. What
outlives a restart, and when a clock is lost, is in `clock_keeping`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from wattwheel.apex.bus import TO_BUS, BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.meter_clock import ClockSetting
from wattwheel.apex.partition import CLOCK_PORT, StartContext
from wattwheel.apex.ports import SamplingDestinationPort
from wattwheel.apex.store import REQUEST_PORT, Loading, SaveResult, StoreClient
from wattwheel.model.catalogue import item_2007
from wattwheel.model.event_clears import Clears, Followed, emptied, followed
from wattwheel.model.event_ring import EventRing, time_octets
from wattwheel.model.private_items import STEP_DI
from wattwheel.protocols.dlt645 import items
from wattwheel.services import clock_keeping as keeping
from wattwheel.services.broadcast_records import BROADCASTS_KEY, BroadcastKeeping
from wattwheel.services.clock_keeping import BUILD_DATE, SEEN_EVERY, SEEN_KEY, Kept
from wattwheel.services.clock_rules import (
    DATE_DI,
    DATE_TIME_DI,
    OPERATOR_OCTETS,
    TIME_DI,
    Verdict,
    broadcast_time,
    is_repeated,
    settlement_instants,
    shown_digits,
    written_time,
)
from wattwheel.services.signal_output import SIGNAL_DI
from wattwheel.services.terminal_signals import TerminalSignals

STORE_BIT, CLEARS_BIT = 6, 7
SYNC_KEY, SETS_KEY, FOLLOWED_KEY = "clock_synchronised_on", "clock_sets", "clears_followed"
PARAMETERS_PORT, CLEARS_PORT = "parameters", "clears"
ERROR_OTHER, ERROR_NO_DATA = 0x01, 0x02

CLOCK_SETS_DI = 0x03300400
WAITING_MAX = 64
"""Writes that wait for the one under way; one more is refused."""

AHEAD_TOLD = timedelta(hours=1)
"""A saved clock that is further ahead of the host's is told at the start."""

LOST_LOOK_NS = 10_000_000_000
"""How often a lost clock looks whether the host's can be believed again."""

SEEN_LOOK_NS = round(SEEN_EVERY.total_seconds() * 1e9)


class PlatformSettings(msgspec.Struct, frozen=True):
    """Settings of the partition.

    Attributes:
        utc_offset_minutes: meter standard time minus UTC.
        time_sync_per_day: broadcasts of the time that are obeyed a day.
        drift_ppb: how much faster than the host's the meter's clock runs, in parts of `clock_drift.PARTS`.
        earliest: no clock is right before it, where nothing else is known.
        speed: how many seconds of the host's calendar pass in one.
        gives_signals: there is an output for the multi-function terminal's pulses.
        profile: "2007" or "2020": whose rules of broadcast times it follows.
    """

    utc_offset_minutes: int = 0
    time_sync_per_day: int = 1
    drift_ppb: int = 0
    earliest: datetime = BUILD_DATE
    speed: float = 1.0
    gives_signals: bool = False
    profile: str = "2007"


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
        self._kept = Kept()
        self._synchronised_on = ""
        self._synchronised_times = 0
        self._sets = EventRing()
        self._broadcasts = BroadcastKeeping(settings.profile == "2020")
        self._followed = Followed()
        self._signals = TerminalSignals(context, self.local, self._parameters)
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_saving = False
        self._store = StoreClient.of(context, STORE_BIT) if context.has_port(REQUEST_PORT) else None
        if self._store is not None:
            self._is_saving = True  # nothing is changed before it is known what there was
            self._store.load(self._loaded)
        else:
            self._start(Kept())
        if self._clears is not None:
            context.wheel.task(CLEARS_BIT, lambda: self._in_turn(self._follow_clears))
            self._clears.on_message(context.wheel.poster(CLEARS_BIT))
        if context.has_port(TO_BUS):
            self._bus = BusPort(context)
            self._bus.on_request(self._answer)
            self._bus.on_notice(self._hear)
            if settings.gives_signals:
                self._signals.start(self._bus)

    def _loaded(self, loading: Loading) -> None:
        records = loading.records
        kept = Kept()
        try:
            kept = keeping.kept_of(records)
            if on := records.get(SYNC_KEY):
                self._synchronised_on, self._synchronised_times = msgspec.json.decode(on, type=tuple[str, int])
        except (ValueError, RecursionError):  # of another version: the host's clock is the best there is
            self._counters.add("clock_unreadable")
        try:
            if sets := records.get(SETS_KEY):
                self._sets = msgspec.msgpack.decode(sets, type=EventRing)
            if follows := records.get(FOLLOWED_KEY):
                self._followed = msgspec.msgpack.decode(follows, type=Followed)
            self._broadcasts.take_up(records.get(BROADCASTS_KEY))
        except (ValueError, RecursionError):
            self._counters.add("records_unreadable")
        self._start(kept)
        self._saved()
        self._in_turn(self._follow_clears)

    def _start(self, kept: Kept) -> None:
        """Begin with what was saved, if it can be believed."""
        host = self._clock.host_calendar()
        found = keeping.started(kept, host, self._settings.drift_ppb, self._settings.earliest)
        self._set(found)
        if found.trusted is not None:
            self._context.report("clock", f"lost: the host's shows {host:%F %T}; goes on from {self.calendar:%F %T}")
        elif (ahead := keeping.calendar(found, host) - host) > AHEAD_TOLD:
            days = ahead / timedelta(days=1)
            self._context.report("clock", f"goes on in meter time, {days:.1f} days ahead of this machine's")
        if found != kept:
            self._in_turn(self._keep)
        self._clock.call_at(self._clock.now_ns(), self._see)
        self._context.on_stop(self._keep_seen)

    @property
    def calendar(self) -> datetime:
        """The meter's calendar, UTC."""
        return self._clock.calendar()

    def local(self) -> datetime:
        """The meter's standard time, marked as UTC."""
        return self.calendar + timedelta(minutes=self._settings.utc_offset_minutes)

    def _set(self, kept: Kept) -> None:
        """Let the clock be `kept` from now on, here and everywhere."""
        self._kept = kept
        setting = self._tell_setting()
        if setting.held is not None or self._counters["clock_lost"]:
            self._counters.set("clock_lost", int(setting.held is not None))
        if setting.held is not None:
            self._clock.call_at(self._clock.now_ns() + LOST_LOOK_NS, self._look_for_time)

    def _tell_setting(self) -> ClockSetting:
        host, now_ns = self._clock.host_calendar(), self._clock.now_ns()
        setting = keeping.setting_of(self._kept, host, now_ns, self._settings.speed)
        setting = msgspec.structs.replace(setting, is_doubtful=self._broadcasts.kept.is_doubtful)
        self._clock.take(setting)
        if self._offset_port is not None:
            self._offset_port.write(msgspec.json.encode(setting))
        return setting

    # -- what a loss of the time is found by

    def _see(self) -> None:
        """Save the time as seen, when it is long enough since it was; look again."""
        seen = self._kept.seen
        if seen is None or self.calendar - seen >= SEEN_EVERY:
            self._in_turn(self._keep_seen)
        self._clock.call_at(self._clock.now_ns() + SEEN_LOOK_NS, self._see)

    def _keep_seen(self) -> None:
        if self._store is None:
            return
        shown = self.calendar
        kept = self._kept = self._kept._replace(seen=shown)
        records = {SEEN_KEY: keeping.records_of(kept)[SEEN_KEY]}
        if kept.trusted is not None:  # the host's calendar may have gone anywhere meanwhile
            offset = kept.offset + (shown - keeping.calendar(kept, self._clock.host_calendar()))
            kept = self._kept = kept._replace(offset=offset)
            records = keeping.records_of(kept)
        self._store.save(records)

    def _keep(self) -> None:
        if self._store is not None:
            self._save({**keeping.records_of(self._kept), **self._broadcasts.records()}, lambda result: None)

    def _look_for_time(self) -> None:
        """A lost clock follows the host's again once that can be right."""
        host, earliest = self._clock.host_calendar(), self._settings.earliest
        found = keeping.recovered(self._kept, host, self.calendar, earliest)
        if found is not None:
            self._context.report("clock", f"found: follows the host's again, {host:%F %T}")
            self._set(found)
            self._in_turn(self._keep)
        elif self._clock.is_lost:
            self._clock.call_at(self._clock.now_ns() + LOST_LOOK_NS, self._look_for_time)

    # -- one change after the other

    def _in_turn(self, action: Callable[[], object]) -> None:
        """Run `action` when no change is on its way to the medium."""
        if self._is_saving:
            self._waiting.append(action)
        else:
            action()

    def _save(self, records: Mapping[str, bytes | None], on_saved: Callable[[SaveResult], None]) -> None:
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
            self._signals.select(message.data)
        elif message.control == Control.PRESS and message.di == STEP_DI:
            self._signals.step()

    def synchronise(self, data: bytes, request: Message | None = None) -> Verdict:
        """Obey or ignore a broadcast time; what was decided is counted, and told to whoever asked."""
        received, own = broadcast_time(data), self.local()
        today = own.date().isoformat()
        obeyed = self._synchronised_times if self._synchronised_on == today else 0
        per_day = self._settings.time_sync_per_day
        verdict = self._broadcasts.verdict(received, own, obeyed, per_day, self._settlements())
        self._counters.add(verdict)
        is_changed = self._broadcasts.judged(verdict, own, received)
        if verdict is not Verdict.ACCEPTED or received is None:
            if is_changed:
                self._tell_setting()
                self._keep()
            self._reply(request, ERROR_OTHER)
            return verdict
        kept = self._set_to(received)
        assert kept is not None, "a time so near by can be kept"
        self._set(kept)
        self._synchronised_on, self._synchronised_times = today, obeyed + 1
        if self._store is None:
            self._reply(request, 0)
        else:
            self._save(self._records(kept), lambda result: self._reply(request, _error(result)))
        return verdict

    def _settlements(self) -> frozenset[tuple[int, int]]:
        octets = self._parameters.read()[0] if self._parameters is not None else None
        return frozenset() if octets is None else settlement_instants(msgspec.msgpack.decode(octets, type=_VALUES))

    def _reply(self, request: Message | None, error: int) -> None:
        if request is not None:
            self._bus.reply(request, error=error)

    def _set_to(self, local: datetime) -> Kept | None:
        """The clock set to the standard time `local`."""
        time = local - timedelta(minutes=self._settings.utc_offset_minutes)
        return keeping.was_set(self._kept, self._clock.host_calendar(), time)

    def _records(self, kept: Kept) -> dict[str, bytes | None]:
        obeyed = (self._synchronised_on, self._synchronised_times)
        return {**keeping.records_of(kept), SYNC_KEY: msgspec.json.encode(obeyed), **self._broadcasts.records()}

    # -- writes

    def _write(self, request: Message) -> None:
        """Set the clock, by any step: whoever may write parameters may. It moves once that is on the medium."""
        own = self.local()
        operator, octets = request.data[:OPERATOR_OCTETS], request.data[OPERATOR_OCTETS:]
        written = written_time(request.di, octets, own)
        kept = None if written is None else self._set_to(written)
        if written is None or kept is None:
            self._counters.add("time_impossible")
            self._bus.reply(request, error=ERROR_OTHER)
            return
        sets = self._sets
        if not sets.records or not is_repeated(sets.records[0], operator, own, written):
            sets = sets.added(operator + time_octets(own) + time_octets(written))
        obeyed = (self._synchronised_on, self._synchronised_times)
        if written.date() != own.date():  # a day of its own: the time may be broadcast once more
            self._synchronised_on, self._synchronised_times = "", 0

        kept_before, self._broadcasts.kept = self._broadcasts.kept, self._broadcasts.kept.settled()

        def saved(result: SaveResult) -> None:
            if result is SaveResult.SAVED:
                self._counters.add("time_written")
                self._sets = sets
                self._set(kept)
            else:
                self._broadcasts.kept = kept_before
                self._synchronised_on, self._synchronised_times = obeyed
            self._bus.reply(request, error=_error(result))

        self._save({**self._records(kept), SETS_KEY: msgspec.msgpack.encode(sets)}, saved)

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
        self._broadcasts.kept = self._broadcasts.kept.following(clears, self._followed)
        self._followed = now
        records = {SETS_KEY: msgspec.msgpack.encode(self._sets), FOLLOWED_KEY: msgspec.msgpack.encode(now)}
        self._save({**records, **self._broadcasts.records()}, lambda result: None)

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
            is_selected = self._signals.select(request.data)
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

    def _listed(self, group: int) -> list[int]:
        records = {**self._sets.items(CLOCK_SETS_DI), **self._broadcasts.items()}
        return [di for di in (*_CLOCK_ITEMS, *records) if di >> 24 == group]

    def octets(self, di: int) -> bytes | None:
        """Item octets of what this service owns, None for anything else."""
        if di == SIGNAL_DI:
            return bytes((self._signals.selected,))
        if di not in _CLOCK_ITEMS:
            return self._sets.items(CLOCK_SETS_DI).get(di) or self._broadcasts.items().get(di)
        return items.encode(item_2007(di), shown_digits(di, self.local()))


_CLOCK_ITEMS = (DATE_DI, TIME_DI, DATE_TIME_DI)
_VALUES = dict[int, bytes]


def _destination(context: StartContext, port: str) -> SamplingDestinationPort | None:
    return context.sampling_destination(port) if context.has_port(port) else None


def _error(result: SaveResult) -> int:
    return 0 if result is SaveResult.SAVED else ERROR_OTHER


def start(context: StartContext) -> None:
    """Entry of the partition `platform`. Settings: JSON of `PlatformSettings`."""
    Platform(context, context.decode_settings(PlatformSettings))
