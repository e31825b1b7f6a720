"""The virtual bus: the partition with a pair of queuing ports to everyone, routing by (control code, identifier).

It knows nothing of what the data mean. A request gets the number of its origin from the port it came through, and is
remembered until its owner has replied, its time is over, or the owner cannot take it: then the asker gets the error
answer, so that no pipe is ever blocked by an unknown identifier or a dead owner. Late, doubled and invented replies
match no remembered request of that owner; they are dropped and counted. Tickets go on from the clock, so that a reply
to a bus that has died matches nothing in its successor. A partner that does not take its replies loses them.

No partner can fill the bus up: it has a quota of requests under way, which its own end keeps (`apex.bus`), and the bus
refuses what goes far beyond. So there is always room for a request that keeps its quota, and for its reply.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from wattwheel.apex.bus import ASKS_UNDER_WAY
from wattwheel.apex.messages import HEAD, HEAD_OCTETS, Control, Kind
from wattwheel.apex.partition import StartContext
from wattwheel.apex.ports import QueuingDestinationPort, QueuingSourcePort
from wattwheel.apex.tapping import TAPPED_PORT
from wattwheel.services.bus_tap import BusTap

ROUTED_MAX = 32_768  # requests remembered at a time
HELD_MAX = 16_384  # messages kept for a partner whose port is full
NOTICES_HELD_MAX = 65_536  # beyond so many messages kept, notices are dropped: a burst fits, a flood does not
REPLY_TIMEOUT_NS = 500_000_000
LOOK_NS = 50_000_000

ERROR_OTHER = 0x01
ERROR_NO_DATA = 0x02
ERROR_NOT_AUTHORISED = 0x04

_PACK, _UNPACK = HEAD.pack, HEAD.unpack_from
_REQUEST, _REPLY, _NOTICE = int(Kind.REQUEST), int(Kind.REPLY), int(Kind.NOTICE)

_ITEMS = (int(Control.READ), int(Control.WRITE))
"""What is asked of an item: without an owner there is no such item."""

PARTNER_BIT = 2
LATE_BIT = 3
REPORT_NS = 1_000_000_000
"""Between two reports to the health monitor about one partner: what it does meanwhile is counted and told then."""


class Route(msgspec.Struct, frozen=True):
    """Messages with `control` and an identifier that starts with `prefix` (hex, 0 to 4 octets) go to `owner`."""

    control: int
    prefix: str
    owner: str


class BusSettings(msgspec.Struct, frozen=True):
    """What the bus is told.

    Attributes:
        partners: partitions, in the order of their origin numbers from 1 on.
        routes: the longest matching prefix wins.
        rights: for each partner the control codes it may send; missing: none.
        users: group of each partner. Inside a group the rights decide alone; a partner without a group (the kernel)
            belongs to all of them.
        grants: (asking, asked) groups: between others than these nothing passes.
        quotas: requests that a partner may have under way; missing: `apex.bus.ASKS_UNDER_WAY`.
    """

    partners: tuple[str, ...]
    routes: tuple[Route, ...]
    rights: dict[str, tuple[int, ...]]
    users: dict[str, str] = {}
    grants: tuple[tuple[str, str], ...] = ()
    quotas: dict[str, int] = {}

    def reach(self, asking: str) -> frozenset[int]:
        """Numbers of the partners that `asking` may speak to."""
        own = self.users.get(asking)
        return frozenset(
            number
            for number, name in enumerate(self.partners, 1)
            if own is None or self.users.get(name) in (None, own) or (own, self.users.get(name)) in self.grants
        )


class _Partner:
    """One partition's pair of ports, and what waits for room in its port."""

    def __init__(self, number: int, name: str, settings: BusSettings, context: StartContext) -> None:
        self.number, self.name = number, name
        self.rights = frozenset(settings.rights.get(name, ()))
        self.reach = settings.reach(name)
        self.incoming: QueuingDestinationPort = context.queuing_destination(f"from_{name}")
        self.outgoing: QueuingSourcePort = context.queuing_source(f"to_{name}")
        self.under_way_max = 2 * settings.quotas.get(name, ASKS_UNDER_WAY)
        self.under_way = 0
        self.wrongs: set[str] = set()  # what it did and may not, since the last report
        self.is_reported = False
        self.held: deque[bytes] = deque()

    def send(self) -> None:
        """Send what is held, as far as there is room."""
        held, port = self.held, self.outgoing
        while held:
            if len(held) == 1:
                if not port.send(held[0]):
                    return
                held.clear()
            elif not port.has_room() or not self._send_packed():
                return

    def _send_packed(self) -> bool:
        held, size_max = self.held, self.outgoing.max_message_size
        together: list[bytes] = []
        size = 0
        for octets in held:
            size += len(octets)
            if size > size_max:
                break
            together.append(octets)
        if not self.outgoing.send(b"".join(together)):
            return False
        for _ in together:
            held.popleft()
        return True


