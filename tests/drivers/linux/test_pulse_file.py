"""Pulses as lines of a file or a named pipe."""

from __future__ import annotations

import contextlib
import json
import os

import pytest

from wattwheel.drivers.linux.pulse_file import PulseFile
from wattwheel.hil.pulses import Pulse
from wattwheel.model.errors import DoorUnavailable

MS_NS = 1_000_000


def pulses(first: int, count: int, kind: str = "active") -> list[Pulse]:
    return [Pulse(kind, 1000 * number, 80 * MS_NS, number) for number in range(first, first + count)]


def test_a_line_a_pulse(tmp_path):
    path = tmp_path / "pulses"
    sink = PulseFile(path, 10_000)
    assert sink.remembers
    assert sink.give([Pulse("active", 5, 80 * MS_NS, 1), Pulse("second", 7, 42_614_000, 2)]) == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [
        {"kind": "active", "start_ns": 5, "width_ms": 80, "number": 1},
        {"kind": "second", "start_ns": 7, "width_ms": 42.614, "number": 2},
    ]


def test_what_it_has_is_known_at_the_next_start(tmp_path):
    path = tmp_path / "pulses"
    sink = PulseFile(path, 10_000)
    assert sink.last("active") is None
    sink.give([*pulses(1, 5), *pulses(1, 2, "reactive")])
    with path.open("ab") as file:
        file.write(b'{"kind":"active","start_ns":99,"wid')  # a core died over a line
    again = PulseFile(path, 10_000)
    assert (again.last("active"), again.last("reactive"), again.last("second")) == (5, 2, None)
    again.give(pulses(6, 1))
    assert path.read_bytes().count(b"\n") == 9
    assert PulseFile(path, 10_000).last("active") == 6


def test_it_is_bounded_and_the_file_before_it_is_kept(tmp_path):
    path = tmp_path / "pulses"
    sink = PulseFile(path, 10_000)
    for number in range(1, 1001):
        assert sink.give(pulses(number, 1)) == 0
        assert path.stat().st_size <= 10_000
    beside = tmp_path / "pulses.1"
    numbers = [json.loads(line)["number"] for file in (beside, path) for line in file.read_text().splitlines()]
    assert numbers == list(range(numbers[0], 1001))
    assert sorted(os.listdir(tmp_path)) == ["pulses", "pulses.1"]
    path.unlink()
    assert PulseFile(path, 10_000).last("active") is not None  # of the file beside it


def test_a_pipe_is_written_while_somebody_reads(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    sink = PulseFile(path, 10_000)
    assert (sink.remembers, sink.last("active")) == (False, None)
    assert sink.give(pulses(1, 3)) == 3  # nobody reads
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert sink.give(pulses(4, 2)) == 0
    assert [json.loads(line)["number"] for line in os.read(reader, 65_536).splitlines()] == [4, 5]
    os.close(reader)
    assert sink.give(pulses(6, 2)) == 2


def test_a_reader_who_is_behind_gets_whole_lines_in_order_and_what_is_lost_is_counted(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    sink = PulseFile(path, 10_000)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    lost = sink.give(pulses(1, 40_000))  # more than the pipe holds, and than may wait
    assert 0 < lost < 40_000
    octets, number = b"", 40_000
    for _ in range(200):
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(reader, 65_536):
                octets += piece
        number += 1
        assert sink.give(pulses(number, 1)) == 0
    with contextlib.suppress(BlockingIOError):
        octets += os.read(reader, 1 << 20)
    os.close(reader)
    numbers = [json.loads(line)["number"] for line in octets.splitlines()]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == number - lost
    assert numbers[-1] == number


def test_a_file_that_cannot_be_is_refused_and_one_that_cannot_be_any_more_loses_pulses(tmp_path):
    with pytest.raises(DoorUnavailable, match="neither a file nor a named pipe"):
        PulseFile(tmp_path, 10_000)
    with pytest.raises(DoorUnavailable):
        PulseFile(tmp_path / "nowhere" / "pulses", 10_000)
    unneeded = PulseFile(tmp_path / "nowhere" / "pulses", 10_000, is_needed=False)
    assert (unneeded.give(pulses(1, 3)), unneeded.last("active")) == (3, None)
    folder = tmp_path / "somewhere"
    folder.mkdir()
    sink = PulseFile(folder / "pulses", 10_000)
    (folder / "pulses").unlink()
    folder.rmdir()
    assert sink.give(pulses(1, 3)) == 3
