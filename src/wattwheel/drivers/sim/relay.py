"""A simulated latching relay, and samples of a load that stands behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from wattwheel.hil.sampling import SampleBlock, SampleSource

if TYPE_CHECKING:
    from wattwheel.hil.relay import LoadSwitch

OPEN, CLOSED, HELD = b"open", b"closed", b" held"


class SimRelay:
    """A relay that keeps its position, in the file `path` where one is given. A new one is closed.

    Attributes:
        is_open: how it stands.
        is_held: it sticks: no drive moves it.
        drives: how often it was driven.
    """

    def __init__(self, path: Path | None = None, on_moved: Callable[[bool], None] | None = None) -> None:
        """`on_moved`: told each new position."""
        self._path, self._on_moved = path, on_moved
        self.drives = 0
        kept = b""
        if path is not None:
            with contextlib.suppress(OSError):
                kept = path.read_bytes()
        self.is_open, self.is_held = kept.startswith(OPEN), kept.endswith(HELD)

    def drive(self, is_open: bool) -> None:
        """Move, unless it sticks."""
        self.drives += 1
        if self.is_held or is_open is self.is_open:
            return
        self.is_open = is_open
        self._keep()
        if self._on_moved is not None:
            self._on_moved(is_open)

    def hold(self, is_held: bool) -> bool:
        """Stick where it stands, or be free again."""
        self.is_held = is_held
        self._keep()
        return True

    def _keep(self) -> None:
        """A position that cannot be written is forgotten with the process, as if a new relay had been put in."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.write_bytes((OPEN if self.is_open else CLOSED) + (HELD if self.is_held else b""))


class SwitchedSource:
    """`hil.sampling.SampleSource` of a load behind `relay`: while that is open no current flows.

    Samples are read as of now, so the caller reads what is due before it drives the relay.
    """

    def __init__(self, source: SampleSource, relay: LoadSwitch) -> None:
        self._source, self._relay = source, relay
        self.format = source.format

    @property
    def is_finished(self) -> bool:
        """True when no sample will ever come again."""
        return self._source.is_finished

    def read(self, now_ns: int) -> list[SampleBlock]:
        """All samples that are due, with the currents that flow."""
        blocks = self._source.read(now_ns)
        if not self._relay.is_open:
            return blocks
        return [
            block._replace(current=block.current * 0, neutral=None if block.neutral is None else block.neutral * 0)
            for block in blocks
        ]

    def close(self) -> None:
        """Give the source back."""
        self._source.close()
