"""Settings of inputs: defaults are valid, limits are told, values must fit each other."""

from __future__ import annotations

import math

import msgspec
import pytest

from wattwheel.model.errors import ConfigError
from wattwheel.model.inputs import (
    ConstantInput,
    HouseInput,
    InputSettings,
    RecordingInput,
    StreamInput,
    checked_input,
    stream_address,
)

STREAM = {"source": "/run/samples", "rate_hz": 8000, "voltage_v_per_count": 0.01, "current_a_per_count": 0.001}


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ({"kind": "recording"}, RecordingInput),
        ({"kind": "recording", "path": "x.cfg", "channels": {"va": "U1", "in": "I4"}, "play": "once"}, RecordingInput),
        ({"kind": "house", "phases": 3, "seed": 7}, HouseInput),
        (
            {
                "kind": "constant",
                "voltage_v": [220, 220, 220],
                "active_power_w": [1, 2, 3],
                "reactive_power_var": [0, 0, 0],
            },
            ConstantInput,
        ),
        ({"kind": "stream", **STREAM}, StreamInput),
    ],
)
def test_tables_become_settings(table: dict[str, object], kind: type):
    settings = msgspec.convert(table, InputSettings)
    assert isinstance(settings, kind)
    assert checked_input(settings) is settings


@pytest.mark.parametrize(
    "table",
    [
        {"kind": "radio"},
        {"kind": "recording", "channels": {"vd": "U1"}},
        {"kind": "recording", "play": "twice"},
        {"kind": "house", "phases": 2},
        {"kind": "house", "rate_hz": 399},
        {"kind": "house", "colour": "red"},
        {"kind": "constant", "frequency_hz": 71},
        {"kind": "constant", "bits": 12},
        {"kind": "stream"},
        {"kind": "stream", **STREAM, "voltage_v_per_count": 0},
        {"kind": "stream", **STREAM, "voltage_v_per_count": 1e308},
        {"kind": "stream", **STREAM, "current_a_per_count": 1e308},
    ],
)
def test_limits(table: dict[str, object]):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, InputSettings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (ConstantInput(voltage_v=()), r"\[input\] voltage_v: found \[\]; allowed: 1 or 3 numbers"),
        (ConstantInput(voltage_v=(1.0, 2.0)), "voltage_v: found"),
        (ConstantInput(active_power_w=(1.0, 2.0)), r"active_power_w: found \[1.0, 2.0\]; allowed: 1 numbers"),
        (ConstantInput(voltage_v=(0.0,)), "active_power_w: found 1100.0; allowed: 0 where voltage_v is below 0.001"),
        (ConstantInput(voltage_v=(1e-300,)), "active_power_w: found 1100.0; allowed: 0 where voltage_v is below"),
        (ConstantInput(reactive_power_var=(math.nan,)), "reactive_power_var: found nan; allowed: a finite number"),
        (HouseInput(load=math.inf), "load: found inf"),
        (StreamInput("samples", 8000, 1, 1), r"source: found 'samples'; allowed: \"/path\" of a FIFO"),
        (StreamInput("/x", 8000, 1, 1, bits=20), "bits: found 20; allowed: 0 to 16 for int16"),
    ],
)
def test_values_that_do_not_fit_each_other(settings: InputSettings, says: str):
    with pytest.raises(ConfigError, match=says):
        checked_input(settings)
    with pytest.raises(ConfigError, match=r"^meter\.toml: "):
        checked_input(settings, "meter.toml")


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("/run/x", ("fifo", "/run/x", 0)),
        ("unix:/run/y", ("unix", "/run/y", 0)),
        ("tcp:127.0.0.1:9000", ("tcp", "127.0.0.1", 9000)),
        ("tcp:[::1]:9000", ("tcp", "::1", 9000)),
    ],
)
def test_stream_addresses(source: str, address: tuple[str, str, int]):
    assert stream_address(source) == address


@pytest.mark.parametrize(
    "source",
    ["", "x", "unix:x", "tcp:localhost:1", "tcp:127.0.0.1", "tcp:127.0.0.1:0", "tcp:127.0.0.1:70000", "udp:1.2.3.4:5"],
)
def test_wrong_stream_addresses(source: str):
    with pytest.raises(ConfigError, match="source: found"):
        checked_input(StreamInput(source, 8000, 1, 1))
