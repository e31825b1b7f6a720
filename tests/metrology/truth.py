"""The truth file, and a meter run on one of its cases: what all accuracy tests share."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from wattwheel.hil.sampling import SampleBlock
from wattwheel.metrology.calibration import Calibration
from wattwheel.metrology.cycles import WindowKind
from wattwheel.metrology.energy import FINE_BITS, Registers
from wattwheel.metrology.halfcycle import HalfCycles
from wattwheel.metrology.measure import Chain
from wattwheel.metrology.quantities import Window
from wattwheel.metrology.wiring import Rating, Wiring
from wattwheel.testing.stimulus import Converter, wave_of

CASES: dict[str, dict[str, Any]] = {
    case["name"]: case
    for case in json.loads((Path(__file__).parents[1] / "vectors" / "dsp-truth.json").read_text())["cases"]
}
METER_D = Rating()
"""Direct 220 V meter, Ist 0.02 A, 1200 imp/kWh."""

CONVERTER = Converter()
"""16 bits, 400 V rms and 120 A peak full scale, 48 microseconds apart."""

NO_CALIBRATION = Calibration()
PPM = 1e-6


class Run(NamedTuple):
    """Windows of a run (the first whole one left out) and the registers that booked them."""

    windows: list[Window]
    registers: Registers
    chain: Chain

    @property
    def seconds(self) -> float:
        return sum(window.duration_s for window in self.windows)

    def energy_j(self, register: int = 0) -> float:
        return self.registers._fine[register] / (1_000_000 << FINE_BITS)

    @property
    def net_energy_j(self) -> float:
        return self.energy_j(0) - self.energy_j(1)


def meter(
    blocks: list[SampleBlock],
    converter: Converter,
    wiring: Wiring = Wiring.SINGLE_PHASE,
    rating: Rating = METER_D,
    calibration: Calibration = NO_CALIBRATION,
    half_cycles: HalfCycles | None = None,
) -> Run:
    phases = blocks[0].voltage.shape[1]
    chain = Chain(converter.form(phases), wiring, rating, calibration, half_cycles)
    windows = [window for block in blocks for window in chain.feed(block)]
    whole = [window for window in windows if window.span.kind is WindowKind.WHOLE][1:]
    registers = Registers()
    for window in whole:
        registers.book(window)
    return Run(whole, registers, chain)


@cache
def run(name: str, seconds: float = 10.0, seed: int = 0, converter: Converter = CONVERTER) -> Run:
    """Meter `seconds` of a case, from a random phase on."""
    case = CASES[name]
    start_s = random.Random(f"{name} {seed}").uniform(-0.2, -0.1)
    wave = wave_of(case)
    wiring = Wiring.FOUR_WIRE if len(wave.voltage) == 3 else Wiring.SINGLE_PHASE
    return meter([converter.sample(wave, seconds + 0.6, seed + 1, start_s)], converter, wiring)


def energy_error(name: str, seconds: float = 10.0) -> float:
    """Error of the active energy over `seconds` as a share of apparent energy."""
    expected = CASES[name]["expected"]
    result = run(name, seconds)
    assert result.seconds > 0.9 * seconds
    true_power = expected.get("p_ac", expected["p"])
    return (result.net_energy_j / result.seconds - true_power) / expected["s"]
