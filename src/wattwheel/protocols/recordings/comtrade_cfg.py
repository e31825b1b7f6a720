"""The configuration part of COMTRADE (IEEE C37.111-1991, -1999, -2013; IEC 60255-24): text in, `Configuration` out."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.recording import CHANNELS_MAX, Section, checked_rate

DATA_FORMATS = ("ASCII", "BINARY", "BINARY32", "FLOAT32")
"""Formats of the data part, 2013 edition clause 7.4.9."""

MICROSECOND_DIGITS = 6
"""Digits behind the second of the start time up to which the time stamps count microseconds; more: nanoseconds."""


@dataclass(frozen=True, slots=True)
class AnalogLine:
    """One analogue channel as configured; value = a * raw + b."""

    name: str
    phase: str
    unit: str
    a: float
    b: float
    skew_us: float
    raw_min: float
    raw_max: float
    ratio: float | None
    side: str | None


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of the configuration that reading the samples needs.

    Attributes:
        sections: sample ranges and rates; empty when the time stamps rule.
        stamp_unit_s: seconds of one unit of the time stamps, multiplier included.
    """

    edition: int
    analog: tuple[AnalogLine, ...]
    digital_count: int
    nominal_hz: float | None
    sections: tuple[Section, ...]
    samples: int
    started: str
    data_format: str
    stamp_unit_s: float


def decode_text(octets: bytes) -> str:
    """Text in UTF-8, GB 18030 or Windows-1251, whichever the octets look like.

    GB 18030 accepts nearly any octets. Its common characters start with an octet up to D7H; lower-case Cyrillic in
    Windows-1251 lies at E0H and above, so the share of pairs that start low tells the two apart.
    """
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        text = octets.decode("gb18030")
    except UnicodeDecodeError:
        return octets.decode("cp1251", errors="replace")
    leads = re.findall(rb"([\x81-\xfe])[\x40-\x7e\x80-\xfe]", octets)
    low = sum(1 for lead in leads if lead[0] <= 0xD7)
    return text if 2 * low >= len(leads) else octets.decode("cp1251", errors="replace")


