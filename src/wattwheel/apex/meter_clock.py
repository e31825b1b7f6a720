"""The meter's clock as every partition of it finds it: the host's calendar, and the setting that makes it the meter's.

One service owns the setting and publishes it; everybody works the time out alone, by integers, and finds the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from wattwheel.apex.ports import SamplingDestinationPort
from wattwheel.hil.clock import Clock
from wattwheel.model.clock_drift import drifted_us

CALENDAR_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND, _SECOND = timedelta(microseconds=1), timedelta(seconds=1)


class HeldClock(msgspec.Struct, frozen=True, array_like=True):
    """A clock that does not believe the host's calendar: it counts intervals from an instant on.

    Attributes:
        at_ns: the instant on the monotonic clock.
        calendar_s: what the clock showed then, UTC, seconds since 2000.
        speed: how many seconds pass on it in one.
    """

    at_ns: int
    calendar_s: float
    speed: float = 1.0


class ClockSetting(msgspec.Struct, frozen=True, array_like=True):
    """What the platform service publishes: how the meter's calendar follows from the host's.

    Attributes:
        offset_s: the meter's calendar minus the host's, without what has drifted.
        changes: how often that was changed.
        drift_ppb: how much faster the meter's clock runs, in parts of `clock_drift.PARTS`.
        since_s: from where on it drifts: the host's calendar, UTC, seconds since 2000.
        held: the clock is lost: neither offset nor host count until it is set.
        stopped_s: somebody lets the host's calendar stand still at that time, UTC, seconds since 2000; None: it runs.
        is_doubtful: it disagrees with a broadcast time, and goes on all the same (2020 profile).
    """

    offset_s: float = 0.0
    changes: int = 0
    drift_ppb: int = 0
    since_s: float = 0.0
    held: HeldClock | None = None
    stopped_s: float | None = None
    is_doubtful: bool = False


def drifted(since: timedelta, ppb: int) -> timedelta:
    """What a clock has drifted in `since`."""
    return timedelta(microseconds=drifted_us(since // _MICROSECOND, ppb))


def seconds_since_2000(time: datetime) -> float:
    """UTC, to the microsecond."""
    return (time - CALENDAR_EPOCH) / _SECOND


def time_of(seconds: float) -> datetime:
    """The time so many seconds after the beginning of 2000, UTC. Raises OverflowError for none."""
    return CALENDAR_EPOCH + timedelta(seconds=seconds)


class MeterClock:
    """The meter's clock: the host's, with offset and drift, which the platform service publishes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.now_ns = clock.now_ns
        self.call_at = clock.call_at
        self._port: SamplingDestinationPort | None = None
        self._version = 0
        self.take(ClockSetting())

    def follow(self, port: SamplingDestinationPort) -> None:
        """Take the setting from `port`: JSON of `ClockSetting`."""
        self._port = port

    def on_news(self, action: Callable[[], None]) -> None:
        """Call `action` when the setting may have changed, if the module configuration has this reader called."""
        if self._port is not None:
            self._port.on_message(action)

    def take(self, setting: ClockSetting) -> None:
        """Let the clock be set so."""
        self._setting, self._held = setting, setting.held
        self._offset, self._drift_ppb = timedelta(seconds=setting.offset_s), setting.drift_ppb
        self._since = time_of(setting.since_s)
        self._stopped = None if setting.stopped_s is None else time_of(setting.stopped_s)

    def host_calendar(self) -> datetime:
        """The host's calendar time in UTC, without the meter's offset."""
        self._look()
        return self._stopped or self._clock.calendar()

    def calendar(self) -> datetime:
        """The meter's calendar time in UTC."""
        self._look()
        if self._held is not None:
            elapsed_us = round((self.now_ns() - self._held.at_ns) * self._held.speed) // 1000
            return time_of(self._held.calendar_s) + timedelta(microseconds=elapsed_us)
        host = self._stopped or self._clock.calendar()
        if self._drift_ppb:
            return host + self._offset + drifted(host - self._since, self._drift_ppb)
        return host + self._offset

    @property
    def setting(self) -> ClockSetting:
        """What was heard last."""
        self._look()
        return self._setting

    @property
    def changes(self) -> int:
        """How often the meter's clock has been set or synchronised."""
        return self.setting.changes

    @property
    def is_lost(self) -> bool:
        """Whether the clock has lost the time and was not set since."""
        return self.setting.held is not None

    @property
    def is_doubtful(self) -> bool:
        """Whether the clock disagrees with a broadcast time."""
        return self.setting.is_doubtful

    @property
    def is_known(self) -> bool:
        """Whether the setting was heard, or nobody tells one."""
        self._look()
        return self._port is None or self._version > 0

    def _look(self) -> None:
        if self._port is not None and self._port.version() != self._version:
            self._version = self._port.version()
            message = self._port.read()[0]
            if message is not None:
                self.take(msgspec.json.decode(message, type=ClockSetting))
