"""Where a meter's samples come from: the section `[input]` of the settings, one struct a kind.

Units stand last in the names. What one value alone cannot show is checked by `checked_input`.
"""

from __future__ import annotations

import ipaddress
import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from wattwheel.model.errors import ConfigError

PHASE_POWER_VA_MAX = 10_000_000.0
"""Largest constant power a phase that is accepted."""

LOADED_VOLTAGE_V_MIN = 0.001
"""Smallest voltage that can carry a constant power."""

Quantity = Literal["va", "ia", "vb", "ib", "vc", "ic", "in"]
SampleRate = Annotated[float, Meta(ge=400, le=50_000)]
Frequency = Annotated[float, Meta(ge=40, le=70)]
Noise = Annotated[float, Meta(ge=0, le=100)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Power = Annotated[float, Meta(ge=-PHASE_POWER_VA_MAX, le=PHASE_POWER_VA_MAX)]
Bits = Literal[16, 24]
PerCount = Annotated[float, Meta(gt=0, le=1_000_000)]


class RecordingInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="recording"):
    """A recording, played at its own speed.

    Attributes:
        path: COMTRADE (.cfg or .cff), CSV or WAV file; empty for the recording that comes with the package.
        channels: which channel is which, where the names do not say it: va, ia, vb, ib, vc, ic, in = name or number.
        rate_hz: samples a second of a file that does not say it; 0 takes the file's own.
        play: "period" repeats the whole record, "cycles" the whole cycles in it, "once" plays it once and stops;
            "auto" is "period" for the recording of the package and "cycles" for any other.
        side: side of the transformers that the values are of; primary ones are divided by the meter's ratios. "auto"
            believes the file, secondary where it says nothing.
        bits: width of the converter.
    """

    path: str = ""
    channels: dict[Quantity, str] = {}
    rate_hz: Annotated[float, Meta(ge=0, le=100_000_000)] = 0.0
    play: Literal["auto", "period", "cycles", "once"] = "auto"
    side: Literal["auto", "primary", "secondary"] = "auto"
    bits: Bits = 16


class HouseInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="house"):
    """A simulated house: a measured day of one household, its load made of the spectra of measured appliances.

    Attributes:
        phases: 1, or 3 with a third of the load on each, the day shifted by some minutes.
        nominal_voltage_v: mean voltage of the day.
        frequency_hz: mean frequency; it wanders by some hundredths of a hertz.
        load: factor on the load of the measured household, whose mean is about 1.3 kW.
        seed: which appliances run when, and the noise.
        noise_lsb: standard deviation of the converter's noise, in its steps.
        rate_hz: samples a second.
        bits: width of the converter.
    """

    phases: Literal[1, 3] = 1
    nominal_voltage_v: Annotated[float, Meta(ge=50, le=1000)] = 220.0
    frequency_hz: Frequency = 50.0
    load: Annotated[float, Meta(ge=0, le=1000)] = 1.0
    seed: Seed = 1
    noise_lsb: Noise = 0.5
    rate_hz: SampleRate = 6400.0
    bits: Bits = 16


class ConstantInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="constant"):
    """Pure sines of constant power; one number a phase, 1 or 3 of them. Values of the meter's own (secondary) side.

    Attributes:
        voltage_v: RMS value of each phase.
        active_power_w: of each phase, negative for export.
        reactive_power_var: of each phase, positive when the current lags.
        frequency_hz: of the network.
        noise_lsb: standard deviation of the converter's noise, in its steps.
        seed: of the noise.
        rate_hz: samples a second.
        bits: width of the converter.
    """

    voltage_v: tuple[Annotated[float, Meta(ge=0, le=1_000_000)], ...] = (220.0,)
    active_power_w: tuple[Power, ...] = (1100.0,)
    reactive_power_var: tuple[Power, ...] = (0.0,)
    frequency_hz: Frequency = 50.0
    noise_lsb: Noise = 0.5
    seed: Seed = 1
    rate_hz: SampleRate = 6400.0
    bits: Bits = 16


class StreamInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="stream"):
    """Raw samples from outside: little-endian integers, va ia vb ib vc ic, then in where there is a neutral.

    Attributes:
        source: "/path" of a FIFO, "unix:/path" or "tcp:ADDRESS:PORT" of a socket that listens.
        rate_hz: samples a second and channel.
        voltage_v_per_count: volts of one count, secondary side.
        current_a_per_count: amperes of one count, secondary side.
        phases: 1 or 3.
        neutral: a column of the neutral current, of current_a_per_count, follows the phases.
        sample: type of the integers.
        bits: how many of their bits the converter fills, at most 24; 0 for 16 of int16, 24 of int32.
    """

    source: str
    rate_hz: SampleRate
    voltage_v_per_count: PerCount
    current_a_per_count: PerCount
    phases: Literal[1, 3] = 3
    neutral: bool = False
    sample: Literal["int16", "int32"] = "int16"
    bits: Annotated[int, Meta(ge=0, le=24)] = 0


InputSettings = RecordingInput | HouseInput | ConstantInput | StreamInput
"""What `[input]` can be; `kind` tells which."""


def checked_input(settings: InputSettings, file: str | None = None) -> InputSettings:
    """`settings`, when its values fit each other; ConfigError naming the key otherwise."""
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and not math.isfinite(number):
                raise ConfigError(f"[input] {name}", number, "a finite number", file)
    if isinstance(settings, ConstantInput):
        _check_constant(settings, file)
    if isinstance(settings, StreamInput):
        _check_stream(settings, file)
    return settings


def _check_constant(settings: ConstantInput, file: str | None) -> None:
    phases = len(settings.voltage_v)
    if phases not in (1, 3):
        raise ConfigError("[input] voltage_v", list(settings.voltage_v), "1 or 3 numbers, one a phase", file)
    for name in ("active_power_w", "reactive_power_var"):
        powers = getattr(settings, name)
        if len(powers) != phases:
            raise ConfigError(f"[input] {name}", list(powers), f"{phases} numbers, as many as voltage_v has", file)
        for voltage, power in zip(settings.voltage_v, powers, strict=True):
            if power and voltage < LOADED_VOLTAGE_V_MIN:
                allowed = f"0 where voltage_v is below {LOADED_VOLTAGE_V_MIN:g}"
                raise ConfigError(f"[input] {name}", power, allowed, file)


def _check_stream(settings: StreamInput, file: str | None) -> None:
    try:
        stream_address(settings.source)
    except ValueError:
        allowed = '"/path" of a FIFO, "unix:/path", or "tcp:ADDRESS:PORT" with a numeric address'
        raise ConfigError("[input] source", settings.source, allowed, file) from None
    width = {"int16": 16, "int32": 24}[settings.sample]
    if settings.bits > width:
        raise ConfigError("[input] bits", settings.bits, f"0 to {width} for {settings.sample}", file)


def stream_address(source: str) -> tuple[str, str, int]:
    """`source` of a stream as (`fifo` | `unix` | `tcp`, path or address, port or 0); ValueError for anything else."""
    if source.startswith("/"):
        return "fifo", source, 0
    scheme, _, rest = source.partition(":")
    if scheme == "unix" and rest.startswith("/"):
        return "unix", rest, 0
    if scheme != "tcp":
        raise ValueError(source)
    host, _, port = rest.rpartition(":")
    address = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(source)
    return "tcp", address, int(port)
