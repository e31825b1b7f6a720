"""Platform management: the meter's clock, and its name plate.

It owns the offset between the host's calendar and the meter's, publishes it to every partition, and is the only one
that changes it. Broadcast time (08H) is obeyed by the rules that `broadcast_verdict` lists.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from wattwheel.apex.bus import TO_BUS, BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.partition import CLOCK_PORT, ClockSetting, StartContext
from wattwheel.apex.store import REQUEST_PORT, Loading, SaveResult, StoreClient
from wattwheel.model.catalogue import item_2007
from wattwheel.protocols.dlt645 import items

STORE_BIT = 6
OFFSET_KEY, SYNC_KEY, CHANGES_KEY = "clock_offset_s", "clock_synchronised_on", "clock_changes"
ERROR_OTHER, ERROR_NO_DATA = 0x01, 0x02

DATE_DI, TIME_DI, DATE_TIME_DI = 0x04000101, 0x04000102, 0x0400010C
DATE_OCTETS, TIME_OCTETS, OPERATOR_OCTETS = 4, 3, 4
ADDRESS_DI, METER_NUMBER_DI = 0x04000401, 0x04000402
OFFSET_S_MAX = 10 * 365 * 86_400
SYNC_DIFFERENCE_MAX = timedelta(minutes=5)
AHEAD_TOLD = timedelta(hours=1)
"""A saved clock that is further ahead of the host's is told at the start."""
MIDNIGHT_GUARD = timedelta(minutes=5)


class PlatformSettings(msgspec.Struct, frozen=True):
    """Settings of the partition. `utc_offset_minutes`: meter standard time minus UTC."""

    address: str
    utc_offset_minutes: int = 0
    time_sync_per_day: int = 1


class Verdict(StrEnum):
    """What becomes of a broadcast time; the names of the counters."""

    ACCEPTED = "time_accepted"
    IMPOSSIBLE = "time_impossible"
    DONE_TODAY = "time_done_today"
    NEAR_MIDNIGHT = "time_near_midnight"
    TOO_FAR = "time_too_far"


def broadcast_time(data: bytes) -> datetime | None:
    """The local time in `ss mm hh DD MM YY` (BCD), None when there is no such time."""
    try:
        second, minute, hour, day, month, year = (int(f"{octet:02x}") for octet in data)
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def written_time(di: int, octets: bytes, own: datetime) -> datetime | None:
    """Pure: the local time that a write of `di` sets, `own` being the clock's; None when there is no such time.

    A date keeps the time of day, a time the date; the day of the week follows from the date, whatever is written.
    """
    digits = octets[::-1].hex()
    date, time = f"{own:%y%m%d}", f"{own:%H%M%S}"
    if di == DATE_DI and len(octets) == DATE_OCTETS:
        date = digits[:6]
    elif di == TIME_DI and len(octets) == TIME_OCTETS:
        time = digits
    elif di == DATE_TIME_DI and len(octets) == DATE_OCTETS + TIME_OCTETS:
        date, time = digits[:6], digits[8:]
    else:
        return None
    return broadcast_time(bytes.fromhex(date + time)[::-1])


def broadcast_verdict(received: datetime | None, own: datetime, obeyed_today: int, per_day: int) -> Verdict:
    """Pure: whether `received` may set a clock that shows `own`; both local, marked as UTC."""
    if received is None:
        return Verdict.IMPOSSIBLE
    if obeyed_today >= per_day:
        return Verdict.DONE_TODAY
    if any(_is_near_midnight(time) for time in (received, own)):
        return Verdict.NEAR_MIDNIGHT
    return Verdict.TOO_FAR if abs(received - own) > SYNC_DIFFERENCE_MAX else Verdict.ACCEPTED


