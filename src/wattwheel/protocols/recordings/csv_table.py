"""Comma-separated tables of samples: a header row, then one row a sample."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.comtrade_cfg import decode_text
from wattwheel.protocols.recordings.recording import (
    CHANNELS_MAX,
    Channel,
    Recording,
    Section,
    checked_rate,
    sections_of_stamps,
    uniform_times,
)

TIME_COLUMN = "time_s"
"""Name of the column that holds the sample time in seconds."""

DELIMITERS = (";", "\t", ",")
"""Looked for in this order: a semicolon or tab in the header leaves the comma to the decimals."""

COLUMN = re.compile(r"(voltage|current)_([abcn])(?:_(m?|k?)([va]))?", re.IGNORECASE)
"""Column names that say quantity, phase and unit: voltage_a_v, current_n_a, current_b_ma."""

FACTORS = {"": 1.0, "m": 1e-3, "k": 1e3}


def read_csv(file: str, octets: bytes, rate_hz: float | None = None) -> Recording:
    """The recording in a table with a header row; the rate comes from `time_s` or, where given, from `rate_hz`.

    Raises RecordingError with the line for anything else.
    """
    lines = decode_text(octets).replace("\x1a", "").splitlines()
    head = next((k for k, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if head is None:
        raise RecordingError(file, f"is empty; allowed: a header row ({TIME_COLUMN},voltage_a_v,...), then numbers")
    delimiter = next((d for d in DELIMITERS if d in lines[head]), ",")
    names = [name.strip().strip('"') for name in lines[head].split(delimiter)]
    _check_header(file, head + 1, names)
    table = _numbers(file, lines, head + 1, len(names), delimiter)
    time_column = next((k for k, name in enumerate(names) if name.casefold() == TIME_COLUMN), None)
    sections: tuple[Section, ...]
    if rate_hz is not None:
        rate = checked_rate(file, rate_hz, "--rate")
        times, sections = uniform_times(len(table), rate), (Section(0, len(table), rate),)
    elif time_column is None:
        raise RecordingError(file, f"no column {TIME_COLUMN} among {', '.join(names[:12])}; add it or give --rate HZ")
    else:
        times, sections = _times(file, table[:, time_column])
    channels = tuple(_channel(name, table[:, k]) for k, name in enumerate(names) if k != time_column)
    return Recording(file, "CSV", channels, times, sections)


def _check_header(file: str, line: int, names: list[str]) -> None:
    if len(names) > CHANNELS_MAX:
        raise RecordingError(file, f"line {line}: {len(names)} columns; allowed: up to {CHANNELS_MAX}")
    if all(_is_number(name) for name in names):
        raise RecordingError(file, f"line {line}: numbers where the header row ({TIME_COLUMN},voltage_a_v,...) belongs")
    if [name.casefold() for name in names] == [TIME_COLUMN]:
        raise RecordingError(file, f"line {line}: no column beside {TIME_COLUMN}; add voltage_a_v or the like")


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _numbers(file: str, lines: list[str], start: int, width: int, delimiter: str) -> NDArray[np.float64]:
    rows: list[NDArray[np.float64]] = []
    for number, line in enumerate(lines[start:], start=start + 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(delimiter)
        if len(fields) != width:
            raise RecordingError(file, f"line {number}: {len(fields)} fields; allowed: {width}, as in the header row")
        rows.append(np.array([_number(file, number, k, field, delimiter) for k, field in enumerate(fields)]))
    if not rows:
        raise RecordingError(file, "no row of numbers under the header row; the file is cut, copy it again")
    return np.array(rows)


def _number(file: str, line: int, column: int, field: str, delimiter: str) -> float:
    text = field.strip().strip('"')
    if not text:
        return math.nan
    try:
        value = float(text.replace(",", ".") if delimiter != "," else text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RecordingError(
            file, f"line {line}, column {column + 1}: found {text[:40]!r}; allowed: a finite number or nothing"
        )
    return value


def _times(file: str, column: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[Section, ...]]:
    if np.isnan(column).any():
        row = int(np.argmax(np.isnan(column))) + 1
        raise RecordingError(file, f"no {TIME_COLUMN} at sample {row}; fill it in or give --rate HZ")
    span = abs(float(column[-1] - column[0])) if len(column) > 1 else 0.0
    return sections_of_stamps(file, column, _resolution(column, span))


def _resolution(column: NDArray[np.float64], span: float) -> float:
    """The unit that the times are rounded to, found among powers of ten; a millionth of a step at least."""
    for digits in range(1, 13):
        unit = 10.0**-digits
        if np.all(np.abs(column / unit - np.round(column / unit)) < 1e-3):
            return unit
    return 1e-6 * span / max(len(column) - 1, 1)


def _channel(name: str, values: NDArray[np.float64]) -> Channel:
    match = COLUMN.fullmatch(name)
    if not match:
        return Channel(name, "", "", values)
    unit = "V" if match.group(1).lower() == "voltage" else "A"
    return Channel(name, unit, match.group(2).upper(), values, scale=FACTORS[(match.group(3) or "").lower()])
