"""The metering core as a process: what it imports, its start, kills, orderly end and refusals."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wattwheel.boot.checksums import sealed_checksum
from wattwheel.boot.core_settings import CoreLink, CoreSettings, core_settings
from wattwheel.boot.metering_core import MARKER_NAME, RING_NAME, read_settings
from wattwheel.boot.settings import Settings
from wattwheel.drivers.linux.octets import open_pseudo_terminal
from wattwheel.model.core_records import CoreFault
from wattwheel.model.errors import BadInput
from wattwheel.model.records import REGISTER_COUNT
from wattwheel.protocols.corelink import Kind, LinkReader, Message, Side, pack
from wattwheel.protocols.corelink_bodies import decode_identity, decode_momentary, decode_status, decode_totals

PATIENCE_S = 30.0
"""Upper bound of every wait; nothing is timed."""

FORBIDDEN = ("wattwheel.apex", "wattwheel.kernel", "wattwheel.services", "wattwheel.sdk", "wattwheel.apps")
FORBIDDEN_OUTSIDE = ("sqlite3", "starlette", "uvicorn", "click", "rich", "asyncio", "tomllib")


class Running:
    """A core's process on a pseudo-terminal."""

    def __init__(self, at: Path, **settings: Any) -> None:
        self.master, self.slave, path = open_pseudo_terminal()
        link = {"kind": "pty", "device": path}
        self.process = start_core({"folder": str(at), "link": link, "parent_pid": os.getpid()} | settings)
        self.reader = LinkReader(Side.CORE)
        self.heard: list[Message] = []
        self.read_from = self.master

    def wait_for(self, kind: int, count: int = 1) -> Message:
        """The next `count`-th message of `kind`."""
        while True:
            for at, message in enumerate(self.heard):
                if message.kind == kind:
                    count -= 1
                    if not count:
                        del self.heard[: at + 1]
                        return message
            self.heard.clear()
            ready, _, _ = select.select([self.read_from], [], [], PATIENCE_S)
            assert ready, f"nothing heard for {PATIENCE_S} s; {self.process.poll()}"
            self.heard += self.reader.feed(os.read(self.read_from, 65536))

    def ask(self, kind: int) -> bytes:
        os.write(self.master, pack(Side.MANAGEMENT, Message(kind, 77, b"")))
        return self.wait_for(kind | 0x80).body

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def start_core(settings: dict[str, Any]) -> subprocess.Popen[bytes]:
    """The core's process, settings through a descriptor."""
    read_end, write_end = os.pipe()
    os.write(write_end, json.dumps(settings).encode())
    os.close(write_end)
    command = [sys.executable, "-m", "wattwheel.boot.metering_core", "--settings", str(read_end)]
    process = subprocess.Popen(command, pass_fds=[read_end], stderr=subprocess.PIPE)
    os.close(read_end)
    assert process.stderr is not None
    return process


@pytest.fixture
def running(tmp_path: Path) -> Iterator[list[Running]]:
    cores: list[Running] = []
    yield cores
    for core in cores:
        core.close()
        assert core.process.stderr is not None
        core.process.stderr.close()


def test_nothing_of_the_management_side_is_imported() -> None:
    check = (
        "import sys, wattwheel.boot.metering_core as core, wattwheel.metrology.meter, wattwheel.drivers.inputs\n"
        f"bad = [m for m in sys.modules if m.startswith({FORBIDDEN!r}) or m.split('.')[0] in {FORBIDDEN_OUTSIDE!r}]\n"
        "print(bad); sys.exit(bool(bad))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_numpy_is_not_needed_for_the_first_push() -> None:
    check = "import sys, wattwheel.boot.metering_core; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_a_core_meters_the_bundled_recording_survives_kills_and_ends_in_order(
    tmp_path: Path, running: list[Running]
) -> None:
    told = [0] * REGISTER_COUNT
    for starts in range(1, 4):
        core = Running(tmp_path, speed=20.0)
        running.append(core)
        totals = decode_totals(core.wait_for(Kind.TOTALS).body)
        assert totals.starts == starts
        assert list(totals.microjoule) >= told
        momentary = decode_momentary(core.wait_for(Kind.MOMENTARY).body)
        assert momentary.frequency_millihertz == pytest.approx(60_000, abs=100)
        told = list(decode_totals(core.wait_for(Kind.TOTALS).body).microjoule)
        assert told[0] > 0
        assert core.end(signal.SIGKILL) == -signal.SIGKILL
    core = Running(tmp_path, speed=20.0)
    running.append(core)
    assert list(decode_totals(core.wait_for(Kind.TOTALS).body).microjoule) >= told
    core.wait_for(Kind.MOMENTARY)
    core.heard.clear()
    assert core.end() == 0
    last = [m for m in core.reader.feed(os.read(core.master, 65536)) if m.kind == Kind.TOTALS][-1]
    again = Running(tmp_path)
    running.append(again)
    assert decode_totals(again.wait_for(Kind.TOTALS).body).microjoule == decode_totals(last.body).microjoule


