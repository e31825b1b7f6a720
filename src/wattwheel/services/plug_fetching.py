"""Plug records of the metering core: fetched over the core link whenever a push tells of others than are known here."""

from __future__ import annotations

from collections.abc import Callable

from wattwheel.model.core_records import CoreStatus
from wattwheel.model.errors import ItemValueError
from wattwheel.model.plug_records import PlugRecords
from wattwheel.protocols.corelink import Kind
from wattwheel.protocols.corelink_bodies import Result

Ask = Callable[[Kind, bytes, Callable[[Result | None, bytes], None]], bool]


class PlugFetching:
    """What is known of the records of the core.

    Attributes:
        octets: of its `PlugRecords`; empty before anything was fetched.
    """

    def __init__(self, ask: Ask, on_news: Callable[[], None]) -> None:
        """`ask`: as `MeteringLink.ask`; `on_news`: called when `octets` have changed."""
        self._ask, self._on_news = ask, on_news
        self._known = (0, 0)
        self._is_asking = False
        self.octets = b""

    def hear(self, status: CoreStatus) -> None:
        """A push tells which records there are: fetch them, if they are others; with the next push again if need be."""
        if (status.plug_epoch, status.plug_count) != self._known and not self._is_asking:
            self._is_asking = self._ask(Kind.PLUG_RECORDS, b"", self._answered)

    def _answered(self, result: Result | None, body: bytes) -> None:
        self._is_asking = False
        if result is Result.GOOD:
            self.take(body)

    def take(self, body: bytes) -> bool:
        """The core has told all its records; whether they can be read."""
        try:
            found = PlugRecords.from_octets(body)
        except ItemValueError:
            return False
        self._known = found.epoch, found.count
        if body != self.octets:
            self.octets = body
            self._on_news()
        return True
