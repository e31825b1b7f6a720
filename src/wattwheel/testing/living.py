"""A living meter for drills, benchmarks and tests: the real `wattwheel run`, in a session and folder of its own."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from wattwheel.boot.control import ask
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.model.errors import NotAnswered

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
OUTPUT_OCTETS_MAX = 1 << 20


class LivingMeter:
    """One meter on free ports of loopback and a temporary state folder.

    Args:
        settings: text of the TOML file; its doors are replaced by free ones.
        arguments: further words for the command line.
        state: a folder to use and keep; without it a new one that is removed at the end.
        become: what its first process does between fork and exec, to be somebody else.
    """

    def __init__(
        self,
        settings: str = "",
        *arguments: str,
        state: Path | None = None,
        become: Callable[[], None] | None = None,
    ) -> None:
        self._become = become
        self._settings = settings
        self.arguments = arguments
        self._is_ours = state is None
        self.state = state or Path(tempfile.mkdtemp(prefix="wattwheel-"))
        self._clock = LinuxClock(EpollLoop())
        self.process: subprocess.Popen[bytes] | None = None
        self.output = ""
        self.started_ns = self.ready_ns = 0

    def start(self) -> None:
        """Power on and wait for `ready`. Raises NotAnswered with what it printed when that does not come."""
        self.launch()
        self.wait_for_line("ready", READY_TIMEOUT_S)
        self.ready_ns = self._clock.now_ns()

    def launch(self) -> None:
        """Power on; the meter is starting when this returns."""
        words = ["--state", str(self.state), "--dlt645", "127.0.0.1:0", "--web", "127.0.0.1:0"]
        file = []
        if self._settings:
            path = self.state / "meter.toml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._settings)
            file = [str(path)]
        self.started_ns = self._clock.now_ns()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wattwheel", "run", *file, *words, *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=self._become,
            env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        )

    def process_ended_within(self, seconds: float) -> bool:
        """Let `seconds` pass; True, at once, when the meter has ended."""
        assert self.process is not None
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait_for_line(self, line: str, timeout_s: float) -> None:
        """Read what it prints until `line` comes. Raises NotAnswered."""
        assert self.process is not None
        assert self.process.stdout is not None
        deadline_ns = self._clock.now_ns() + round(timeout_s * 1e9)
        while line not in self.output.splitlines():
            left_s = (deadline_ns - self._clock.now_ns()) / 1e9
            if left_s <= 0 or not select.select([self.process.stdout], [], [], left_s)[0]:
                raise NotAnswered(f"no line {line!r} within {timeout_s:g} s; it printed:\n{self.output}")
            octets = os.read(self.process.stdout.fileno(), 65_536)
            if not octets:
                raise NotAnswered(f"the meter ended with {self.process.wait()}; it printed:\n{self.output}")
            self.output = (self.output + octets.decode(errors="replace"))[-OUTPUT_OCTETS_MAX:]

    def drain(self) -> None:
        """Take what it has printed, so that its pipe does not fill."""
        assert self.process is not None
        assert self.process.stdout is not None
        while select.select([self.process.stdout], [], [], 0)[0]:
            octets = os.read(self.process.stdout.fileno(), 65_536)
            if not octets:
                return
            self.output = (self.output + octets.decode(errors="replace"))[-OUTPUT_OCTETS_MAX:]

    def status(self) -> dict[str, Any]:
        """The status document. Raises NotAnswered."""
        return ask(self.state, {"ask": "status"})

    def door(self, name: str) -> tuple[str, int]:
        """Host and port of the door `dlt645` or `web`, from what it printed."""
        for line in self.output.splitlines():
            words = line.split()
            if len(words) == 2 and words[0] == name:
                host, _, port = words[1].removeprefix("http://").rpartition(":")
                return host, int(port)
        raise NotAnswered(f"the meter has no door {name}")

    def serial_path(self) -> str:
        """Path of the pseudo-terminal."""
        return next(line.split()[1] for line in self.output.splitlines() if line.startswith("serial"))

    def pids(self) -> dict[str, int]:
        """Every process of the meter by name, the zygote included."""
        pids = self.status()["pids"]
        named = {"board": pids["board"], "kernel": pids["kernel"], "metering_core": pids["metering_core"]}
        named |= {name: pid for name, pid in pids["partitions"].items() if pid}
        for child in _children(pids["kernel"]):
            if child not in named.values():
                named["zygote"] = child
        return named

    def stop(self) -> int:
        """Orderly end by SIGTERM; the exit code. A meter that does not end is killed, and its code is -9."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        code = self.process.wait()
        if self.process.stdout is not None:
            with contextlib.suppress(OSError, ValueError):
                self.drain()
            self.process.stdout.close()
        return code

    def __enter__(self) -> LivingMeter:
        try:
            self.start()
        except BaseException:
            self._clean()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean()

    def _clean(self) -> None:
        if self.process is not None:
            self.stop()
        if self._is_ours:
            shutil.rmtree(self.state, ignore_errors=True)


def _children(pid: int) -> Iterator[int]:
    try:
        yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    except OSError:
        return
