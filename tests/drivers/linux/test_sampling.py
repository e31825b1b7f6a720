"""Raw streams over a FIFO, a Unix and a TCP socket: layout, partial frames, gaps, bounded reads."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from wattwheel.drivers.inputs import open_source
from wattwheel.drivers.linux import sampling
from wattwheel.drivers.linux.sampling import RETRY_NS, StreamSource
from wattwheel.hil.sampling import SampleBlock
from wattwheel.model.errors import ConfigError
from wattwheel.model.inputs import StreamInput

RATE = 8000.0


def settings(source: str, **more: object) -> StreamInput:
    values: dict[str, object] = {"rate_hz": RATE, "voltage_v_per_count": 0.02, "current_a_per_count": 0.001, **more}
    return StreamInput(source=source, **values)  # type: ignore[arg-type]


class Fifo:
    """A FIFO, the source that reads it, and one writer after the other."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.path = folder / "samples"
        os.mkfifo(self.path)
        self.source = StreamSource(settings(str(self.path), **more))
        self.source.read(0)
        self.writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)

    def send(self, octets: bytes) -> int:
        return os.write(self.writer, octets)

    def again(self) -> None:
        os.close(self.writer)
        self.source.read(self.now)
        self.writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)

    now = 0


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    made = Fifo(tmp_path, phases=1)
    yield made
    made.source.close()
    os.close(made.writer)


def rows(blocks: list[SampleBlock]) -> list[tuple[int, int]]:
    return [(int(v), int(i)) for b in blocks for v, i in zip(b.voltage[:, 0], b.current[:, 0], strict=True)]


def test_frames_arrive_whole_however_they_are_cut(fifo: Fifo):
    octets = struct.pack("<6h", 1, -2, 3, -4, 32767, -32768)
    seen = []
    for octet in octets:
        fifo.send(bytes([octet]))
        seen += rows(fifo.source.read(0))
    assert seen == [(1, -2), (3, -4), (32767, -32768)]
    assert fifo.source.read(1) == []


def test_three_phases_with_neutral_in_32_bits(tmp_path: Path):
    fifo = Fifo(tmp_path, neutral=True, sample="int32")
    fifo.send(struct.pack("<7i", 1, 2, 3, 4, 5, 6, 7))
    (block,) = fifo.source.read(0)
    assert block.voltage.tolist() == [[1, 3, 5]]
    assert block.current.tolist() == [[2, 4, 6]]
    assert block.neutral is not None
    assert block.neutral.tolist() == [7]
    form = fifo.source.format
    assert (form.bits, form.voltage_v_per_count, form.neutral_a_per_count) == (24, (0.02,) * 3, 0.001)
    fifo.source.close()
    os.close(fifo.writer)


def test_a_new_writer_starts_a_new_frame_and_the_silence_is_a_gap(fifo: Fifo):
    fifo.send(struct.pack("<4h", 1, 2, 3, 4) + b"\x55")
    assert rows(fifo.source.read(0)) == [(1, 2), (3, 4)]
    fifo.now = 10**9
    fifo.again()
    fifo.send(struct.pack("<2h", 5, 6))
    (block,) = fifo.source.read(2 * 10**9)
    assert rows([block]) == [(5, 6)]
    assert block.first == 2 + 2 * 8000 - 1
    assert fifo.source.lost_samples == 2 * 8000 - 1


def test_data_and_the_end_of_the_writer_in_one_read(fifo: Fifo):
    fifo.send(struct.pack("<2h", 1, 2))
    os.close(fifo.writer)
    (block,) = fifo.source.read(0)
    assert block.first == 0
    fifo.writer = os.open(fifo.path, os.O_WRONLY | os.O_NONBLOCK)
    fifo.send(struct.pack("<2h", 3, 4))
    (block,) = fifo.source.read(10**9)
    assert block.first == 8000


def test_late_samples_of_a_living_writer_are_no_gap(fifo: Fifo):
    for k, now in enumerate((0, 10**9, 5 * 10**9)):
        fifo.send(struct.pack("<2h", k, k))
        (block,) = fifo.source.read(now)
        assert block.first == k
    assert fifo.source.lost_samples == 0


def test_blocks_of_a_second_at_most_join_without_a_gap(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "door"))
        door.listen()
        source = StreamSource(settings(f"unix:{tmp_path / 'door'}", phases=1))
        assert source.read(0) == []
        writer, _ = door.accept()
        with writer:
            writer.setblocking(False)
            sent = 0
            frames = struct.pack("<2h", 7, 8) * 16_384
            blocks: list[SampleBlock] = []
            for _ in range(64):
                try:
                    sent += writer.send(frames)
                except BlockingIOError:
                    blocks += source.read(0)
            blocks += source.read(0)
        assert sum(len(b.voltage) for b in blocks) == sent // 4
        assert max(len(b.voltage) for b in blocks) <= 8000
        assert [b.first for b in blocks[1:]] == [b.first + len(b.voltage) for b in blocks[:-1]]
        source.close()
        assert source.is_finished


def test_reads_are_bounded_and_the_rest_comes_with_the_next(fifo: Fifo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sampling, "OCTETS_PER_READ_MAX", 4096)
    monkeypatch.setattr(sampling, "CHUNK_OCTETS", 1024)
    sent = fifo.send(struct.pack("<2h", 7, 8) * 5000)
    counts = []
    while blocks := fifo.source.read(0):
        counts.append(sum(len(block.voltage) for block in blocks))
    assert sum(counts) == sent // 4
    assert max(counts) == 1024


def test_tcp_writer_that_comes_late_and_comes_back():
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        source = open_source(settings(f"tcp:127.0.0.1:{port}", phases=1), origin_ns=0)
        source.read(0)
        first, _ = door.accept()
        first.sendall(struct.pack("<2h", 1, 2))
        first.close()
        seen, now = [], 0
        while len(seen) < 1:
            now += 1000
            seen += source.read(now)
        while source.read(now):
            now += 1
        now += 2 * RETRY_NS
        source.read(now)
        second, _ = door.accept()
        second.sendall(struct.pack("<2h", 3, 4))
        while len(seen) < 2:
            now += 1000
            seen += source.read(now)
        second.close()
        assert rows(seen) == [(1, 2), (3, 4)]
        assert seen[1].first == pytest.approx(2 * RATE * RETRY_NS / 1e9, abs=RATE / 100)
        source.close()


def test_nobody_listens_is_tried_again_without_an_error(tmp_path: Path):
    source = StreamSource(settings(f"unix:{tmp_path / 'door'}"))
    assert source.read(0) == []
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "door"))
        door.listen()
        door.setblocking(False)
        source.read(RETRY_NS - 1)
        with pytest.raises(BlockingIOError):
            door.accept()
        source.read(RETRY_NS)
        door.accept()[0].close()
    source.close()
    assert source.read(10 * RETRY_NS) == []


def test_a_plain_file_is_refused(tmp_path: Path):
    (tmp_path / "x.bin").write_bytes(b"1234")
    with pytest.raises(ConfigError, match=r'allowed: a FIFO \(mkfifo\), or kind = "recording" for a file'):
        StreamSource(settings(str(tmp_path / "x.bin")))