def test_identity_and_waveform_over_the_line(tmp_path: Path, running: list[Running]) -> None:
    core = Running(tmp_path)
    running.append(core)
    core.wait_for(Kind.MOMENTARY)
    identity = decode_identity(core.ask(Kind.IDENTIFY)[1:])
    assert identity.checksum == sealed_checksum()
    assert (identity.software, identity.phases) == ("0.1.0", 3)
    assert identity.rate_millihertz > 1_000_000
    assert len(core.ask(Kind.WAVEFORM)) > 700


def test_a_blanked_ring_is_told_and_never_passed_over(tmp_path: Path, running: list[Running]) -> None:
    core = Running(tmp_path, speed=20.0)
    running.append(core)
    core.wait_for(Kind.TOTALS, 3)
    core.end(signal.SIGKILL)
    assert (tmp_path / MARKER_NAME).exists()
    (tmp_path / RING_NAME).write_bytes(b"")
    again = Running(tmp_path)
    running.append(again)
    status = decode_status(again.wait_for(Kind.STATUS).body)
    assert status.faults & CoreFault.REGISTERS_LOST
    assert status.faults & CoreFault.MEMORY_DAMAGED


def test_a_tcp_link_is_opened_again(tmp_path: Path, running: list[Running]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        core = Running(tmp_path, link={"kind": "tcp", "address": f"127.0.0.1:{port}"})
        running.append(core)
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                core.reader, core.read_from = LinkReader(Side.CORE), connection.fileno()
                core.heard.clear()
                core.wait_for(Kind.TOTALS)
                core.read_from = core.master
        assert core.end() == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"input": {"kind": "recording", "path": "/nonexistent.cfg"}}, "/nonexistent.cfg"),
        ({"wiring": "1p2w", "input": {"kind": "constant", "voltage_v": [1.0, 2.0]}}, "voltage_v"),
        ({"input": {"kind": "constant"}}, "columns"),
        ({"link": {"kind": "pty", "device": "/dev/nothing"}}, "/dev/nothing"),
        ({"link": {"kind": "serial", "device": "/dev/null", "baud": 115200}}, "not a serial device"),
        ({"folder": "/proc/nowhere"}, "/proc/nowhere"),
        ({"colour": "blue"}, "colour"),
        ({"wiring": "5p"}, "wiring"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_is_one_sentence_and_status_2(
    tmp_path: Path, running: list[Running], change: dict[str, Any], sentence: str
) -> None:
    core = Running(tmp_path, **change)
    running.append(core)
    assert core.process.wait(PATIENCE_S) == 2
    assert core.process.stderr is not None
    said = core.process.stderr.read().decode()
    assert said.startswith("metering core: ")
    assert said.count("\n") == 1
    assert sentence in said


def test_two_cores_cannot_share_a_folder(tmp_path: Path, running: list[Running]) -> None:
    running.append(Running(tmp_path))
    running[0].wait_for(Kind.TOTALS)
    running.append(Running(tmp_path))
    assert running[1].process.wait(PATIENCE_S) == 2


def test_a_core_dies_with_its_parent(tmp_path: Path) -> None:
    master, slave, path = open_pseudo_terminal()
    settings = tmp_path / "core.json"
    parent = (
        "import json, os, subprocess, sys\n"
        f"doc = {{'folder': {str(tmp_path)!r}, 'link': {{'device': {path!r}}}, 'parent_pid': os.getpid()}}\n"
        f"open({str(settings)!r}, 'w').write(json.dumps(doc))\n"
        "command = [sys.executable, '-m', 'wattwheel.boot.metering_core', '--settings']\n"
        f"child = subprocess.Popen([*command, {str(settings)!r}])\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        watch = os.pidfd_open(pid)
        assert select.select([master], [], [], PATIENCE_S)[0]
        process.kill()
        assert select.select([watch], [], [], PATIENCE_S)[0]
    for descriptor in (master, slave, watch):
        os.close(descriptor)


def test_settings_of_the_meter_become_settings_of_the_core(tmp_path: Path) -> None:
    link = CoreLink("serial", "/dev/ttyS7", 57_600)
    made = core_settings(Settings(), tmp_path, link, minute_of_day=17.0, parent_pid=5)
    file = tmp_path / "core.json"
    file.write_bytes(msgspec.json.encode(made))
    assert read_settings(str(file)) == made
    assert made == CoreSettings(str(tmp_path), link, minute_of_day=17.0, parent_pid=5)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"folder": 1}'])
def test_settings_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "core.json"
    file.write_text(text)
    with pytest.raises(BadInput):
        read_settings(str(file))
    with pytest.raises(BadInput):
        read_settings(str(tmp_path / "missing.json"))
