"""Platform management: the meter's clock, and which signal the multi-function terminal gives.

It owns the setting that makes the host's calendar the meter's, publishes it to every partition, and is the only one
that changes it. Broadcast time (08H) is obeyed by the rules of the meter's profile (`clock_rules`). A write of date or
time is recorded in the transaction that keeps it (03300400); of broadcasts, `broadcast_records` says what is. What
outlives a restart, and when a clock is lost, is in `clock_keeping`; what waits for the medium, in `change_queue`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from wattwheel.apex.bus import TO_BUS, BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.meter_clock import ClockSetting, seconds_since_2000
from wattwheel.apex.partition import CLOCK_PORT, StartContext
from wattwheel.apex.store import REQUEST_PORT, Loading, SaveResult, StoreClient
from wattwheel.model.catalogue import item_2007
from wattwheel.model.event_clears import Clears, Followed, emptied, followed
from wattwheel.model.event_ring import EventRing, time_octets
from wattwheel.model.private_items import CLOCK_DI, STEP_DI
from wattwheel.protocols.dlt645 import items
from wattwheel.services import clock_keeping as keeping
from wattwheel.services.broadcast_records import BROADCASTS_KEY, BroadcastKeeping
from wattwheel.services.change_queue import BROADCAST_NS_MAX, REQUEST_NS_MAX, ChangeQueue
from wattwheel.services.clock_keeping import SEEN_EVERY, SEEN_KEY, Kept, PlatformSettings
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
from wattwheel.services.clock_watch import FROZEN_BEHIND_MAX, LOOK_NS, ClockWatch, Fault
from wattwheel.services.signal_output import SIGNAL_DI
from wattwheel.services.terminal_signals import TerminalSignals

STORE_BIT, CLEARS_BIT = 6, 7
SYNC_KEY, SETS_KEY, FOLLOWED_KEY = "clock_synchronised_on", "clock_sets", "clears_followed"
PARAMETERS_PORT, CLEARS_PORT = "parameters", "clears"
ERROR_OTHER, ERROR_NO_DATA = 0x01, 0x02
ERRORS = {result: 0 if result is SaveResult.SAVED else ERROR_OTHER for result in SaveResult}

CLOCK_SETS_DI = 0x03300400
_CLOCK_ITEMS = (DATE_DI, TIME_DI, DATE_TIME_DI)
_NONE_OBEYED = ("", 0)
AHEAD_TOLD = timedelta(hours=1)
"""A saved clock that is further ahead of the host's is told at the start."""

LOST_LOOK_NS = 10_000_000_000
"""How often a lost clock looks whether the host's can be believed again."""

SEEN_LOOK_NS = round(SEEN_EVERY.total_seconds() * 1e9)


