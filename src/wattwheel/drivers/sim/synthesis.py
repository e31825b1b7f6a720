"""Made samples: constant powers, in segments that depend on nothing but their number and the seed."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattwheel.drivers.sim.pacing import RATE_DENOMINATOR_MAX, Pace
from wattwheel.drivers.sim.playback import HEADROOM, counts_of
from wattwheel.hil.sampling import SampleBlock, SampleFormat
from wattwheel.model.inputs import ConstantInput

SEGMENT_S = 0.2
"""Length of one segment; load and voltage are constant in it."""

PHASE_CYCLES = (0.0, -1 / 3, 1 / 3)
"""Phase of the voltages a, b, c, in cycles."""

EMPTY_A_RMS = 0.1
"""Full scale of a current channel that carries nothing."""

SINE_CREST = 2**0.5
"""Peak of a sine over its RMS value."""

Values = NDArray[np.float64]


class Segment(NamedTuple):
    """Counts of one segment, shapes (n, phases) and (n,)."""

    voltage: NDArray[np.signedinteger]
    current: NDArray[np.signedinteger]
    neutral: NDArray[np.signedinteger] | None


class SegmentedSource:
    """A `hil.sampling.SampleSource` whose subclass makes the physical values of each segment.

    What is read does not depend on how it is cut into blocks: a segment is a function of its number alone.
    """

    def __init__(self, form: SampleFormat, pace: Pace, frequency_hz: float, noise_lsb: float, seed: int) -> None:
        self.format = form
        self._pace = pace
        self._noise_lsb, self._seed = noise_lsb, seed
        self._cycles = Fraction(frequency_hz).limit_denominator(RATE_DENOMINATOR_MAX) / Fraction(
            form.rate_hz
        ).limit_denominator(RATE_DENOMINATOR_MAX)
        self._length = max(1, round(form.rate_hz * SEGMENT_S))
        self._number, self._segment = -1, None

    _segment: Segment | None

    def values(self, number: int, position: Values) -> tuple[Values, Values]:
        """Volts and amperes of segment `number`, shape (n, phases).

        `position` counts cycles of the nominal frequency, shape (n,).
        """
        raise NotImplementedError

    def read(self, now_ns: int) -> list[SampleBlock]:
        """Blocks that are due, none longer than a segment."""
        blocks = []
        for first, end in self._pace.take(now_ns):
            while first < end:
                number, offset = divmod(first, self._length)
                stop = min(self._length, offset + end - first)
                segment = self._made(number)
                neutral = None if segment.neutral is None else segment.neutral[offset:stop]
                blocks.append(SampleBlock(first, segment.voltage[offset:stop], segment.current[offset:stop], neutral))
                first += stop - offset
        return blocks

    @property
    def is_finished(self) -> bool:
        """Made samples never end."""
        return False

    def close(self) -> None:
        """Nothing is held."""

    def seconds_at(self, number: int) -> float:
        """Start of segment `number`, seconds of the source's own time."""
        return number * self._length / self.format.rate_hz

    def _made(self, number: int) -> Segment:
        if self._segment is None or number != self._number:
            begin = float(number * self._length * self._cycles % 1)  # exact, whatever the age of the source
            position = begin + np.arange(self._length, dtype=np.float64) * float(self._cycles)
            voltage, current = self.values(number, position)
            self._number, self._segment = number, self._counted(number, voltage, current)
        return self._segment

    def _counted(self, number: int, voltage: Values, current: Values) -> Segment:
        form, phases = self.format, voltage.shape[1]
        noise = np.zeros((self._length, 2 * phases + 1))
        if self._noise_lsb:
            chance = np.random.Generator(np.random.PCG64([self._seed, number]))
            noise = chance.standard_normal((self._length, 2 * phases + 1)) * self._noise_lsb
        neutral = None
        if form.neutral_a_per_count is not None:
            neutral = counts_of(current.sum(axis=1) / form.neutral_a_per_count + noise[:, -1], 1.0, form.bits)
        return Segment(
            counts_of(voltage / form.voltage_v_per_count + noise[:, :phases], 1.0, form.bits),
            counts_of(current / form.current_a_per_count + noise[:, phases:-1], 1.0, form.bits),
            neutral,
        )


def converter(
    rate_hz: float,
    bits: int,
    voltages_v_rms: tuple[float, ...],
    currents_a_rms: tuple[float, ...],
    crests: tuple[float, float] = (SINE_CREST, SINE_CREST),
) -> SampleFormat:
    """A converter with room for these values; `crests` are peak over RMS of voltage and current.

    Three phases have a neutral.
    """
    full = (2 ** (bits - 1) - 1) / HEADROOM
    voltage = max(voltages_v_rms) or 1.0
    current = max(currents_a_rms) or EMPTY_A_RMS
    neutral = sum(currents_a_rms) or EMPTY_A_RMS
    return SampleFormat(
        rate_hz,
        (voltage * crests[0] / full,) * len(voltages_v_rms),
        (current * crests[1] / full,) * len(currents_a_rms),
        neutral * crests[1] / full if len(currents_a_rms) > 1 else None,
        bits,
    )


class ConstantSource(SegmentedSource):
    """Sines of constant power."""

    def __init__(self, settings: ConstantInput, origin_ns: int, speed: float) -> None:
        voltage = np.array(settings.voltage_v)
        safe = np.where(voltage > 0, voltage, 1.0)
        self._voltage = voltage * np.sqrt(2)
        self._in_phase = np.array(settings.active_power_w) / safe * np.sqrt(2)
        self._behind = np.array(settings.reactive_power_var) / safe * np.sqrt(2)
        currents = np.hypot(self._in_phase, self._behind) / np.sqrt(2)
        form = converter(settings.rate_hz, settings.bits, settings.voltage_v, tuple(currents.tolist()))
        pace = Pace(settings.rate_hz, origin_ns, speed)
        super().__init__(form, pace, settings.frequency_hz, settings.noise_lsb, settings.seed)
        self._phases = np.array(PHASE_CYCLES[: len(voltage)])

    def values(self, number: int, position: Values) -> tuple[Values, Values]:
        """Sines; the part of the current that carries reactive power is a quarter cycle late."""
        angle = 2 * np.pi * (position[:, np.newaxis] + self._phases)
        sine = np.sin(angle)
        return self._voltage * sine, self._in_phase * sine - self._behind * np.cos(angle)
