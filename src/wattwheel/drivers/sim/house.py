"""A simulated house: the powers of a measured day, minute by minute, drawn by appliances with measured spectra.

Waveforms are taken from one-cycle tables, one an appliance, each drawing exactly one watt from the distorted voltage; a
segment mixes them with the watts of its moment, so active and fundamental reactive power are those of the profile.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattwheel.drivers.sim.pacing import Pace
from wattwheel.drivers.sim.synthesis import PHASE_CYCLES, SEGMENT_S, SegmentedSource, converter
from wattwheel.model.inputs import HouseInput

DATA = Path(__file__).parent / "data"

TABLE_SAMPLES = 1024
"""Samples of one cycle in the tables; between them the line is straight (error below 10 ppm of the fundamental)."""

MINUTES_A_DAY = 1440

PHASE_MINUTES = (0, 7, 23)
"""How much later the day runs on the phases a, b, c of a three-phase house."""

CRESTS = (1.6, 3.0)
"""Peak over RMS of voltage and load current that the converter leaves room for."""

SMALL = (("refrigerator", 110.0), ("desktop-pc", 80.0), ("range-hood", 90.0), ("washing-machine", 220.0))
"""Appliances that carry the base load, in this order, and the watts up to which each does."""

LARGE = (("rice-cooker", 700.0), ("induction-cooker", 1600.0), ("kettle", 1500.0), ("storage-water-heater", 2000.0))
"""Appliances that carry what is above, in an order that changes with the seed and the hour."""

VOLTAGE_OF = "storage-water-heater"
"""Record whose voltage spectrum the house's voltage has."""

WANDER_HZ = 0.01
WANDER_PERIODS_S = (61.0, 197.0, 727.0)
"""The frequency swings by so much around its mean, with each of these periods."""


class Tables(NamedTuple):
    """One cycle of everything, closed: row 0 is repeated at the end.

    Attributes:
        voltage: for 1 V RMS of fundamental, shape (samples + 1,).
        current: amperes at that voltage, for 1 W each and, last, for 1 var of the fundamental;
            shape (samples + 1, appliances + 1).
        reactive_share: fundamental var for each watt of an appliance, shape (appliances,).
        names: appliances, in the order of the columns.
    """

    voltage: NDArray[np.float64]
    current: NDArray[np.float64]
    reactive_share: NDArray[np.float64]
    names: tuple[str, ...]


class Profile(NamedTuple):
    """A day, one row a minute: watts, vars, and volts over their mean."""

    active_w: NDArray[np.float64]
    reactive_var: NDArray[np.float64]
    voltage_share: NDArray[np.float64]


def load_profile() -> Profile:
    """The day that comes with the package."""
    rows = np.loadtxt(DATA / "house_day.csv", delimiter=",", comments="#", skiprows=3)
    assert rows.shape == (MINUTES_A_DAY, 3)
    return Profile(rows[:, 0], rows[:, 1], rows[:, 2] / rows[:, 2].mean())


def load_tables() -> Tables:
    """Tables of the appliances that come with the package."""
    records = {r["appliance"]: r for r in json.loads((DATA / "appliance_harmonics.json").read_text("utf-8"))["records"]}
    names = tuple(name for name, _ in SMALL + LARGE)
    angle = 2 * np.pi * np.arange(TABLE_SAMPLES) / TABLE_SAMPLES
    voltage = _cycle(angle, records[VOLTAGE_OF], "v")
    quarter = np.sqrt(2) * np.sin(angle)  # a quarter cycle behind the cosine of the fundamental
    columns, reactive = [], []
    for name in names:
        shape = _cycle(angle, records[name], "i")
        one_watt = shape / float(np.mean(voltage * shape))
        columns.append(one_watt)
        reactive.append(float(np.mean(quarter * one_watt)))
    table = np.stack([*columns, quarter], axis=1)
    return Tables(np.append(voltage, voltage[0]), np.vstack([table, table[:1]]), np.array(reactive), names)


def _cycle(angle: NDArray[np.float64], record: dict[str, Any], kind: str) -> NDArray[np.float64]:
    orders = np.arange(1, len(record[f"{kind}_pu"]) + 1)
    turned = np.outer(angle, orders) + np.radians(record[f"{kind}_deg"])
    cycle: NDArray[np.float64] = np.sqrt(2) * np.cos(turned) @ np.array(record[f"{kind}_pu"])
    return cycle


