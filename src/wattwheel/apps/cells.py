"""The board's batteries and thermometer, and what the status words say of them, of a lost clock and of lost registers.

Nothing is measured where there is nothing to measure with: a simulated meter's batteries are as full as its settings
say, until somebody lets them show something else. That is on the medium before it is answered, and holds over restarts
until the settings say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from wattwheel.apps.functions import ERROR_OTHER, MeterFunction, Prepared, Turn
from wattwheel.model.board_sensors import CLOCK_BATTERY_LOW, READING_BATTERY_LOW, SENSORS, value_of
from wattwheel.model.core_records import MEMORY_FAULTS
from wattwheel.sdk import Function

KEY = "cells"
CLOCK, READING = "clock-battery", "reading-battery"
_NAMES = {sensor.di: name for name, sensor in SENSORS.items()}
CLOCK_BATTERY_BIT, READING_BATTERY_BIT, MEMORY_FAULT_BIT, CLOCK_FAULT_BIT = 2, 3, 13, 15
"""Of status word 1."""

Values = dict[str, int]


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """What was saved: values by name as the settings had them, and as they are shown since."""

    settings: Values = {}
    shown: Values = {}


class Cells(MeterFunction):
    """See the module."""

    name = "cells"
    obeys = frozenset({Function.SENSOR})

    def __init__(self, settings: Mapping[str, int | None] | None = None) -> None:
        """`settings`: in units of the last digit, by the names of `SENSORS`; None or missing: not fitted."""
        given = {CLOCK: 360, READING: 600} if settings is None else settings
        self._settings: Values = {name: value for name in SENSORS if (value := given.get(name)) is not None}
        self._values = dict(self._settings)
        self._is_clock_lost = self._is_memory_faulty = False

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """Take up what was shown, as long as the settings are the same."""
        try:
            found = msgspec.msgpack.decode(saved.get(KEY, b""), type=Shown)
        except (ValueError, RecursionError):
            return
        if found.settings == self._settings:
            known = {name: found.shown.get(name, value) for name, value in self._settings.items()}
            in_range = all(SENSORS[name].least <= value <= SENSORS[name].most for name, value in known.items())
            self._values = known if in_range else self._values

    def push(self, turn: Turn) -> None:
        """Hear of the clock, and of the metering core's memory."""
        self._is_clock_lost = turn.readings.is_clock_lost or turn.readings.is_clock_doubtful
        self._is_memory_faulty = bool(turn.readings.core_faults & MEMORY_FAULTS)

    def look(self, di: int, data: bytes) -> int | None:
        """Voltages and temperature."""
        return self._values.get(_NAMES.get(di, ""))

    def listed(self) -> Iterable[int]:
        """Those that are fitted."""
        return [SENSORS[name].di for name in self._values]

    def status_bits(self, number: int) -> int:
        """Low batteries, a memory fault of the metering core and a lost or doubtful clock, in word 1."""
        if number != 1:
            return 0
        clock, reading = self._values.get(CLOCK, 0), self._values.get(READING, READING_BATTERY_LOW)
        return (
            (clock < CLOCK_BATTERY_LOW) << CLOCK_BATTERY_BIT
            | (reading < READING_BATTERY_LOW) << READING_BATTERY_BIT
            | self._is_memory_faulty << MEMORY_FAULT_BIT
            | self._is_clock_lost << CLOCK_FAULT_BIT
        )

    def prepare(self, function: Function, data: bytes, operator: bytes, turn: Turn) -> Prepared | int:
        """Let one show something: `data` is its name, a space, and the value in volts or degrees."""
        name, _, text = data.decode("ascii", "replace").partition(" ")
        value = value_of(SENSORS[name], text) if name in self._values else None
        if value is None:
            return ERROR_OTHER
        values = {**self._values, name: value}

        def apply() -> None:
            self._values = values

        return Prepared({KEY: msgspec.msgpack.encode(Shown(self._settings, values))}, apply)
