"""Finding the parts of a recording in a folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from wattwheel.drivers.sim import recordings
from wattwheel.drivers.sim.recordings import BUNDLED, load_recording
from wattwheel.model.errors import RecordingError

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(("cfg", "dat"), [("x.cfg", "x.dat"), ("x.CFG", "X.Dat"), ("Pump.cfg", "pump.DAT")])
def test_pairs_in_any_case_from_either_end(tmp_path: Path, cfg: str, dat: str):
    shutil.copy(BUNDLED, tmp_path / cfg)
    shutil.copy(BUNDLED.with_suffix(".DAT"), tmp_path / dat)
    assert len(load_recording(tmp_path / cfg)) == 2048
    assert len(load_recording(str(tmp_path / dat))) == 2048


def test_the_exact_name_comes_first(tmp_path: Path):
    shutil.copy(BUNDLED, tmp_path / "x.cfg")
    (tmp_path / "X.dat").write_bytes(b"1,2\n")
    shutil.copy(BUNDLED.with_suffix(".DAT"), tmp_path / "x.DAT")
    assert len(load_recording(tmp_path / "x.cfg")) == 2048


def test_single_file(tmp_path: Path):
    octets = b"--- file type: CFG ---\r\n" + BUNDLED.read_bytes().strip() + b"\r\n--- file type: DAT ASCII ---\r\n"
    (tmp_path / "x.cff").write_bytes(octets + BUNDLED.with_suffix(".DAT").read_bytes())
    recording = load_recording(tmp_path / "x.cff")
    assert (len(recording), recording.kind) == (2048, "COMTRADE 1999 ASCII")


def test_rate_overrides_that_of_the_file_where_there_is_one():
    assert load_recording(BUNDLED, 30720.0).sections[0].rate_hz == 30720.0
    with pytest.raises(RecordingError, match="several sampling rates of its own; leave the rate out"):
        load_recording(DATA / "comtrade-cn-220kv" / "ygz.cfg", 3200.0)
    with pytest.raises(RecordingError, match="sampling rate -1 Hz"):
        load_recording(BUNDLED, -1.0)


def test_too_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recordings, "FILE_OCTETS_MAX", 10)
    (tmp_path / "x.csv").write_text("time_s,u\n0,1\n")
    with pytest.raises(RecordingError, match="13 octets; allowed: up to 10"):
        load_recording(tmp_path / "x.csv")


@pytest.mark.parametrize("name", ["a\0b.csv", "x" * 300 + ".wav"])
def test_names_that_no_file_can_have(name: str):
    with pytest.raises(RecordingError, match="cannot be read"):
        load_recording(name)


def test_a_pipe_and_a_device_are_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "x.csv")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    for file in (tmp_path / "x.csv", tmp_path / "zero.wav", Path("/dev/zero")):
        with pytest.raises(RecordingError, match="is a pipe or a device; allowed: a file"):
            load_recording(file)
