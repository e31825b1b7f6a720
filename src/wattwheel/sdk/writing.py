"""Items that an APP lets be written: checked, made durable, then told.

One write is under way at a time, so a check sees every change before it. A write is one transaction of the store and
is answered once that is on the medium; what dies before leaves the old value, what dies after the new one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Message
from wattwheel.apex.partition import Counters
from wattwheel.apex.store import SaveResult, StoreClient
from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import ItemValueError, UnknownItem
from wattwheel.model.tariff_tables import beyond_places, without_fillers
from wattwheel.protocols.dlt645 import items
from wattwheel.protocols.dlt645.functions import ERR_NO_DATA, ERR_OTHER

WAITING_MAX = 64
"""Writes that wait for the one under way; one more is refused."""

OPERATOR_OCTETS = 4
_KEY = "item "

Check = Callable[[int, bytes], int]
"""Of identifier and octets that fit its picture: ERR octet, 0 when the value may be."""

Written = Callable[[int, bytes], None]

Answered = Callable[[int], None]
"""Takes the ERR octet of a write that has ended; 0: it is on the medium."""

Changes = Mapping[str, bytes | None]

Beside = Callable[[int, bytes, bytes], Changes]
"""Of identifier, octets and operator code: what is saved in the same transaction, such as a record of the write."""


def _nothing(di: int, octets: bytes, operator: bytes) -> Changes:
    return {}


def malformed(di: int, octets: bytes) -> int:
    """ERR octet of a write that cannot be, whatever the owner says; 0 when `octets` fit the writable item `di`."""
    try:
        item = item_2007(di)
        if not item.write or item.members is not None:
            return ERR_NO_DATA
        if (error := beyond_places(di, octets)) != 0:
            return error
        return 0 if octets and _is_whole(items.decode(item, without_fillers(di, octets))) else ERR_OTHER
    except UnknownItem:
        return ERR_NO_DATA
    except ItemValueError:
        return ERR_OTHER


def _is_whole(decoded: items.Decoded) -> bool:
    return all(map(_is_whole, decoded.parts)) if decoded.parts is not None else decoded.value is not None


def number_of(di: int, octets: bytes) -> int | None:
    """The number that `octets` are as the item `di`, in units of its last digit; None for none."""
    return items.decode(item_2007(di), octets).number


def item_key(di: int) -> str:
    """Key under which a written item is kept."""
    return f"{_KEY}{di:08X}"


def written_items(saved: Mapping[str, bytes]) -> dict[int, bytes]:
    """The items that have been written, out of what was saved."""
    return {int(key.removeprefix(_KEY), 16): octets for key, octets in saved.items() if key.startswith(_KEY)}


class _Write(NamedTuple):
    di: int
    octets: bytes
    operator: bytes
    answered: Answered


class Writes:
    """The writes of one APP: `check` decides before, `written` is told after the commit of a write and its `beside`."""

    def __init__(
        self,
        bus: BusPort,
        store: StoreClient,
        counters: Counters,
        check: Check,
        written: Written,
        beside: Beside = _nothing,
    ) -> None:
        self._bus, self._store, self._counters = bus, store, counters
        self._check, self._written, self._beside = check, written, beside
        self._waiting: deque[_Write] = deque()
        self._actions: deque[Callable[[], None]] = deque()
        self._is_saving = False

    def between(self, action: Callable[[], None]) -> None:
        """Run `action` when no write is under way: now, or after the one that is."""
        if self._is_saving:
            self._actions.append(action)
        else:
            action()

    def alone(self, changes: Changes, saved: Callable[[], None]) -> None:
        """Save `changes` of the APP's own while no write is under way; for an action of `between`.

        `saved` is called when they are on the medium; when they cannot be kept, nothing has changed.
        """

        def ended(result: SaveResult) -> None:
            self._is_saving = False
            if result is SaveResult.SAVED:
                saved()
            else:
                self._counters.add("writes_unsaved")
            self._go_on()

        self._is_saving = True
        self._store.save(changes, promised=True, on_saved=ended)

    def take(self, request: Message) -> None:
        """Carry out a WRITE, now or when those before it are done."""
        operator, octets = request.data[:OPERATOR_OCTETS], request.data[OPERATOR_OCTETS:]
        self.put(request.di, octets, operator, lambda error: self._bus.reply(request, error=error))

    def put(self, di: int, octets: bytes, operator: bytes, answered: Answered) -> None:
        """Write `octets` to `di` as a WRITE does, for another command; `operator`: empty where it has none."""
        write = _Write(di, octets, operator, answered)
        if not self._is_saving:
            self._begin(write)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(write)
        else:
            self._refuse(write, ERR_OTHER)

    def _begin(self, write: _Write) -> None:
        di, octets = write.di, write.octets
        error = malformed(di, octets) or self._check(di, octets)
        if error:
            self._refuse(write, error)
            return

        def saved(result: SaveResult) -> None:
            self._is_saving = False
            if result is SaveResult.SAVED:
                self._counters.add("items_written")
                self._written(di, octets)
                write.answered(0)
            else:
                self._counters.add("writes_unsaved")
                self._refuse(write, ERR_OTHER)
            self._go_on()

        self._is_saving = True
        beside = self._beside(di, octets, write.operator)
        self._store.save({**beside, item_key(di): octets}, promised=True, on_saved=saved)

    def _go_on(self) -> None:
        """What has waited for a change that has ended."""
        while self._actions and not self._is_saving:
            self._actions.popleft()()
        while self._waiting and not self._is_saving:
            self._begin(self._waiting.popleft())

    def _refuse(self, write: _Write, error: int) -> None:
        self._counters.add("writes_refused")
        write.answered(error)
