"""What a recording is once it is read: named channels, sample times, sections of constant rate."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wattwheel.model.errors import RecordingError

CHANNELS_MAX = 100_000
"""Channels of one recording; more is refused as a damaged header."""

RATE_HZ_MIN, RATE_HZ_MAX = 1e-6, 100e6
"""Slowest (a sample in eleven days) and fastest sampling that is believed."""

VALUE_MAX = 1e30
"""Largest sample in V or A: its squares and their sums stay finite."""

RATE_SPREAD = 0.05
"""Sections whose rates differ by less are one run: recorders that follow the mains restate their rate."""

INTERVAL_JUMP = 0.5
"""Relative change of the distance of two samples that starts a new section where only time stamps tell the rate."""

STAMP_JITTER = 1.5
"""Time stamps that lie this many of their units or less from a straight line come from a constant rate."""

UNITS = {
    "v": ("V", 1.0),
    "volt": ("V", 1.0),
    "volts": ("V", 1.0),
    "kv": ("V", 1e3),
    "mv": ("V", 1e-3),
    "a": ("A", 1.0),
    "amp": ("A", 1.0),
    "amps": ("A", 1.0),
    "ampere": ("A", 1.0),
    "amperes": ("A", 1.0),
    "ka": ("A", 1e3),
    "ma": ("A", 1e-3),
    "в": ("V", 1.0),
    "кв": ("V", 1e3),
    "а": ("A", 1.0),
    "ка": ("A", 1e3),
}
"""Units as recorders write them, in any case: unit here, factor. Megavolt does not occur: `MV` is milli."""


def unit_of(text: str) -> tuple[str, float]:
    """Unit `V` or `A` and the factor to it; an unknown unit stays as it is, factor 1."""
    return UNITS.get(text.strip().casefold(), (text.strip(), 1.0))


@dataclass(frozen=True, slots=True)
class Channel:
    """One analogue channel. Value = (raw * scale + offset), in `unit`.

    Attributes:
        name: as the file has it.
        unit: `V`, `A`, `1` for a recording without scale, or what the file says.
        phase: phase as the file states it, empty where it does not.
        raw: what is stored, shape (n,), integers or float64; may be a view of the file's octets.
        skew_s: how much later than the sample time the channel was sampled, seconds.
        side: `primary` or `secondary` where the file says which side of the transformers the values are of.
        ratio: primary over secondary, where the file says it.
        missing: raw value that stands for a lost sample, None when there is none.
    """

    name: str
    unit: str
    phase: str
    raw: NDArray[Any]
    scale: float = 1.0
    offset: float = 0.0
    skew_s: float = 0.0
    side: str | None = None
    ratio: float | None = None
    missing: float | None = None

    def samples(self, first: int = 0, end: int | None = None) -> NDArray[np.float64]:
        """Values of the samples `first` to `end` (exclusive) in `unit`; lost ones are NaN, too large ones infinite."""
        raw = self.raw[first:end]
        with np.errstate(over="ignore", invalid="ignore"):  # no supply has such values: see VALUE_MAX
            values = raw.astype(np.float64) * self.scale + self.offset
        if self.missing is not None:
            values[raw == self.missing] = np.nan
        if raw.dtype.kind == "f":
            values[np.isinf(raw)] = np.nan
        return values


@dataclass(frozen=True, slots=True)
class Section:
    """Samples `first` to `end` (exclusive) taken at one rate."""

    first: int
    end: int
    rate_hz: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, read and checked.

    Attributes:
        file: name to use in messages.
        kind: what it is, in words (`COMTRADE 1999 BINARY`).
        channels: at least one.
        times_s: time of every sample since the first, strictly rising, shape (n,), n at least 1.
        sections: stretches of constant rate, in order; at least one.
        nominal_hz: line frequency where the file states it.
        started: date and time of the first sample as the file has it.
    """

    file: str
    kind: str
    channels: tuple[Channel, ...]
    times_s: NDArray[np.float64]
    sections: tuple[Section, ...]
    nominal_hz: float | None = None
    started: str | None = None

    def __len__(self) -> int:
        return len(self.times_s)

    def fast_run(self) -> Section:
        """The longest stretch, the first of equals, at about the highest rate; slow sections carry no waveform."""
        fastest = max(section.rate_hz for section in self.sections)
        runs: list[list[Section]] = []
        for section in self.sections:
            if section.rate_hz < fastest * (1 - RATE_SPREAD):
                continue
            if runs and self._adjoin(runs[-1][-1], section):
                runs[-1].append(section)
            else:
                runs.append([section])
        best = max(runs, key=lambda run: run[-1].end - run[0].first)
        first, end = best[0].first, best[-1].end
        if len(best) == 1:
            return best[0]
        return Section(first, end, (end - first - 1) / float(self.times_s[end - 1] - self.times_s[first]))

    def _adjoin(self, one: Section, next_one: Section) -> bool:
        if next_one.first != one.end:
            return False
        step = float(self.times_s[next_one.first] - self.times_s[one.end - 1])
        return step < (1 + INTERVAL_JUMP) / min(one.rate_hz, next_one.rate_hz)


