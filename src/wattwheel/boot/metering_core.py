"""The metering core's process: `python -m wattwheel.boot.metering_core --settings FD_OR_FILE`.

An interpreter of its own with a storage folder of its own; nothing of the management side is imported. The order of
the start is part of the design: memory, link, first push of the restored totals, and only then numpy and the samples.
Exit status: 0 ended in order, 2 the settings, what they name or the medium cannot be (one sentence on stderr).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import wattwheel
from wattwheel.boot.checksums import sealed_checksum
from wattwheel.boot.core_settings import PLUG_NAME, CoreLink, CoreSettings
from wattwheel.drivers.linux.clock import LinuxClock, host_milliseconds
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.octets import TcpChannel, TtyChannel, open_serial
from wattwheel.drivers.linux.own_process import die_with_parent, name_process
from wattwheel.drivers.linux.storage import FileMemory, FrozenMemory
from wattwheel.hil.octets import LineSettings
from wattwheel.metrology.device import CoreTiming, MeteringCore
from wattwheel.metrology.ledger import EnergyLedger
from wattwheel.metrology.outputs import CoreOutputs
from wattwheel.metrology.plug import PlugWatch
from wattwheel.metrology.pulse_output import PulseOutput
from wattwheel.metrology.ring import RING_OCTETS
from wattwheel.model.core_records import CoreFault, CoreIdentity
from wattwheel.model.errors import BadInput, ConfigError, DoorUnavailable, StorageError

if TYPE_CHECKING:
    from wattwheel.drivers.sim.plug import SimPlug
    from wattwheel.drivers.sim.relay import SimRelay
    from wattwheel.hil.sampling import SampleSource
    from wattwheel.metrology.meter import ChainMeter

SETTINGS_OCTETS_MAX = 1 << 20
RING_NAME = "registers.ring"
RELAY_NAME = "relay.position"
MARKER_NAME = "registers.written"
"""Says that the ring has held registers: a blank ring beside it is a loss, not a new meter."""
REOPEN_NS = 1_000_000_000
CONNECT_TIMEOUT_S = 0.5
PHASES = {"1p2w": 1, "3p4w": 3, "3p3w": 2}
LEAST_NO_LOAD_SHARE = 1e-12


class ReopeningLink:
    """The core link as one lasting channel: a line that fails or closes is opened again every second.

    Octets written meanwhile are dropped and counted: the next push carries running totals.
    """

    def __init__(self, loop: EpollLoop, clock: LinuxClock, link: CoreLink) -> None:
        self.name = link.device or link.address
        self.dropped = 0
        self._loop, self._clock, self._link = loop, clock, link
        self._channel: TtyChannel | TcpChannel | None = None
        self._action: Callable[[], None] | None = None
        self._is_waiting = False

    def open_first(self) -> None:
        """Open the line. A TCP partner may come later; a device must be there: raises DoorUnavailable, ConfigError."""
        if self._link.kind == "tcp":
            self._reopen()
        else:
            self._channel = self._open()

    def _open(self) -> TtyChannel | TcpChannel:
        link = self._link
        if link.kind == "tcp":
            host, _, port = link.address.rpartition(":")
            try:
                connection = socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S)
            except OSError as fault:
                raise DoorUnavailable(link.address, f"{fault}") from None
            return TcpChannel(self._loop, connection, link.address)
        # A pseudo-terminal takes any settings without effect, so both kinds of line are opened alike.
        settings = LineSettings(baud=link.baud, parity="E")
        return TtyChannel(self._loop, open_serial(link.device, settings), link.device)

    def _reopen(self) -> None:
        self._is_waiting = False
        try:
            self._channel = self._open()
        except (DoorUnavailable, ConfigError):
            self._channel = None
            self._wait()
            return
        if self._action is not None:
            self._channel.on_arrival(self._action)

    def _wait(self) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self._clock.call_at(self._clock.now_ns() + REOPEN_NS, self._reopen)

    def _give_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._wait()

    def read(self) -> bytes:
        """Octets that have arrived."""
        if self._channel is None:
            return b""
        try:
            octets = self._channel.read()
        except DoorUnavailable:
            octets = b""
            self._give_up()
        if not octets and self._channel is not None and self._channel.is_closed:
            self._give_up()
        return octets

    def write(self, octets: bytes) -> None:
        """Send, or drop while there is no line."""
        if self._channel is None:
            self.dropped += len(octets)
            return
        try:
            self._channel.write(octets)
        except DoorUnavailable:
            self._give_up()

    def on_arrival(self, action: Callable[[], None] | None) -> None:
        """Call `action` whenever octets have come, from whichever line is open; None: nobody."""
        self._action = action
        if self._channel is not None:
            self._channel.on_arrival(action)

    @property
    def unsent(self) -> int:
        """Octets that wait for the line that is open."""
        return self._channel.unsent if self._channel is not None else 0

    @property
    def is_closed(self) -> bool:
        """Never: it comes back."""
        return False

    def close(self) -> None:
        """Close the line."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def read_settings(where: str) -> CoreSettings:
    """The settings in the file or behind the descriptor `where`. Raises BadInput."""
    try:
        with open(int(where) if where.isdecimal() else where, "rb") as file:
            octets = file.read(SETTINGS_OCTETS_MAX)
    except OSError as fault:
        raise BadInput(f"--settings {where}: {fault.strerror}; give a file or a descriptor with JSON") from None
    try:
        return msgspec.json.decode(octets, type=CoreSettings)
    except msgspec.DecodeError as fault:
        raise BadInput(f"--settings {where}: {fault}") from None


