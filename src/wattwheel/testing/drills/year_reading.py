"""What the drill `year` reads over the meter's TCP door: load records, freezes, settlement periods, the wallet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from wattwheel.boot.time_machine import TimeMachine
from wattwheel.testing.drills.year_account import EPOCH, TARIFFS, Registers
from wattwheel.testing.drills.year_demand import Maximum
from wattwheel.testing.drills.year_load import NO_ENERGY, Energy
from wattwheel.testing.readable import answered

CLASS_4 = 0x06040001
RECORDS_A_READ, RECORD_OCTETS = 99, 32
ENERGY_OCTETS, DEMAND_OCTETS = 4, 8
HOURLY, DAILY, TIMED = 0x04, 0x06, 0x00
REMAINING, OWED = 0x00900200, 0x00900201
IMPORT_DEMAND, EXPORT_DEMAND = 0x01010000, 0x01020000


class Frozen(NamedTuple):
    """An entry that was read: its minute, and its registers; an hourly one has the totals only."""

    minute: int
    registers: Registers


def minute_of(octets: bytes) -> int:
    """Minutes since 2000 of mm hh DD MM YY."""
    time = datetime.strptime(octets[::-1].hex(), "%y%m%d%H%M").replace(tzinfo=UTC)
    return (time - EPOCH) // timedelta(minutes=1)


def number_of(octets: bytes) -> int:
    """A BCD number, the low octet first."""
    return int(octets[::-1].hex())


def _numbers(octets: bytes) -> list[int]:
    return [number_of(octets[at : at + ENERGY_OCTETS]) for at in range(0, len(octets), ENERGY_OCTETS)]


def load_records(machine: TimeMachine) -> Iterator[tuple[int, Energy]]:
    """Minute and both directions of each record of class 4, the oldest first."""
    count = bytes.fromhex(f"{RECORDS_A_READ:02d}")
    from_minute = 0
    while True:
        time = bytes.fromhex(f"{EPOCH + timedelta(minutes=from_minute):%y%m%d%H%M}")[::-1]
        octets = answered(machine, CLASS_4, count + time)
        if not octets:
            return
        while octets:
            record, octets = octets[:RECORD_OCTETS], octets[RECORD_OCTETS:]
            assert record[:2] == b"\xa0\xa0", record.hex()
            energies = record[11:27]  # behind the marks of three classes that are absent
            from_minute = minute_of(record[3:8]) + 1
            yield from_minute - 1, Energy(number_of(energies[:4]), number_of(energies[4:8]))


def frozen(machine: TimeMachine, kind: int, depth: int) -> Iterator[Frozen]:
    """The entries of a kind, the newest first."""
    for back in range(1, depth + 1):
        base = 0x05000000 | kind << 16 | back
        if kind == HOURLY:
            octets = answered(machine, base | 0xFF00)
            if octets is None:
                return
            total = Energy(number_of(octets[6:10]), number_of(octets[11:15]))
            yield Frozen(minute_of(octets[:5]), Registers(total, ()))
            continue
        time, imported, exported = (answered(machine, base | item << 8) for item in (0, 1, 2))
        if time is None or imported is None or exported is None:
            return
        yield Frozen(minute_of(time), _registers(imported, exported))


def _registers(imported: bytes, exported: bytes) -> Registers:
    total, *shares = (Energy(*pair) for pair in zip(_numbers(imported), _numbers(exported), strict=True))
    return Registers(total, (*shares, *(NO_ENERGY,) * (TARIFFS - len(shares))))


def settlement(machine: TimeMachine, back: int) -> Registers | None:
    """The registers at the end of a settlement period, the newest is 1; None: there is none."""
    imported, exported = (answered(machine, di | back) for di in (0x0001FF00, 0x0002FF00))
    return _registers(imported, exported) if imported and exported else None


def maxima(machine: TimeMachine, back: int) -> tuple[Maximum, Maximum] | None:
    """The maximum demands of import and export of that period."""
    found = [answered(machine, di | back) for di in (IMPORT_DEMAND, EXPORT_DEMAND)]
    if None in found:
        return None
    imported, exported = (_maximum(octets or b"") for octets in found)
    return imported, exported


def _maximum(octets: bytes) -> Maximum:
    demand = number_of(octets[:3])
    return Maximum(demand, minute_of(octets[3:8]) if demand else 0)


def wallet(machine: TimeMachine) -> tuple[int, int]:
    """What is left and what is owed, in hundredths."""
    left, owed = (number_of(answered(machine, di) or b"\xff") for di in (REMAINING, OWED))
    return left, owed
