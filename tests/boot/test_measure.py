"""`measure`: the values that come with the recordings, signals with a known answer, and one sentence for bad input.

D02 and X02 are cases of the accuracy tests: dips and frequency of real recordings.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wattwheel.boot.measure import measure
from wattwheel.drivers.sim.recordings import BUNDLED
from wattwheel.model.errors import RecordingError

DATA = Path(__file__).parents[1] / "data"
REFERENCE = 5e-4
"""Relative difference to the values that come with a recording."""


def csv(path: Path, rate: float, **columns: np.ndarray) -> Path:
    """A table without a time column, so that its rate is exact."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    path.write_text(",".join(columns) + "\n" + "\n".join(",".join(map(repr, row)) for row in rows) + "\n")
    return path


def test_building_supply_as_one_period():
    document = measure(BUNDLED, periodic=True)
    phases = document["phases"]
    expected = {
        "voltage_v_rms": (348.951, 352.224, 345.953),
        "current_a_rms": (126.108, 151.832, 166.696),
        "active_power_w": (40500.2, 49502.4, 53633.9),
        "reactive_power_var": (16346.9, 16897.2, 20833.3),
    }
    for name, values in expected.items():
        assert [phases[p][name] for p in "abc"] == pytest.approx(values, rel=5e-6)
    assert phases["a"]["power_factor"] == pytest.approx(40500.2 / (348.951 * 126.108), rel=1e-5)
    assert document["cycles"] == 4.0
    assert document["frequency_hz"] == pytest.approx(30707.244140625 / 512, abs=1e-6)
    assert document["total"]["active_power_w"] == pytest.approx(143636.5, rel=1e-5)
    assert document["total"]["import_active_energy_wh"] == pytest.approx(143636.5 * 2048 / 30707.244 / 3600, rel=1e-5)
    assert document["total"]["export_active_energy_wh"] == 0.0
    assert document["phases"]["n"]["current_a_rms"] == pytest.approx(1.5223, rel=1e-3)
    ac = phases["a"]["ac"]
    assert ac["voltage_v_rms"] ** 2 + phases["a"]["dc"]["voltage_v"] ** 2 == pytest.approx(348.951**2, rel=1e-5)
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_building_supply_between_zero_crossings():
    document = measure(BUNDLED)
    assert document["cycles"] == 3.0
    assert document["frequency_hz"] == pytest.approx(59.975, abs=0.01)
    assert document["phases"]["a"]["voltage_v_rms"] == pytest.approx(348.9, rel=1e-3)


@pytest.mark.parametrize(
    ("station", "quantity", "channel", "low", "high"),
    [
        ("ygz", "va", "220kVxgx_214开关_Ua", 3.543, None),
        ("ygz", "va", "220kVxgx_214开关_Ub", 58.211, 60.149),
        ("ygz", "va", "220kVxgx_214开关_Uc", 56.668, 60.781),
        ("ygz", "va", "220kVxgx_214开关_3U0", None, 119.7),
        ("ymz", "va", "220kV母线Ⅰ_Ua", 42.038, None),
        ("ymz", "va", "220kV母线Ⅰ_Ub", 58.445, None),
        ("ymz", "va", "220kV母线Ⅰ_Uc", 57.491, None),
        ("ymz", "ia", "220kVhyx_212开关_Ia", 0.116, 0.581),
        ("ymz", "ia", "220kVhyx_212开关_3I0", None, 1.187),
    ],
)
def test_d02_depth_of_a_fault(station: str, quantity: str, channel: str, low: float | None, high: float | None):
    document = measure(DATA / "comtrade-cn-220kv" / f"{station}.cfg", {quantity: channel})
    name = "voltage_v_rms" if quantity == "va" else "current_a_rms"
    phase = document["phases"]["a"]
    digit = 0.06 if high == 119.7 else 6e-4  # half of the last one of the reference
    if low is not None:
        assert phase[f"{name}_half_min"] == pytest.approx(low, abs=digit)
    if high is not None:
        assert phase[f"{name}_half_max"] == pytest.approx(high, abs=digit)
    assert (document["first_sample"], document["samples"]) == (0, {"ygz": 1280, "ymz": 1120}[station])


