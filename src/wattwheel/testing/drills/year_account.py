"""What a meter of the drill `year` must have booked: shares of the tariffs, and the wallet. Plain arithmetic.

A push comes at each whole second; what flows between two of them belongs to the tariff that the meter's clock showed at
the first. An account never changes; the next one is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from wattwheel.testing.drills.year_load import NO_ENERGY, Energy, between, both
from wattwheel.testing.drills.year_money import Prices, Wallet, charged, turned

DAY_MINUTES = 1440
TARIFFS = 4
QUANTUM_MICROJOULE = 36_000_000_000
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Slot(NamedTuple):
    """From `minute` of the day on, `tariff`."""

    minute: int
    tariff: int


class Zone(NamedTuple):
    """From that day of the year on, the day table `table` (1 is the first)."""

    month: int
    day: int
    table: int


class Tables(NamedTuple):
    """Both sets of zones and of day tables, and the minutes of the calendar at which the other ones are taken."""

    zones: tuple[tuple[Zone, ...], tuple[Zone, ...]]
    days: tuple[tuple[tuple[Slot, ...], ...], tuple[tuple[Slot, ...], ...]]
    zone_switches: tuple[int, ...]
    day_switches: tuple[int, ...]


def tariff_at(table: Sequence[Slot], minute_of_day: int) -> int:
    """The tariff of the last slot that has begun; before the first one, that of the last: the day wraps."""
    begun = [slot.tariff for slot in table if slot.minute <= minute_of_day]
    return begun[-1] if begun else table[-1].tariff


def table_at(zones: Sequence[Zone], month: int, day: int) -> int:
    """The day table of the last zone that has begun; before the first one, that of the last: the year wraps."""
    begun = [zone.table for zone in zones if (zone.month, zone.day) <= (month, day)]
    return begun[-1] if begun else zones[-1].table


class Registers(NamedTuple):
    """What a head-end would read, in units of 0.01 kWh: the totals, and the shares of each tariff."""

    total: Energy
    shares: tuple[Energy, ...]


def quanta(energy: Energy) -> Energy:
    """Whole units of 0.01 kWh."""
    return Energy(energy.imported // QUANTUM_MICROJOULE, energy.exported // QUANTUM_MICROJOULE)


class Account(NamedTuple):
    """What was booked, in microjoule, and what decides where the next energy goes.

    `zones`, `days`: how many switch-overs were executed.
    """

    booked: Energy = NO_ENERGY
    shares: tuple[Energy, ...] = (NO_ENERGY,) * TARIFFS
    tariff: int = 1
    zones: int = 0
    days: int = 0
    wallet: Wallet = Wallet()

    @property
    def registers(self) -> Registers:
        """As a head-end reads them."""
        return Registers(quanta(self.booked), tuple(quanta(share) for share in self.shares))

    @property
    def course(self) -> tuple[int, ...]:
        """What changes at boundaries only: prices, steps, tariff and tables."""
        wallet = self.wallet
        return self.tariff, self.zones, self.days, wallet.prices, wallet.steps, wallet.ended


def booked(account: Account, totals: Energy, prices: Prices) -> Account:
    """After a push of `totals`: what is more than before goes to the tariff so far, and is charged."""
    now = Energy(*map(max, account.booked, totals))
    if now == account.booked:
        return account
    shares = list(account.shares)
    shares[account.tariff - 1] = both(shares[account.tariff - 1], between(account.booked, now))
    wallet = charged(account.wallet, tuple(share.imported // QUANTUM_MICROJOULE for share in shares), prices)
    return account._replace(booked=now, shares=tuple(shares), wallet=wallet)


def looked(account: Account, minute: int, tables: Tables) -> Account:
    """After a look for the tariff at `minute`: switch-overs that have come, then the tariff in force."""
    zones = account.zones + any(minute >= at for at in tables.zone_switches[account.zones : account.zones + 1])
    days = account.days + any(minute >= at for at in tables.day_switches[account.days : account.days + 1])
    date = EPOCH + timedelta(minutes=minute)
    table = table_at(tables.zones[zones % 2], date.month, date.day)
    tariff = tariff_at(tables.days[days % 2][table - 1], minute % DAY_MINUTES)
    return account._replace(tariff=tariff, zones=zones, days=days)


def passed(account: Account, minute: int, was_set: bool, prices: Prices) -> Account:
    """After a turn of a minute."""
    wallet = turned(account.wallet, minute, was_set, prices)
    return account if wallet is account.wallet else account._replace(wallet=wallet)