def _is_near_midnight(time: datetime) -> bool:
    """23:55:00 to 00:05:59."""
    minutes = time.hour * 60 + time.minute
    return minutes >= 24 * 60 - MIDNIGHT_GUARD.seconds // 60 or minutes <= MIDNIGHT_GUARD.seconds // 60


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
        self._offset = timedelta(0)
        self._changes = 0
        self._synchronised_on = ""
        self._synchronised_times = 0
        self._store = StoreClient.of(context, STORE_BIT) if context.has_port(REQUEST_PORT) else None
        if self._store is not None:
            self._store.load(self._loaded)
        if context.has_port(TO_BUS):
            self._bus = BusPort(context)
            self._bus.on_request(self._answer)
            self._bus.on_notice(self._hear)

    def _loaded(self, loading: Loading) -> None:
        try:
            if changes := loading.records.get(CHANGES_KEY):
                self._changes = msgspec.json.decode(changes, type=int)
            if offset := loading.records.get(OFFSET_KEY):
                self._set_offset(saved_offset(offset))
                if self._offset > AHEAD_TOLD:
                    days = self._offset / timedelta(days=1)
                    self._context.report("clock", f"goes on in meter time, {days:.1f} days ahead of this machine's")
            if on := loading.records.get(SYNC_KEY):
                self._synchronised_on, self._synchronised_times = msgspec.json.decode(on, type=tuple[str, int])
        except (ValueError, RecursionError):  # of another version: the host's clock is the best there is
            self._counters.add("clock_unreadable")

    def local(self) -> datetime:
        """The meter's standard time, marked as UTC."""
        host = self._clock.host_calendar() + self._offset
        return host + timedelta(minutes=self._settings.utc_offset_minutes)

    def _set_offset(self, offset: timedelta) -> None:
        self._offset = offset
        if self._offset_port is not None:
            self._offset_port.write(msgspec.json.encode(ClockSetting(offset.total_seconds(), self._changes)))

    def _hear(self, message: Message) -> None:
        if message.control == Control.BROADCAST_TIME:
            self.synchronise(message.data)

    def synchronise(self, data: bytes) -> Verdict:
        """Obey or ignore a broadcast time; what was decided is counted."""
        received, own = broadcast_time(data), self.local()
        today = own.date().isoformat()
        obeyed = self._synchronised_times if self._synchronised_on == today else 0
        verdict = broadcast_verdict(received, own, obeyed, self._settings.time_sync_per_day)
        self._counters.add(verdict)
        if verdict is Verdict.ACCEPTED and received is not None:
            self._changes += 1
            self._set_offset(self._offset + (received - own))
            self._synchronised_on, self._synchronised_times = today, obeyed + 1
            self._save()
        return verdict

    def _save(self) -> None:
        if self._store is not None:
            self._store.save(self._records(self._offset, self._changes), promised=True)

    def _records(self, offset: timedelta, changes: int) -> dict[str, bytes]:
        return {
            OFFSET_KEY: msgspec.json.encode(offset.total_seconds()),
            SYNC_KEY: msgspec.json.encode((self._synchronised_on, self._synchronised_times)),
            CHANGES_KEY: msgspec.json.encode(changes),
        }

    def _write(self, request: Message) -> None:
        """Set the clock, by any step: whoever may write parameters may. It moves once that is on the medium."""
        if request.di not in (DATE_DI, TIME_DI, DATE_TIME_DI) or self._store is None:
            self._bus.reply(request, error=ERROR_NO_DATA)
            return
        own = self.local()
        written = written_time(request.di, request.data[OPERATOR_OCTETS:], own)
        offset = None if written is None else self._offset + (written - own)
        if offset is None or abs(offset.total_seconds()) > OFFSET_S_MAX:
            self._counters.add("time_impossible")
            self._bus.reply(request, error=ERROR_OTHER)
            return

        def saved(result: SaveResult) -> None:
            if result is SaveResult.SAVED:
                self._counters.add("time_written")
                self._changes += 1
                self._set_offset(offset)
            self._bus.reply(request, error=0 if result is SaveResult.SAVED else ERROR_OTHER)

        self._store.save(self._records(offset, self._changes + 1), promised=True, on_saved=saved)

    def _answer(self, request: Message) -> None:
        if request.control == Control.READ:
            octets = self.octets(request.di)
            self._bus.reply(request, octets or b"", error=0 if octets is not None else ERROR_NO_DATA)
        elif request.control == Control.WRITE:
            self._write(request)
        elif request.control == Control.LIST:
            listed = (DATE_DI, TIME_DI, DATE_TIME_DI, ADDRESS_DI, METER_NUMBER_DI)
            self._bus.reply(request, b"".join(di.to_bytes(4, "little") for di in listed))
        else:
            self._bus.reply(request, error=ERROR_OTHER)

    def octets(self, di: int) -> bytes | None:
        """Item octets of what this service owns, None for anything else."""
        if di in (ADDRESS_DI, METER_NUMBER_DI):
            return bytes.fromhex(self._settings.address)[::-1]
        if di not in (DATE_DI, TIME_DI, DATE_TIME_DI):
            return None
        local = self.local()
        weekday = f"{(local.weekday() + 1) % 7:02d}"
        date, time = f"{local:%y%m%d}{weekday}", f"{local:%H%M%S}"
        text = {DATE_DI: date, TIME_DI: time, DATE_TIME_DI: date + time}[di]
        return items.encode(item_2007(di), text)


def start(context: StartContext) -> None:
    """Entry of the partition `platform`. Settings: JSON of `PlatformSettings`."""
    Platform(context, context.decode_settings(PlatformSettings))
