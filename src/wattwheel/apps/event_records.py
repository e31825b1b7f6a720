"""Records of events as they go over the wire (DL/T 645-2007, DI3 = 03), and what an event that lasts must remember."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from wattwheel.apps.event_conditions import Layout
from wattwheel.apps.functions import EPOCH
from wattwheel.model.energy_items import Words, combined, register_view, signed_view
from wattwheel.model.event_ring import count_octets, time_octets
from wattwheel.model.momentary_items import rounded
from wattwheel.model.records import ELEMENTS, QUADRANTS, REGISTERS, ElementReading, Momentary, widened

TIME_OCTETS = 6
NO_TIME = bytes(TIME_OCTETS)
"""The end of an event that lasts."""

ENERGY_OCTETS, VOLTAGE_OCTETS, CURRENT_OCTETS, POWER_OCTETS, FACTOR_OCTETS, RATE_OCTETS = 4, 2, 3, 3, 2, 2
DEMAND_TIME_OCTETS = 5
MICROAMPERE_SECONDS_A_CENTIAMPEREHOUR = 36_000_000
PHASE_COUNT = 3
_SIGN = 0x80


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """What the meter had counted at an instant.

    Attributes:
        second: local standard time since 2000.
        watched_s: seconds for which events had been watched.
        elements: all energy registers in microjoule since the last meter clear.
        charge: microampere-seconds of the phases.
    """

    second: int
    watched_s: int
    elements: tuple[int, ...]
    charge: tuple[int, int, int]

    def widened(self) -> Snapshot:
        """Itself, with the registers that the version which saved it did not have."""
        return msgspec.structs.replace(self, elements=widened(self.elements))


class Open(msgspec.Struct, frozen=True, array_like=True):
    """An event that lasts.

    Attributes:
        begin: what had been counted when it began.
        measured: octets of voltage, current, powers and power factor of the three phases at that time.
        current: octets of the largest current at that time.
        extreme: largest imbalance rate (0.01 %) or demand (0.1 W) so far.
        extreme_second: when that was; 0: never.
    """

    begin: Snapshot
    measured: bytes = b""
    current: bytes = b""
    extreme: int = 0
    extreme_second: int = 0


def number_octets(value: int | None, octets: int, is_signed: bool = False) -> bytes:
    """BCD, the low octet first, the sign in the top bit; FF where there is no value, or none that the picture holds."""
    most = 10 ** (2 * octets) - 1
    if is_signed:
        most = 8 * 10 ** (2 * octets - 1) - 1
    if value is None or abs(value) > most or (value < 0 and not is_signed):
        return b"\xff" * octets
    encoded = bytearray(count_octets(abs(value), octets))
    if value < 0:
        encoded[-1] |= _SIGN
    return bytes(encoded)


def second_octets(second: int) -> bytes:
    """YYMMDDhhmmss of a local second since 2000, the low octet first."""
    return time_octets(EPOCH + timedelta(seconds=second))


def measured_octets(momentary: Momentary) -> bytes:
    """Voltage, current, active and reactive power, and power factor of the phases a, b, c."""
    return b"".join(_measured(element) for element in momentary.elements[1:])


def largest_current_octets(momentary: Momentary) -> bytes:
    """The largest current of the phases."""
    currents = [element.current_microampere for element in momentary.elements[1:]]
    largest = max((current for current in currents if current is not None), key=abs, default=None)
    return number_octets(_units(largest, 1000), CURRENT_OCTETS, is_signed=True)


def _measured(element: ElementReading) -> bytes:
    return (
        number_octets(_units(element.voltage_millivolt, 100), VOLTAGE_OCTETS)
        + number_octets(_units(element.current_microampere, 1000), CURRENT_OCTETS, is_signed=True)
        + number_octets(_units(element.active_power_milliwatt, 100), POWER_OCTETS, is_signed=True)
        + number_octets(_units(element.reactive_power_millivar, 100), POWER_OCTETS, is_signed=True)
        + number_octets(_units(element.power_factor_millionth, 1000), FACTOR_OCTETS, is_signed=True)
    )


def _units(value: int | None, divisor: int) -> int | None:
    return None if value is None else rounded(value, divisor)


def record(layout: Layout, event: Open, end: Snapshot, has_ended: bool, words: Words) -> bytes:
    """The record of `event` that has ended with `end`, or lasts and has come so far; empty for a layout without."""
    begin, ended = second_octets(event.begin.second), second_octets(end.second) if has_ended else NO_TIME
    if layout is Layout.TIMES:
        return begin + ended
    if layout is Layout.CURRENT:
        return begin + event.current + ended
    if layout is Layout.DEMAND:
        at = second_octets(event.extreme_second)[1:] if event.extreme_second else bytes(DEMAND_TIME_OCTETS)
        return begin + ended + number_octets(event.extreme, POWER_OCTETS) + at
    if layout is Layout.NONE:
        return b""
    total, *phases = _increments(event.begin.elements, end.elements, words)
    if layout is Layout.ENERGY:
        return begin + ended + total + b"".join(phases)
    if layout is Layout.IMBALANCE:
        return begin + ended + number_octets(event.extreme, RATE_OCTETS) + total + b"".join(phases)
    size = len(event.measured) // PHASE_COUNT
    told = b"".join(each + event.measured[at * size : (at + 1) * size] for at, each in enumerate(phases))
    if layout is Layout.PHASE:
        return begin + ended + total + told
    charges = [now - then for then, now in zip(event.begin.charge, end.charge, strict=True)]
    hours = (charge // MICROAMPERE_SECONDS_A_CENTIAMPEREHOUR for charge in (sum(charges), *charges))
    return begin + ended + total + told + b"".join(number_octets(each, ENERGY_OCTETS) for each in hours)


def _increments(before: tuple[int, ...], after: tuple[int, ...], words: Words) -> list[bytes]:
    """For the total and each phase: forward, reverse, combined reactive 1 and 2, as far as they have grown."""
    grown = [now - then for then, now in zip(before, after, strict=True)]
    told = []
    for element in range(len(ELEMENTS)):
        own = grown[element * len(REGISTERS) : (element + 1) * len(REGISTERS)]
        reactive = [signed_view(combined(word, own[QUADRANTS])) for word in words.reactive]
        octets = [number_octets(register_view(register), ENERGY_OCTETS) for register in own[:2]]
        told.append(b"".join(octets + [number_octets(each, ENERGY_OCTETS, is_signed=True) for each in reactive]))
    return told
