"""What is kept of the meter's clock, and whether it may be believed after a start. Pure.

The host's clock is the crystal; the clock cell is what lies in the store: by how much the meter's calendar differs from
the host's, since when it drifts, and the last time that was seen. A host whose calendar lies before that, or before
this software was built, has lost the time. Then the meter goes on from the last time that was seen, by counting, until
somebody sets it or the host has a time again that can be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from wattwheel.apex.meter_clock import ClockSetting, HeldClock, drifted, seconds_since_2000, time_of
from wattwheel.model.clock_drift import elapsed_until_us

BUILD_DATE = datetime(2026, 1, 1, tzinfo=UTC)
"""No meter with this software ran before: an earlier host, where nothing else is known, has lost the time."""

STEP_BACK_MAX = timedelta(hours=1)
"""A clock that lies further behind the last time that was seen is lost: a day has 23 hours where summer begins, a
host's own correction is of seconds."""

SEEN_EVERY = timedelta(hours=1)
"""How often the time is saved as seen: 24 small writes a day, and one at an orderly end."""

OFFSET_S_MAX = 100 * 366 * 86_400
"""From any year that YY can say, 2000 to 2099, to any other."""

OFFSET_KEY, CHANGES_KEY, DRIFT_KEY = "clock_offset_s", "clock_changes", "clock_drift"
SEEN_KEY, LOST_KEY = "clock_seen", "clock_lost"

_NO_TIME = timedelta(0)


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


class Trusted(NamedTuple):
    """What was believed before the clock was lost: offset, and since when it drifted (None: begins anew)."""

    offset: timedelta
    since: datetime | None


class Kept(NamedTuple):
    """What is kept of the clock.

    Attributes:
        offset: the meter's calendar minus the host's, without what has drifted.
        changes: how often that was changed.
        drift_ppb: how much faster than the host's the clock runs.
        since: the host's calendar from which on it drifts; None: it never has.
        seen: the meter's calendar when it was saved last; None: never.
        trusted: the clock is lost; None: it is not.
    """

    offset: timedelta = _NO_TIME
    changes: int = 0
    drift_ppb: int = 0
    since: datetime | None = None
    seen: datetime | None = None
    trusted: Trusted | None = None


def saved_offset(octets: bytes) -> timedelta:
    """The offset that was saved. Raises ValueError for octets that are none, or that no clock could have."""
    return _offset_of(msgspec.json.decode(octets, type=float))


def _offset_of(seconds: float) -> timedelta:
    if not abs(seconds) <= OFFSET_S_MAX:
        raise ValueError(f"offset of {seconds} s")
    return timedelta(seconds=seconds)


def _saved_time(seconds: float) -> datetime:
    return time_of(_offset_of(seconds).total_seconds())


def kept_of(records: Mapping[str, bytes]) -> Kept:
    """What was saved. Raises ValueError or RecursionError for octets that are of another version."""
    kept = Kept()
    if changes := records.get(CHANGES_KEY):
        kept = kept._replace(changes=msgspec.json.decode(changes, type=int))
    if offset := records.get(OFFSET_KEY):
        kept = kept._replace(offset=saved_offset(offset))
    if drift := records.get(DRIFT_KEY):
        ppb, since_s = msgspec.json.decode(drift, type=tuple[int, float])
        kept = kept._replace(drift_ppb=ppb, since=_saved_time(since_s))
    if seen := records.get(SEEN_KEY):
        kept = kept._replace(seen=_saved_time(msgspec.json.decode(seen, type=float)))
    if lost := records.get(LOST_KEY):
        offset_s, since = msgspec.json.decode(lost, type=tuple[float, float | None])
        kept = kept._replace(trusted=Trusted(_offset_of(offset_s), None if since is None else _saved_time(since)))
    return kept


def records_of(kept: Kept) -> dict[str, bytes | None]:
    """Records of `kept`; None deletes one."""
    encode = msgspec.json.encode
    lost = None
    if (trusted := kept.trusted) is not None:
        since_s = None if trusted.since is None else seconds_since_2000(trusted.since)
        lost = encode((trusted.offset.total_seconds(), since_s))
    return {
        OFFSET_KEY: encode(kept.offset.total_seconds()),
        CHANGES_KEY: encode(kept.changes),
        DRIFT_KEY: None if kept.since is None else encode((kept.drift_ppb, seconds_since_2000(kept.since))),
        SEEN_KEY: None if kept.seen is None else encode(seconds_since_2000(kept.seen)),
        LOST_KEY: lost,
    }


