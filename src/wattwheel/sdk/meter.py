"""The meter as seen from inside an APP: readings in, items out, state saved, others asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from wattwheel.apex.bus import TO_BUS, BusPort
from wattwheel.apex.codes import StartCondition, Validity
from wattwheel.apex.messages import DATA_OCTETS_MAX, WITH_OPERATOR, Control, Kind, Message
from wattwheel.apex.partition import StartContext
from wattwheel.apex.store import REQUEST_PORT, Loading, SaveResult, StoreClient
from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import ItemValueError
from wattwheel.model.item import Item
from wattwheel.model.records import Quality, Readings
from wattwheel.protocols.dlt645 import items
from wattwheel.sdk.asking import LISTED_MAX, Asking
from wattwheel.sdk.buttons import press_data, pressed
from wattwheel.sdk.commands import Command, OnCommand
from wattwheel.sdk.processes import Processes
from wattwheel.sdk.writing import Beside, Check, Writes, Written

READINGS_PORT = "readings"
SNAPSHOT_PORT = "snapshot"
READINGS_BIT, BUS_BIT, STORE_BIT = 5, 4, 6
ERROR_OTHER, ERROR_NO_DATA = 0x01, 0x02
ANSWER_OCTETS_MAX = DATA_OCTETS_MAX
"""An item of more octets cannot be answered."""

_STALE = 1

_S = TypeVar("_S")

Shown = int | bytes | tuple[int | None, ...]
"""What an APP shows of one item: a number in units of the last digit, numbers of a block, or octets as on the wire."""

MakeShown = Callable[[], Mapping[int, Shown]]
Looked = Callable[[int, bytes], Shown | None]
"""Of an identifier, and the octets that followed it in the request, what is read; None: no requested data."""


class Meter(Asking):
    """Everything an APP can do. Only what the module configuration granted works.

    Attributes:
        memory: whatever the APP wants to remember between calls. Module globals would be shared by all meters of a
            simulation.
        saved: what the APP's name space of the store held at the start.
    """

    memory: Any

    def __init__(self, context: StartContext) -> None:
        self._context = context
        self.clock = context.clock
        self.counters = context.counters
        self.memory = None
        self.saved: dict[str, bytes] = {}
        self.has_store = context.has_port(REQUEST_PORT)
        self._store: StoreClient | None = StoreClient.of(context, STORE_BIT) if self.has_store else None
        self._table: dict[int, bytes] = {}
        self._beside: dict[int, bytes] = {}
        self._make: MakeShown | None = None
        self._stale = self._has_shown = False
        self._snapshot = context.sampling_source(SNAPSHOT_PORT) if context.has_port(SNAPSHOT_PORT) else None
        self._on_press: Callable[[Meter, str, float], None] | None = None
        self._processes: Processes | None = None
        self._writes: Writes | None = None
        self._look: Looked | None = None
        self._listed: Callable[[], Iterable[int]] = tuple
        self._commands: dict[int, OnCommand] = {}
        self._bus: BusPort | None = None
        if context.has_port(TO_BUS):
            self._bus = BusPort(context, BUS_BIT)
            self._bus.on_request(self._answer)
            self._bus.on_notice(self._hear)

    def on_stop(self, action: Callable[[], None]) -> None:
        """Call `action` when the APP is asked to end."""
        self._context.on_stop(action)

    @property
    def is_power_up(self) -> bool:
        """Whether this partition starts because the whole meter does, as after a loss of the supply."""
        return self._context.condition in (StartCondition.NORMAL_START, StartCondition.HM_MODULE_RESTART)

    @property
    def processes(self) -> Processes:
        """Processes that wait, and what they meet at; create all of it in `on_start`."""
        if self._processes is None:
            self._processes = Processes(self._context)
        return self._processes

    def run_processes(self) -> None:
        """Let the processes run, if there are any. The SDK does it after `on_start`."""
        if self._processes is not None:
            self._processes.run()

    def settings(self, kind: type[_S]) -> _S:
        """The APP's settings as `kind`."""
        return self._context.decode_settings(kind)

    def now(self) -> datetime:
        """The meter's calendar time in UTC."""
        return self.clock.calendar()

    # -- readings ----------------------------------------------------------------------------------------------

    def watch_readings(self, action: Callable[[Meter, Readings], None]) -> None:
        """Call `action` with each new `Readings`, and once more, as STALE, when their source has gone silent."""
        port = self._context.sampling_destination(READINGS_PORT)
        decoder = msgspec.msgpack.Decoder(Readings)
        post = self._context.wheel.poster(READINGS_BIT)
        taken = (0, True)  # version and whether it was given as it is

        def take() -> None:
            nonlocal taken
            version = port.version()
            message, validity, _age_ns = port.read()
            is_fresh = validity is Validity.VALID
            if message is None or taken == (version, is_fresh):
                return
            taken = (version, is_fresh)
            readings = decoder.decode(message)
            if not is_fresh:
                readings = msgspec.structs.replace(readings, quality=Quality.STALE)
            else:
                self.clock.call_at(self.clock.now_ns() + port.refresh_ns + 1, post)
            action(self, readings)

        self._context.wheel.task(READINGS_BIT, take)
        port.on_message(post)
        self._context.wheel.post(READINGS_BIT)

    def readings(self) -> Callable[[], Readings | None]:
        """A function that gives the newest `Readings`, or None before the first; STALE when they are too old."""
        port = self._context.sampling_destination(READINGS_PORT)
        decoder = msgspec.msgpack.Decoder(Readings)

        def newest() -> Readings | None:
            message, validity, _age_ns = port.read()
            if message is None:
                return None
            readings = decoder.decode(message)
            return readings if validity is Validity.VALID else msgspec.structs.replace(readings, quality=Quality.STALE)

        return newest

    def sampled(self, port: str) -> Callable[[], bytes | None]:
        """A function that gives the newest message of the sampling port `port`, None before the first."""
        destination = self._context.sampling_destination(port)
        return lambda: destination.read()[0]

    def on_sampled(self, port: str, action: Callable[[Meter, bytes], None]) -> None:
        """Call `action` with the newest message of the sampling port `port`, now and whenever there is a new one.

        Whoever sends calls only those readers that the module configuration names; the others take by `sampled`.
        """
        destination = self._context.sampling_destination(port)
        bit, taken = self._context.wheel.free_bit(), 0

        def take() -> None:
            nonlocal taken
            version = destination.version()
            message = destination.read()[0] if version != taken else None
            taken = version
            if message is not None:
                action(self, message)

        self._context.wheel.task(bit, take)
        destination.on_message(self._context.wheel.poster(bit))
        self._context.wheel.post(bit)

    def publish(self, port: str) -> Callable[[bytes], None]:
        """A function that writes to the sampling port `port`."""
        return self._context.sampling_source(port).write

    def has_port(self, port: str) -> bool:
        """Whether a port of that name was granted."""
        return self._context.has_port(port)

    # -- items -------------------------------------------------------------------------------------------------

    def show(self, values: Mapping[int, Shown] | MakeShown, quality: Quality = Quality.VALID) -> None:
        """Answer reads with exactly `values` from now on, by identifier. What is missing is answered ERR 02.

        A function that makes them is called when somebody reads, at most once before the next call, and at once where
        a snapshot is published. A value that its picture cannot hold, or no message, is left out and counted.
        """
        self._make = values if callable(values) else lambda: values
        self._has_shown = True
        self._stale = quality is not Quality.VALID
        if self._snapshot is not None or not callable(values):
            table = self._shown()
            if self._snapshot is not None:
                self._snapshot.write(msgspec.msgpack.encode(table))

    def _shown(self) -> dict[int, bytes]:
        """The table of what is shown, made now if it was not read before."""
        if self._make is not None:
            make, self._make = self._make, None
            self._table = self._encoded(make())
        return self._table

    def show_beside(self, values: Mapping[int, Shown]) -> None:
        """Answer reads with `values` beside whatever is shown, never stale: items that change seldom, encoded once."""
        self._beside = self._encoded(values)

    def look_up(self, look: Looked, listed: Callable[[], Iterable[int]]) -> None:
        """Answer reads of what is not shown by asking `look`; `listed` gives the identifiers that it knows."""
        self._look, self._listed = look, listed

    def _looked_up(self, request: Message) -> bytes | None:
        value = self._look(request.di, request.data) if self._look is not None else None
        return None if value is None else self._encoded({request.di: value}).get(request.di)

    def _encoded(self, values: Mapping[int, Shown]) -> dict[int, bytes]:
        table: dict[int, bytes] = {}
        for di, value in values.items():
            try:
                octets = _octets(item_2007(di), value)
            except ItemValueError:
                self.counters.add("values_beyond_picture")
                continue
            if len(octets) > ANSWER_OCTETS_MAX:
                self.counters.add("answers_too_long")
            else:
                table[di] = octets
        return table

    def _answer(self, request: Message) -> None:
        bus = self._bus
        assert bus is not None
        if request.control == Control.READ:
            octets = (self._table if self._make is None else self._shown()).get(request.di)
            if octets is not None:
                bus.reply(request, octets, quality=_STALE if self._stale else 0)
            elif (lasting := self._beside.get(request.di) or self._looked_up(request)) is not None:
                bus.reply(request, lasting)
            else:  # an APP that has not shown anything yet cannot say that there is nothing
                bus.reply(request, error=ERROR_NO_DATA if self._has_shown else ERROR_OTHER)
        elif request.control == Control.WRITE and self._writes is not None:
            self._writes.take(request)
        elif request.control == Control.LIST:
            known = {*self._shown(), *self._beside, *self._listed()}
            first = int.from_bytes(request.data, "little") if request.data else request.di
            wanted = sorted(di for di in known if first <= di <= (request.di | 0x00FFFFFF))
            bus.reply(request, b"".join(di.to_bytes(4, "little") for di in wanted[:LISTED_MAX]))
        elif request.control == Control.PRESS:
            self._hear(request)
            bus.reply(request, error=0 if self._on_press is not None else ERROR_NO_DATA)
        elif request.control in self._commands:
            self._obey(request)
        else:
            bus.reply(request, error=ERROR_OTHER)

    def accept_writes(self, check: Check, written: Written, beside: Beside | None = None) -> Writes:
        """Let items be written from now on, as `sdk.writing` says. Needs a bus and a store."""
        assert self._bus is not None, "this APP was granted no bus"
        assert self._store is not None, "this APP was granted no store"
        more = () if beside is None else (beside,)
        self._writes = Writes(self._bus, self._store, self.counters, check, written, *more)
        return self._writes

    def accept(self, function: Control, action: OnCommand) -> None:
        """Carry out commands of `function` from now on: `action` gets each, and answers it."""
        self._commands[function] = action

    def _obey(self, request: Message) -> None:
        assert self._bus is not None
        command = Command(self._bus, request, request.kind == Kind.NOTICE, request.control in WITH_OPERATOR)
        self._commands[request.control](self, command)

    # -- buttons -----------------------------------------------------------------------------------------------

    def watch_buttons(self, action: Callable[[Meter, str, float], None]) -> None:
        """Call `action` with the name of each pressed button and how many seconds it was held."""
        self._on_press = action

    def _hear(self, message: Message) -> None:
        if message.control == Control.PRESS and self._on_press is not None:
            self._on_press(self, *pressed(message.data))
        elif message.kind == Kind.NOTICE and message.control in self._commands:
            self._obey(message)

    def pass_press(self, di: int, button: str, held_s: float) -> None:
        """Tell the owner of `di`, too, of a pressed button. Needs a bus."""
        assert self._bus is not None, "this APP was granted no bus"
        self._bus.tell(Control.PRESS, di, press_data(button, held_s))

    # -- state -------------------------------------------------------------------------------------------------

    def load(self, ready: Callable[[], None]) -> None:
        """Fetch what was saved into `saved`, then call `ready`. The SDK does it before `on_start`."""
        assert self._store is not None

        def loaded(loading: Loading) -> None:
            self.saved = dict(loading.records)
            if loading.recovered:
                self.counters.add("state_recovered")
            ready()

        self._store.load(loaded)

    def save(
        self,
        changes: Mapping[str, bytes | None],
        promised: bool = False,
        on_saved: Callable[[SaveResult], None] | None = None,
    ) -> None:
        """Make `changes` durable as one transaction: at once when `promised`, else within a minute."""
        assert self._store is not None, "this APP was granted no store"
        self._store.save(changes, promised, on_saved)

    # -- asking others ------------------------------------------------------------------------------------------

    def ask_value(self, di: int, action: Callable[[items.Decoded | None], None]) -> None:
        """Call `action` with what the owner of `di` answers, decoded by its picture; None when it has nothing now."""
        assert self._bus is not None, "this APP was granted no bus"

        def replied(reply: Message | None) -> None:
            try:
                good = reply is not None and not reply.error
                value = items.decode(item_2007(di), reply.data) if good and reply is not None else None
            except ItemValueError:
                value = None
            action(value)

        if not self._bus.ask(Control.READ, di, b"", replied):
            action(None)

    def descriptor(self, device: str) -> int:
        """The descriptor of a granted socket."""
        found = self._context.device(device)
        assert isinstance(found, int)
        return found


def _octets(item: Item, value: Shown) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return items.encode_int(item, value)
    return items.encode_ints(item, value)