class Platform:
    """The service's state and its answers."""

    def __init__(self, context: StartContext, settings: PlatformSettings) -> None:
        self._context, self._settings = context, settings
        self._counters, self._clock = context.counters, context.clock
        self._offset_port = context.sampling_source(CLOCK_PORT) if context.has_port(CLOCK_PORT) else None
        ports = [port for port in (PARAMETERS_PORT, CLEARS_PORT) if context.has_port(port)]
        heard = {port: context.sampling_destination(port) for port in ports}
        self._parameters, self._clears = heard.get(PARAMETERS_PORT), heard.get(CLEARS_PORT)
        self._kept = Kept()
        self._obeyed = _NONE_OBEYED
        self._sets = EventRing()
        self._broadcasts = BroadcastKeeping(settings.profile == "2020")
        self._followed = Followed()
        self._watch, self._frozen, self._looks_for_time = ClockWatch(), False, False
        self._signals = TerminalSignals(context, self.local, self._parameters)
        self._store = StoreClient.of(context, STORE_BIT) if context.has_port(REQUEST_PORT) else None
        self._queue = ChangeQueue(self._store, self._clock)
        if self._store is not None:  # nothing is changed before it is known what there was
            self._store.load(self._loaded)
        else:
            self._start(Kept())
        if self._clears is not None:
            context.wheel.task(CLEARS_BIT, lambda: self._queue.take(self._follow_clears))
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
                self._obeyed = msgspec.json.decode(on, type=tuple[str, int])
        except (ValueError, RecursionError):  # of another version: the host's clock is the best there is
            self._counters.add("clock_unreadable")
        try:
            if sets := records.get(SETS_KEY):
                self._sets = msgspec.msgpack.decode(sets, type=EventRing)
            if follows := records.get(FOLLOWED_KEY):
                self._followed = msgspec.msgpack.decode(follows, type=Followed)
            if self._broadcasts.take_up(records.get(BROADCASTS_KEY)):
                self._queue.take(self._keep)
        except (ValueError, RecursionError):
            self._counters.add("records_unreadable")
        self._start(kept)
        self._queue.go_on()
        self._queue.take(self._follow_clears)

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
            self._queue.take(self._keep)
        self._clock.call_at(self._clock.now_ns(), self._see)
        self._clock.call_at(self._clock.now_ns(), self._watch_clock)
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
        self._watch.begin()
        setting = self._tell_setting()
        if setting.held is not None or self._counters["clock_lost"]:
            self._counters.set("clock_lost", int(setting.held is not None))
        if setting.held is not None:
            self._look_again()

    def _look_again(self) -> None:
        if not self._looks_for_time:
            self._looks_for_time = True
            self._clock.call_at(self._clock.now_ns() + LOST_LOOK_NS, self._look_for_time)

    def _tell_setting(self) -> ClockSetting:
        host, now_ns, stopped_s = self._clock.host_calendar(), self._clock.now_ns(), self._clock.setting.stopped_s
        setting = keeping.setting_of(self._kept, host, now_ns, self._settings.speed, stopped_s)
        setting = msgspec.structs.replace(setting, is_doubtful=self._broadcasts.kept.is_doubtful)
        self._clock.take(setting)
        if self._offset_port is not None:
            self._offset_port.write(msgspec.json.encode(setting))
        return setting

    # -- what a loss of the time is found by

    def _watch_clock(self) -> None:
        """Find a clock at fault that stands still, or shows what cannot be."""
        now_ns, host = self._clock.now_ns(), self._clock.host_calendar()
        fault = None if self._clock.is_lost else self._watch.look(host, self.calendar, now_ns)
        if fault is not None:
            found = keeping.failed(self._kept, host, self._watch.counted(now_ns, self._settings.speed))
            self._frozen = fault is Fault.FROZEN
            self._set(found)
            self._context.report("clock", f"the host's {fault}, {host:%F %T}; goes on from {self.calendar:%F %T}")
            self._queue.take(self._keep)
        self._clock.call_at(now_ns + LOOK_NS, self._watch_clock)

    def _stop_clock(self, request: Message) -> None:
        """Let the host's calendar stand still, or run, as the operator wants."""
        shown, host = self.calendar, self._clock.host_calendar()
        stopped_s = seconds_since_2000(host) if request.data == b"\x01" else None
        self._clock.take(msgspec.structs.replace(self._clock.setting, stopped_s=stopped_s))
        self._set(keeping.rebased(self._kept, self._clock.host_calendar(), shown))
        self._bus.reply(request)

    def _see(self) -> None:
        """Save the time as seen, when it is long enough since it was; look again."""
        seen = self._kept.seen
        if seen is None or self.calendar - seen >= SEEN_EVERY:
            self._queue.take(self._keep_seen)
        self._clock.call_at(self._clock.now_ns() + SEEN_LOOK_NS, self._see)

    def _keep_seen(self) -> None:
        if self._store is None:
            return
        shown, host = self.calendar, self._clock.host_calendar()
        self._kept = keeping.rebased(self._kept._replace(seen=shown), host, shown)
        records = keeping.records_of(self._kept)
        self._queue.save_with_others(records if self._kept.trusted is not None else {SEEN_KEY: records[SEEN_KEY]})

    def _keep(self) -> None:
        if self._store is not None:
            self._queue.save({**keeping.records_of(self._kept), **self._broadcasts.records()})

    def _look_for_time(self) -> None:
        """A lost clock follows the host's again once that can be right."""
        self._looks_for_time = False
        host, earliest = self._clock.host_calendar(), self._settings.earliest
        behind_max = FROZEN_BEHIND_MAX if self._frozen else keeping.STEP_BACK_MAX
        found = keeping.recovered(self._kept, host, self.calendar, earliest, behind_max)
        if found is not None:
            self._context.report("clock", f"found: follows the host's again, {host:%F %T}")
            self._set(found)
            self._queue.take(self._keep)
        elif self._clock.is_lost:
            self._look_again()

    # -- broadcast time

    def _hear(self, message: Message) -> None:
        if message.control == Control.BROADCAST_TIME:
            self._hear_time(message.data)
        elif message.control == Control.OUTPUT:
            self._signals.select(message.data)
        elif message.control == Control.PRESS and message.di == STEP_DI:
            self._signals.step()

    def _hear_time(self, data: bytes) -> None:
        """Obey or ignore a broadcast time, unless it has to wait until it is no longer the time."""

        def drop() -> None:
            self._counters.add("time_late")

        if not self._queue.take_within(BROADCAST_NS_MAX, lambda: self.synchronise(data), drop):
            drop()

    def synchronise(self, data: bytes, request: Message | None = None) -> Verdict:
        """Obey or ignore a broadcast time; what was decided is counted, and told to whoever asked."""
        received, own = broadcast_time(data), self.local()
        today = own.date().isoformat()
        obeyed = self._obeyed[1] if self._obeyed[0] == today else 0
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
        self._obeyed = today, obeyed + 1
        if self._store is None:
            self._reply(request, 0)
        else:
            self._queue.save(self._records(kept), lambda result: self._reply(request, ERRORS[result]))
        return verdict

    def _settlements(self) -> frozenset[tuple[int, int]]:
        octets = self._parameters.read()[0] if self._parameters is not None else None
        told = {} if octets is None else msgspec.msgpack.decode(octets, type=dict[int, bytes])
        return settlement_instants(told)

    def _reply(self, request: Message | None, error: int) -> None:
        if request is not None:
            self._bus.reply(request, error=error)

    def _set_to(self, local: datetime) -> Kept | None:
        """The clock set to the standard time `local`."""
        time = local - timedelta(minutes=self._settings.utc_offset_minutes)
        return keeping.was_set(self._kept, self._clock.host_calendar(), time)

    def _records(self, kept: Kept) -> dict[str, bytes | None]:
        obeyed = msgspec.json.encode(self._obeyed)
        return {**keeping.records_of(kept), SYNC_KEY: obeyed, **self._broadcasts.records()}

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
        obeyed, broadcasts = self._obeyed, self._broadcasts.kept
        if written.date() != own.date():  # a day of its own: the time may be broadcast once more
            self._obeyed = _NONE_OBEYED
        self._broadcasts.kept = broadcasts.settled()

        def saved(result: SaveResult) -> None:
            if result is SaveResult.SAVED:
                self._counters.add("time_written")
                self._sets = sets
                self._set(kept)
            else:
                self._obeyed, self._broadcasts.kept = obeyed, broadcasts
            self._bus.reply(request, error=ERRORS[result])

        records = {**self._records(kept), SETS_KEY: msgspec.msgpack.encode(sets)}
        self._queue.save(records, saved, is_undone=True)

    def _follow_clears(self) -> None:
        """Empty the records of clock setting when a meter or event clear wants it."""
        octets = self._clears.read()[0] if self._clears is not None else None
        if octets is None or self._store is None:
            return
        clears = msgspec.msgpack.decode(octets, type=Clears)
        if (now := followed(clears)) == self._followed:
            return
        if emptied(clears, self._followed, (CLOCK_SETS_DI,)):
            self._sets = EventRing()
        self._broadcasts.kept = self._broadcasts.kept.following(clears, self._followed)
        self._followed = now
        records = {SETS_KEY: msgspec.msgpack.encode(self._sets), FOLLOWED_KEY: msgspec.msgpack.encode(now)}
        self._queue.save({**records, **self._broadcasts.records()})

    def _follow_now(self, request: Message) -> None:
        """A clear is about to be answered: by then these records have followed it."""
        self._follow_clears()
        self._bus.reply(request)

    # -- answers

    def _answer(self, request: Message) -> None:
        if request.control == Control.READ:
            octets = self.octets(request.di)
            self._bus.reply(request, octets or b"", error=0 if octets is not None else ERROR_NO_DATA)
        elif request.control == Control.WRITE:
            self._take(request, lambda: self._write(request))
        elif request.control == Control.CLEAR_EVENTS:
            self._take(request, lambda: self._follow_now(request))
        elif request.control == Control.BROADCAST_TIME:
            self._take(request, lambda: self.synchronise(request.data, request))
        elif request.control == Control.OUTPUT:
            is_selected = self._signals.select(request.data)
            self._bus.reply(request, request.data if is_selected else b"", error=0 if is_selected else ERROR_OTHER)
        elif request.control == Control.CONTACT and request.di == CLOCK_DI:
            self._stop_clock(request)
        elif request.control == Control.LIST:
            self._bus.reply(request, b"".join(di.to_bytes(4, "little") for di in self._listed(request.di >> 24)))
        else:
            self._bus.reply(request, error=ERROR_OTHER)

    def _take(self, request: Message, action: Callable[[], object]) -> None:
        """Change the clock as `request` wants, after those before it."""
        if request.control == Control.WRITE and (request.di not in _CLOCK_ITEMS or self._store is None):
            self._bus.reply(request, error=ERROR_NO_DATA)
        elif not self._queue.take_within(REQUEST_NS_MAX, action, lambda: self._reply(request, ERROR_OTHER)):
            self._bus.reply(request, error=ERROR_OTHER)

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


def start(context: StartContext) -> None:
    """Entry of the partition `platform`. Settings: JSON of `PlatformSettings`."""
    Platform(context, context.decode_settings(PlatformSettings))
