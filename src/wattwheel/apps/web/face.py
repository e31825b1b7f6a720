"""What the page needs of the meter: one interface, and the two pictures that travel through it."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from wattwheel.apps.web.load import LoadPoint
from wattwheel.model.display import Lcd
from wattwheel.model.records import ValueRow

WAVEFORM_POINTS = 64
"""Samples of one cycle in a `PhaseTrace`."""

BUTTONS = ("program", "up", "down", "both")
"""Names that `MeterFace.press` takes; "both" is up and down together."""


class PhaseTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle of one phase, secondary side.

    Attributes:
        voltage_v: `WAVEFORM_POINTS` samples over one cycle, volts.
        current_a: the same of the current, amperes, from the same instants.
        voltage_v_rms: length of the voltage phasor.
        current_a_rms: length of the current phasor.
        voltage_angle_deg: fundamental of the voltage against that of phase a's voltage, positive ahead
            (phase b of a normal sequence stands at -120); None without a voltage.
        current_angle_deg: fundamental of the current against phase a's voltage, positive ahead; None without a current.
    """

    voltage_v: tuple[float, ...]
    current_a: tuple[float, ...]
    voltage_v_rms: float | None = None
    current_a_rms: float | None = None
    voltage_angle_deg: float | None = None
    current_angle_deg: float | None = None


class Waveform(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle of every phase that is there, all from the same instants.

    Attributes:
        frequency_hz: of this cycle, or None when it could not be told.
        phases: the present ones of "a", "b", "c".
        at: calendar time of the cycle (RFC 3339, UTC), or None.
    """

    frequency_hz: float | None
    phases: dict[str, PhaseTrace]
    at: str | None = None


class MeterFace(Protocol):
    """The meter as the page sees it. Nothing here may block the loop."""

    async def rows(self, prefix: str) -> list[ValueRow]:
        """The newest row of every single-value item that the meter answers and whose identifier starts with `prefix`.

        `prefix` is 0 to 8 upper-case hex digits; "" asks for all but the registers with four decimals (0D), which are
        there with two. Ordered by identifier, without blocks (FF).
        Raises NotAnswered when the owner of the items keeps silent.
        """
        ...

    async def row(self, item: str) -> ValueRow:
        """One item by identifier (8 hex digits, any case) or name; a block has a list of rows as its value.

        Raises UnknownItem, Refused (the meter's exception answer) or NotAnswered.
        """
        ...

    async def live(self) -> list[ValueRow]:
        """Wait for the next second's values and return what `rows("")` would: called again and again while somebody
        watches, never twice at once, cancelled when nobody does. Raises NotAnswered when none came."""
        ...

    def status(self) -> dict[str, Any]:
        """The document of `wattwheel status --json`. The page also looks at these keys, where they are there:

        `link` ("up", "stale" or "down": the core link), `clock` (RFC 3339), and `transformer`
        (`{"current_ratio": 50, "voltage_ratio": 1}`; absent or 1 and 1 for a directly connected meter).
        """
        ...

    def partitions(self) -> list[dict[str, Any]]:
        """The rows of `wattwheel ps --json`, at most some seconds old; none where the module does not show them."""
        ...

    def channels(self) -> list[dict[str, Any]]:
        """The rows of `wattwheel bus --json`, at most some seconds old; none where the module does not show them."""
        ...

    async def waveform(self) -> Waveform | None:
        """The newest cycle, or None when there is none to show."""
        ...

    def load(self) -> list[LoadPoint]:
        """Total active power of the last minute, oldest first."""
        ...

    def display(self) -> Lcd | None:
        """What the display shows now, or None when there is no display."""
        ...

    async def press(self, button: str, held_s: float = 0.0) -> None:
        """Press one of `BUTTONS`, held for so many seconds. Raises Refused or NotAnswered."""
        ...
