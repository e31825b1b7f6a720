"""Bits of the status words that other partitions tell: programming is allowed, and the store's memory is faulty."""

from __future__ import annotations

from collections.abc import Callable

from wattwheel.apps.cells import MEMORY_FAULT_BIT
from wattwheel.apps.status_words import programming_bit
from wattwheel.model.condition import CONDITION_PORT, condition_told
from wattwheel.sdk import Meter

STORE_FAULTS = frozenset({"store_write", "store_damaged"})
"""Names of the kernel's faults that are a memory fault of the management side."""


def memory_bit(number: int, condition: bytes | None) -> int:
    """The bit of word 1 that tells a memory fault; `condition`: the newest message of the kernel."""
    return bool(STORE_FAULTS & condition_told(condition).faults) << MEMORY_FAULT_BIT if number == 1 else 0


def told_bits(meter: Meter, panel: Callable[[], bytes | None]) -> Callable[[int], int]:
    """Tells, whenever it is called, the bits of a status word (1 to 7) that others have told by then.

    `panel`: gives the newest message of the security service.
    """
    condition = meter.sampled(CONDITION_PORT) if meter.has_port(CONDITION_PORT) else lambda: None
    return lambda number: programming_bit(number, panel()) | memory_bit(number, condition())