def test_d02_three_phases_of_a_fault_at_once():
    document = measure(DATA / "comtrade-cn-220kv" / "ygz.cfg", "va=1,vb=2,vc=3,ia=45,ib=46,ic=47,in=48")
    depths = [document["phases"][p]["voltage_v_rms_half_min"] for p in "abc"]
    assert depths == pytest.approx([3.543, 58.211, 56.668], rel=REFERENCE)
    assert document["frequency_hz"] == pytest.approx(50, abs=0.05)
    assert document["channels"]["va"] == {
        "name": "220kVxgx_214开关_Ua",
        "unit": "V",
        "side": "secondary",
        "ratio": pytest.approx(2200, rel=1e-4),
    }
    assert document["phases"]["n"]["current_a_rms_half_max"] > 25


def test_d02_relay_that_follows_the_mains():
    document = measure(DATA / "comtrade-relays" / "1.cfg")
    assert document["phases"]["b"]["voltage_v_rms_half_min"] == pytest.approx(35.8, rel=2e-3)
    assert 76 < document["phases"]["a"]["voltage_v_rms_half_max"] < 78
    assert document["frequency_hz"] == pytest.approx(50.03, abs=0.02)
    assert document["phases"]["a"]["current_a_rms"] is None
    assert document["total"]["active_power_w"] is None


@pytest.mark.parametrize(("channel", "low"), [("U21", 671.98), ("U32", 669.40)])
def test_d02_motors_running_down(channel: str, low: float):
    document = measure(DATA / "comtrade-relays" / "4.CFG", {"va": channel, "ia": "I1"})
    phase = document["phases"]["a"]
    assert phase["voltage_v_rms_half_min"] == pytest.approx(low, rel=REFERENCE)
    assert document["frequency_hz"] is None, "nothing near the line frequency"
    assert phase["reactive_power_var"] is None
    assert document["samples"] == 2400


def test_relay_without_a_signal():
    document = measure(DATA / "comtrade-relays" / "5.cfg")
    assert document["frequency_hz"] is None
    assert document["phases"]["c"]["voltage_v_rms"] == pytest.approx(0.031, abs=0.002)
    assert document["phases"]["a"]["power_factor"] is None


@pytest.mark.parametrize(
    ("name", "mean", "lows", "highs"),
    [
        ("092", 49.9966, (49.9706, 49.9721), (50.0219, 50.0218)),
        ("115", 49.9856, (49.9596, 49.9623), (50.0342, 50.0322)),
        ("117", 50.0125, (49.9680, 49.9683), (50.0399, 50.0409)),
        ("085", 49.9765, (49.9597, 49.9610), (50.4751, 50.4682)),
    ],
)
def test_x02_frequency_of_the_mains(name: str, mean: float, lows: tuple[float, ...], highs: tuple[float, ...]):
    document = measure(DATA / "enf-whu-mains" / f"{name}_ref.wav")
    second = document["frequency_1s_hz"]
    assert document["frequency_hz"] == pytest.approx(mean, abs=0.5e-3)
    assert second["mean"] == pytest.approx(mean, abs=0.5e-3)
    assert min(abs(second["min"] - low) for low in lows) < 1e-3, "one of the two methods"
    assert min(abs(second["max"] - high) for high in highs) < 1e-3


RATE = 6400.0


def wave(
    frequency: float,
    rms: dict[int, float],
    *,
    lag_deg: float = 0.0,
    dc: float = 0.0,
    seconds: float = 1.0,
    rate: float = RATE,
) -> np.ndarray:
    angle = 2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate - 1.0
    return dc + sum(np.sqrt(2) * value * np.sin(order * (angle - np.radians(lag_deg))) for order, value in rms.items())


