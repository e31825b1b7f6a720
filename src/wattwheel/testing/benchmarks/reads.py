"""Answered reads a second over loopback TCP, beside the `dlt645` sync and async servers.

Every side answers the same four energy registers of one meter to the same load program; runs are interleaved and
nothing is pinned. Ours are whole meters that meter their recording meanwhile. In `owner` every counted read was routed
over the bus to the isolated APP that owns the item; in `snapshot` it was answered from what that APP had published, its
age checked. Both are proved by the communication service's own counters. The peer answers from a dictionary in one
process.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from wattwheel.testing.benchmarks import load
from wattwheel.testing.benchmarks.codec import PEER
from wattwheel.testing.benchmarks.peers import PeerUnavailableError, peer_python
from wattwheel.testing.benchmarks.result import Result, median
from wattwheel.testing.living import LivingMeter

ROUNDS = 5
SECONDS = 2.0
CONNECTIONS = (1, 64)
PEER_START_TIMEOUT_S = 30
ADDRESS = "202611200001"
SHORT_OF_COUNTERS = 0.999  # the counters are read a moment after the load has ended

PEER_SERVER = """\
import asyncio, socket, sys
kind, address, items = sys.argv[1], sys.argv[2], [int(di, 16) for di in sys.argv[3:]]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
def fill(server):
    server.set_address(bytes.fromhex(address)[::-1])
    for di in items:
        server.set_00(di, 123.45)
    print(port, flush=True)
if kind == "sync":
    from dlt645 import MeterServerService
    server = MeterServerService.new_tcp_server(ip="127.0.0.1", port=port, timeout=3000)
    fill(server)
    server.start()
    import threading
    threading.Event().wait()
else:
    from dlt645.aio import AsyncMeterServerService
    async def main():
        server = AsyncMeterServerService.new_tcp_server(ip="127.0.0.1", port=port, timeout=3000)
        fill(server)
        await server.start()
        await asyncio.Event().wait()
    asyncio.run(main())
"""

TARGETS = {  # name: (connections, reads from, figure, target of the ratio, smaller is better)
    "reads_1": (1, "owner", "reads_per_s", 0.7, False),
    "reads_1_snapshot": (1, "snapshot", "reads_per_s", 1.15, False),
    "reads_64": (64, "owner", "reads_per_s", 2.5, False),
    "reads_64_snapshot": (64, "snapshot", "reads_per_s", 3.0, False),
    "reads_64_p99": (64, "owner", "p99_us", 0.5, True),
    "reads_64_p99_snapshot": (64, "snapshot", "p99_us", 0.5, True),
}
P99_AT_1_MICROSECONDS_MAX = 200.0


class Server(NamedTuple):
    """Something that answers reads."""

    name: str
    host: str
    port: int


def measure(rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Result]:
    """All read figures from one run."""
    notes = [
        f"{rounds} interleaved rounds of {seconds:g} s after a warm-up, medians; ratio: median of the rounds' ratios"
    ]
    with ExitStack() as stack:
        meters = {
            kind: stack.enter_context(LivingMeter(f'[dlt645]\nreads = "{kind}"\n')) for kind in ("owner", "snapshot")
        }
        servers = [Server(kind, *meter.door("dlt645")) for kind, meter in meters.items()]
        peers: list[str] = []
        try:
            python = peer_python(PEER)
            for kind in ("sync", "async"):
                servers.append(stack.enter_context(_peer_server(python, kind)))
                peers.append(servers[-1].name)
        except PeerUnavailableError as fault:
            notes.append(f"not run: {fault}")
        before = {kind: _counted(meter, kind) for kind, meter in meters.items()}
        runs = _run_all(servers, rounds, seconds)
        for kind, meter in meters.items():
            notes.append(_proof(kind, _counted(meter, kind) - before[kind], runs))
    return [_result(name, runs, peers, notes) for name in TARGETS] + [_p99_at_1(runs, notes)]


Runs = dict[tuple[str, int], list[dict[str, Any]]]


def _run_all(servers: list[Server], rounds: int, seconds: float) -> Runs:
    runs: Runs = {}
    for _ in range(rounds):
        for connections in CONNECTIONS:
            for server in servers:
                figure = run_load(server, connections, seconds)
                runs.setdefault((server.name, connections), []).append(figure)
    return runs


def run_load(server: Server, connections: int, seconds: float, address: str = ADDRESS) -> dict[str, Any]:
    """One run of the load program."""
    words = [server.host, str(server.port), str(connections), str(seconds), address]
    done = subprocess.run(
        [sys.executable, "-I", str(Path(load.__file__)), *words], capture_output=True, check=True, timeout=60 + seconds
    )
    figure: dict[str, Any] = json.loads(done.stdout)
    assert figure["bad"] == 0, f"{server.name}: {figure['bad']} replies were not the good answer"
    return figure


@contextmanager
def _peer_server(python: Path, kind: str) -> Iterator[Server]:
    command = [str(python), "-I", "-c", PEER_SERVER, kind, ADDRESS, *load.IDENTIFIERS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            if not select.select([process.stdout], [], [], PEER_START_TIMEOUT_S)[0]:
                raise PeerUnavailableError(f"{PEER} {kind} server did not start")
            server = Server(f"{PEER.replace('==', ' ')} {kind}", "127.0.0.1", int(process.stdout.readline()))
            _wait_until_open(server)
            yield server
        finally:
            process.kill()


def _wait_until_open(server: Server) -> None:
    """A short run that is repeated until the server takes connections."""
    for _ in range(200):
        try:
            run_load(server, 1, 0.05)
        except subprocess.CalledProcessError:
            continue
        return
    raise PeerUnavailableError(f"{server.name} does not answer")


def _counted(meter: LivingMeter, kind: str) -> int:
    counters = meter.status()["counters"].get("communication", {})
    return int(counters.get("reads_by_owner" if kind == "owner" else "reads_from_snapshot", 0))


def _proof(kind: str, counted: int, runs: Runs) -> str:
    answered = sum(figure["reads"] for connections in CONNECTIONS for figure in runs[kind, connections])
    assert counted >= SHORT_OF_COUNTERS * answered, f"{kind}: {answered} reads answered, only {counted} counted there"
    return f"{kind}: {answered} counted replies, the service counted {counted} answered by the {kind}"


def _result(name: str, runs: Runs, peers: list[str], notes: list[str]) -> Result:
    connections, kind, figure, target, at_most = TARGETS[name]
    ours = [run[figure] for run in runs[kind, connections]]
    theirs = {peer: [run[figure] for run in runs[peer, connections]] for peer in peers}
    best = min if at_most else max
    ratios = [mine / best(rows) for mine, *rows in zip(ours, *theirs.values(), strict=True)] if theirs else []
    return Result(
        name=name,
        value=median(ours),
        unit="us" if at_most else "reads/s",
        peers={peer: median(values) for peer, values in theirs.items()} or {PEER: None},
        ratio=median(ratios) if ratios else None,
        target=target,
        at_most=at_most,
        notes=notes,
    )


def _p99_at_1(runs: Runs, notes: list[str]) -> Result:
    ours = [run["p99_us"] for run in runs["owner", 1]]
    return Result(
        name="reads_1_p99",
        value=median(ours),
        unit="us",
        target=P99_AT_1_MICROSECONDS_MAX,
        at_most=True,
        notes=notes,
    )
