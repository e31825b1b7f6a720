"""Recordings as files: finds the parts of a recording in a folder and hands their octets to the right reader."""

from __future__ import annotations

from pathlib import Path

from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.comtrade import read_comtrade, split_cff
from wattwheel.protocols.recordings.csv_table import read_csv
from wattwheel.protocols.recordings.recording import Recording, Section, checked_rate, uniform_times
from wattwheel.protocols.recordings.wav import read_wav

FILE_OCTETS_MAX = 512 * 1024 * 1024
"""Largest file that is read."""

FORMATS = ".cfg with .dat, .cff (COMTRADE), .csv, .wav"

BUNDLED = Path(__file__).parent / "data" / "keating_1999.CFG"
"""The recording that a meter without settings plays: three phases and neutral, 4 cycles, 60 Hz, primary values."""


def load_recording(path: str | Path, rate_hz: float | None = None) -> Recording:
    """The recording at `path`; `rate_hz` is the rate of a file that has none, or overrides the one it has.

    Raises RecordingError when there is none, it is cut or of an unknown kind.
    """
    file = Path(path)
    kind = file.suffix.casefold()
    if kind in (".cfg", ".dat"):
        cfg, dat = _partner(file, ".cfg"), _partner(file, ".dat")
        recording = read_comtrade(str(cfg), _octets(cfg), str(dat), _octets(dat))
    elif kind == ".cff":
        parts = split_cff(str(file), _octets(file))
        recording = read_comtrade(str(file), parts[0], str(file), parts[1])
    elif kind == ".wav":
        return read_wav(str(file), _octets(file), rate_hz)
    elif kind in (".csv", ".tsv", ".txt"):
        return read_csv(str(file), _octets(file), rate_hz)
    else:
        _octets(file)  # a missing file is the nearer reason
        raise RecordingError(str(file), f"unknown kind of recording {file.suffix!r}; allowed: {FORMATS}")
    return recording if rate_hz is None else _at_rate(recording, rate_hz)


def _at_rate(recording: Recording, rate_hz: float) -> Recording:
    if len(recording.sections) > 1:
        raise RecordingError(recording.file, "has several sampling rates of its own; leave the rate out")
    rate, count = checked_rate(recording.file, rate_hz, "--rate"), len(recording)
    return Recording(
        recording.file,
        recording.kind,
        recording.channels,
        uniform_times(count, rate),
        (Section(0, count, rate),),
        recording.nominal_hz,
        recording.started,
    )


def _partner(file: Path, suffix: str) -> Path:
    """The file beside `file` with this suffix in any case."""
    if file.suffix.casefold() == suffix:
        return file
    try:
        names = sorted(file.parent.iterdir())
    except OSError:
        names = []
    alike = [n for n in names if n.suffix.casefold() == suffix and n.stem.casefold() == file.stem.casefold()]
    exact = [n for n in alike if n.stem == file.stem]
    if exact or alike:
        return (exact or alike)[0]
    if not file.exists():
        raise RecordingError(str(file), "no such file")
    raise RecordingError(str(file), f"no {file.stem}{suffix} beside it; a COMTRADE recording is a .cfg and a .dat")


def _octets(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        if file.is_dir():
            raise RecordingError(str(file), f"is a folder; allowed: a file, {FORMATS}")
        if not file.is_file():  # a pipe might keep us waiting for ever, a device might never end
            raise RecordingError(str(file), f"is a pipe or a device; allowed: a file, {FORMATS}")
        if size > FILE_OCTETS_MAX:
            raise RecordingError(str(file), f"{size} octets; allowed: up to {FILE_OCTETS_MAX}; cut it into parts")
        return file.read_bytes()
    except FileNotFoundError:
        raise RecordingError(str(file), "no such file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(str(file), f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
