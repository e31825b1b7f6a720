"""Recordings as converters: the secondary side of a recording in counts, repeated as a period or played once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wattwheel.drivers.sim.pacing import Pace
from wattwheel.drivers.sim.recordings import BUNDLED, load_recording
from wattwheel.hil.sampling import SampleBlock, SampleFormat
from wattwheel.model.errors import RecordingError
from wattwheel.model.inputs import RecordingInput
from wattwheel.protocols.recordings.cycles import find_cycles, interpolated, steadiest
from wattwheel.protocols.recordings.mapping import mapped_channels, values_of
from wattwheel.protocols.recordings.recording import Recording

HEADROOM = 1.25
"""Full scale of the converter over the largest value of the recording."""

Values = NDArray[np.float64]


class RecordingSource:
    """A `hil.sampling.SampleSource` that plays counts from a table.

    Args:
        form: what the counts mean.
        voltage, current: counts, shape (n, phases).
        neutral: counts, shape (n,), or None.
        pace: when samples are due.
        repeats: the table is a period; otherwise it is played once.
    """

    def __init__(
        self,
        form: SampleFormat,
        voltage: NDArray[np.signedinteger],
        current: NDArray[np.signedinteger],
        neutral: NDArray[np.signedinteger] | None,
        pace: Pace,
        repeats: bool,
    ) -> None:
        self.format = form
        self._period = len(voltage)
        self._repeats = repeats
        self._pace = pace
        # One second more than a period: every block is then one slice, and nothing is copied while playing.
        length = self._period + (int(form.rate_hz) + 1 if repeats else 0)
        self._voltage, self._current = _repeated(voltage, length), _repeated(current, length)
        self._neutral = None if neutral is None else _repeated(neutral, length)

    def read(self, now_ns: int) -> list[SampleBlock]:
        """Blocks that are due; read-only views of the table."""
        blocks = []
        for first, end in self._pace.take(now_ns, None if self._repeats else self._period):
            begin = first % self._period
            part = slice(begin, begin + end - first)
            neutral = None if self._neutral is None else self._neutral[part]
            blocks.append(SampleBlock(first, self._voltage[part], self._current[part], neutral))
        return blocks

    @property
    def is_finished(self) -> bool:
        """True when a recording that is played once has ended."""
        return not self._repeats and self._pace.taken >= self._period

    def close(self) -> None:
        """Nothing is held."""


def open_recording(
    settings: RecordingInput, origin_ns: int, speed: float, voltage_ratio: float, current_ratio: float
) -> RecordingSource:
    """Source that plays the recording of `settings`.

    Primary values are divided by the ratios (primary over secondary). Raises RecordingError.
    """
    recording = load_recording(settings.path or BUNDLED, settings.rate_hz or None)
    play = settings.play if settings.play != "auto" else "cycles" if settings.path else "period"
    ratios = {"v": voltage_ratio, "i": current_ratio}
    values, rate = _secondary(recording, settings, ratios), recording.fast_run().rate_hz
    if play == "cycles":
        values, rate = _whole_cycles(recording, values, rate)
    phases = "a" if not {"vb", "ib", "vc", "ic"} & set(values) else "abc"
    silence = np.zeros(len(next(iter(values.values()))))
    voltage = np.stack([values.get("v" + p, silence) for p in phases], axis=1)
    current = np.stack([values.get("i" + p, silence) for p in phases], axis=1)
    neutral = values.get("in")
    voltage_step, current_step = _step(voltage, settings.bits), _step(current, settings.bits)
    neutral_step = None if neutral is None else _step(neutral, settings.bits)
    return RecordingSource(
        SampleFormat(rate, (voltage_step,) * len(phases), (current_step,) * len(phases), neutral_step, settings.bits),
        counts_of(voltage, voltage_step, settings.bits),
        counts_of(current, current_step, settings.bits),
        None if neutral is None or neutral_step is None else counts_of(neutral, neutral_step, settings.bits),
        Pace(rate, origin_ns, speed),
        repeats=play != "once",
    )


def counts_of(values: Values, step: float, bits: int) -> NDArray[np.signedinteger]:
    """`values` in whole steps, cut off where the converter ends."""
    limit = 2 ** (bits - 1)
    counts = np.clip(np.rint(values / step), -limit, limit - 1)
    return counts.astype(np.int16 if bits <= 16 else np.int32)


def _step(values: Values, bits: int) -> float:
    peak = float(np.max(np.abs(values), initial=0.0))
    return (peak or 1.0) * HEADROOM / float(2 ** (bits - 1) - 1)


def _repeated(counts: NDArray[np.signedinteger], length: int) -> NDArray[np.signedinteger]:
    table = np.ascontiguousarray(counts[np.arange(length) % len(counts)])
    table.setflags(write=False)
    return table


def _secondary(recording: Recording, settings: RecordingInput, ratios: Mapping[str, float]) -> dict[str, Values]:
    """Values of the mapped channels in the fast run, secondary side."""
    run = recording.fast_run()
    values = {}
    for quantity, channel in mapped_channels(
        recording, {str(k): name for k, name in settings.channels.items()}
    ).items():
        side = settings.side if settings.side != "auto" else channel.side or "secondary"
        ratio = ratios[quantity[0]] if side == "primary" else 1.0
        values[quantity] = values_of(recording, channel, run.first, run.end) / ratio
    return values


def _whole_cycles(recording: Recording, values: dict[str, Values], rate: float) -> tuple[dict[str, Values], float]:
    """The whole cycles of the recording on a whole number of samples, and the rate that keeps their frequency.

    A record without a fundamental stays as it is. Raises RecordingError when there is less than one cycle.
    """
    run = recording.fast_run()
    times = recording.times_s[run.first : run.end] - recording.times_s[run.first]
    found = find_cycles(times, values[steadiest(values)], recording.nominal_hz)
    if found is None:
        return values, rate
    if len(found.crossings_s) < 2:
        raise RecordingError(recording.file, 'holds less than one whole cycle; set play = "period" or "once"')
    begin, end = float(found.crossings_s[0]), float(found.crossings_s[-1])
    count = max(4, round((end - begin) * rate))
    instants = begin + np.arange(count) * (end - begin) / count
    positions = np.interp(instants, times, np.arange(len(times)))
    return {q: interpolated(x, positions) for q, x in values.items()}, count / (end - begin)
