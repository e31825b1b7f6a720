"""What the kernel tells of the meter's condition: the message on the port `condition`."""

from __future__ import annotations

import msgspec

CONDITION_PORT = "condition"


class Condition(msgspec.Struct, frozen=True):
    """What is known from what the partitions count.

    Attributes:
        faults: names of the faults that stand.
        frames: how many have come over the meter's doors.
    """

    faults: frozenset[str] = frozenset()
    frames: int = 0

    def message(self) -> bytes:
        """As it goes over the port, the same for the same condition."""
        return msgspec.json.encode(self, order="deterministic")


NOTHING_TOLD = Condition()


def condition_told(message: bytes | None) -> Condition:
    """What `message` tells; None: nothing has been told yet."""
    return NOTHING_TOLD if message is None else msgspec.json.decode(message, type=Condition)