class Router:
    """(control, identifier) to the owner's number: at most five dictionary look-ups, longest prefix first."""

    def __init__(self, routes: tuple[Route, ...], numbers: dict[str, int]) -> None:
        self._tables: list[tuple[int, dict[tuple[int, int], int]]] = []
        for octets in (4, 3, 2, 1, 0):
            table = {
                (route.control, int(route.prefix or "0", 16)): numbers[route.owner]
                for route in routes
                if len(route.prefix) == 2 * octets
            }
            if table:
                self._tables.append((32 - 8 * octets, table))

    def owner(self, control: int, di: int) -> int:
        """Number of the owner, 0 when there is none."""
        for shift, table in self._tables:
            found = table.get((control, di >> shift))
            if found is not None:
                return found
        return 0


class Bus:
    """The routing task over all partners."""

    def __init__(self, context: StartContext, settings: BusSettings) -> None:
        self._context, self._clock = context, context.clock
        self._now_ns = context.clock.now_ns
        self._counters = context.counters
        numbers = {name: number for number, name in enumerate(settings.partners, 1)}
        self._owner = Router(settings.routes, numbers).owner
        # by the bus's own ticket: asker, its ticket, owner's number, until when, control, identifier
        self._remembered: dict[int, tuple[_Partner, int, int, int, int, int]] = {}
        self._ticket = self._now_ns() // 1000 & 0xFFFFFFFF
        self._is_looking = False
        self._ready: list[_Partner] = []
        self._touched: dict[_Partner, None] = {}  # in order: a simulated world must be the same again
        context.wheel.task(PARTNER_BIT, self._drain)
        context.wheel.task(LATE_BIT, self._answer_late)
        post = context.wheel.poster(PARTNER_BIT)
        self._wheel = context.wheel
        self._partners: list[_Partner] = []
        for name, number in numbers.items():
            partner = _Partner(number, name, settings, context)
            self._partners.append(partner)
            partner.incoming.on_message(_both(self._ready.append, partner, post))
            partner.outgoing.on_space(partner.send)
        if context.has_port(TAPPED_PORT):
            BusTap(context, {partner.name: (partner.incoming, partner.outgoing) for partner in self._partners})

    def _drain(self) -> None:
        ready, self._ready[:] = self._ready[:], ()
        for partner in ready:
            octets = partner.incoming.receive()
            if octets is None:
                continue
            self._take(partner, octets)
            for touched in self._touched:
                touched.send()
            self._touched.clear()
            partner.incoming.done()

    def _take(self, partner: _Partner, octets: bytes) -> None:
        """Route every message in `octets`. The data are passed on as they are; only heads are read and written."""
        at, end = 0, len(octets)
        while at < end:
            data_at = at + HEAD_OCTETS
            if data_at > end:
                self._wrong(partner, "damaged")
                return
            kind, control, error, quality, length, _origin, ticket, di = _UNPACK(octets, at)
            at = data_at + length
            if at > end:
                self._wrong(partner, "damaged")
                return
            data = octets[data_at:at]
            if kind == _REPLY:
                self._return(partner, ticket, error, quality, data)
            elif control not in partner.rights:
                self._refuse(partner)
                if kind == _REQUEST:
                    self._answer(partner, control, di, ticket, ERROR_NOT_AUTHORISED)
            elif kind == _REQUEST:
                self._forward(partner, control, di, ticket, data)
            elif kind == _NOTICE:
                self._pass_on(partner, control, di, data)
            else:
                self._wrong(partner, "unknown_kind")

    def _forward(self, partner: _Partner, control: int, di: int, ticket: int, data: bytes) -> None:
        number = self._owner(control, di)
        if not number:
            self._counters.add("unowned")
            self._answer(partner, control, di, ticket, ERROR_NO_DATA if control in _ITEMS else ERROR_OTHER)
            return
        if number not in partner.reach:
            self._refuse(partner)
            self._answer(partner, control, di, ticket, ERROR_NOT_AUTHORISED)
            return
        if partner.under_way >= partner.under_way_max:
            self._wrong(partner, "beyond_quota")
            self._answer(partner, control, di, ticket, ERROR_OTHER)
            return
        owner = self._partners[number - 1]
        if len(self._remembered) >= ROUTED_MAX or len(owner.held) >= HELD_MAX:
            self._counters.add("owner_full")
            self._answer(partner, control, di, ticket, ERROR_OTHER)
            return
        self._ticket = own = (self._ticket + 1) & 0xFFFFFFFF
        self._remembered[own] = (partner, ticket, number, self._now_ns() + REPLY_TIMEOUT_NS, control, di)
        partner.under_way += 1
        owner.held.append(_PACK(_REQUEST, control, 0, 0, len(data), partner.number, own, di) + data)
        self._touched[owner] = None
        if not self._is_looking:
            self._look_later()

    def _return(self, partner: _Partner, ticket: int, error: int, quality: int, data: bytes) -> None:
        remembered = self._remembered.get(ticket)
        if remembered is None or remembered[2] != partner.number:
            self._counters.add("replies_unasked")
            return
        del self._remembered[ticket]
        asker, its_ticket, number, _due_ns, control, di = remembered
        asker.under_way -= 1
        if len(asker.held) >= HELD_MAX:
            self._counters.add("replies_dropped")
            return
        asker.held.append(_PACK(_REPLY, control, error, quality, len(data), number, its_ticket, di) + data)
        self._touched[asker] = None

    def _pass_on(self, partner: _Partner, control: int, di: int, data: bytes) -> None:
        number = self._owner(control, di)
        if not number:
            self._counters.add("notices_unowned")
            return
        if number not in partner.reach:
            self._refuse(partner)
            return
        owner = self._partners[number - 1]
        if len(owner.held) >= NOTICES_HELD_MAX:
            self._counters.add("notices_dropped")
            return
        owner.held.append(_PACK(_NOTICE, control, 0, 0, len(data), partner.number, 0, di) + data)
        self._touched[owner] = None

    def _refuse(self, partner: _Partner) -> None:
        """Count a message that its sender may not send, also by its name."""
        self._wrong(partner, "refused")
        self._counters.add(f"refused_{partner.name}")

    def _wrong(self, partner: _Partner, what: str) -> None:
        """Count what `partner` may not do, and tell the health monitor: the first at once, the rest a second later."""
        self._counters.add(what)
        partner.wrongs.add(what)
        if not partner.is_reported:
            self._report(partner)

    def _report(self, partner: _Partner) -> None:
        wrongs, partner.wrongs = partner.wrongs, set()
        partner.is_reported = bool(wrongs)
        if wrongs:
            self._context.report("illegal_request", f"bus: {', '.join(sorted(wrongs))}", partner.name)
            self._clock.call_at(self._now_ns() + REPORT_NS, lambda: self._report(partner))

    def _answer(self, partner: _Partner, control: int, di: int, ticket: int, error: int) -> None:
        if len(partner.held) >= HELD_MAX:
            self._counters.add("replies_dropped")
            return
        partner.held.append(_PACK(_REPLY, control, error, 0, 0, 0, ticket, di))
        self._touched[partner] = None

    def _look_later(self) -> None:
        self._is_looking = True
        self._wheel.post_at(self._now_ns() + LOOK_NS, LATE_BIT)

    def _answer_late(self) -> None:
        now = self._now_ns()
        remembered = self._remembered
        while remembered:  # the oldest come first, and all wait for the same time
            ticket = next(iter(remembered))
            asker, its_ticket, _number, due_ns, control, di = remembered[ticket]
            if due_ns > now:
                break
            del remembered[ticket]
            asker.under_way -= 1
            self._counters.add("late")
            self._answer(asker, control, di, its_ticket, ERROR_OTHER)
        for touched in self._touched:
            touched.send()
        self._touched.clear()
        self._is_looking = bool(self._remembered)
        if self._is_looking:
            self._look_later()


def _both(note: Callable[[_Partner], None], partner: _Partner, post: Callable[[], None]) -> Callable[[], None]:
    def arrived() -> None:
        note(partner)
        post()

    return arrived


def start(context: StartContext) -> None:
    """Entry of the partition `bus`."""
    Bus(context, context.decode_settings(BusSettings))