class HouseSource(SegmentedSource):
    """The house as a converter.

    Args:
        settings: phases, voltage, load, seed, converter.
        origin_ns: monotonic time of sample 0.
        speed: seconds of the house in one second.
        minute_of_day: what the clock on the wall shows at sample 0, minutes since midnight.
    """

    def __init__(self, settings: HouseInput, origin_ns: int, speed: float, minute_of_day: float = 0.0) -> None:
        self._profile, self._tables = load_profile(), load_tables()
        self._settings, self._start_minute = settings, minute_of_day
        share = settings.load / settings.phases
        self._share = share
        largest = float(np.hypot(self._profile.active_w, self._profile.reactive_var).max()) * share
        volts = (settings.nominal_voltage_v * float(self._profile.voltage_share.max()),) * settings.phases
        amperes = (largest / settings.nominal_voltage_v,) * settings.phases
        form = converter(settings.rate_hz, settings.bits, volts, amperes, CRESTS)
        pace = Pace(settings.rate_hz, origin_ns, speed)
        super().__init__(form, pace, settings.frequency_hz, settings.noise_lsb, settings.seed)
        chance = random.Random(settings.seed)
        self._wander = tuple((period, chance.random()) for period in WANDER_PERIODS_S)

    def minute_at(self, number: int) -> float:
        """Minute of the day in the middle of segment `number`."""
        return (self._start_minute + (self.seconds_at(number) + SEGMENT_S / 2) / 60) % MINUTES_A_DAY

    def values(self, number: int, position: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Volts and amperes from the mixed tables, at a frequency that wanders."""
        start, end = self._drift(self.seconds_at(number)), self._drift(self.seconds_at(number + 1))
        drifted = position + start + (end - start) * np.arange(len(position)) / len(position)
        volts, amperes = [], []
        for phase in range(self._settings.phases):
            minute = (self.minute_at(number) - PHASE_MINUTES[phase]) % MINUTES_A_DAY
            voltage, mix = self._moment(minute)
            place = (drifted + PHASE_CYCLES[phase]) % 1.0 * TABLE_SAMPLES
            row = place.astype(np.intp)
            part = place - row
            volts.append(_between(self._tables.voltage * voltage, row, part))
            amperes.append(_between(self._tables.current @ (mix / voltage), row, part))
        return np.stack(volts, axis=1), np.stack(amperes, axis=1)

    def powers_at(self, minute: float) -> tuple[float, float, float]:
        """Watts, vars and volts of one phase at a minute of its day, on the line between the middles of the minutes."""
        place = minute - 0.5
        row, part = int(np.floor(place)), place - np.floor(place)
        one, two = row % MINUTES_A_DAY, (row + 1) % MINUTES_A_DAY
        active, reactive, voltage = (float(column[one] * (1 - part) + column[two] * part) for column in self._profile)
        return active * self._share, reactive * self._share, voltage * self._settings.nominal_voltage_v

    def _moment(self, minute: float) -> tuple[float, NDArray[np.float64]]:
        """Volts, and the weights of the columns of the current table."""
        active, reactive, voltage = self.powers_at(minute)
        large = list(LARGE)
        random.Random(self._settings.seed * 24 + int(minute // 60)).shuffle(large)
        watts = dict.fromkeys(self._tables.names, 0.0)
        left = active
        for name, most in (*SMALL, *large):
            watts[name] = min(left, most * self._share)
            left -= watts[name]
        watts[large[-1][0]] += left
        mix = np.array([watts[name] for name in self._tables.names])
        return voltage, np.append(mix, reactive - float(mix @ self._tables.reactive_share))

    def _drift(self, seconds: float) -> float:
        """Cycles by which the house is ahead of its mean frequency."""
        return sum(
            WANDER_HZ * period / (2 * np.pi) * float(np.sin(2 * np.pi * (seconds / period + start)))
            for period, start in self._wander
        )


def _between(table: NDArray[np.float64], row: NDArray[np.intp], part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of a closed table `part` of the way from `row` to the next one."""
    low = table[row]
    result: NDArray[np.float64] = low + (table[row + 1] - low) * part
    return result
