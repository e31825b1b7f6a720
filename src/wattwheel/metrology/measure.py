"""The signal chain: samples in, windows out.

    samples -> history -> zero crossings -> cycle marks -> windows: exact sums -> powers, phasors -> registers, pulses

The chain is a value of its samples: the same samples give the same windows, bit for bit, in whatever blocks they come.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from wattwheel.metrology.calibration import Calibration, lags, response
from wattwheel.metrology.crossing import TICKS_PER_SAMPLE, CrossingFilter, CrossingTracker
from wattwheel.metrology.cycles import Span, Synchroniser, WindowKind
from wattwheel.metrology.history import History
from wattwheel.metrology.quantities import Scales, Window
from wattwheel.metrology.window import EDGE_AFTER, EDGE_BEFORE, FLOAT_BITS_MAX, Summer
from wattwheel.metrology.wiring import Rating, Wiring, check, columns

if TYPE_CHECKING:
    from wattwheel.hil.sampling import SampleBlock, SampleFormat
    from wattwheel.metrology.halfcycle import HalfCycles
    from wattwheel.metrology.history import Counts

PIECE_SAMPLES = 1 << 15
"""Larger blocks are worked through in pieces of this many samples, which stay in the processor's cache."""

SHORTEST_WINDOW_SAMPLES = 8
"""What is left beside a gap is metered if it is at least this long."""


