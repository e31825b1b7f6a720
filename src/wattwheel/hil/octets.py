"""Octet channels: the data path (octets in, octets out) apart from the control path (line settings)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class OctetChannel(Protocol):
    """The data path. All that a protocol service may hold.

    Contract, checked for every driver by `wattwheel.testing.conformance.check_octet_channel`:

    - `write` returns at once; what the channel cannot take within its bound is dropped and counted in `dropped`;
    - `read` returns b"" when nothing has arrived and never blocks;
    - octets arrive in order; they may be lost or damaged, never invented;
    - the arrival action runs after octets have come or the far end has closed; a doubled call is harmless.
    """

    name: str
    dropped: int

    def read(self) -> bytes:
        """All octets that have arrived, at most one read of the driver's buffer."""

    def write(self, octets: bytes) -> None:
        """Send `octets` as far as the bound allows."""

    def on_arrival(self, action: Callable[[], None] | None) -> None:
        """Call `action` whenever `read` may have something, or `is_closed` has become True; None: nobody.

        Whoever leaves octets where they are must say so, or it is called for ever. The far end is held back by what the
        channel keeps, as far as its kind can do that.
        """

    @property
    def unsent(self) -> int:
        """Octets that were written and wait with us for the far end to take what went before them."""

    @property
    def is_closed(self) -> bool:
        """True once nothing will ever arrive again (never for a serial line). What is written may still be heard: a far
        end may have asked its last question and be waiting for the answer."""

    def close(self) -> None:
        """Give the channel back. Harmless when repeated."""


class Listener(Protocol):
    """A door that makes octet channels, one a connection."""

    address: str

    def on_connection(self, action: Callable[[OctetChannel], None]) -> None:
        """Call `action` with each new channel."""

    def close(self) -> None:
        """Shut the door; open channels stay."""


class LineSettings(NamedTuple):
    """Settings of an asynchronous serial line. DL/T 645 default: 8 data bits, even parity, 1 stop bit."""

    baud: int = 2400
    parity: str = "E"  # E, O or N
    stop_bits: int = 1


class LineControl(Protocol):
    """The control path, held only by whoever may change the line."""

    def configure(self, settings: LineSettings) -> None:
        """Apply `settings`. Raises ConfigError and leaves the old ones in force when they are not supported."""
