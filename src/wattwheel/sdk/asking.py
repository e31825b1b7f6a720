"""Asking others on the bus, for APPs that live in an asyncio loop."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.model.catalogue import find, item_named
from wattwheel.model.errors import NotAnswered, Refused
from wattwheel.model.item import Item
from wattwheel.model.records import Quality, ValueRow
from wattwheel.protocols.dlt645 import items

if TYPE_CHECKING:
    import asyncio

LISTED_MAX = 512
"""Identifiers in one answer to LIST; what follows them is asked for with the identifier after the last one."""


class Asking:
    """The part of `sdk.meter.Meter` that waits for answers."""

    _bus: BusPort | None
    _is_flush_due = False

    def now(self) -> datetime:
        """The meter's calendar time in UTC."""
        raise NotImplementedError

    async def ask(self, control: int, di: int, data: bytes = b"") -> Message:
        """The reply to a request on the bus. Raises NotAnswered; an error reply is returned as it is."""
        assert self._bus is not None, "this APP was granted no bus"
        import asyncio  # whoever calls this lives in its loop; the others need not load it

        future: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()

        def replied(message: Message | None) -> None:
            if not future.done():
                future.set_result(message)

        if not self._bus.ask(control, di, data, replied):
            raise NotAnswered("the bus has too much under way")
        self._flush_soon()
        reply = await future
        if reply is None:
            raise NotAnswered(f"nobody answered {di:08X} in time")
        return reply

    def _flush_soon(self) -> None:
        """Send what is asked in this turn of the asyncio loop together."""
        bus = self._bus
        assert bus is not None
        if self._is_flush_due:
            return
        import asyncio

        self._is_flush_due = True

        def flush() -> None:
            self._is_flush_due = False
            bus.flush()

        asyncio.get_running_loop().call_soon(flush)

    async def read(self, item: Item) -> ValueRow:
        """The row of `item`, asked of its owner. Raises Refused with the owner's ERR octet, or NotAnswered."""
        reply = await self.ask(Control.READ, item.di)
        if reply.error:
            raise Refused(reply.error, reason_of(reply.error))
        return self.row(item, reply)

    def row(self, item: Item, reply: Message) -> ValueRow:
        """The value row of a good reply."""
        quality = Quality.STALE if reply.quality else Quality.VALID
        at = self.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        return items.rows(item, reply.data, at, quality)

    async def identifiers(self, prefixes: Iterable[str]) -> list[int]:
        """Identifiers that owners answer now: of each prefix (hex digits) the whole group DI3 of its owner."""
        found: set[int] = set()
        for prefix in prefixes:
            di = int(prefix.ljust(8, "0"), 16)
            first, listed = di & 0xFF000000, [0] * LISTED_MAX
            while len(listed) == LISTED_MAX and first >> 24 == di >> 24:  # a full list may have been cut off
                reply = await self.ask(Control.LIST, di, first.to_bytes(4, "little"))
                octets = b"" if reply.error else reply.data
                listed = [int.from_bytes(octets[at : at + 4], "little") for at in range(0, len(octets), 4)]
                found |= set(listed)
                first = listed[-1] + 1 if listed else first
        return sorted(found)


def reason_of(error: int) -> str:
    """ERR octet of DL/T 645-2007 in words."""
    if error & 0x02:
        return "no requested data"
    return "not authorised" if error & 0x04 else "other error"


def item_named_or_numbered(text: str) -> Item:
    """The item of 2007 with that identifier (8 hex digits) or name. Raises UnknownItem."""
    item = find(text)
    return item if item.edition == "2007" else item_named(item.name)
