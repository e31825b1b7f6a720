"""A message that kills its receiver: it is met again after the restart, so the second time it is moved aside.

Theory of operation. Nothing is lost with a process: a message that was looked at and not let go of is in front again
for the next body. Where two bodies in a row ended by themselves over the same one, it is taken out of the channel and
counted; whoever waits for an answer gets the error by time-out. Only a message that both had looked at is suspected,
and only where it is the one such message of all the partition's channels: no other is ever lost. Ends by SIGKILL and
SIGTERM come from outside and say nothing about a message.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from wattwheel.hil.process import ProcessHost
from wattwheel.kernel.partition import Partition

FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)


class PoisonWatch:
    """Looks at the channels of a partition whenever a body of it has ended."""

    def __init__(self, host: ProcessHost, log: Callable[[str], None]) -> None:
        self._host, self._log = host, log

    def buried(self, partition: Partition, status: int, was_told: bool) -> None:
        """The body of `partition` has ended with `status`. `was_told`: it was asked to."""
        looked_at = {link: self._host.take_suspect(link) for link in partition.links("DESTINATION")}
        if was_told or status in FROM_OUTSIDE:
            return
        suspects = {link: position for link, position in looked_at.items() if position is not None}
        again = [link for link, position in suspects.items() if partition.suspects.get(link) == position]
        partition.suspects = suspects
        if len(again) == 1:
            octets = self._host.set_aside(again[0])
            partition.suspects = {}
            partition.set_aside += 1
            self._log(
                f"{partition.config.name}: a message of {octets} octets on {again[0]} is moved aside: "
                "two bodies in a row have ended over it"
            )
