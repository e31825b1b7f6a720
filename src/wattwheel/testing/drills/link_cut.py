"""The drill `link-cut`: two modules exchange messages through virtual ports while their link is cut again and again.

Two kernels, each with its own partitions, as two programs on loopback; between them a wire that the drill holds. It is
cut in the middle of a frame, at once, or falls silent; now and then a network partition is killed instead. What has to
hold: queuing messages arrive once each and in order, both ways; the sample that is read never gets older, and in the
end is the newest.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import msgspec

from wattwheel.drivers.linux import sandbox
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.testing.drills.link_partitions import LEVEL_FELL, LEVEL_SEEN, LEVEL_SENT, SENT, TAKEN, WRONG
from wattwheel.testing.drills.link_wire import Wire, free_address
from wattwheel.testing.drills.score import Score

STEP_S = 0.01
RECOVERY_S_MAX = 20.0
PATIENCE_S = 60.0
DOWN_S_MAX = 0.3
PROGRESS_MIN = 50
"""Messages that have to arrive each way between two cuts."""
KINDS = ("cut in a frame",) * 6 + ("cut at once",) * 4 + ("network killed",) * 3 + ("silent",)

MODULE = """<?xml version="1.0" encoding="UTF-8"?>
<ARINC_653_Module ModuleName="{name}" xmlns:ww="urn:wattwheel:module:1">
 <Partition PartitionIdentifier="1" PartitionName="sender" EntryPoint="wattwheel.testing.drills.link_partitions:send">
  <Queuing_Port Name="orders" MaxMessageSize="200" MaxNbMessages="16" Direction="SOURCE"/>
  <Sampling_Port Name="level" MaxMessageSize="64" Direction="SOURCE" RefreshRateSeconds="1"/>
  <Sampling_Port Name="stop" MaxMessageSize="64" Direction="DESTINATION" RefreshRateSeconds="1"/>
 </Partition>
 <Partition PartitionIdentifier="2" PartitionName="taker" EntryPoint="wattwheel.testing.drills.link_partitions:take">
  <Queuing_Port Name="orders" MaxMessageSize="200" MaxNbMessages="16" Direction="DESTINATION"/>
  <Sampling_Port Name="level" MaxMessageSize="64" Direction="DESTINATION" RefreshRateSeconds="1"/>
 </Partition>
 <Partition PartitionIdentifier="3" PartitionName="network" SystemPartition="true"
  EntryPoint="wattwheel.services.network:start">
  <ww:Device Name="network"/>
  <ww:Settings>{settings}</ww:Settings>
 </Partition>
 <Connection_Table>
  <Channel ChannelIdentifier="1" ChannelName="orders out">
   <Source><Standard_Partition PartitionIdentifier="1" PortName="orders"/></Source>
   <Destination><Pseudo_Partition Name="far" Procedure="{out}"/></Destination>
  </Channel>
  <Channel ChannelIdentifier="2" ChannelName="orders in">
   <Source><Pseudo_Partition Name="far" Procedure="{into}"/></Source>
   <Destination><Standard_Partition PartitionIdentifier="2" PortName="orders"/></Destination>
  </Channel>
  <Channel ChannelIdentifier="3" ChannelName="level out">
   <Source><Standard_Partition PartitionIdentifier="1" PortName="level"/></Source>
   <Destination><Pseudo_Partition Name="far" Procedure="{level_out}"/></Destination>
  </Channel>
  <Channel ChannelIdentifier="4" ChannelName="level in">
   <Source><Pseudo_Partition Name="far" Procedure="{level_in}"/></Source>
   <Destination><Standard_Partition PartitionIdentifier="2" PortName="level"/></Destination>
  </Channel>
  <Channel ChannelIdentifier="5" ChannelName="stop">
   <Source><Pseudo_Partition Name="kernel" Procedure="stop"/></Source>
   <Destination><Standard_Partition PartitionIdentifier="1" PortName="stop"/></Destination>
  </Channel>
 </Connection_Table>
