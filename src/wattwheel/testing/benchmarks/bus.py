"""The virtual bus beside bare sockets and message brokers: request-reply and one-way, three processes, 64 octets.

Ours: asker, bus and owner are partitions of a real module, made by the kernel; each request's right to be asked is
checked and its reply matched to it. `bare two-hop`: three Python processes that pass the same octets through SEQPACKET
pairs without a look at them. A broker carries them between two Python clients in processes of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

import msgspec

from wattwheel.apex import messages
from wattwheel.apex.bus import FROM_BUS, TO_BUS
from wattwheel.apex.messages import Control
from wattwheel.boot.body import run_body
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.process import LinuxProcessHost
from wattwheel.kernel.config import ModuleConfig, PartitionConfig, PortEnd, QueuingChannelConfig
from wattwheel.kernel.module import Module
from wattwheel.testing.benchmarks import broker_scripts as scripts
from wattwheel.testing.benchmarks.bus_partitions import Figures, Work
from wattwheel.testing.benchmarks.peers import PeerUnavailableError, peer_program, peer_python
from wattwheel.testing.benchmarks.result import Result, median

ROUNDS = 3
OCTETS = 64
ASKS, NOTICES = 5000, 60_000
TIMEOUT_S = 90
BARE = "bare two-hop"
RTT_TARGET, ONEWAY_TARGET = 1.8, 0.5


class Figure(NamedTuple):
    """Round trip in microseconds (p50, p99) and one-way messages a second."""

    p50_us: float
    p99_us: float
    messages_per_s: float


def measure(rounds: int = ROUNDS) -> list[Result]:
    """Both bus figures beside every peer that can be run here, interleaved."""
    sides: dict[str, Callable[[], Figure]] = {"wattwheel": measure_ours, BARE: measure_bare}
    notes = [f"{rounds} interleaved rounds, medians; {OCTETS} octets; {ASKS} round trips, {NOTICES} one-way messages"]
    found: dict[str, list[Figure]] = {}
    with ExitStack() as stack:
        for name, make in scripts.BROKERS.items():
            try:
                sides[name] = _broker(stack, make)
            except PeerUnavailableError as fault:
                notes.append(f"not run: {name}: {fault}")
                found[name] = []
        for _ in range(rounds):
            for name, run in list(sides.items()):
                try:
                    found.setdefault(name, []).append(run())
                except (subprocess.SubprocessError, PeerUnavailableError, ValueError) as fault:
                    notes.append(f"not run: {name}: {fault}"[:300])
                    found[name] = []
                    del sides[name]
    return [_rtt(found, notes), _oneway(found, notes)]


def _rtt(found: dict[str, list[Figure]], notes: list[str]) -> Result:
    ours = [figure.p50_us for figure in found["wattwheel"]]
    ratio = median([mine / figure.p50_us for mine, figure in zip(ours, found[BARE], strict=True)])
    peers = {
        name: median([f.p50_us for f in rows]) if rows else None for name, rows in found.items() if name != "wattwheel"
    }
    beaten = [name for name, value in peers.items() if name != BARE and value is not None and value > median(ours)]
    p99 = median([figure.p99_us for figure in found["wattwheel"]])
    own = [*notes, f"ratio to {BARE}; p99 {p99:.1f} us; faster than: {', '.join(beaten) or 'none of the brokers'}"]
    return Result(
        name="bus_rtt",
        value=median(ours),
        unit="us p50",
        peers=peers,
        ratio=ratio,
        target=RTT_TARGET,
        at_most=True,
        notes=own,
    )


def _oneway(found: dict[str, list[Figure]], notes: list[str]) -> Result:
    ours = [figure.messages_per_s for figure in found["wattwheel"]]
    ratio = median([mine / figure.messages_per_s for mine, figure in zip(ours, found[BARE], strict=True)])
    peers = {
        name: median([f.messages_per_s for f in rows]) if rows else None
        for name, rows in found.items()
        if name != "wattwheel"
    }
    beaten = [name for name, value in peers.items() if name != BARE and value is not None and value < median(ours)]
    own = [*notes, f"ratio to {BARE}; above: {', '.join(beaten) or 'none of the brokers'}"]
    return Result(
        name="bus_oneway",
        value=median(ours),
        unit="messages/s",
        peers=peers,
        ratio=ratio,
        target=ONEWAY_TARGET,
        notes=own,
    )


def measure_ours(asks: int = ASKS, notices: int = NOTICES) -> Figure:
    """A module of asker, bus and owner, in a process of its own so that its zygote starts small."""
    command = [sys.executable, "-m", "wattwheel.testing.benchmarks.bus", str(asks), str(notices)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S)
    return Figure(*json.loads(done.stdout.splitlines()[-1]))


def measure_bare(asks: int = ASKS, notices: int = NOTICES) -> Figure:
    """The same octets through two plain hops."""
    words = [str(asks), str(notices), str(OCTETS)]
    done = subprocess.run(
        [sys.executable, "-I", "-c", scripts.BARE, *words], capture_output=True, check=True, timeout=TIMEOUT_S
    )
    return Figure(*json.loads(done.stdout.splitlines()[-1]))


def _broker(stack: ExitStack, broker: scripts.Broker) -> Callable[[], Figure]:
    python = peer_python(*broker.requirements)
    address = stack.enter_context(broker.serve(peer_program(broker.program) if broker.program else ""))
    words = [address, str(ASKS), str(NOTICES), str(OCTETS)]

    def run() -> Figure:
        done = subprocess.run(  # a session of its own: the script ends its answerer by its process group
            [str(python), "-I", "-c", broker.script, *words],
            capture_output=True,
            timeout=TIMEOUT_S,
            start_new_session=True,
        )
        if not done.stdout:
            raise PeerUnavailableError(done.stderr.decode(errors="replace").strip().splitlines()[-1:] or "no figures")
        return Figure(*json.loads(done.stdout.splitlines()[-1]))

    return run


def _module(work: Work) -> ModuleConfig:
    """asker, bus and owner with the ports and rights of the standard module."""
    partners = ("asker", "owner")
    routes = [{"control": Control.READ, "prefix": "0E80", "owner": "owner"}]
    settings = {"partners": partners, "routes": routes, "rights": {"asker": [Control.READ]}}
    entries = "wattwheel.testing.benchmarks.bus_partitions"
    partitions = (
        PartitionConfig("bus", "wattwheel.services.bus:start", msgspec.json.encode(settings)),
        PartitionConfig("owner", f"{entries}:owner"),
        PartitionConfig("asker", f"{entries}:asker", msgspec.json.encode(work)),
    )
    size, depth = messages.PORT_MESSAGE_OCTETS_MAX, messages.PORT_DEPTH
    channels = []
    for name in partners:
        to, back = PortEnd("bus", f"from_{name}"), PortEnd("bus", f"to_{name}")
        channels.append(QueuingChannelConfig(f"{name}>bus", PortEnd(name, TO_BUS), (to,), size, depth))
        channels.append(QueuingChannelConfig(f"bus>{name}", back, (PortEnd(name, FROM_BUS),), size, depth))
    return ModuleConfig("bus-benchmark", partitions, tuple(channels))


def _main(asks: int, notices: int) -> None:
    host = LinuxProcessHost(run_body)
    loop = EpollLoop()
    host.attach(loop)

    def hear(text: str) -> None:
        _, found, figures = text.partition(": figures ")
        if not found:
            print(text, file=sys.stderr)
            return
        got = msgspec.json.decode(figures, type=Figures)
        print(json.dumps([got.p50_ns / 1e3, got.p99_ns / 1e3, notices / (got.notices_ns / 1e9)]))
        loop.stop()

    Module(_module(Work(asks, notices, OCTETS)), LinuxClock(loop), host, hear).start()
    loop.run(lambda: None)
    host.close()


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
