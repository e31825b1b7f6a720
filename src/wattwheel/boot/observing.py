"""What runs and what passes: partitions and channels as the operator sees them, `wattwheel ps` and `wattwheel bus`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from wattwheel.boot.control import ask, state_folder
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.ports import QueueFigures
from wattwheel.kernel.config import ModuleConfig, PortEnd
from wattwheel.kernel.module import Module

RATE_S = 1.0
"""Time between the two looks that a rate is told from."""
TAP_LOOK_S = 0.2
"""How often a tap is asked for what has passed."""

_NS_A_SECOND = 1e9

Figures = Callable[[int], tuple[float, int] | None]


def processor_s(pid: int) -> float | None:
    """Seconds of processor time of a process; None for one that is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[0]) / _NS_A_SECOND
    return None


def process_figures(pid: int) -> tuple[float, int] | None:
    """Seconds of processor time and KiB of memory of its own; None for a process that is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        busy_ns = int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[0])
        return busy_ns / _NS_A_SECOND, _own_kib(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return None


def _own_kib(rollup: str) -> int:
    lines = (line.split() for line in rollup.splitlines())
    return sum(int(words[1]) for words in lines if words[0] in ("Private_Clean:", "Private_Dirty:"))


def partition_table(module: Module, figures: Figures = process_figures) -> list[dict[str, Any]]:
    """One row for each partition, in the order of the configuration."""
    windows = module.windows()
    rows = []
    for name, partition in module.partitions.items():
        pid = partition.body.pid if partition.body is not None else None
        found = figures(pid) if pid else None
        rows.append(
            {
                "partition": name,
                "identifier": partition.config.identifier,
                "pid": pid,
                "mode": partition.mode.name,
                "user": partition.config.user,
                "is_system": partition.config.is_system,
                "restarts": partition.restarts,
                "set_aside": partition.set_aside,
                "processor_s": round(found[0], 3) if found else None,
                "memory_kib": found[1] if found else None,
                "windows": windows.get(name),
                "last_report": partition.last_report,
            }
        )
    return rows


class ThriftyFigures:
    """`process_figures` for a look each second: memory, which is dear to look at, is that of one process a time."""

    def __init__(self, figures: Figures = process_figures, busy_s: Callable[[int], float | None] | None = None) -> None:
        self._figures, self._busy_s = figures, busy_s or processor_s
        self._memory_kib: dict[int, int] = {}
        self._asked: list[int] = []

    def __call__(self, pid: int) -> tuple[float, int] | None:
        """See `process_figures`; a process that has not been looked at yet is looked at now."""
        self._asked.append(pid)
        if pid not in self._memory_kib:
            return self._look(pid)
        busy_s = self._busy_s(pid)
        return None if busy_s is None else (busy_s, self._memory_kib[pid])

    def next_look(self) -> None:
        """Forget whom nobody asked for any more, and look anew at the memory of one: whose is the oldest."""
        self._memory_kib = {pid: kib for pid, kib in self._memory_kib.items() if pid in self._asked}
        self._asked.clear()
        if self._memory_kib:
            self._look(next(iter(self._memory_kib)))

    def _look(self, pid: int) -> tuple[float, int] | None:
        self._memory_kib.pop(pid, None)
        found = self._figures(pid)
        if found is not None:
            self._memory_kib[pid] = found[1]  # the newest stands last
        return found


def with_rates(
    rows: list[dict[str, Any]], before: Mapping[str, int], passed_s: float
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """`rows` of `channel_table` with `messages_per_s` since the counts `before`, `passed_s` ago; and the counts now."""
    now = {row["channel"]: row["messages"] for row in rows}
    for row in rows:
        passed = max(0, row["messages"] - before.get(row["channel"], row["messages"]))
        row["messages_per_s"] = round(passed / passed_s, 1) if passed_s > 0 else 0.0
    return rows, now


class Observed:
    """What the page is shown of partitions and channels: one document a second."""

    def __init__(self, module: Module, channels: Callable[[], list[dict[str, Any]]], now_ns: Callable[[], int]) -> None:
        self._module, self._channels, self._now_ns = module, channels, now_ns
        self._figures = ThriftyFigures()
        self._counts: dict[str, int] = {}
        self._looked_ns = 0

    def document(self, octets_max: int) -> bytes:
        """Both tables as JSON of at most `octets_max`: the last rows are left out where it would be longer."""
        now_ns = self._now_ns()
        channels, self._counts = with_rates(self._channels(), self._counts, (now_ns - self._looked_ns) / _NS_A_SECOND)
        self._looked_ns = now_ns
        partitions = partition_table(self._module, self._figures)
        self._figures.next_look()
        return bounded_tables(partitions, channels, octets_max)


def bounded_tables(partitions: list[dict[str, Any]], channels: list[dict[str, Any]], octets_max: int) -> bytes:
    """The document `{"partitions", "channels"}`, halved from behind until it fits `octets_max`."""
    while True:
        octets = msgspec.json.encode({"partitions": partitions, "channels": channels})
        if len(octets) <= octets_max:
            return octets
        if channels:
            channels = channels[: len(channels) // 2]
        else:
            partitions = partitions[: len(partitions) // 2]


def channel_table(
    config: ModuleConfig, queues: Mapping[str, QueueFigures], writes: Mapping[str, int]
) -> list[dict[str, Any]]:
    """One row for each channel: queuing ones with what waits and has passed, sampling ones with their writes."""
    return [*_queuing_rows(config, queues), *_sampling_rows(config, writes)]


def _queuing_rows(config: ModuleConfig, queues: Mapping[str, QueueFigures]) -> Iterator[dict[str, Any]]:
    for channel in config.queuing_channels:
        links = [queues[link] for link in channel.links()]
        yield {
            "channel": channel.name,
            "kind": "queuing",
            "source": _named(channel.source),
            "destinations": [_named(end) for end in channel.destinations],
            "max_message_size": channel.max_message_size,
            "depth": channel.depth,
            "is_direct": channel.is_direct,
            "waiting": max(figures.waiting for figures in links),
            "waiting_highest": max(figures.waiting_highest for figures in links),
            "stalls": sum(figures.stalls for figures in links),
            "messages": max(figures.sent for figures in links),
        }


def _sampling_rows(config: ModuleConfig, writes: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    for cell in config.sampling_channels:
        yield {
            "channel": cell.name,
            "kind": "sampling",
            "source": _named(cell.source),
            "destinations": [_named(end) for end in cell.destinations],
            "max_message_size": cell.max_message_size,
            "depth": None,
            "is_direct": False,
            "waiting": None,
            "waiting_highest": None,
            "stalls": None,
            "messages": writes[cell.name],
        }


def _named(end: PortEnd) -> str:
    return f"{end.partition}.{end.port}"


def ask_partitions(state: str | None) -> list[dict[str, Any]]:
    """Rows of `partition_table` of the meter on the folder `state`. Raises NotAnswered."""
    rows: list[dict[str, Any]] = ask(state_folder(state), {"ask": "ps"})["partitions"]
    return rows


def ask_channels(state: str | None) -> list[dict[str, Any]]:
    """Rows of `channel_table`, each with `messages_per_s` of the last `RATE_S`. Raises NotAnswered."""
    folder = state_folder(state)
    before = {row["channel"]: row["messages"] for row in ask(folder, {"ask": "bus"})["channels"]}
    loop = EpollLoop()
    loop.step(RATE_S)
    loop.close()
    rows: list[dict[str, Any]] = ask(folder, {"ask": "bus"})["channels"]
    for row in rows:
        passed = row["messages"] - before.get(row["channel"], 0)
        row["messages_per_s"] = round(max(0, passed) / RATE_S, 1)
    return rows


def tapped(state: str | None, name: str) -> Iterator[dict[str, Any]]:
    """What passes through the channel (or PARTITION.PORT) `name`, a row a message, without end.

    What came too fast to be shown is a row `left_out` with its number. Raises NotAnswered; Refused when the meter's
    settings do not allow it or there is no such channel.
    """
    folder, request, loop = state_folder(state), dict[str, object]({"tap": name}), EpollLoop()
    try:
        while True:
            reply = ask(folder, request)
            request["number"] = reply["number"]
            if reply["left_out"]:
                yield {"left_out": reply["left_out"]}
            yield from reply["messages"]
            loop.step(TAP_LOOK_S)
    finally:
        loop.close()
