"""Samples: blocks of simultaneous voltage and current counts from a converter, a recording or a simulated house."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SampleFormat(NamedTuple):
    """What the counts of a source mean. Physical value = counts * scale, per channel, secondary side.

    Attributes:
        rate_hz: samples a second and channel.
        voltage_v_per_count: one factor a phase, in the order of the columns; 1 or 3 of them.
        current_a_per_count: the same of the currents.
        neutral_a_per_count: factor of the neutral current's column, None when it is not measured.
        bits: converter width; counts lie within +-2**(bits-1).
    """

    rate_hz: float
    voltage_v_per_count: tuple[float, ...]
    current_a_per_count: tuple[float, ...]
    neutral_a_per_count: float | None = None
    bits: int = 16


class SampleBlock(NamedTuple):
    """Consecutive samples. `voltage` and `current` have shape (n, phases), int16 or int32; `neutral` (n,) or None."""

    first: int  # absolute number of the first sample since the source started
    voltage: NDArray[np.signedinteger]
    current: NDArray[np.signedinteger]
    neutral: NDArray[np.signedinteger] | None = None


class SampleSource(Protocol):
    """A converter, real or simulated. A gap in `first` between blocks means that samples were lost."""

    format: SampleFormat

    def read(self, now_ns: int) -> list[SampleBlock]:
        """All samples that are due by `now_ns` on the monotonic clock and were not read yet, in order.

        Never more than one second of samples a block. Empty when none is due.
        """

    @property
    def is_finished(self) -> bool:
        """True when no sample will ever come again (end of a recording that is not repeated, closed stream)."""

    def close(self) -> None:
        """Give the source back."""
