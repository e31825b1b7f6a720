"""Loads for the time machine: what a household draws, one row a minute, out of a file or by the name of a profile.

Two forms of files are read: the plain one (`time,active_power_kw,reactive_power_kvar,voltage_v,current_a`, times in
ISO 8601) and that of the UCI household data set as it is published. A row holds for the minute that begins at its time.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from wattwheel.model.errors import BadInput, RecordingError

ROWS_MAX = 10_000_000
POWER_KILOWATT_MAX = 100_000.0
MINUTE = timedelta(minutes=1)
PLAIN_COLUMNS = ("time", "active_power_kw", "reactive_power_kvar", "voltage_v", "current_a")
UCI_COLUMNS = ("Date", "Time", "Global_active_power", "Global_reactive_power", "Voltage", "Global_intensity")
MISSING = ("", "?")
HOUSE_DAY = Path(__file__).parent / "data" / "house_day.csv"


class LoadRow(NamedTuple):
    """What flows in one minute. Negative active power is exported, positive reactive power lags."""

    active_milliwatt: int
    reactive_millivar: int
    voltage_millivolt: int
    current_microampere: int


def load_rows(where: str, rows_max: int = ROWS_MAX) -> list[LoadRow]:
    """The rows of the file or profile `where`, `rows_max` of them at most. Raises BadInput, RecordingError."""
    if where in PROFILES:
        return PROFILES[where]()[:rows_max]
    path = Path(where)
    if not path.is_file():
        allowed = ", ".join(PROFILES)
        what = "no plain file" if path.exists() else "no such file"
        raise BadInput(f"--load {where}: {what} and no profile of that name; profiles: {allowed}")
    rows: list[LoadRow] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in _rows(where, file):
                rows.append(row)
                if len(rows) == rows_max:
                    break
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise RecordingError(where, f"cannot be read as text: {fault}") from None
    if not rows:
        raise RecordingError(where, "holds no rows")
    return rows


def _rows(where: str, lines: Iterable[str]) -> Iterator[LoadRow]:
    source = iter(lines)
    head = next(source, "").strip()
    separator = ";" if ";" in head else ","
    columns = [name.strip() for name in head.split(separator)]
    if all(name in columns for name in PLAIN_COLUMNS):
        places, time_of = [columns.index(name) for name in PLAIN_COLUMNS[1:]], _plain_time(columns)
    elif all(name in columns for name in UCI_COLUMNS):
        places, time_of = [columns.index(name) for name in UCI_COLUMNS[2:]], _uci_time(columns)
    else:
        allowed = f"{','.join(PLAIN_COLUMNS)} or {';'.join(UCI_COLUMNS)}"
        raise RecordingError(where, f"line 1: found {head[:80]!r}; allowed: a row of names with {allowed}")
    last: LoadRow | None = None
    due: datetime | None = None
    for number, cells in enumerate(csv.reader(source, delimiter=separator), 2):
        if not cells:
            continue
        try:
            time = time_of(cells)
            row = last if last is not None and any(cells[at].strip() in MISSING for at in places) else None
            row = row or _row(*(float(cells[at]) for at in places))
        except (ValueError, IndexError):
            allowed = f"numbers, powers up to {POWER_KILOWATT_MAX:g} kW, a voltage that is not negative"
            found = f"line {number}: found {separator.join(cells)[:80]!r}"
            raise RecordingError(where, f"{found}; allowed: {allowed}") from None
        if due is not None and time != due:
            raise RecordingError(
                where, f"line {number}: found {time.isoformat()}; expected {due.isoformat()}, a minute on"
            )
        due, last = time + MINUTE, row
        yield row


def _plain_time(columns: list[str]) -> Callable[[list[str]], datetime]:
    at = columns.index("time")
    return lambda cells: datetime.fromisoformat(cells[at].strip())


def _uci_time(columns: list[str]) -> Callable[[list[str]], datetime]:
    date, time = columns.index("Date"), columns.index("Time")

    def time_of(cells: list[str]) -> datetime:
        day, month, year = (int(number) for number in cells[date].split("/"))
        hour, minute, second = (int(number) for number in cells[time].split(":"))
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the file's own time, compared with itself

    return time_of


def _row(active_kilowatt: float, reactive_kilovar: float, voltage_v: float, current_a: float) -> LoadRow:
    """Raises ValueError for what no meter can have."""
    values = (active_kilowatt, reactive_kilovar, voltage_v, current_a, voltage_v * current_a / 1e3)
    if voltage_v < 0.0 or not all(math.isfinite(value) and abs(value) <= POWER_KILOWATT_MAX for value in values):
        raise ValueError(values)
    return LoadRow(
        round(active_kilowatt * 1e6), round(reactive_kilovar * 1e6), round(voltage_v * 1e3), round(current_a * 1e6)
    )


def _house() -> list[LoadRow]:
    """The measured day of the simulated house (`[input] kind = "house"`)."""
    rows = []
    for line in HOUSE_DAY.read_text("utf-8").splitlines()[3:]:
        active, reactive, volts = map(float, line.split(","))
        rows.append(_row(active / 1e3, reactive / 1e3, volts, math.hypot(active, reactive) / volts))
    return rows


def _constant() -> list[LoadRow]:
    """One kilowatt and a bit for ever (`[input] kind = "constant"`)."""
    return [_row(1.1, 0.0, 220.0, 5.0)]


PROFILES: dict[str, Callable[[], list[LoadRow]]] = {"house": _house, "constant": _constant}
"""By name."""