def calendar(kept: Kept, host: datetime) -> datetime:
    """The meter's calendar when the host's shows `host`, UTC."""
    return host + kept.offset + _drift(kept, host)


def _drift(kept: Kept, host: datetime) -> timedelta:
    return _NO_TIME if kept.since is None else drifted(host - kept.since, kept.drift_ppb)


def started(kept: Kept, host: datetime, drift_ppb: int = 0, earliest: datetime = BUILD_DATE) -> Kept:
    """The clock after a start of its service, `kept` having been saved and the host's calendar showing `host`."""
    trusted = kept.trusted or Trusted(kept.offset, kept.since)
    if drift_ppb != kept.drift_ppb:
        trusted = Trusted(trusted.offset + _drift_until_seen(trusted, kept), None)
        kept = kept._replace(offset=kept.offset + _drift(kept, host), drift_ppb=drift_ppb, since=host)
    shown = calendar(kept, host)
    seen = kept.seen
    if kept.trusted is not None and seen is not None:
        kept = kept._replace(trusted=trusted)
        found = recovered(kept, host, seen, earliest)
        if found is not None:
            return found
        is_same_run = seen <= shown <= seen + 2 * SEEN_EVERY
        return kept if is_same_run else _lost(kept, host, seen, trusted)
    begin, limit = (earliest, earliest) if seen is None else (seen, seen - STEP_BACK_MAX)
    return _lost(kept, host, begin, trusted) if shown < limit else kept


def failed(kept: Kept, host: datetime, counted: datetime) -> Kept:
    """The clock once the host's, which shows `host`, is found at fault: it goes on from `counted`, by counting."""
    return kept if kept.trusted else _lost(kept, host, counted, Trusted(kept.offset, kept.since))


def rebased(kept: Kept, host: datetime, shown: datetime) -> Kept:
    """`kept`; a lost clock that shows `shown` goes on from there, wherever the host's calendar has gone meanwhile."""
    return kept._replace(offset=kept.offset + (shown - calendar(kept, host))) if kept.trusted is not None else kept


def _drift_until_seen(trusted: Trusted, kept: Kept) -> timedelta:
    """What the clock had drifted when it was seen last, by what was believed then: the host's time says nothing now."""
    if trusted.since is None or kept.seen is None:
        return _NO_TIME
    shown_us = (kept.seen - trusted.offset - trusted.since) // timedelta(microseconds=1)
    return timedelta(microseconds=shown_us - elapsed_until_us(shown_us, kept.drift_ppb))


def _lost(kept: Kept, host: datetime, begin: datetime, trusted: Trusted) -> Kept:
    offset = begin - host - _drift(kept, host)
    return kept._replace(offset=offset, changes=kept.changes + 1, seen=begin, trusted=trusted)


def recovered(
    kept: Kept,
    host: datetime,
    shown: datetime,
    earliest: datetime = BUILD_DATE,
    behind_max: timedelta = STEP_BACK_MAX,
) -> Kept | None:
    """The clock that was believed before it was lost, where the host has a time again that can be right.

    `shown`: what the lost clock shows; `behind_max`: how far the other may be behind it. None: the host has not.
    """
    if kept.trusted is None:
        return None
    offset, since = kept.trusted
    back = kept._replace(offset=offset, since=since or (host if kept.drift_ppb else None), trusted=None)
    time = calendar(back, host)
    if time < max(shown - behind_max, earliest):
        return None
    return back._replace(changes=kept.changes + 1, seen=time)


def was_set(kept: Kept, host: datetime, time: datetime) -> Kept | None:
    """The clock after it was set to `time`, the meter's calendar, UTC; None: no clock can be that far away."""
    offset = time - host - _drift(kept, host)
    if abs(offset.total_seconds()) > OFFSET_S_MAX:
        return None
    return kept._replace(offset=offset, changes=kept.changes + 1, seen=time, trusted=None)


def setting_of(kept: Kept, host: datetime, now_ns: int, speed: float, stopped_s: float | None = None) -> ClockSetting:
    """What is published of `kept`; a lost clock counts on from `now_ns`, its calendar running `speed` times as fast.

    `stopped_s`: see `ClockSetting.stopped_s`.
    """
    since_s = 0.0 if kept.since is None else seconds_since_2000(kept.since)
    held = None
    if kept.trusted is not None:
        held = HeldClock(now_ns, seconds_since_2000(calendar(kept, host)), speed)
    return ClockSetting(kept.offset.total_seconds(), kept.changes, kept.drift_ppb, since_s, held, stopped_s)
