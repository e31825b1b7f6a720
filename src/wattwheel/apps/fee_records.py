"""Records of fee control: purchases (0333xxnn), refunds (0334), trips and closings of the relay (1D, 1E), and a relay
that is not where it should be (0336).

Octets as on the wire; each ring holds the ten newest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from wattwheel.apps.charging_books import MILLIONTHS_PER_CENT
from wattwheel.apps.functions import Turn
from wattwheel.model.charging import AMOUNT_MAX
from wattwheel.model.energy_items import register_view
from wattwheel.model.event_ring import EventRing, count_octets, time_octets
from wattwheel.model.purchases import Account
from wattwheel.model.records import REGISTERS_RECORDED

TRIPS_DI, CLOSES_DI = 0x1D000001, 0x1E000001
RELAY_RECORDS = 0xFF00
"""From the identifier of the count of trips or closings to that of their newest record."""

PURCHASES_DI, REFUNDS_DI, MISOPERATIONS_DI = 0x03330001, 0x03340000, 0x03360000
PURCHASE_FIELDS = (5, 2, 4, 4, 4, 4)
"""Octets of time, count, amount, balance before, balance after, sum of all purchases: 033301nn to 033306nn."""

TIME_OCTETS, AMOUNT_OCTETS, COUNT_OCTETS, ENERGY_OCTETS = 6, 4, 2, 4
ENERGIES_OCTETS = 6 * ENERGY_OCTETS
OPEN_OCTET, CLOSED_OCTET = b"\x01", b"\x00"


class Records(msgspec.Struct, frozen=True, array_like=True):
    """The rings, one of each kind."""

    purchases: EventRing = EventRing()
    refunds: EventRing = EventRing()
    trips: EventRing = EventRing()
    closes: EventRing = EventRing()
    misoperations: EventRing = EventRing()

    def items(self) -> dict[int, bytes]:
        """Identifier to octets of all that is there."""
        found = dict(_purchase_items(self.purchases.records))
        for ring, di in ((self.trips, TRIPS_DI), (self.closes, CLOSES_DI)):
            found |= ring.items(di, di + RELAY_RECORDS)
        return found | self.refunds.items(REFUNDS_DI) | self.misoperations.items(MISOPERATIONS_DI)

    def cleared(self, di: int) -> Records:
        """Without the class `di` names (DI3 DI2 DI1 FF); FFFFFFFF: without any."""
        none = EventRing()
        emptied: Mapping[str, EventRing] = {
            name: none
            for name, families in _FAMILIES.items()
            if di == 0xFFFFFFFF or (di & 0xFF == 0xFF and di >> 8 in families)
        }
        return msgspec.structs.replace(self, **emptied)


_FAMILIES = {
    "purchases": tuple(range(0x033300, 0x033307)),
    "refunds": (0x033400,),
    "trips": (0x1D0000, 0x1D00FF),
    "closes": (0x1E0000, 0x1E00FF),
    "misoperations": (0x033600,),
}
"""DI3 to DI1 of what belongs to each ring."""


def _purchase_items(records: tuple[bytes, ...]) -> Iterator[tuple[int, bytes]]:
    for back, record in enumerate(records):
        at = 0
        for number, octets in enumerate(PURCHASE_FIELDS, 1):
            yield PURCHASES_DI + (number << 8) + back, record[at : at + octets]
            at += octets


def amount_octets(amount: int) -> bytes:
    """An amount in millionths as XXXXXX.XX; what is less than 0.01, and more than the picture holds, is not shown."""
    return count_octets(min(amount, AMOUNT_MAX) // MILLIONTHS_PER_CENT, AMOUNT_OCTETS)


def purchase_record(turn: Turn, before: Account, after: Account) -> bytes:
    """Of a purchase (23 octets)."""
    amounts = (after.purchased - before.purchased, before.wallet.balance, after.wallet.balance, after.purchased)
    time = time_octets(turn.local)[1:]
    return time + count_octets(after.count, COUNT_OCTETS) + b"".join(map(amount_octets, amounts))


def refund_record(turn: Turn, before: Account, after: Account) -> bytes:
    """Of a refund: time, purchase count, amount, balance before and after (19 octets)."""
    amounts = (before.wallet.balance - after.wallet.balance, before.wallet.balance, after.wallet.balance)
    time = time_octets(turn.local)[1:]
    return time + count_octets(after.count, COUNT_OCTETS) + b"".join(map(amount_octets, amounts))


def relay_record(turn: Turn, operator: bytes) -> bytes:
    """Of a trip or a closing: time, operator, six energies (34 octets); the meter itself is operator 0."""
    return time_octets(turn.local) + operator + energies(turn)


def misoperation_record(turn: Turn, is_open: bool) -> bytes:
    """Of a relay that is measured `is_open` and should not be: times, that state, energies at both (61 octets)."""
    state = OPEN_OCTET if is_open else CLOSED_OCTET
    return time_octets(turn.local) + bytes(TIME_OCTETS) + state + energies(turn) + bytes(ENERGIES_OCTETS)


def misoperation_ended(record: bytes, turn: Turn) -> bytes:
    """The same record with its end."""
    head, state = record[:TIME_OCTETS], record[2 * TIME_OCTETS : 2 * TIME_OCTETS + 1]
    at = 2 * TIME_OCTETS + 1
    return head + time_octets(turn.local) + state + record[at : at + ENERGIES_OCTETS] + energies(turn)


def has_ended(record: bytes) -> bool:
    """Whether the record of a misoperation has its end."""
    return any(record[TIME_OCTETS : 2 * TIME_OCTETS])


def energies(turn: Turn) -> bytes:
    """The active and reactive registers of all tariffs together."""
    registers = turn.image.totals[:REGISTERS_RECORDED]
    return b"".join(count_octets(register_view(register), ENERGY_OCTETS) for register in registers)
