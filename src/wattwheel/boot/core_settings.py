"""What the metering core's process is told at its start: one JSON document, made from the meter's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from wattwheel.model.inputs import InputSettings, RecordingInput, StreamInput

if TYPE_CHECKING:
    from pathlib import Path

    from wattwheel.boot.settings import Settings


METERING_FOLDER, PLUG_NAME = "metering", "module.plug"
"""In a state folder the core's own one, and in that what the board has noted of the management module's plug."""


class CoreLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the core link is.

    Attributes:
        kind: "pty" (a pseudo-terminal's path), "serial" (a device, 8 data bits, even parity) or "tcp".
        device: path of the pseudo-terminal or serial device.
        baud: of the serial device.
        address: HOST:PORT at which the management core listens, for "tcp".
    """

    kind: Literal["pty", "serial", "tcp"] = "pty"
    device: str = ""
    baud: int = 115_200
    address: str = ""


class CoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the metering core. Electrical values are those of the secondary side.

    Attributes:
        folder: the core's own storage folder; nobody else writes there.
        link: the core link.
        input: where the samples come from.
        wiring: as in the meter's settings, like all that follow up to `speed`.
        minute_of_day: local minute of the day at the start, for a simulated house.
        speed: factor on the time of simulated inputs.
        has_relay: a simulated relay stands between the input and the load.
        pulse_file: where pulses are written, "" for nowhere; `pulse_file_octets_max`: how long the file may be.
        maximum_power_w: of the whole meter; test pulses are shorter where they come too close at it.
        parent_pid: the process that supplies the core with power: it dies with it. 0: nobody does.
        is_restart: the meter is running already: then a memory that cannot be opened any more does not end metering.
    """

    folder: str
    link: CoreLink
    input: InputSettings = RecordingInput()
    wiring: Literal["1p2w", "3p4w", "3p3w"] = "3p4w"
    nominal_voltage_v: float = 347.0
    starting_current_a: float = 0.005
    nominal_frequency_hz: int = 60
    no_load_share: float = 0.45
    interruption_share: float = 0.05
    active_constant_imp_per_kwh: int = 6400
    reactive_constant_imp_per_kvarh: int = 6400
    current_ratio: int = 50
    voltage_ratio: int = 1
    voltage_gain: tuple[float, ...] = ()
    current_gain: tuple[float, ...] = ()
    voltage_delay_us: tuple[float, ...] = ()
    current_delay_us: tuple[float, ...] = ()
    neutral_gain: float = 1.0
    push_seconds: float = 1.0
    sync_seconds: float = 20.0
    speed: float = 1.0
    minute_of_day: float = 0.0
    has_relay: bool = False
    pulse_file: str = ""
    pulse_file_octets_max: int = 10_000_000
    maximum_power_w: float = 6246.0
    parent_pid: int = 0
    is_restart: bool = False


def maximum_power_w(settings: Settings) -> float:
    """Of the whole meter: nominal voltage and maximum current in each element."""
    meter = settings.meter
    elements = {"1p2w": 1.0, "3p4w": 3.0, "3p3w": 3**0.5}[meter.wiring]
    return elements * meter.nominal_voltage_v * meter.maximum_current_a


def core_settings(
    settings: Settings,
    folder: Path,
    link: CoreLink,
    minute_of_day: float = 0.0,
    parent_pid: int = 0,
    is_restart: bool = False,
) -> CoreSettings:
    """The part of `settings` that the metering core needs, for a core that keeps its registers in `folder`."""
    meter, calibration, metering = settings.meter, settings.calibration, settings.metering
    return CoreSettings(
        folder=str(folder),
        link=link,
        input=settings.input,
        wiring=meter.wiring,
        nominal_voltage_v=meter.nominal_voltage_v,
        starting_current_a=meter.starting_current_a,
        nominal_frequency_hz=meter.nominal_frequency_hz,
        no_load_share=metering.no_load_share,
        interruption_share=metering.interruption_share,
        active_constant_imp_per_kwh=meter.active_constant_imp_per_kwh,
        reactive_constant_imp_per_kvarh=meter.reactive_constant_imp_per_kvarh,
        current_ratio=meter.current_ratio,
        voltage_ratio=meter.voltage_ratio,
        voltage_gain=calibration.voltage_gain,
        current_gain=calibration.current_gain,
        voltage_delay_us=calibration.voltage_delay_us,
        current_delay_us=calibration.current_delay_us,
        neutral_gain=calibration.neutral_gain,
        push_seconds=metering.push_seconds,
        sync_seconds=metering.sync_seconds,
        speed=settings.clock.speed,
        minute_of_day=minute_of_day,
        has_relay=settings.fee_control.mode != "none" and not isinstance(settings.input, StreamInput),
        pulse_file=settings.pulse_output.file,
        pulse_file_octets_max=settings.pulse_output.file_octets_max,
        maximum_power_w=maximum_power_w(settings),
        parent_pid=parent_pid,
        is_restart=is_restart,
    )
