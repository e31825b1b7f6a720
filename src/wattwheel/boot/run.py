"""The board: supply and watchdog of the two cores. `run` is what `wattwheel run` calls.

The board opens every door before anything starts, so that a port in use or a folder without rights ends the start with
one sentence and nothing behind it. It holds the doors' descriptors over the cores' lives: when either core is killed
it is started again on the same doors, as a real board's watchdog would.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec

from wattwheel.boot.control import SOCKET_NAME
from wattwheel.boot.core_settings import CoreLink, core_settings
from wattwheel.boot.isolation import check_isolation
from wattwheel.boot.kernel_process import SHUTDOWN_STATUS, STORE_FOLDER, Doors, run_kernel
from wattwheel.boot.module_file import (
    CORE_LINK,
    LINE,
    LINK_BAUD,
    LISTENER,
    PAGE_SOCKET,
    TTY,
    module_of,
    ttys_of,
)
from wattwheel.boot.preloaded import preload
from wattwheel.boot.settings import OFF, Settings
from wattwheel.boot.watchdog import READY, Watchdog
from wattwheel.drivers.linux.clock import LinuxClock, calendar_origin
from wattwheel.drivers.linux.console import STANDARD_ERROR, print_line
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.octets import configure_line, listen_tcp, open_pseudo_terminal, open_serial
from wattwheel.drivers.linux.own_process import call_prctl, name_process
from wattwheel.drivers.linux.sandbox import probe
from wattwheel.drivers.linux.storage import STORE_LOCK, hold, make_folder
from wattwheel.hil.octets import LineSettings
from wattwheel.kernel.config import ModuleConfig
from wattwheel.model.errors import BadInput, DoorUnavailable

RESTART_DELAY_NS = 20_000_000
RESTART_DELAY_NS_MAX = 2_000_000_000
SHORT_LIFE_NS = 1_000_000_000  # a core that ends sooner is started again later and later
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPWR)
PR_SET_CHILD_SUBREAPER = 36  # whose own parent ends becomes our child, and is reaped here
STOP_PATIENCE_NS = 6_000_000_000
SETUP_FAILED = 2  # exit code of a metering core that could not be set up
CORE_ERRORS_OCTETS_MAX = 4096


class Board:
    """Doors, the two cores, and the order to stop."""

    def __init__(self, settings: Settings, module: ModuleConfig, folder: Path, say: Callable[[str], None]) -> None:
        self._settings, self._module, self._folder, self._say = settings, module, folder, say
        self._loop = EpollLoop()
        self._kernel_pid = 0  # 0 while it does not live
        self._family = 0  # process group of the kernel and all that it has started, 0 once none of them is left
        self._core: subprocess.Popen[bytes] | None = None
        self._board_end: socket.socket | None = None
        self._is_stopping = False
        self._was_ready = False
        self._exit_code = 0
        self._started_ns: dict[str, int] = {}
        self._delay_ns: dict[str, int] = {}
        self._failure = ""
        self._origin = calendar_origin(settings.clock.speed)
        self._now_ns = LinuxClock(self._loop).now_ns
        self._watchdog = Watchdog(self._loop, self._now_ns, self._end_hung_kernel)
        self._open_doors()

    # -- doors -------------------------------------------------------------------------------------------------

    def _open_doors(self) -> None:
        own = self._settings
        self._devices: dict[str, list[int]] = {}
        self._addresses: dict[str, str | None] = {"dlt645": None, "serial": None, "web": None}
        self._kept: list[socket.socket | int] = []
        if own.dlt645.listen != OFF:
            self._addresses["dlt645"] = self._listen(LISTENER, own.dlt645.listen, "DL/T 645 door")
        if own.serial.device != OFF:
            self._open_line()
        if own.web.enabled:
            self._addresses["web"] = f"http://{self._listen(PAGE_SOCKET, own.web.listen, 'page door')}"
        for device in ttys_of(self._module):
            self._devices[device] = [open_serial(device.removeprefix(TTY), LineSettings(LINK_BAUD, "N"))]
        self._open_core_link()
        self._open_control()

    def _listen(self, device: str, door: str, what: str) -> str:
        host, _, port = door.rpartition(":")
        listener = listen_tcp(host.strip("[]"), int(port), what)
        self._kept.append(listener)
        self._devices[device] = [listener.fileno()]
        return f"{host}:{listener.getsockname()[1]}"

    def _open_line(self) -> None:
        own = self._settings.serial
        line = LineSettings(own.baud, own.parity)
        if own.device == "pty":
            master, slave, path = open_pseudo_terminal()
            configure_line(slave, line._replace(parity="N"), path)
            self._kept.append(slave)
        else:
            master, path = open_serial(own.device, line), own.device
        self._kept.append(master)
        self._devices[LINE] = [master]
        self._addresses["serial"] = path

    def _open_core_link(self) -> None:
        own = self._settings.core_link
        self._core_link: CoreLink | None
        if own.kind == "pty":
            master, slave, path = open_pseudo_terminal()
            self._kept += [master, slave]
            self._core_link = CoreLink("pty", path)
            self._devices[CORE_LINK] = [master]
        elif own.kind == "serial":  # the metering core sits at the far end of the line, with a supply of its own
            self._devices[CORE_LINK] = [open_serial(own.device, LineSettings(own.baud))]
            self._core_link = None
        else:
            address = self._listen(CORE_LINK, own.listen, "core link door")
            self._core_link = CoreLink("tcp", address=address)

    def _open_control(self) -> None:
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        place = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._folder / SOCKET_NAME)
            self._control.bind(f"/proc/self/fd/{place}/{SOCKET_NAME}")
            os.chmod(self._folder / SOCKET_NAME, 0o600)
            self._control.listen(16)
        except OSError as fault:
            raise DoorUnavailable(str(self._folder / SOCKET_NAME), f"{fault.strerror}") from fault
        finally:
            os.close(place)

    # -- the cores ---------------------------------------------------------------------------------------------

    def _start_core(self) -> None:
        """Start the metering core: an interpreter of its own, told everything on its standard input."""
        if self._is_stopping or self._core_link is None:
            return
        self._started_ns["metering core"] = self._now_ns()
        folder, link = self._folder / "metering", self._core_link
        document = core_settings(
            self._settings, folder, link, self._minute_of_day(), os.getpid(), is_restart=self._was_ready
        )
        command = [sys.executable, "-m", "wattwheel.boot.metering_core", "--settings", "0"]
        try:
            self._core = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0)
        except OSError as fault:
            self._again("metering core", self._start_core, f"{fault.strerror}")
            return
        assert self._core.stdin is not None
        assert self._core.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            self._core.stdin.write(msgspec.json.encode(document))
            self._core.stdin.close()
        errors = self._core.stderr
        os.set_blocking(errors.fileno(), False)
        self._loop.watch(errors.fileno(), lambda: self._hear_core(errors.fileno()))
        self._tell_kernel()

    def _minute_of_day(self) -> float:
        local = LinuxClock(self._loop, self._origin).calendar() + timedelta(
            minutes=self._settings.clock.utc_offset_minutes
        )
        return local.hour * 60 + local.minute + local.second / 60

    def _hear_core(self, descriptor: int) -> None:
        try:
            octets = os.read(descriptor, CORE_ERRORS_OCTETS_MAX)
        except BlockingIOError:
            return
        if not octets:
            self._loop.unwatch(descriptor)
            return
        self._failure = (self._failure + octets.decode(errors="replace"))[-CORE_ERRORS_OCTETS_MAX:]

    def _start_kernel(self) -> None:
        """Fork the management core's kernel."""
        if self._is_stopping:
            return
        self._started_ns["kernel"] = self._now_ns()
        if self._board_end is not None:
            self._loop.unwatch(self._board_end.fileno())
            self._board_end.close()
        here, there = socket.socketpair()
        own_pid = os.getpid()
        doors = Doors(self._devices, self._addresses, self._module, self._control, there)
        # A signal for the new process must not fall into the handlers it inherits: until it has its own, it just ends.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            pid = os.fork()
        except OSError as fault:  # no room for another process now: later and later again
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            here.close()
            there.close()
            self._board_end = None
            self._again("kernel", self._start_kernel, f"{fault.strerror}")
            return
        if pid == 0:
            status = 1
            try:
                for number in STOP_SIGNALS:
                    if signal.getsignal(number) is not signal.SIG_IGN:  # a meter under nohup stays so as a whole
                        signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
                here.close()
                self._loop.close()
                if self._core is not None and self._core.stderr is not None:
                    self._core.stderr.close()
                status = run_kernel(self._settings, self._folder, doors, self._origin, own_pid, _log)
            except BaseException as fault:
                _log(f"kernel: {fault!r}")
            finally:
                os._exit(status)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        with contextlib.suppress(OSError):  # the kernel does the same; whoever comes first
            os.setpgid(pid, pid)
        there.close()
        self._kernel_pid, self._family, self._board_end = pid, pid, here
        self._loop.watch(here.fileno(), self._hear_kernel)
        self._tell_kernel()

    def _tell_kernel(self) -> None:
        if self._board_end is not None and self._core is not None:
            with contextlib.suppress(OSError):
                self._board_end.send(msgspec.json.encode({"metering_core": self._core.pid}) + b"\n")

    def _hear_kernel(self) -> None:
        assert self._board_end is not None
        try:
            octets = self._board_end.recv(4096)
        except OSError:
            octets = b""
        if not octets:
            self._loop.unwatch(self._board_end.fileno())
            return
        self._watchdog.sign()
        if READY in octets and not self._was_ready:
            self._was_ready = True
            self._announce()
            self._say("ready")

    def _end_hung_kernel(self) -> None:
        if self._kernel_pid and not self._is_stopping:
            _log("kernel: no sign of life; it is ended")
            os.kill(self._kernel_pid, signal.SIGKILL)

    def _reap(self) -> None:
        if self._core is not None and self._core.poll() is not None:
            self._bury_core(self._core.returncode)
        if self._family:
            self._reap_family()
        if self._is_stopping and not self._family and self._core is None:
            self._loop.stop()

    def _reap_family(self) -> None:
        """Bury the kernel and whoever outlived it; only then start anew, so that medium and lines are free by then."""
        while True:
            try:
                ended = os.waitid(os.P_PGID, self._family, os.WEXITED | os.WNOHANG)
            except ChildProcessError:
                self._family = 0
                self._again("kernel", self._start_kernel)
                return
            if ended is None:
                return
            if ended.si_pid == self._kernel_pid:
                self._kernel_pid = 0
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._family, signal.SIGKILL)
                if (ended.si_code, ended.si_status) == (os.CLD_EXITED, SHUTDOWN_STATUS):
                    self._exit_code = SHUTDOWN_STATUS
                    self._begin_stop()
                    return

    def _bury_core(self, status: int) -> None:
        assert self._core is not None
        assert self._core.stderr is not None
        with contextlib.suppress(ValueError):
            self._hear_core(self._core.stderr.fileno())
            self._loop.unwatch(self._core.stderr.fileno())
        self._core.stderr.close()
        self._core = None
        if status == SETUP_FAILED and not self._was_ready:
            self._exit_code = 2
            self._begin_stop()
            return
        why, self._failure = self._failure.strip(), ""
        self._again("metering core", self._start_core, why)

    def _again(self, what: str, start: Callable[[], None], why: str = "") -> None:
        if self._is_stopping:
            return
        _log(f"{what} ended; starting it again" + (f" ({why})" if why else ""))
        now = self._now_ns()
        was_short = now - self._started_ns[what] < SHORT_LIFE_NS
        before = self._delay_ns.get(what, RESTART_DELAY_NS)
        self._delay_ns[what] = min(2 * before, RESTART_DELAY_NS_MAX) if was_short else RESTART_DELAY_NS
        self._loop.call_at(now + self._delay_ns[what], start)

    # -- life --------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Serve until told to stop. Returns the exit code."""
        name_process("board")
        call_prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._loop.on_signal(signal.SIGCHLD, self._reap)
        self._loop.on_signal(signal.SIGINT, self._interrupt)
        self._loop.on_signal(signal.SIGTERM, self._begin_stop)
        self._loop.on_signal(signal.SIGPWR, self._tell_supply_fails)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._loop.on_signal(signal.SIGHUP, self._begin_stop)  # the terminal has gone
        self._start_core()
        self._start_kernel()
        self._loop.run(lambda: None)
        with contextlib.suppress(OSError):  # the folder may have gone, or be read-only by now
            os.unlink(self._folder / SOCKET_NAME)
        if self._exit_code == 2:
            raise BadInput(self._failure.strip() or "the metering core could not be set up")
        return self._exit_code

    def _announce(self) -> None:
        own = self._settings
        self._say(f"address {own.meter.address}")
        self._say(f"state   {self._folder}")
        for name, address in self._addresses.items():
            if address is not None:
                self._say(f"{name:7} {address}")

    def _tell_supply_fails(self) -> None:
        """Whoever watches the supply has said so; the kernel's health monitor decides."""
        if self._kernel_pid:
            os.kill(self._kernel_pid, signal.SIGPWR)

    def _interrupt(self) -> None:
        self._exit_code = self._exit_code or 130
        self._begin_stop()

    def _begin_stop(self) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        if self._kernel_pid:
            os.kill(self._kernel_pid, signal.SIGTERM)
        if self._core is not None:
            self._core.terminate()
        self._loop.call_at(self._now_ns() + STOP_PATIENCE_NS, self._cut)
        self._reap()

    def _cut(self) -> None:
        if self._kernel_pid:
            os.kill(self._kernel_pid, signal.SIGKILL)
        if self._core is not None:
            self._core.kill()


def _log(text: str) -> None:
    """A line for people. A meter must not end or wait because nobody reads it."""
    print_line(STANDARD_ERROR, text)


def _check_store(folder: Path) -> None:
    """Raise DoorUnavailable or StorageError when the management side could not keep anything in `folder`."""
    make_folder(folder)
    os.close(hold(folder / STORE_LOCK))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DoorUnavailable(str(folder), "not writable")


def run(settings: Settings, say: Callable[[str], None]) -> int:
    """Boot a meter and run it until SIGINT (130) or SIGTERM (0).

    Raises BadInput, ConfigError, DoorUnavailable or StorageError, before anything has started, for a door, folder,
    input or isolation that cannot be had.
    """
    module = module_of(settings)
    check_isolation(module, probe())
    folder = settings.state_folder
    make_folder(folder)
    lock = hold(folder / "meter.lock")
    try:
        _check_store(folder / STORE_FOLDER)
        preload()
        return Board(settings, module, folder, say).run()
    finally:
        os.close(lock)
