"""Codec and signal chain as rows of the bench table, and the machine's memory speed."""

from __future__ import annotations

import subprocess

from wattwheel.testing.benchmarks import codec
from wattwheel.testing.benchmarks.peers import PeerUnavailableError, peer_python
from wattwheel.testing.benchmarks.result import Result

CODEC_TARGET = 5.0
MEMCPY_OCTETS = 256 * 1024 * 1024
MEMCPY_REPEATS = 3


def memcpy_gb_s() -> float:
    """Octets a second that numpy copies from one 256 MiB array to another, best of three, in 1e9."""
    import numpy as np

    from wattwheel.drivers.linux.clock import LinuxClock
    from wattwheel.drivers.linux.loop import EpollLoop

    now_ns = LinuxClock(EpollLoop()).now_ns
    source = np.ones(MEMCPY_OCTETS, dtype=np.uint8)
    target = np.zeros_like(source)
    best = 0.0
    for _ in range(MEMCPY_REPEATS):
        begin = now_ns()
        np.copyto(target, source)
        best = max(best, MEMCPY_OCTETS / (now_ns() - begin))
    return best


def measure_codec() -> list[Result]:
    """Encode a read request and decode the reply, all checks on, beside the PyPI package."""
    work = codec.pairs(seed=645)
    name = codec.PEER.replace("==", " ")
    notes = [f"{codec.PAIRS} distinct random frames, processor time, best of interleaved repeats, nothing memoised"]
    try:
        found = codec.compare(peer_python(codec.PEER))
    except (PeerUnavailableError, OSError, subprocess.SubprocessError) as fault:
        ours = codec.measure(work).pairs_per_cpu_s
        notes.append(f"not run: {fault}")
        return [Result(name="codec", value=ours, unit="pairs/s", peers={name: None}, target=CODEC_TARGET, notes=notes)]
    notes.append(f"smallest ratio within one repeat {found.ratio_min:.2f}")
    return [
        Result(
            name="codec",
            value=max(found.ours),
            unit="pairs/s",
            peers={name: max(found.peer)},
            ratio=found.ratio,
            target=CODEC_TARGET,
            notes=notes,
        )
    ]
