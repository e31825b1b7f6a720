"""Figures beside the peers: `wattwheel bench`. Ratios within one run on one machine; nothing here is a test."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattwheel.model.errors import BadInput

if TYPE_CHECKING:
    from wattwheel.testing.benchmarks.result import Result

MEMCPY_OCTETS = 256 * 1024 * 1024
MEMCPY_REPEATS = 3


def _codec() -> list[Result]:
    from wattwheel.testing.benchmarks.figures import measure_codec

    return measure_codec()


def _chain() -> list[Result]:
    from wattwheel.testing.benchmarks.chain import measure_chain

    return measure_chain()


def _reads() -> list[Result]:
    from wattwheel.testing.benchmarks.reads import measure

    return measure()


def _boot() -> list[Result]:
    from wattwheel.testing.benchmarks.footprint import measure_boot

    return measure_boot()


def _rest() -> list[Result]:
    from wattwheel.testing.benchmarks.footprint import measure_rest

    return measure_rest()


def _bus() -> list[Result]:
    from wattwheel.testing.benchmarks.bus import measure

    return measure()


def _realtime() -> list[Result]:
    from wattwheel.testing.benchmarks.realtime import measure

    return measure()


def _realtime_tasks() -> list[Result]:
    from wattwheel.testing.benchmarks.realtime_tasks import measure

    return measure()


def _partition() -> list[Result]:
    from wattwheel.testing.benchmarks.partition_start import measure

    return measure()


def _simulate() -> list[Result]:
    from wattwheel.testing.benchmarks.simulation import measure

    return measure()


GROUPS: tuple[tuple[Callable[[], list[Result]], tuple[str, ...]], ...] = (
    (_codec, ("codec",)),
    (_chain, ("chain", "chain_rate")),
    (
        _reads,
        (
            "reads_1",
            "reads_1_snapshot",
            "reads_64",
            "reads_64_snapshot",
            "reads_64_p99",
            "reads_64_p99_snapshot",
            "reads_1_p99",
        ),
    ),
    (_bus, ("bus_rtt", "bus_oneway")),
    (_realtime, ("realtime_window_start", "realtime_window_overrun")),
    (_realtime_tasks, ("realtime_task_switch", "realtime_semaphore", "realtime_signal", "realtime_channel")),
    (_partition, ("partition_start", "partition_memory")),
    (_boot, ("boot", "boot_page")),
    (_simulate, ("simulate",)),
    (_rest, ("memory", "idle_cpu", "written_per_day")),
)
"""What is measured together, and the names it gives."""

NAMES = tuple(name for _, names in GROUPS for name in names)


def run(names: Sequence[str] = ()) -> dict[str, Any]:
    """Measure what is named (nothing: everything), as the contract's document. Raises BadInput for an unknown name."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise BadInput(f"bench {unknown[0]}: no such benchmark; allowed: {', '.join(NAMES)}")
    results = []
    for measure, own in GROUPS:
        if not names or set(own) & set(names):
            results += [result for result in measure() if not names or result.name in names]
    return {"machine": machine(), "results": [result.document() for result in results]}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    from wattwheel.testing.benchmarks.figures import memcpy_gb_s

    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "memcpy_gb_s": round(memcpy_gb_s(), 1),
        "load_average": os.getloadavg()[0],
    }


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
