"""One partition as the kernel sees it: its mode, its body, why it is held, and when it was started again."""

from __future__ import annotations

from typing import NamedTuple

from wattwheel.apex.codes import OperatingMode
from wattwheel.hil.process import Body, BodySpec
from wattwheel.kernel.config import PartitionConfig

WINDOW, REPAIR = "window", "repair"
"""Reasons to hold a body still: it is not its window; the far end of one of its channels is being recounted."""


class Start(NamedTuple):
    """How a partition is to start: why, and whether warm."""

    condition: str
    is_warm: bool = False


class Partition:
    """State of one partition.

    Attributes:
        config: as configured.
        spec: what its bodies are made of.
        body: the living one.
        mode: its operating mode.
        births: bodies made so far.
        restarts: starts that followed an end which the module had not been asked for from outside.
        restarts_ns: when, within the last minute.
        short_lives_ns: ends soon after a start within the last minute: they make the next start wait.
        last_report: what it said last.
        then: with a body that was told to end: the start that follows; without one: the start that is due.
        is_ending: its body was told to end.
        looks: how often in a row the health monitor has seen no sign of life.
        version: its counters as the health monitor saw them last.
        suspects: channel -> number of the message that the body before had looked at when it ended by itself.
        set_aside: messages that were moved aside because two bodies in a row had ended over them.
        lines: what its reports have written to the log since the last look.
    """

    def __init__(self, config: PartitionConfig, spec: BodySpec) -> None:
        self.config = config
        self.spec = spec
        self.body: Body | None = None
        self.mode = OperatingMode.IDLE
        self.births = self.restarts = 0
        self.restarts_ns: list[int] = []
        self.short_lives_ns: list[int] = []
        self.normal_ns = 0
        self.last_report = ""
        self.then: Start | None = None
        self.is_ending = False
        self.looks = self.version = 0
        self.suspects: dict[str, int] = {}
        self.set_aside = 0
        self.lines = 0
        self._holds: set[str] = set()

    def links(self, direction: str) -> list[str]:
        """The queuing channels whose ends of that direction it holds."""
        return [link for port in self.spec.queuing_ports if port.direction == direction for link in port.channels]

    def born(self, body: Body, version: int) -> None:
        """It has a new body; `version`: how often its counters have been published before."""
        self.body = body
        self.births += 1
        self.mode = OperatingMode.WARM_START if self.spec.is_warm else OperatingMode.COLD_START
        self.looks, self.version = 0, version

    def hold(self, reason: str) -> None:
        """Let it stand still until `release`; on return it does."""
        if self.body is not None and not self._holds:
            self.body.pause()
        self._holds.add(reason)

    def release(self, reason: str) -> None:
        """Let it go on, unless another reason holds it."""
        if reason not in self._holds:
            return
        self._holds.discard(reason)
        if self.body is not None and not self._holds:
            self.body.resume()

    def buried(self) -> None:
        """Its body is no more."""
        self.body = None
        self.mode = OperatingMode.IDLE
        self.is_ending = False
        self._holds.clear()