class Chain:
    """Meters the samples of one source.

    Attributes:
        gaps: how often samples were missing.
        samples_lost: how many were missing; nothing was metered for them.
        samples_repeated: how many came again and were left out.
        samples_unmetered: how many came but lie outside of every window (a few beside each start and gap).
    """

    def __init__(
        self,
        form: SampleFormat,
        wiring: Wiring = Wiring.SINGLE_PHASE,
        rating: Rating = Rating(),  # noqa: B008 - a frozen value
        calibration: Calibration = Calibration(),  # noqa: B008 - a frozen value
        half_cycles: HalfCycles | None = None,
    ) -> None:
        """Raises ConfigError when form, wiring, rating and calibration do not fit together."""
        check(form, rating)
        self._columns = columns(form, wiring)
        phases = len(self._columns)
        calibration = calibration.filled(phases)
        self._has_neutral = form.neutral_a_per_count is not None
        channels = 2 * phases + self._has_neutral
        self._turns = [  # delay of current behind its voltage, and of the voltage, in samples
            ((i.delay_s - v.delay_s) * form.rate_hz, v.delay_s * form.rate_hz)
            for v, i in zip(calibration.voltage, calibration.current, strict=True)
        ]
        self._lags = tuple(lags(skew) if skew else None for skew, _ in self._turns)
        self._summer = Summer(phases, channels, form.bits, self._lags)
        self._scales = _scales(form, wiring, rating, calibration, self._columns, self._summer.margin)
        self._has_delays = any(skew or delay for skew, delay in self._turns)
        self._power_factors = [v * i for v, i in zip(self._scales.volts, self._scales.amperes, strict=True)]
        self._channel_factors = self._scales.factors
        kernel = CrossingFilter(form.rate_hz, rating.nominal_hz)
        dead = rating.interruption_share * rating.reference_voltage_v * math.sqrt(2.0)
        self._trackers = [
            CrossingTracker(kernel, phase, dead / abs(factor)) for phase, factor in enumerate(self._scales.volts)
        ]
        self._synchroniser = Synchroniser(form.rate_hz, rating.nominal_hz, rating.cycles_per_window, phases)
        self._before = EDGE_BEFORE + self._summer.margin
        self._after = EDGE_AFTER + self._summer.margin
        self._kept = self._before + 2 * (kernel.memory + 2) * kernel.group
        dtype = np.int16 if form.bits <= FLOAT_BITS_MAX else np.int32
        self._history = History(channels, dtype, 3 * PIECE_SAMPLES)
        self._half_cycles = half_cycles
        self._means = [0.0] * channels
        self._is_started = False
        self.gaps = self.samples_lost = self.samples_repeated = self.samples_unmetered = 0

    @property
    def scales(self) -> Scales:
        """What counts mean, gains included."""
        return self._scales

    @property
    def samples_end(self) -> int:
        """Absolute number of the sample that should come next."""
        return self._history.end

    def feed(self, block: SampleBlock) -> list[Window]:
        """Take samples; give the windows that they complete, oldest first.

        After a gap in `block.first` the windows before it are closed and the chain begins anew: nothing is invented.
        """
        windows: list[Window] = []
        first, count = block.first, len(block.voltage)
        if not self._is_started:
            self._start(first)
        elif first > self._history.end:
            windows = self.finish()
            self.gaps += 1
            self.samples_lost += first - self._history.end
            self._start(first)
        skipped = min(count, self._history.end - first)
        self.samples_repeated += skipped
        rows = self._rows(block)
        for at in range(skipped, count, PIECE_SAMPLES):
            self._history.append([row[at : at + PIECE_SAMPLES] for row in rows])
            crossings = [tracker.feed(self._history) for tracker in self._trackers]
            horizon = min(self._trackers[0].horizon_ticks, (self._history.end - self._after) * TICKS_PER_SAMPLE - 1)
            windows += [self._close(span) for span in self._synchroniser.advance(crossings, horizon)]
        return windows

    def finish(self) -> list[Window]:
        """Meter what is left up to the last sample: at an orderly stop, and before a gap."""
        if not self._is_started:
            return []
        self._is_started = False
        end = (self._history.end - self._after) * TICKS_PER_SAMPLE
        start = self._synchroniser.start
        if end - start < SHORTEST_WINDOW_SAMPLES * TICKS_PER_SAMPLE:
            self.samples_unmetered += self._history.end - start // TICKS_PER_SAMPLE
            return []
        self.samples_unmetered += self._after
        return [self._close(span) for span in self._synchroniser.close(end)]

    def _start(self, first: int) -> None:
        self._history.restart(first)
        for tracker in self._trackers:
            tracker.restart(first)
        self._synchroniser.restart((first + self._before) * TICKS_PER_SAMPLE)
        self.samples_unmetered += self._before
        self._is_started = True
        if self._half_cycles is not None:
            self._half_cycles.restart()

    def _rows(self, block: SampleBlock) -> list[Counts]:
        rows = [block.voltage[:, column] for column in self._columns]
        rows += [block.current[:, column] for column in self._columns]
        if self._has_neutral:
            assert block.neutral is not None
            rows.append(block.neutral)
        return rows

    def _close(self, span: Span) -> Window:
        """Add the window up."""
        history, phases = self._history, len(self._columns)
        first = span.start // TICKS_PER_SAMPLE
        raw = history.view(first - self._before, span.end // TICKS_PER_SAMPLE + self._after)
        sums = self._summer.sums(raw, span.start, span.end, span.fundamental_start, span.cycles)
        length, totals = sums.length, sums.first
        if span.kind is not WindowKind.PARTIAL:
            self._means = [total / length for total in totals]
        means = self._means
        active = []
        for phase, factor in enumerate(self._power_factors):
            mean_volt, mean_amp = means[phase], means[phases + phase]
            dc = mean_volt * totals[phases + phase] + mean_amp * (totals[phase] - mean_volt * length)
            active.append((sums.products[phase] - dc) * factor / length)
        phasors = self._phasors(sums.lines, span, sums.lines_length) if sums.lines is not None else None
        if phasors is None:
            reactive = [0.0] * phases
        else:
            reactive = [(phasors[p] * phasors[phases + p].conjugate()).imag for p in range(phases)]
        if self._half_cycles is not None:
            self._half_cycles.take(history, span, self._scales)
        history.drop_before(span.end // TICKS_PER_SAMPLE - self._kept)
        return Window(span, self._scales, sums, means, (active, reactive), phasors, raw)

    def _phasors(self, lines: list[complex], span: Span, length: float) -> list[complex]:
        """The fundamentals in V and A, rms, with the calibration's delays applied."""
        phases = len(self._columns)
        scale = math.sqrt(2.0) / length
        phasors = [line * (scale * factor) for line, factor in zip(lines, self._channel_factors, strict=True)]
        if not self._has_delays:
            return phasors
        step = 2.0 * math.pi * span.cycles / length
        for phase, (terms, (_, delay)) in enumerate(zip(self._lags, self._turns, strict=True)):
            if terms is not None:
                phasors[phases + phase] *= response(terms, step)
            turn = complex(math.cos(step * delay), -math.sin(step * delay))
            phasors[phase] *= turn
            phasors[phases + phase] *= turn
        return phasors


def _scales(
    form: SampleFormat, wiring: Wiring, rating: Rating, calibration: Calibration, used: tuple[int, ...], margin: int
) -> Scales:
    return Scales(
        rate_hz=form.rate_hz,
        wiring=wiring,
        rating=rating,
        volts=tuple(form.voltage_v_per_count[c] * k.gain for c, k in zip(used, calibration.voltage, strict=True)),
        amperes=tuple(form.current_a_per_count[c] * k.gain for c, k in zip(used, calibration.current, strict=True)),
        neutral_a=None if form.neutral_a_per_count is None else form.neutral_a_per_count * calibration.neutral.gain,
        margin=margin,
    )
