"""Sections of the settings that belong to single functions of the meter: its clock, fee control, the board."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from wattwheel.model.clock_drift import DRIFT_PPM_MAX

BATTERY_V_MAX = 20.0
AMBIENT_C_MIN, AMBIENT_C_MAX = -100.0, 150.0


class ClockSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The meter's clock.

    Attributes:
        utc_offset_minutes: the meter's standard time minus UTC; standard time is what goes over the wire.
        speed: factor on the input and the calendar, for tests; time-outs on the wire stay.
        drift_ppm: how much faster (negative: slower) than the machine's the meter's clock runs, for tests of those
            who set clocks; 5.787 is half a second a day.
    """

    utc_offset_minutes: Annotated[int, Meta(ge=-720, le=840)] = 0
    speed: Annotated[float, Meta(ge=0.001, le=100_000)] = 1.0
    drift_ppm: Annotated[float, Meta(ge=-DRIFT_PPM_MAX, le=DRIFT_PPM_MAX)] = 0.0


class PulseOutputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where test pulses, and the signals of the multi-function terminal, are written: a line of JSON a pulse.

    Attributes:
        file: path of a file, which is made, or of a named pipe; "" for none. A relative name counts from the folder of
            the settings file.
        file_octets_max: a file that would grow longer is begun anew; the one before it stays beside it as NAME.1.
    """

    file: str = ""
    file_octets_max: Annotated[int, Meta(ge=10_000, le=1_000_000_000)] = 10_000_000


class FeeControlSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fee control: what the meter's relay obeys.

    Attributes:
        mode: "local": energy is charged to a wallet in the meter, which opens the relay when it is used up; "remote":
            only orders of the head-end (1CH) do; "none": there is no relay.
        switch: the relay is in the meter, or a switch outside it.
    """

    mode: Literal["none", "local", "remote"] = "none"
    switch: Literal["built-in", "external"] = "built-in"


class BoardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the board has, and measures of itself until `wattwheel sensor` lets it show something else.

    Attributes:
        clock_battery_v: of the cell that keeps the clock going without supply; low below 2.61 V.
        reading_battery_v: of the battery that feeds the display without supply; low below 4.81 V. 0: there is none.
        auxiliary_supply: whether the meter has one: it feeds it without mains, until `wattwheel contact` tells it lost.
        thermometer: whether the meter has one.
        ambient_c: what it shows, in degrees Celsius.
    """

    clock_battery_v: Annotated[float, Meta(ge=0, le=BATTERY_V_MAX)] = 3.6
    reading_battery_v: Annotated[float, Meta(ge=0, le=BATTERY_V_MAX)] = 6.0
    auxiliary_supply: bool = False
    thermometer: bool = False
    ambient_c: Annotated[float, Meta(ge=AMBIENT_C_MIN, le=AMBIENT_C_MAX)] = 23.0
