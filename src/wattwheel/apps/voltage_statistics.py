"""Voltage qualification by months (0310xxmm): of the meter and each phase, the running month and twelve before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from wattwheel.apps.event_records import number_octets
from wattwheel.apps.functions import EPOCH
from wattwheel.model.event_ring import count_octets
from wattwheel.model.event_thresholds import Thresholds
from wattwheel.model.ratings import Ratings
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.voltage_qualification import (
    Qualification,
    VoltageLimits,
    combined_minute_looked,
    minute_looked,
)

STATISTICS_DI = 0x0310
MONTHS_MAX = 12
COLUMNS = 4
"""The meter, then the phases a, b, c."""

MONTH_LIMIT = 1200
"""A century of months."""

CLOCK_SET_S = 300
"""A clock that was moved by more than that against the intervals was set; by less, it was corrected."""

MONTHS_KEY = "recording voltage months"


class RunningMonth(msgspec.Struct, array_like=True):
    """What was counted in a month. `month`: since January 2000; `minute`: the last one that was counted."""

    month: int = -1
    minute: int = -1
    columns: list[Qualification] = msgspec.field(default_factory=lambda: [Qualification() for _ in range(COLUMNS)])


class VoltageStatistics:
    """Counts once a minute; a month that has ended becomes the newest of those before."""

    def __init__(self, ratings: Ratings, running: RunningMonth | None = None, months: bytes | None = None) -> None:
        """`running` and `months`: as they were saved, the latter under `MONTHS_KEY`."""
        self._phases = ratings.phases
        self.running = running if running is not None and _is_sound_month(running) else RunningMonth()
        self.months = _months_of(months)
        self._minutes_of_month = range(0)
        self._last: RegisterImage | None = None
        self._has_turned = False
        self._limits = VoltageLimits(0, 0, 0, 0)
        self._limits_of: Thresholds | None = None

    def minute(self, image: RegisterImage, voltages: Sequence[int | None], thresholds: Thresholds) -> None:
        """Count the minute that begins with `image`; `voltages`: of the phases in 0.1 V."""
        minute = image.minute
        if minute not in self._minutes_of_month:
            self._turn_month(image)
        self._last = image
        running = self.running
        if minute == running.minute:  # seen before a restart
            return
        running.minute = minute
        if thresholds is not self._limits_of:
            self._limits_of, self._limits = thresholds, _limits(thresholds)
        limits = self._limits
        if not limits.are_valid:
            return
        known = [voltage for phase in self._phases if (voltage := voltages[phase]) is not None]
        total, *columns = running.columns
        combined_minute_looked(total, known, limits, minute)
        for phase in self._phases:
            if (voltage := voltages[phase]) is not None:
                minute_looked(columns[phase], voltage, limits, minute)
        if self._phases == (0, 2):  # the middle phase of three wires counts as qualified
            columns[1].monitored_minutes = total.monitored_minutes

    def _turn_month(self, image: RegisterImage) -> None:
        local = EPOCH + timedelta(seconds=image.second)
        month = 12 * (local.year - EPOCH.year) + local.month - 1
        self._minutes_of_month = range(_first_minute(month), _first_minute(month + 1))
        running = self.running
        was_set = self._last is not None and _was_set(self._last, image)
        if running.month >= 0 and month > running.month and not was_set:
            none = [
                [Qualification() for _ in range(COLUMNS)] for _ in range(min(MONTHS_MAX, month - running.month - 1))
            ]
            self.months = [*none, running.columns, *self.months][:MONTHS_MAX]
            self.running = RunningMonth(month)
            self._has_turned = True
        running = self.running
        running.month = month

    def changes(self) -> dict[str, bytes]:
        """What has to be saved beside `running`."""
        changes = {MONTHS_KEY: msgspec.msgpack.encode(self.months)} if self._has_turned else {}
        self._has_turned = False
        return changes

    def emptied(self) -> RunningMonth:
        """`running` after a clear; nothing changes yet."""
        return RunningMonth(self.running.month, self.running.minute)

    def clear(self) -> None:
        """Empty everything: it has been saved."""
        self.running, self.months, self._has_turned = self.emptied(), [], False

    def look(self, di: int) -> bytes | None:
        """Octets of a month of the meter or a phase; None: it is none, or was not counted."""
        column, number = di >> 8 & 0xFF, di & 0xFF
        if di >> 16 != STATISTICS_DI or column >= COLUMNS or number > len(self.months) or self.running.month < 0:
            return None
        columns = self.months[number - 1] if number else self.running.columns
        return _record(columns[column])

    def listed(self) -> list[int]:
        """The identifiers that `look` answers."""
        months = range(len(self.months) + 1) if self.running.month >= 0 else ()
        return [STATISTICS_DI << 16 | column << 8 | number for column in range(COLUMNS) for number in months]


def _limits(thresholds: Thresholds) -> VoltageLimits:
    return VoltageLimits(
        thresholds.voltage_upper, thresholds.voltage_lower, thresholds.check_upper, thresholds.check_lower
    )


def _first_minute(month: int) -> int:
    first = datetime(EPOCH.year + month // 12, month % 12 + 1, 1, tzinfo=EPOCH.tzinfo)
    return (first - EPOCH) // timedelta(minutes=1)


def _was_set(before: RegisterImage, now: RegisterImage) -> bool:
    interval_s = (now.at_ns - before.at_ns) / 1e9
    return now.clock_changes != before.clock_changes and abs(now.second - before.second - interval_s) > CLOCK_SET_S


def _record(state: Qualification) -> bytes:
    minutes = (state.over_minutes, state.under_minutes)
    return (
        count_octets(min(state.monitored_minutes, 999_999), 3)
        + b"".join(count_octets(rate, 3) for rate in (state.rate, state.over_rate))
        + b"".join(count_octets(min(count, 999_999), 3) for count in minutes)
        + _extreme(state.highest)
        + _extreme(state.lowest)
    )


def _extreme(extreme: tuple[int, int] | None) -> bytes:
    if extreme is None:
        return bytes(6)
    voltage, minute = extreme
    local = EPOCH + timedelta(minutes=minute)
    return number_octets(voltage, 2) + bytes.fromhex(f"{local:%m%d%H%M}")[::-1]


def _is_sound(columns: Sequence[Qualification]) -> bool:
    extremes = [extreme for each in columns for extreme in (each.highest, each.lowest) if extreme is not None]
    counts = [number for each in columns for number in (each.monitored_minutes, each.over_minutes, each.under_minutes)]
    return (
        len(columns) == COLUMNS
        and all(count >= 0 for count in counts)
        and all(each.over_minutes + each.under_minutes <= each.monitored_minutes for each in columns)
        and all(0 <= minute < 1 << 26 and voltage >= 0 for voltage, minute in extremes)
    )


def _is_sound_month(running: RunningMonth) -> bool:
    return _is_sound(running.columns) and -1 <= running.month < MONTH_LIMIT


def _months_of(saved: bytes | None) -> list[list[Qualification]]:
    try:
        months = msgspec.msgpack.decode(saved or b"", type=list[list[Qualification]])
    except (ValueError, RecursionError):
        return []
    return months if len(months) <= MONTHS_MAX and all(map(_is_sound, months)) else []