</ARINC_653_Module>
"""


def drill(times: int, seed: int) -> Score:
    """Cut the link `times` times."""
    score = Score()
    score.level = sandbox.probe().level
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="wattwheel-drill-") as top:
        exercise = _Exercise(Path(top), chance, score)
        try:
            exercise.run(times)
        finally:
            exercise.close()
    return score


class FarModule:
    """One of the two programs."""

    def __init__(
        self,
        folder: Path,
        loop: EpollLoop,
        name: str,
        link: dict[str, str],
        out: int,
        into: int,
        document: str | None = None,
    ) -> None:
        self.name = name
        self.said: dict[str, Any] = {}
        self._held = b""
        settings = msgspec.json.encode({"links": [{"name": "far"} | link], "module": name}).decode()
        path = folder / f"{name}.xml"
        path.write_text(
            (document or MODULE).format(
                name=name, settings=settings, out=out, into=into, level_out=out + 2, level_in=into + 2
            )
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wattwheel.testing.drills.link_module", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        )
        self.input, self.output = _pipe(self.process.stdin), _pipe(self.process.stdout)
        self._loop = loop
        loop.watch(self.output.fileno(), self._hear)

    def _hear(self) -> None:
        octets = os.read(self.output.fileno(), 65_536)
        if not octets:
            self._loop.unwatch(self.output.fileno())
        *lines, self._held = (self._held + octets).split(b"\n")
        if lines:
            self.said = msgspec.json.decode(lines[-1])

    def count(self, partition: str, name: str) -> int:
        """What a partition has counted."""
        return int(self.said.get("counters", {}).get(partition, {}).get(name, 0))

    def pid(self, partition: str) -> int:
        """Its process; 0: none now."""
        return int(self.said.get("pids", {}).get(partition, 0))

    def close(self) -> None:
        """End the program."""
        self._loop.unwatch(self.output.fileno())
        self.input.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end


class _Exercise:
    def __init__(self, folder: Path, chance: random.Random, score: Score) -> None:
        self._chance, self._score = chance, score
        self._loop = EpollLoop()
        self._clock = LinuxClock(self._loop)
        door = free_address()
        self._wire = Wire(self._loop, door, chance)
        self.east = FarModule(folder, self._loop, "east", {"listen": door}, 1, 2)
        self.west = FarModule(folder, self._loop, "west", {"connect": self._wire.address}, 2, 1)
        self._recoveries: dict[str, list[float]] = {}

    def run(self, times: int) -> None:
        """All of it."""
        if not self._until(lambda: self._progress() >= PROGRESS_MIN, RECOVERY_S_MAX):
            self._score.fail("the link", "no messages within the patience after the start")
            return
        for _ in range(times):
            self._strike(self._chance.choice(KINDS))
        for module in (self.east, self.west):
            os.write(module.input.fileno(), b"s")
        is_done = self._until(self._all_taken, PATIENCE_S)
        self._score.check(is_done, "queuing", "not everything had arrived in the end")
        self._until(self._newest_seen, 5.0)
        self._judge()

    def _strike(self, kind: str) -> None:
        victim = self._chance.choice((self.east, self.west))
        begun_ns = self._clock.now_ns()
        if kind == "cut in a frame":
            self._wire.cut_soon()
            self._until(lambda: self._wire.is_down, 5.0)
        elif kind == "cut at once":
            self._wire.cut_now()
        elif kind == "silent":
            self._wire.mute()
        elif victim.pid("network"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim.pid("network"), signal.SIGKILL)
        self._pass(self._chance.uniform(0.0, DOWN_S_MAX))
        before = self._progress()
        if kind != "silent":
            self._wire.restore()
        else:  # both notice by themselves; the wire then lets the next connection through
            self._pass(0.2)
            self._wire.restore()
        is_back = self._until(lambda: self._progress() >= before + PROGRESS_MIN, RECOVERY_S_MAX)
        self._score.check(is_back, "recovery", f"{kind}: no messages within {RECOVERY_S_MAX:g} s")
        self._recoveries.setdefault(kind, []).append((self._clock.now_ns() - begun_ns) / 1e9)
        self._pass(self._chance.uniform(0.0, 0.1))

    def _judge(self) -> None:
        for here, there in ((self.east, self.west), (self.west, self.east)):
            sent, taken = here.count("sender", SENT), there.count("taker", TAKEN)
            way = f"{here.name} to {there.name}"
            self._score.check(sent == taken, "queuing", f"{way}: {taken} taken of {sent}")
            wrong = there.count("taker", WRONG)
            self._score.check(not wrong, "queuing", f"{way}: {wrong} lost, doubled or out of order")
            fell = there.count("taker", LEVEL_FELL)
            self._score.check(not fell, "sampling", f"{way}: an older sample {fell} times")
            newest, seen = here.count("sender", LEVEL_SENT), there.count("taker", LEVEL_SEEN)
            self._score.check(newest == seen, "sampling", f"{way}: {seen} seen, {newest} is the newest")
            missing = sum(row["missing"] for row in there.said.get("virtual_ports", ()))
            self._score.check(not missing, "virtual ports", f"{there.name}: {missing} messages said to be missing")
            connections = max((row["connections"] for row in here.said.get("virtual_ports", ())), default=0)
            restarts = here.said.get("restarts", {}).get("network", 0)
            self._score.add(what="way", way=way, messages=taken, connections_newest_life=connections, restarts=restarts)
        for kind, seconds in sorted(self._recoveries.items()):
            self._score.add(what="strikes", kind=kind, times=len(seconds), back_s_max=round(max(seconds), 3))
        self._score.add(what="wire", octets=self._wire.octets)

    def _progress(self) -> int:
        return min(self.east.count("taker", TAKEN), self.west.count("taker", TAKEN))

    def _all_taken(self) -> bool:
        return self.west.count("taker", TAKEN) == self.east.count("sender", SENT) and (
            self.east.count("taker", TAKEN) == self.west.count("sender", SENT)
        )

    def _newest_seen(self) -> bool:
        return self.west.count("taker", LEVEL_SEEN) == self.east.count("sender", LEVEL_SENT) and (
            self.east.count("taker", LEVEL_SEEN) == self.west.count("sender", LEVEL_SENT)
        )

    def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        end_ns = self._clock.now_ns() + round(seconds * 1e9)
        while not condition():
            if self._clock.now_ns() >= end_ns:
                return False
            self._loop.step(STEP_S)
        return True

    def _pass(self, seconds: float) -> None:
        self._until(lambda: False, seconds)

    def close(self) -> None:
        """End both programs."""
        self.east.close()
        self.west.close()
        self._wire.close()
        self._loop.close()
