"""COMTRADE recordings: configuration and data octets in, `Recording` out.

Editions 1991, 1999 and 2013; ASCII, BINARY, BINARY32 and FLOAT32 data; several rates in one file; sampling by time
stamps; the single-file form of 2013 (.cff). A header is never trusted with memory: what it announces is compared with
what is there.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.comtrade_cfg import AnalogLine, Configuration, read_configuration
from wattwheel.protocols.recordings.recording import (
    Channel,
    Recording,
    Section,
    sections_of_stamps,
    times_of_sections,
    unit_of,
)

RAW_TYPES = {"BINARY": "<i2", "BINARY32": "<i4", "FLOAT32": "<f4"}
"""Octets of one analogue value in the binary formats, little-endian."""

STAMP_MISSING = 0xFFFFFFFF
"""Binary time stamp of a record that has none."""

ASCII_MISSING = 99999.0
"""ASCII value of a lost sample, where the channel's own maximum is lower."""

CFF_HEADING = re.compile(
    rb"^--- *file type: *([A-Z]+) *([A-Z0-9]*)[^\r\n]*---[ \t]*\r?\n?", re.IGNORECASE | re.MULTILINE
)


def read_comtrade(cfg_file: str, cfg: bytes, dat_file: str, dat: bytes) -> Recording:
    """The recording in a .cfg and a .dat; the file names are for messages only.

    Raises RecordingError for anything that is not a whole COMTRADE recording.
    """
    configuration = read_configuration(cfg_file, cfg)
    rows = _ascii_rows if configuration.data_format == "ASCII" else _binary_rows
    raw, stamps = rows(dat_file, dat, configuration)
    if len(raw) < configuration.samples:
        raise RecordingError(
            dat_file,
            f"ends after sample {len(raw)} of the {configuration.samples} that {cfg_file} announces; "
            "the file is cut, copy it again",
        )
    if configuration.sections:
        sections = _to_the_end(configuration.sections, len(raw))
        times = times_of_sections(sections)
    else:
        times, sections = sections_of_stamps(
            dat_file, _times_of_stamps(dat_file, stamps, configuration), configuration.stamp_unit_s
        )
    channels = tuple(
        _channel(line, raw[:, k], configuration.data_format) for k, line in enumerate(configuration.analog)
    )
    kind = f"COMTRADE {configuration.edition} {configuration.data_format}"
    return Recording(cfg_file, kind, channels, times, sections, configuration.nominal_hz, configuration.started)


def split_cff(file: str, octets: bytes) -> tuple[bytes, bytes]:
    """The CFG and DAT parts of a single-file recording (2013 edition)."""
    headings = list(CFF_HEADING.finditer(octets))
    parts: dict[bytes, bytes] = {}
    for k, heading in enumerate(headings):
        kind = heading.group(1).upper()
        end = headings[k + 1].start() if k + 1 < len(headings) and kind != b"DAT" else len(octets)
        parts.setdefault(kind, octets[heading.end() : end])
    for kind in (b"CFG", b"DAT"):
        if kind not in parts:
            raise RecordingError(file, f"no section '--- file type: {kind.decode()} ---'; the file is cut or no .cff")
    return parts[b"CFG"], parts[b"DAT"]


def _to_the_end(sections: tuple[Section, ...], count: int) -> tuple[Section, ...]:
    """Sections stretched over samples behind the last announced one: some recorders count from zero."""
    return (*sections[:-1], replace(sections[-1], end=max(count, sections[-1].end)))


def _channel(line: AnalogLine, raw: NDArray[Any], data_format: str) -> Channel:
    unit, factor = unit_of(line.unit)
    missing: float | None = {"BINARY": -32768.0, "BINARY32": -2147483648.0}.get(data_format)
    if data_format == "ASCII":
        missing = ASCII_MISSING if line.raw_max < ASCII_MISSING else None
    elif missing is not None and line.raw_min <= missing:
        missing = None  # the channel uses the whole range
    return Channel(
        name=line.name,
        unit=unit,
        phase=line.phase,
        raw=raw,
        scale=line.a * factor,
        offset=line.b * factor,
        skew_s=line.skew_us * 1e-6,
        side=line.side,
        ratio=line.ratio,
        missing=missing,
    )


def _binary_rows(file: str, dat: bytes, configuration: Configuration) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Raw values (n, channels) as a view of the file, and time stamps, NaN where a record has none."""
    row = np.dtype(
        [
            ("number", "<u4"),
            ("stamp", "<u4"),
            ("analog", RAW_TYPES[configuration.data_format], (len(configuration.analog),)),
            ("status", "<u2", ((configuration.digital_count + 15) // 16,)),
        ]
    )
    count = len(dat) // row.itemsize
    if not count:
        raise RecordingError(file, f"{len(dat)} octets, less than one record of {row.itemsize}; the file is cut")
    records = np.frombuffer(dat, dtype=row, count=count)
    stamps = records["stamp"].astype(np.float64)
    stamps[records["stamp"] == STAMP_MISSING] = np.nan
    return records["analog"], stamps


def _ascii_rows(file: str, dat: bytes, configuration: Configuration) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Raw values (n, channels) and time stamps; empty fields are NaN."""
    analog = len(configuration.analog)
    commas = 1 + analog + configuration.digital_count
    table: list[NDArray[np.float64]] = []
    for number, line in enumerate(dat.replace(b"\x1a", b"").splitlines(), start=1):
        if not line.strip():
            continue
        if line.count(b",") != commas and line.rstrip().rstrip(b",").count(b",") != commas:
            raise RecordingError(
                file, f"line {number}: {line.count(b',') + 1} fields; allowed: {commas + 1}; the file is cut or damaged"
            )
        fields = line.split(b",", 2 + analog)[1 : 2 + analog]
        table.append(_row(file, number, fields))
    if not table:
        raise RecordingError(file, "holds no samples; the file is cut, copy it again")
    values = np.array(table)
    return values[:, 1:], values[:, 0]


def _row(file: str, number: int, fields: list[bytes]) -> NDArray[np.float64]:
    values = np.empty(len(fields))
    for k, field in enumerate(fields):
        try:
            value = float(field) if field.strip() else math.nan
        except ValueError:
            value = math.inf
        if math.isinf(value) or (math.isnan(value) and field.strip()):
            found = field.decode("latin-1").strip()[:40]
            raise RecordingError(file, f"line {number}, field {k + 2}: found {found!r}; allowed: a number or nothing")
        values[k] = value
    return values


def _times_of_stamps(file: str, stamps: NDArray[np.float64], configuration: Configuration) -> NDArray[np.float64]:
    if np.isnan(stamps).any():
        row = int(np.argmax(np.isnan(stamps))) + 1
        raise RecordingError(file, f"no sampling rate in the configuration and no time stamp at sample {row}")
    times: NDArray[np.float64] = stamps * configuration.stamp_unit_s
    return times
