"""The metering core's signal chain without a clock: samples as fast as they can be metered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from wattwheel.hil.sampling import SampleBlock, SampleFormat
from wattwheel.metrology.energy import Registers
from wattwheel.metrology.halfcycle import HalfCycles
from wattwheel.metrology.measure import Chain
from wattwheel.metrology.pulses import Pulses
from wattwheel.metrology.wiring import Wiring

METER_CONSTANT = 1200


class Metered(NamedTuple):
    """What a run found: the last whole window's quantities of phase a, and totals of the run."""

    windows: int
    energy_microjoule: int
    pulses: int
    voltage_v_rms: float
    current_a_rms: float
    active_power_w: float
    frequency_hz: float


def meter_all(
    form: SampleFormat,
    blocks: Iterable[SampleBlock],
    wiring: Wiring = Wiring.SINGLE_PHASE,
    with_half_cycles: bool = False,
) -> Metered:
    """Meter `blocks` by the whole chain: windows, RMS, P, Q, frequency, registers, test pulses.

    Every window's RMS values are computed, as a peer that puts them out does. `with_half_cycles` adds the RMS of every
    cycle, renewed each half cycle, with dips and swells. Raises ConfigError when form and wiring do not fit.
    """
    chain = Chain(form, wiring, half_cycles=HalfCycles() if with_half_cycles else None)
    registers, pulses = Registers(), Pulses(METER_CONSTANT)
    windows = 0
    volts = amps = watts = hertz = 0.0
    for block in blocks:
        for window in chain.feed(block):
            registers.book(window)
            pulses.book(registers.fine_active(), window.span)
            windows += 1
            volts, amps = window.voltage_v_rms[0], window.current_a_rms[0]
            watts, hertz = window.active_power_w[0], window.frequency_hz or 0.0
    return Metered(windows, registers.snapshot()[0], pulses.count, volts, amps, watts, hertz)