def open_meter(
    settings: CoreSettings, ledger: EnergyLedger, origin_ns: int, relay: SimRelay | None = None
) -> tuple[SampleSource, ChainMeter]:
    """Source, behind `relay` where there is one, and chain of `settings`. Raises ConfigError or RecordingError."""
    # Here and not above: numpy alone takes longer to load than everything that the first push needs.
    from wattwheel.drivers.inputs import open_source
    from wattwheel.drivers.sim.relay import SwitchedSource
    from wattwheel.metrology.calibration import Calibration, ChannelCalibration
    from wattwheel.metrology.crossing import TICKS_PER_SAMPLE
    from wattwheel.metrology.meter import ChainMeter
    from wattwheel.metrology.wiring import Rating, Wiring

    source: SampleSource = open_source(
        settings.input,
        origin_ns=origin_ns,
        speed=settings.speed,
        voltage_ratio=settings.voltage_ratio,
        current_ratio=settings.current_ratio,
        minute_of_day=settings.minute_of_day,
    )
    ledger.counters.start_samples(origin_ns, 1e9 / source.format.rate_hz / TICKS_PER_SAMPLE)
    if relay is not None:
        source = SwitchedSource(source, relay)
    wiring = {"1p2w": Wiring.SINGLE_PHASE, "3p4w": Wiring.FOUR_WIRE, "3p3w": Wiring.THREE_WIRE}[settings.wiring]
    rating = Rating(
        nominal_hz=float(settings.nominal_frequency_hz),
        reference_voltage_v=settings.nominal_voltage_v,
        starting_current_a=settings.starting_current_a,
        no_load_share=max(settings.no_load_share, LEAST_NO_LOAD_SHARE),
        interruption_share=settings.interruption_share,
    )

    def channels(gains: tuple[float, ...], delays_us: tuple[float, ...]) -> tuple[ChannelCalibration, ...]:
        count = max(len(gains), len(delays_us))
        pairs = zip(gains or (1.0,) * count, delays_us or (0.0,) * count, strict=False)
        return tuple(ChannelCalibration(gain, delay / 1e6) for gain, delay in pairs)

    calibration = Calibration(
        channels(settings.voltage_gain, settings.voltage_delay_us),
        channels(settings.current_gain, settings.current_delay_us),
        ChannelCalibration(settings.neutral_gain),
    )
    return source, ChainMeter(ledger, source.format, wiring, rating, calibration)