@pytest.mark.parametrize("periodic", [False, True])
def test_known_signal(tmp_path: Path, periodic: bool):
    path = csv(
        tmp_path / "x.csv",
        RATE,
        voltage_a_v=wave(50, {1: 220.0, 3: 11.0}, dc=2.0),
        current_a_a=wave(50, {1: 5.0, 3: 1.0}, lag_deg=60, dc=0.5),
    )
    phase = measure(path, rate_hz=RATE, periodic=periodic)["phases"]["a"]
    power = 220 * 5 * 0.5 + 11 * 1 * np.cos(np.pi)
    assert phase["active_power_w"] == pytest.approx(power + 2 * 0.5, rel=2e-5)
    assert phase["ac"]["active_power_w"] == pytest.approx(power, rel=2e-5)
    assert phase["reactive_power_var"] == pytest.approx(220 * 5 * np.sqrt(0.75), rel=1e-5)
    assert phase["voltage_v_rms"] == pytest.approx(np.sqrt(220**2 + 11**2 + 4), rel=1e-5)
    assert phase["ac"]["current_a_rms"] == pytest.approx(np.sqrt(26), rel=1e-5)
    assert phase["thd_voltage_percent"] == pytest.approx(5.0, rel=1e-4)
    assert phase["thd_current_percent"] == pytest.approx(20.0, rel=1e-4)
    assert phase["dc"] == {"voltage_v": pytest.approx(2, rel=1e-3), "current_a": pytest.approx(0.5, rel=1e-3)}
    assert phase["power_factor"] == pytest.approx(
        phase["active_power_w"] / (phase["voltage_v_rms"] * phase["current_a_rms"])
    )


@pytest.mark.parametrize(
    ("frequency", "rate"), [(49.3, 6400.0), (57.7, 6400.0), (50.2, 400.0), (47.0, 600.0), (65.0, 20833.0)]
)
def test_cycles_that_do_not_fit_the_samples(tmp_path: Path, frequency: float, rate: float):
    path = csv(
        tmp_path / "x.csv",
        rate,
        voltage_a_v=wave(frequency, {1: 220.0}, seconds=2.0, rate=rate),
        current_a_a=wave(frequency, {1: 5.0}, lag_deg=60, seconds=2.0, rate=rate),
    )
    document = measure(path, rate_hz=rate)
    phase = document["phases"]["a"]
    assert document["frequency_hz"] == pytest.approx(frequency, abs=1e-3)
    assert document["cycles"] == round(document["duration_s"] * frequency)
    assert phase["active_power_w"] == pytest.approx(550, rel=REFERENCE)
    assert phase["reactive_power_var"] == pytest.approx(1100 * np.sqrt(0.75), rel=REFERENCE)
    assert phase["voltage_v_rms"] == pytest.approx(220, rel=REFERENCE)
    assert phase["thd_voltage_percent"] < 0.05


def test_export_and_totals_of_three_phases(tmp_path: Path):
    volts = {f"voltage_{p}_v": wave(50, {1: 230.0}, lag_deg=120 * k) for k, p in enumerate("abc")}
    amperes = {f"current_{p}_a": wave(50, {1: 10.0}, lag_deg=120 * k + (0, 180, 300)[k]) for k, p in enumerate("abc")}
    neutral = {"current_n_a": wave(50, {1: 0.25})}
    document = measure(csv(tmp_path / "x.csv", RATE, **volts, **amperes, **neutral), rate_hz=RATE)
    powers = [document["phases"][p]["active_power_w"] for p in "abc"]
    assert powers == pytest.approx([2300, -2300, 1150], rel=1e-4)
    assert document["phases"]["c"]["reactive_power_var"] == pytest.approx(-2300 * np.sqrt(0.75), rel=1e-4)
    total = document["total"]
    assert total["active_power_w"] == pytest.approx(1150, rel=1e-4)
    assert total["apparent_power_va"] == pytest.approx(6900, rel=1e-4)
    assert total["power_factor"] == pytest.approx(1 / 6, rel=1e-3)
    assert total["import_active_energy_wh"] == pytest.approx(1150 * document["duration_s"] / 3600, rel=1e-3)
    assert document["phases"]["n"]["current_a_rms"] == pytest.approx(0.25, rel=1e-4)
    turned = {name: -column for name, column in amperes.items()}
    document = measure(csv(tmp_path / "y.csv", RATE, **volts, **turned), rate_hz=RATE)
    assert document["total"]["import_active_energy_wh"] == 0.0
    assert document["total"]["export_active_energy_wh"] == pytest.approx(1150 * document["duration_s"] / 3600, rel=1e-3)