class _Lines:
    """The lines of the file in turn, each split at its commas; knows where it is."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._lines = text.replace("\x1a", "").split("\n")
        self.number = 0

    @property
    def left(self) -> int:
        return len(self._lines) - self.number

    def take(self, what: str) -> list[str]:
        if self.left <= 0:
            raise RecordingError(self.file, f"ends before {what}; the file is cut, copy it again")
        self.number += 1
        return [field.strip() for field in self._lines[self.number - 1].split(",")]

    def error(self, why: str) -> RecordingError:
        return RecordingError(self.file, f"line {self.number}: {why}")

    def number_of(self, field: str, what: str, default: float | None = None) -> float:
        if not field and default is not None:
            return default
        try:
            value = float(field)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"{what} is {field[:40]!r}; allowed: a finite number")
        return value

    def count_of(self, field: str, what: str) -> int:
        if not re.fullmatch(r"\+?[0-9]{1,12}", field):
            raise self.error(f"{what} is {field[:40]!r}; allowed: a whole number of up to 12 digits")
        return int(field)


def read_configuration(file: str, octets: bytes) -> Configuration:
    """Configuration in the octets of a .cfg file; RecordingError saying line and reason when it is none."""
    lines = _Lines(file, decode_text(octets).replace("\r\n", "\n").replace("\r", "\n"))
    head = lines.take("its first line")
    edition = _edition(lines, head)
    counts = lines.take("the channel counts")
    analog_count, digital_count = _channel_counts(lines, counts)
    analog = tuple(_analog(lines, lines.take(f"analogue channel {i + 1}")) for i in range(analog_count))
    for i in range(digital_count):
        lines.take(f"status channel {i + 1}")
    line_field = lines.take("the line frequency")[0]
    nominal = lines.number_of(line_field, "line frequency", 0.0)
    sections, samples = _rates(lines)
    started = ",".join(lines.take("the start time"))
    lines.take("the trigger time")
    data_format = lines.take("the data format")[0].upper()
    if data_format not in DATA_FORMATS:
        raise lines.error(f"data format is {data_format[:40]!r}; allowed: {', '.join(DATA_FORMATS)}")
    multiplier = lines.number_of(lines.take("the time multiplier")[0], "time multiplier", 1.0) if lines.left else 1.0
    digits = len(started.rpartition(".")[2].strip()) if "." in started else 0
    unit = (1e-9 if digits > MICROSECOND_DIGITS else 1e-6) * (multiplier if multiplier > 0 else 1.0)
    return Configuration(
        edition, analog, digital_count, nominal if nominal > 0 else None, sections, samples, started, data_format, unit
    )


def _edition(lines: _Lines, head: list[str]) -> int:
    if len(head) < 2:
        raise lines.error("no station and device name; this is not a COMTRADE configuration")
    if len(head) < 3 or not head[2]:
        return 1991
    year = lines.count_of(head[2], "edition")
    return 2013 if year >= 2013 else 1999 if year > 1991 else 1991


def _channel_counts(lines: _Lines, fields: list[str]) -> tuple[int, int]:
    counts = {"A": 0, "D": 0}
    for field in fields[1:]:
        if field:
            kind = field[-1].upper()
            if kind not in counts:
                raise lines.error(f"channel count {field[:40]!r}; allowed: a number and A or D, as in 8,6A,2D")
            counts[kind] = lines.count_of(field[:-1].strip(), "channel count")
    total = counts["A"] + counts["D"]
    if total > min(CHANNELS_MAX, lines.left):
        raise lines.error(f"{total} channels announced, but only {lines.left} lines follow; the file is cut or damaged")
    if not counts["A"]:
        raise lines.error("no analogue channel; there is nothing to meter")
    return counts["A"], counts["D"]


def _analog(lines: _Lines, fields: list[str]) -> AnalogLine:
    if len(fields) < 7:
        raise lines.error(f"{len(fields)} fields in an analogue channel; allowed: 10 or 13")
    fields = fields + [""] * (13 - len(fields))
    primary, secondary = lines.number_of(fields[10], "primary", 0.0), lines.number_of(fields[11], "secondary", 0.0)
    return AnalogLine(
        name=fields[1] or fields[0],
        phase=fields[2],
        unit=fields[4],
        a=lines.number_of(fields[5], "factor a"),
        b=lines.number_of(fields[6], "offset b", 0.0),
        skew_us=lines.number_of(fields[7], "skew", 0.0),
        raw_min=lines.number_of(fields[8], "minimum", -math.pi),  # no raw value
        raw_max=lines.number_of(fields[9], "maximum", math.pi),
        ratio=_ratio(primary, secondary),
        side={"P": "primary", "S": "secondary"}.get(fields[12].upper()[:1]),
    )


def _ratio(primary: float, secondary: float) -> float | None:
    """Primary over secondary, None where the file does not say both or no number can hold it."""
    ratio = primary / secondary if primary > 0 and secondary > 0 else 0.0
    return ratio if 0 < ratio < math.inf else None


def _rates(lines: _Lines) -> tuple[tuple[Section, ...], int]:
    count = lines.count_of(lines.take("the number of rates")[0], "number of rates")
    if count > lines.left:
        raise lines.error(f"{count} sampling rates announced, but only {lines.left} lines follow; the file is cut")
    sections: list[Section] = []
    end = 0
    for i in range(max(count, 1)):
        fields = lines.take(f"sampling rate {i + 1}")
        if len(fields) < 2:
            raise lines.error("one field in a sampling-rate line; allowed: rate,last sample")
        rate, last = lines.number_of(fields[0], "sampling rate"), lines.count_of(fields[1], "last sample")
        if last <= end:
            raise lines.error(f"last sample {last} of this rate; allowed: more than {end}")
        if count and rate:
            sections.append(Section(end, last, checked_rate(lines.file, rate, f"line {lines.number}")))
        end = last
    if len(sections) not in (0, count):
        raise lines.error("sampling rate 0 beside others; allowed: all rates above 0, or none and time stamps")
    return tuple(sections), end