def checked_rate(file: str, rate_hz: float, where: str) -> float:
    """`rate_hz` when it can be a sampling rate; RecordingError naming `where` otherwise."""
    if not RATE_HZ_MIN <= rate_hz <= RATE_HZ_MAX:
        allowed = f"{RATE_HZ_MIN:g} to {RATE_HZ_MAX:g}"
        raise RecordingError(file, f"{where}: sampling rate {rate_hz:g} Hz; allowed: {allowed}")
    return rate_hz


def uniform_times(count: int, rate_hz: float) -> NDArray[np.float64]:
    """Times of `count` samples at `rate_hz`."""
    return np.arange(count, dtype=np.float64) / rate_hz


def times_of_sections(sections: tuple[Section, ...]) -> NDArray[np.float64]:
    """Sample times from rates alone; the step after a sample is that of the section the sample is in."""
    steps = np.concatenate([np.full(s.end - s.first, 1.0 / s.rate_hz) for s in sections])
    times: NDArray[np.float64] = np.concatenate([np.zeros(1), np.cumsum(steps[:-1])])
    return times


def sections_of_stamps(
    file: str, times_s: NDArray[np.float64], unit_s: float
) -> tuple[NDArray[np.float64], tuple[Section, ...]]:
    """Sample times freed of their rounding to `unit_s`, and the sections found in them.

    Raises RecordingError where time stands still or runs back.
    """
    if len(times_s) < 2:
        raise RecordingError(file, "one sample only and no sampling rate; at least two time stamps are needed")
    steps = np.diff(times_s)
    if not np.all(steps > 0):
        row = int(np.argmin(steps > 0)) + 2
        raise RecordingError(file, f"time does not rise from sample {row - 1} to sample {row}; give --rate HZ instead")
    changes = np.flatnonzero(np.abs(steps[1:] / steps[:-1] - 1) > INTERVAL_JUMP) + 1
    edges = [0, *changes.tolist(), len(steps)]
    times, sections, taken = times_s - times_s[0], [], 0
    for begin, end in pairwise(edges):
        first, last = max(begin, taken), end
        if last - first < 2 and len(edges) > 2:  # the jump itself, not a section
            continue
        rate = (last - first) / float(times[last] - times[first])
        straight = times[first] + np.arange(last - first + 1) / rate
        if np.max(np.abs(straight - times[first : last + 1])) <= STAMP_JITTER * unit_s:
            times[first : last + 1] = straight
        sections.append(Section(first, last + 1, checked_rate(file, rate, "time stamps")))
        taken = last + 1
    if not sections:
        raise RecordingError(file, "the time stamps show no stretch of constant rate; give --rate HZ instead")
    return times, tuple(sections)