def nulls(table: dict[str, Any]) -> set[str]:
    return {name for name, value in table.items() if value is None}


def test_what_is_absent_is_null(tmp_path: Path):
    path = csv(tmp_path / "x.csv", RATE, voltage_b_v=wave(50, {1: 230.0}))
    document = measure(path, rate_hz=RATE)
    assert {"current_a_rms", "active_power_w", "reactive_power_var", "power_factor"} <= nulls(document["phases"]["b"])
    assert document["phases"]["b"]["thd_voltage_percent"] is not None
    assert {"voltage_v_rms", "current_a_rms", "thd_voltage_percent"} <= nulls(document["phases"]["a"])
    assert nulls(document["total"]) == set(document["total"])
    assert document["phases"]["n"]["current_a_rms"] is None
    path = csv(tmp_path / "y.csv", RATE, current_a_a=wave(50, {1: 3.0}))
    document = measure(path, rate_hz=RATE)
    assert document["phases"]["a"]["current_a_rms"] == pytest.approx(3, rel=1e-5)
    assert document["frequency_hz"] == pytest.approx(50, abs=1e-3)


def test_dead_record_has_no_frequency_but_zeros(tmp_path: Path):
    path = csv(tmp_path / "x.csv", RATE, voltage_a_v=np.zeros(640), current_a_a=np.zeros(640))
    for periodic in (False, True):
        document = measure(path, rate_hz=RATE, periodic=periodic)
        assert (document["cycles"], document["frequency_hz"]) == (None, None)
        assert document["phases"]["a"]["active_power_w"] == 0.0
        assert document["phases"]["a"]["power_factor"] is None


def cut(source: Path, target: Path, octets: int) -> None:
    target.write_bytes(source.read_bytes()[:octets])


def cut_dat(folder: Path) -> Path:
    shutil.copy(BUNDLED, folder / "x.CFG")
    cut(BUNDLED.with_suffix(".DAT"), folder / "x.dat", 50_000)
    return folder / "x.CFG"


def cut_wav(folder: Path) -> Path:
    cut(DATA / "enf-whu-mains" / "092_ref.wav", folder / "x.wav", 1000)
    return folder / "x.wav"


def cut_cfg(folder: Path) -> Path:
    cut(BUNDLED, folder / "x.cfg", 300)
    shutil.copy(BUNDLED.with_suffix(".DAT"), folder / "x.dat")
    return folder / "x.cfg"


def alone(folder: Path) -> Path:
    shutil.copy(BUNDLED, folder / "x.cfg")
    return folder / "x.cfg"


def written(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return make


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "none.cfg", "none.cfg: no such file"),
        (lambda folder: folder / "none.wav", "none.wav: no such file"),
        (lambda folder: folder / "none.xyz", "none.xyz: no such file"),
        (lambda folder: folder, "is a folder; allowed: a file"),
        (written("x.xyz", "?"), r"unknown kind of recording '.xyz'; allowed: .cfg with .dat"),
        (alone, "no x.dat beside it; a COMTRADE recording is a .cfg and a .dat"),
        (cut_dat, r"x.dat: line \d+: \d fields|x.dat: ends after sample \d+ of the 2048"),
        (cut_cfg, "line 2: 8 channels announced, but only|fields in an analogue channel|ends before"),
        (cut_wav, "ends after 956 of 214402 octets of samples; the file is cut"),
        (written("x.csv", "time_s,voltage_a_v\n0,1\n0.001,2\n0.002,3\n"), "x.csv: .*"),
    ],
)
def test_bad_files_get_one_sentence(tmp_path: Path, make: Callable[[Path], Path], says: str):
    path = make(tmp_path)
    if path.suffix == ".csv":
        assert measure(path)["frequency_hz"] is None
        return
    with pytest.raises(RecordingError, match=says) as caught:
        measure(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ("va=U9", "no channel 'U9'; choose by name or number"),
        ("xa=U1", "--map: found 'xa=U1'; allowed: va, ia"),
        ({"va": "I1"}, "'I1' is in A, so it cannot be va"),
    ],
)
def test_wrong_maps_get_one_sentence(mapping: str | dict[str, str], says: str):
    with pytest.raises(RecordingError, match=says):
        measure(BUNDLED, mapping)


