"""Which events there are, and what the readings say of each: one bit an event and phase. Pure.

A *slot* is one event of one phase, or of the whole meter; sets of slots are integers with a bit each. What is asked
here is whether a slot's condition holds now; `apps.event_judge` says when it has held for long enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from wattwheel.model.event_delay import imbalance_rate
from wattwheel.model.event_thresholds import FIXED_DELAY_S, Thresholds
from wattwheel.model.ratings import Ratings
from wattwheel.model.records import ElementReading, Momentary
from wattwheel.model.reporting import PHASE_BITS, Report

POWER_DOWN_DELAY_S = 1
PRIVATE_DI3 = 0xB0
"""Of the events that have no identifier of DL/T 645-2007: ours are B0 and the number in the table of events."""

NEUTRAL_RATE, NEUTRAL_SHARE = 5000, (1, 5)
"""Of a single phase: difference of its current and the neutral's in 0.01 % of the larger one, above which one of them
flows elsewhere; and the share of the nominal current below which that is not judged."""

HALF_TURN, FULL_TURN = 180_000, 360_000  # millidegrees


class Layout(Enum):
    """What a record of an event holds; the length follows from it (DL/T 645-2007, section on event records)."""

    NONE = "only counted"
    TIMES = "begin, end"
    CURRENT = "begin, current at the begin, end"
    ENERGY = "begin, end, increments"
    IMBALANCE = "begin, end, largest rate, increments"
    PHASE = "begin, end, increments and what was measured at the begin"
    AMPERE_HOURS = "as PHASE, and ampere-hours"
    DEMAND = "begin, end, largest demand, its time"


class Event(NamedTuple):
    """A kind of event.

    Attributes:
        family: DI3 and DI2 of its records; 0: it has none.
        slots: of its phases, or the one of the whole meter.
        layout: of its records.
        delay: group of its delay among the parameters (04 09 group); None: fixed.
        single_family: DI3 of the family that tells one field an identifier; 0: it is in none.
        fixed_delay_s: where there is no parameter.
    """

    name: str
    family: int
    slots: tuple[int, ...]
    layout: Layout
    delay: int | None = None
    single_family: int = 0
    fixed_delay_s: int = FIXED_DELAY_S

    @property
    def key(self) -> str:
        """Key of the name space under which it is saved."""
        return f"recording {self.name}"


_PHASES = (
    ("voltage loss", 0x0301, Layout.AMPERE_HOURS, 0x01, 0x10),
    ("under-voltage", 0x0302, Layout.AMPERE_HOURS, 0x02, 0x11),
    ("over-voltage", 0x0303, Layout.AMPERE_HOURS, 0x03, 0x12),
    ("phase failure", 0x0304, Layout.AMPERE_HOURS, 0x04, 0x13),
    ("current loss", 0x030B, Layout.PHASE, 0x07, 0x18),
    ("over-current", 0x030C, Layout.PHASE, 0x08, 0x19),
    ("interruption", 0x030D, Layout.PHASE, 0x09, 0x1A),
    ("reversal", 0x030E, Layout.ENERGY, 0x0A, 0x1B),
    ("overload", 0x030F, Layout.ENERGY, 0x0B, 0x1C),
)
PHASES = 3
LOSS, UNDER, OVER, FAILURE, CURRENT_LOSS, OVER_CURRENT, INTERRUPTION, REVERSAL, OVERLOAD = range(0, 27, PHASES)
"""Slots of phase a; those of b and c follow."""

ALL_LOST, VOLTAGE_SEQUENCE, CURRENT_SEQUENCE, VOLTAGE_IMBALANCE, CURRENT_IMBALANCE, SEVERE, POWER_DOWN = range(27, 34)
DEMAND, POWER_FACTOR = 34, 40
"""Six slots of demands: forward, reverse, quadrants I to IV."""

NEUTRAL = 41
SLOTS = 42
PHASE_SLOTS = (1 << ALL_LOST) - 1
IMBALANCE_SLOTS, DEMAND_SLOTS = 1 << VOLTAGE_IMBALANCE | 1 << CURRENT_IMBALANCE, 0b111111 << DEMAND

EVENTS = (
    *(
        Event(name, family, (first, first + 1, first + 2), layout, delay, single)
        for first, (name, family, layout, delay, single) in zip(range(0, 27, PHASES), _PHASES, strict=True)
    ),
    Event("all voltages lost", 0x0305, (ALL_LOST,), Layout.CURRENT),
    Event("voltage sequence", 0x0307, (VOLTAGE_SEQUENCE,), Layout.ENERGY),
    Event("current sequence", 0x0308, (CURRENT_SEQUENCE,), Layout.ENERGY),
    Event("voltage imbalance", 0x0309, (VOLTAGE_IMBALANCE,), Layout.IMBALANCE, 0x05),
    Event("current imbalance", 0x030A, (CURRENT_IMBALANCE,), Layout.IMBALANCE, 0x06),
    Event("severe imbalance", 0, (SEVERE,), Layout.NONE, 0x0F),
    Event("power down", 0x0311, (POWER_DOWN,), Layout.TIMES, fixed_delay_s=POWER_DOWN_DELAY_S),
    Event("demand", 0x0312, tuple(range(DEMAND, DEMAND + 6)), Layout.DEMAND, 0x0D),
    Event("power factor", 0, (POWER_FACTOR,), Layout.NONE, 0x0E, 0x1F),
    Event("neutral current", 0xB051, (NEUTRAL,), Layout.TIMES),
)
REPORTS: dict[int, int] = {
    **{
        first + phase: bit + PHASE_BITS * phase
        for first, bit in (
            *((LOSS, Report.VOLTAGE_LOSS), (UNDER, Report.UNDER_VOLTAGE), (OVER, Report.OVER_VOLTAGE)),
            *((FAILURE, Report.PHASE_FAILURE), (CURRENT_LOSS, Report.CURRENT_LOSS)),
            *((OVER_CURRENT, Report.OVER_CURRENT), (INTERRUPTION, Report.INTERRUPTION)),
            *((REVERSAL, Report.REVERSAL), (OVERLOAD, Report.OVERLOAD)),
        )
        for phase in range(PHASES)
    },
    ALL_LOST: Report.ALL_VOLTAGES_LOST,
    VOLTAGE_SEQUENCE: Report.VOLTAGE_SEQUENCE,
    CURRENT_SEQUENCE: Report.CURRENT_SEQUENCE,
    VOLTAGE_IMBALANCE: Report.VOLTAGE_IMBALANCE,
    CURRENT_IMBALANCE: Report.CURRENT_IMBALANCE,
    SEVERE: Report.SEVERE_IMBALANCE,
    POWER_DOWN: Report.POWER_DOWN,
    **dict.fromkeys(range(DEMAND, DEMAND + 6), Report.DEMAND),
    POWER_FACTOR: Report.POWER_FACTOR,
}
"""Bit of the active reporting status word of each slot that has one."""

EVENT_OF_SLOT = {slot: event for event in EVENTS for slot in event.slots}


def bits(slots: int) -> Iterator[int]:
    """The numbers of the slots in a set."""
    while slots:
        lowest = slots & -slots
        yield lowest.bit_length() - 1
        slots ^= lowest


def delays_of(thresholds: Thresholds) -> tuple[int, ...]:
    """Seconds of each slot."""
    delays = [0] * SLOTS
    for event in EVENTS:
        for slot in event.slots:
            delays[slot] = event.fixed_delay_s if event.delay is None else thresholds.delays_s[event.delay]
    return tuple(delays)


def off_of(thresholds: Thresholds) -> int:
    """The slots that are switched off: one of the thresholds with which they begin is 0."""
    needed = {
        LOSS: (thresholds.loss_voltage, thresholds.loss_current),
        UNDER: (thresholds.under_voltage,),
        OVER: (thresholds.over_voltage,),
        FAILURE: (thresholds.failure_voltage, thresholds.failure_current),
        CURRENT_LOSS: (thresholds.current_loss_voltage, thresholds.current_loss_current),
        OVER_CURRENT: (thresholds.over_current,),
        INTERRUPTION: (thresholds.interruption_voltage, thresholds.interruption_current),
        REVERSAL: (thresholds.reversal,),
        OVERLOAD: (thresholds.overload,),
    }
    off = sum(0b111 << first for first, numbers in needed.items() if not all(numbers))
    single = {
        VOLTAGE_IMBALANCE: thresholds.voltage_imbalance,
        CURRENT_IMBALANCE: thresholds.current_imbalance,
        SEVERE: thresholds.severe_imbalance,
        POWER_FACTOR: thresholds.power_factor,
    }
    off |= sum(1 << slot for slot, number in single.items() if not number)
    off |= 0 if thresholds.demand_active else 0b11 << DEMAND
    return off | (0 if thresholds.demand_reactive else 0b1111 << DEMAND + 2)


class Situation(NamedTuple):
    """All that conditions depend on, but for what is active.

    Attributes:
        demands: the active and the reactive demand in 0.1 W, signed; None where there is none.
        demand_second: local second since which they are that.
    """

    momentary: Momentary
    thresholds: Thresholds
    demands: tuple[int | None, int | None] = (None, None)
    demand_second: int = 0


class Conditions:
    """The conditions of a meter with `ratings`."""

    def __init__(self, ratings: Ratings) -> None:
        self._phases = ratings.phases
        self._critical = ratings.critical_millivolt
        self._carrying = ratings.carrying_microampere
        share, whole = NEUTRAL_SHARE
        self._neutral_least = ratings.nominal_current_microampere * share // whole
        self._comfort = (0, 0, 0, 0, 0, 0)
        self._comfort_of: Thresholds | None = None

    def measured(self, momentary: Momentary) -> list[tuple[int, ElementReading, int, int]]:
        """Number, reading, voltage in mV and magnitude of the current in µA of each phase that is there."""
        elements = momentary.elements
        return [
            (phase, element, element.voltage_millivolt, abs(element.current_microampere))
            for phase in self._phases
            if (element := elements[phase + 1]).voltage_millivolt is not None
            and element.current_microampere is not None
        ]

    def carries_current(self, momentary: Momentary) -> bool:
        """Whether any phase carries more than 5 % of the nominal current."""
        return any(current > self._carrying for _, _, _, current in self.measured(momentary))

    def hold(self, situation: Situation, active: int) -> int:
        """The slots whose condition holds; it depends on what is `active`, for an event ends at another limit."""
        momentary, limits = situation.momentary, situation.thresholds
        measured = self.measured(momentary)
        if not measured:
            return 0
        voltages = [voltage for _, _, voltage, _ in measured]
        currents = [current for _, _, _, current in measured]
        held = self._of_the_meter(situation, voltages, currents) | _of_demands(situation)
        if limits is not self._comfort_of:
            self._comfort, self._comfort_of = _comfort(limits), limits
        low, high, idle, most, back, over = self._comfort
        if not active & PHASE_SLOTS and low <= min(voltages) and max(voltages) <= high:
            powers = [element.active_power_milliwatt or 0 for _, element, _, _ in measured]
            if idle <= min(currents) and max(currents) <= most and back <= min(powers) and max(powers) <= over:
                return held
        carrying = [phase for phase, _, _, current in measured if current > limits.current_loss_recovery]
        for phase, element, voltage, current in measured:
            others_carry = any(other != phase for other in carrying)
            power = element.active_power_milliwatt or 0
            held |= _of_a_phase(limits, active >> phase, voltage, current, power, others_carry) << phase
        return held

    def _of_the_meter(self, situation: Situation, voltages: list[int], currents: list[int]) -> int:
        momentary, limits = situation.momentary, situation.thresholds
        if max(voltages) < self._critical:
            return 1 << POWER_DOWN
        held, carries = 0, max(currents) > self._carrying
        neutral = momentary.neutral_current_microampere
        if len(self._phases) == 1 and neutral is not None and max(neutral, *currents) > self._neutral_least:
            held |= (imbalance_rate((neutral, *currents)) > NEUTRAL_RATE) << NEUTRAL
        if len(voltages) > 1:
            rate_of_voltages, rate_of_currents = imbalance_rate(tuple(voltages)), imbalance_rate(tuple(currents))
            if rate_of_voltages > limits.voltage_imbalance and max(voltages) > self._critical:
                held |= 1 << VOLTAGE_IMBALANCE
            if carries and rate_of_currents > limits.current_imbalance:
                held |= 1 << CURRENT_IMBALANCE
            if carries and rate_of_currents > limits.severe_imbalance:
                held |= 1 << SEVERE
            factor = momentary.elements[0].power_factor_millionth
            if carries and factor is not None and abs(factor) < limits.power_factor:
                held |= 1 << POWER_FACTOR
        if len(voltages) == PHASES and min(voltages) > self._critical:
            if momentary.sequence_reversed:
                held |= 1 << VOLTAGE_SEQUENCE
            if min(currents) > self._carrying and currents_are_reversed(momentary):
                held |= 1 << CURRENT_SEQUENCE
        return held

    def extremes(self, situation: Situation, slots: int) -> dict[int, tuple[int, int | None]]:
        """Of those of `slots` whose records tell an extreme: the value now, and the local second since which it is.

        Imbalance rates in 0.01 %, since now (None); demands in 0.1 W, of the direction that they have.
        """
        found: dict[int, tuple[int, int | None]] = {}
        if slots & IMBALANCE_SLOTS and (measured := self.measured(situation.momentary)):
            found[VOLTAGE_IMBALANCE] = imbalance_rate(tuple(voltage for _, _, voltage, _ in measured)), None
            found[CURRENT_IMBALANCE] = imbalance_rate(tuple(current for _, _, _, current in measured)), None
        if slots & DEMAND_SLOTS:
            active, reactive = situation.demands
            if active is not None:
                found[demand_slot(active)] = abs(active), situation.demand_second
            if reactive is not None:
                found[demand_slot(active or 0, reactive)] = abs(reactive), situation.demand_second
        return {slot: extreme for slot, extreme in found.items() if slots >> slot & 1}


def _comfort(limits: Thresholds) -> tuple[int, int, int, int, int, int]:
    """Least and largest voltage, current and power of a phase of which no event can begin."""
    voltage = max(limits.loss_voltage, limits.under_voltage)
    current = max(limits.failure_current, limits.current_loss_current, limits.interruption_current)
    return voltage, limits.over_voltage, current, limits.over_current, -limits.reversal, limits.overload


def _of_a_phase(limits: Thresholds, active: int, voltage: int, current: int, power: int, do_others_carry: bool) -> int:
    """The slots of phase a, of which those of any phase are a shift away, as `active` is."""
    held = 0
    if voltage <= limits.loss_recovery_voltage if active >> LOSS & 1 else _is_lost(limits, voltage, current):
        held |= 1 << LOSS
    if voltage < limits.under_voltage:
        held |= 1 << UNDER
    if voltage > limits.over_voltage:
        held |= 1 << OVER
    if current < limits.failure_current and voltage < limits.failure_voltage:
        held |= 1 << FAILURE
    if active >> CURRENT_LOSS & 1:
        held |= (current <= limits.current_loss_recovery) << CURRENT_LOSS
    elif do_others_carry and current < limits.current_loss_current and voltage > limits.current_loss_voltage:
        held |= 1 << CURRENT_LOSS
    if current > limits.over_current:
        held |= 1 << OVER_CURRENT
    if current < limits.interruption_current and voltage > limits.interruption_voltage:
        held |= 1 << INTERRUPTION
    if power < -limits.reversal:
        held |= 1 << REVERSAL
    elif power > limits.overload:
        held |= 1 << OVERLOAD
    return held


def _is_lost(limits: Thresholds, voltage: int, current: int) -> bool:
    return voltage < limits.loss_voltage and current > limits.loss_current


def _of_demands(situation: Situation) -> int:
    (active, reactive), limits, held = situation.demands, situation.thresholds, 0
    if active is not None and abs(active) > limits.demand_active:
        held |= 1 << demand_slot(active)
    if reactive is not None and abs(reactive) > limits.demand_reactive:
        held |= 1 << demand_slot(active or 0, reactive)
    return held


def demand_slot(active: int, reactive: int | None = None) -> int:
    """Slot of an active demand, or of a reactive one: of the quadrant that both are in."""
    if reactive is None:
        return DEMAND + (active < 0)
    quadrant = (0 if reactive >= 0 else 3) if active >= 0 else (1 if reactive >= 0 else 2)
    return DEMAND + 2 + quadrant


def currents_are_reversed(momentary: Momentary) -> bool:
    """Whether the currents turn a-c-b; False where an angle is missing."""
    angles = []
    for element in momentary.elements[1:]:
        if element.voltage_angle_millidegree is None or element.phase_angle_millidegree is None:
            return False
        angles.append(element.voltage_angle_millidegree - element.phase_angle_millidegree)
    behind_a = [(angles[0] - angle) % FULL_TURN for angle in angles[1:]]  # 120 and 240 degrees when they turn a-b-c
    return behind_a[0] > HALF_TURN > behind_a[1] > 0
