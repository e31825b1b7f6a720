"""What of the meter's state a display shows beside the value: taken from readings and run status words.

What nobody tells is absent: a symbol that is on must be true now.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from wattwheel.model.records import ElementReading, Quality, Readings

STATUS_WORDS = 7
STATUS_WORD_OCTETS = 2


class Relay(IntEnum):
    """The relay, as its symbol tells it. PENDING: it shall open and has not yet."""

    CLOSED = 0
    PENDING = 1
    OPEN = 2


class Supply(IntEnum):
    """What feeds the meter: run status word 3, bits 1 and 2."""

    MAINS = 0
    AUXILIARY = 1
    BATTERY = 2


class Phase(NamedTuple):
    """One phase.

    Attributes:
        voltage: a voltage is there.
        current: a current is there.
        is_reversed_current: the current runs backwards, now.
        voltage_loss: the voltage is lost while a current flows.
        is_broken: voltage and current are gone.
        overload, over_voltage, is_reversed: these events last.
    """

    voltage: bool = False
    current: bool = False
    is_reversed_current: bool = False
    voltage_loss: bool = False
    is_broken: bool = False
    overload: bool = False
    over_voltage: bool = False
    is_reversed: bool = False


class Faults(NamedTuple):
    """What does not work in the meter itself."""

    control_loop: bool = False
    security_element: bool = False
    not_initialised: bool = False
    program: bool = False
    memory: bool = False
    metering: bool = False
    clock: bool = False


_FAULT_BITS = {
    "control_loop": 8,
    "security_element": 9,
    "not_initialised": 10,
    "program": 12,
    "memory": 13,
    "clock": 15,
}
"""Bits of run status word 1."""

NO_PHASES = (Phase(), Phase(), Phase())


class DisplayState(NamedTuple):
    """Everything but the value. Numbers: 0 for none or not known; `signal` counts bars, 0 to 4."""

    phases: tuple[Phase, Phase, Phase] = NO_PHASES
    quadrant: int = 0
    is_sequence_reversed: bool = False
    tariff: int = 0
    step: int = 0
    time_set: int = 0
    price_set: int = 0
    signal: int = 0
    traffic: bool = False
    telephone: bool = False
    channels: tuple[bool, bool] = (False, False)
    programming: bool = False
    suspended: bool = False
    test_key: bool = False
    alarm: bool = False
    card_reading: bool = False
    success: bool = False
    fail: bool = False
    purchase_needed: bool = False
    overdraft: bool = False
    hoarding: bool = False
    relay: Relay = Relay.CLOSED
    clock_battery_low: bool = False
    reading_battery_low: bool = False
    severe_current_imbalance: bool = False
    power_factor_low: bool = False
    demand_over_limit: bool = False
    is_prepaid: bool = False
    supply: Supply = Supply.MAINS
    faults: Faults = Faults()


class Limits(NamedTuple):
    """From where on a phase counts. Millivolt, microampere; 0 where the meter was told none.

    Attributes:
        interrupted_millivolt: no voltage below it.
        starting_microampere: no current below it.
        loss_millivolt: a voltage below it is lost while a current flows.
        critical_millivolt: below it, without a current, the phase is broken; below it in all phases there is no light.
    """

    interrupted_millivolt: int = 0
    starting_microampere: int = 0
    loss_millivolt: int = 0
    critical_millivolt: int = 0


def words_of(octets: bytes) -> tuple[int, ...] | None:
    """Run status words 1 to 7 out of their block (040005FF) as on the wire; None for anything else."""
    if len(octets) != STATUS_WORDS * STATUS_WORD_OCTETS:
        return None
    return tuple(int.from_bytes(octets[at : at + 2], "little") for at in range(0, len(octets), STATUS_WORD_OCTETS))


def with_words(state: DisplayState, words: Sequence[int]) -> DisplayState:
    """`state` with what the run status words 1 to 7 say."""

    def bit(word: int, number: int) -> bool:
        return bool(words[word - 1] >> number & 1)

    a, b, c = state.phases
    return state._replace(
        phases=(_with_word(a, words[3]), _with_word(b, words[4]), _with_word(c, words[5])),
        is_sequence_reversed=state.is_sequence_reversed or bit(7, 0),
        time_set=2 if bit(3, 0) else 1,
        price_set=2 if bit(3, 10) else 1,
        alarm=state.alarm or bit(3, 7),
        relay=Relay.OPEN if bit(3, 4) else Relay.PENDING if bit(3, 6) else state.relay,
        clock_battery_low=bit(1, 2),
        reading_battery_low=bit(1, 3),
        demand_over_limit=bit(7, 6),
        power_factor_low=bit(7, 7),
        severe_current_imbalance=bit(7, 8),
        is_prepaid=state.is_prepaid or bool(words[2] >> 8 & 3),
        faults=_with_fault_bits(state.faults, words[0]),
        supply=supply_of(words),
    )


def supply_of(words: Sequence[int]) -> Supply:
    """What feeds the meter, by the run status words 1 to 7."""
    supply = words[2] >> 1 & 3
    return Supply(supply) if supply in Supply.__members__.values() else Supply.MAINS


def _with_fault_bits(faults: Faults, word: int) -> Faults:
    """`faults`, and those that run status word 1 tells."""
    told = {name: bool(word >> bit & 1) for name, bit in _FAULT_BITS.items()}
    return Faults(**{name: is_known or told.get(name, False) for name, is_known in faults._asdict().items()})


def _with_word(phase: Phase, word: int) -> Phase:
    return phase._replace(
        voltage_loss=phase.voltage_loss or bool(word & 1),
        over_voltage=bool(word >> 2 & 1),
        overload=bool(word >> 5 & 1),
        is_reversed=bool(word >> 6 & 1),
        is_broken=phase.is_broken or bool(word >> 7 & 1),
    )


def with_readings(state: DisplayState, readings: Readings | None, limits: Limits) -> DisplayState:
    """`state` with the phases, the quadrant and the sequence of `readings`; none of them without valid ones."""
    if readings is None or readings.quality is not Quality.VALID or readings.momentary is None:
        return state._replace(phases=NO_PHASES, quadrant=0, is_sequence_reversed=False)
    total, a, b, c = readings.momentary.elements
    active, reactive = total.active_power_milliwatt or 0, total.reactive_power_millivar or 0
    return state._replace(
        phases=(_phase(a, limits), _phase(b, limits), _phase(c, limits)),
        quadrant=_quadrant(active, reactive) if active or reactive else 0,
        is_sequence_reversed=readings.momentary.sequence_reversed,
    )


def _phase(element: ElementReading, limits: Limits) -> Phase:
    voltage, current = element.voltage_millivolt or 0, abs(element.current_microampere or 0)
    flows = current >= max(1, limits.starting_microampere)
    return Phase(
        voltage=voltage > limits.interrupted_millivolt,
        current=flows,
        is_reversed_current=flows and (element.active_power_milliwatt or 0) < 0,
        voltage_loss=flows and voltage < limits.loss_millivolt,
        is_broken=not flows and voltage < limits.critical_millivolt,
    )


def _quadrant(active: int, reactive: int) -> int:
    if reactive >= 0:
        return 1 if active >= 0 else 2
    return 3 if active < 0 else 4


def is_any_voltage_there(readings: Readings | None, limits: Limits) -> bool:
    """Whether the back light may burn: not when the voltages of all phases are known to be below the critical one."""
    if readings is None or readings.quality is not Quality.VALID or readings.momentary is None:
        return True
    voltages = [element.voltage_millivolt for element in readings.momentary.elements[1:]]
    return any((voltage or 0) >= limits.critical_millivolt for voltage in voltages)