def test_unclear_recording_lists_its_channels_and_a_map_that_works():
    path = DATA / "comtrade-cn-220kv" / "ygz.cfg"
    with pytest.raises(
        RecordingError, match=r"--map va=1,ia=41,vb=2,ib=42,vc=3,ic=43; channels: 1: 220kVxgx_214开关_Ua \(V\)"
    ):
        measure(path)
    assert measure(path, "va=1,ia=41,vb=2,ib=42,vc=3,ic=43")["total"]["active_power_w"] is not None


def test_too_short_for_whole_cycles(tmp_path: Path):
    path = csv(tmp_path / "x.csv", RATE, voltage_a_v=wave(50, {1: 230.0}, seconds=0.02))
    with pytest.raises(RecordingError, match="too little for whole cycles; allowed: at least two, or --periodic"):
        measure(path, rate_hz=RATE)
    document = measure(path, rate_hz=RATE, periodic=True)
    assert document["cycles"] == 1.0
    assert document["phases"]["a"]["voltage_v_rms"] == pytest.approx(230, rel=1e-6)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("rate", [1e-308, 1e-9, 0.0, 1e9])
def test_rates_that_no_recorder_has_get_one_sentence(tmp_path: Path, rate: float, periodic: bool):
    path = csv(tmp_path / "x.csv", RATE, voltage_a_v=wave(50, {1: 230.0}))
    with pytest.raises(RecordingError, match=r"--rate: sampling rate .* Hz; allowed: 1e-06 to 1e\+08"):
        measure(path, rate_hz=rate, periodic=periodic)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(("rate", "nominal"), [("1e-6", "50"), ("4000", "1e-300")])
def test_a_cycle_of_no_length_or_too_long_a_one_has_no_rms(tmp_path: Path, rate: str, nominal: str, periodic: bool):
    rows = "".join(f"{n},0,{n % 7}\n" for n in range(1, 401))
    start = "01/01/2000,00:00:00.0\n" * 2
    (tmp_path / "x.dat").write_text(rows)
    (tmp_path / "x.cfg").write_text(
        f"st,dev,1999\n1,1A,0D\n1,VA,,,V,1,0,0,-9,9,1e300,1e-300,S\n{nominal}\n1\n{rate},400\n{start}ASCII\n1\n"
    )
    document = measure(tmp_path / "x.cfg", periodic=periodic)
    assert document["phases"]["a"]["voltage_v_rms_half_min"] is None
    assert document["channels"]["va"]["ratio"] is None
    assert json.loads(json.dumps(document, allow_nan=False)) == document


@pytest.mark.filterwarnings("error")
def test_a_scale_that_no_supply_has_gets_one_sentence_and_no_warning(tmp_path: Path):
    configuration = BUNDLED.read_text().replace("-0.0197614394128323", "1e308")
    assert "1e308" in configuration
    (tmp_path / "x.cfg").write_text(configuration)
    shutil.copy(BUNDLED.with_suffix(".DAT"), tmp_path / "x.dat")
    with pytest.raises(RecordingError, match=r"holds values beyond 1e\+30"):
        measure(tmp_path / "x.cfg")


@pytest.mark.parametrize("periodic", [True, False])
def test_numbers_that_no_supply_has_get_one_sentence(tmp_path: Path, periodic: bool):
    rows = "".join(f"{n / 1000},{'-' * (n % 2)}1e200,1\n" for n in range(400))
    (tmp_path / "x.csv").write_text("time_s,voltage_a_v,current_a_a\n" + rows)
    with pytest.raises(RecordingError, match=r"channel voltage_a_v holds values beyond 1e\+30"):
        measure(tmp_path / "x.csv", periodic=periodic)