def open_ledger(settings: CoreSettings) -> EnergyLedger:
    """An empty ledger, with the output of its pulses where there is one. Raises DoorUnavailable, ConfigError."""
    output = None
    if settings.pulse_file:
        from wattwheel.drivers.linux.pulse_file import PulseFile

        sink = PulseFile(Path(settings.pulse_file), settings.pulse_file_octets_max, is_needed=not settings.is_restart)
        output = PulseOutput(sink, settings.maximum_power_w)
    return EnergyLedger(settings.active_constant_imp_per_kwh, settings.reactive_constant_imp_per_kvarh, output)


def open_relay(settings: CoreSettings, folder: Path) -> SimRelay | None:
    """The simulated relay, as it stood last; None where there is none."""
    if not settings.has_relay:
        return None
    from wattwheel.drivers.sim.relay import SimRelay

    return SimRelay(folder / RELAY_NAME)


def open_plug(folder: Path) -> SimPlug:
    """The simulated plug of the management module in `folder`; its board's clock is that of this machine."""
    from wattwheel.drivers.sim.plug import SimPlug

    return SimPlug(folder / PLUG_NAME, host_milliseconds)


def run(settings: CoreSettings) -> None:
    """Meter until SIGTERM. Raises BadInput, DoorUnavailable, StorageError; then nothing is half started."""
    loop = EpollLoop()
    clock = LinuxClock(loop)
    folder = Path(settings.folder)
    memory = _open_memory(folder / RING_NAME, settings.is_restart)
    marker = folder / MARKER_NAME
    link = ReopeningLink(loop, clock, settings.link)
    link.open_first()
    ledger = open_ledger(settings)
    relay = open_relay(settings, folder)
    core = MeteringCore(
        clock,
        memory,
        link,
        ledger,
        CoreIdentity(wattwheel.__version__, sealed_checksum(), PHASES[settings.wiring], 0),
        CoreTiming(push_ns=round(settings.push_seconds * 1e9), sync_ns=round(settings.sync_seconds * 1e9)),
        was_written=marker.exists() or memory.was_truncated or isinstance(memory, FrozenMemory),
        faults=CoreFault.MEMORY_DAMAGED if memory.was_truncated else CoreFault(0),
        outputs=CoreOutputs(relay, ledger.counters),
        plug=PlugWatch(open_plug(folder)),
    )
    loop.on_signal(signal.SIGTERM, loop.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says when to end
    core.start()
    if not core.status().faults & CoreFault.MEMORY_WRITE:
        _mark(marker)
    source, meter = open_meter(settings, ledger, clock.now_ns(), relay)
    core.measure(source, meter)
    loop.run(_nothing)
    core.stop()
    source.close()
    link.close()
    memory.close()
    loop.close()


def _open_memory(path: Path, is_restart: bool) -> FileMemory | FrozenMemory:
    """The ring's memory. While the meter runs, one that has become unwritable is read and told as a fault.

    Raises DoorUnavailable or StorageError: at the first start for whatever fails, later when another core holds it.
    """
    try:
        return FileMemory(path, RING_OCTETS)
    except (DoorUnavailable, StorageError):
        if not is_restart:
            raise
        return FrozenMemory(path, RING_OCTETS)


def _mark(marker: Path) -> None:
    try:
        marker.touch(mode=0o600)
    except OSError:  # the ring itself is writable; the marker only sharpens a later diagnosis
        return


def _nothing() -> None:
    """The core has no wheel."""


def main(arguments: list[str]) -> int:
    """Run the process; the exit status. `arguments` without the program's name."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # sums of 0.2 s are too short to share out
    try:
        if len(arguments) != 2 or arguments[0] != "--settings":
            raise BadInput("usage: python -m wattwheel.boot.metering_core --settings FD_OR_FILE")
        settings = read_settings(arguments[1])
        if settings.parent_pid:
            die_with_parent(settings.parent_pid)
        name_process("metering")
        run(settings)
    except (BadInput, DoorUnavailable, StorageError) as fault:
        print(f"metering core: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
