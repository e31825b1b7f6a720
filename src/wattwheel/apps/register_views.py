"""What is made of the energy registers when somebody reads it: four decimals, blocks over all periods, use of a period.

The use of a settlement period is forward energy at its end less that at its begin, and reverse energy likewise, put
together by the characteristic word of active energy. No source tells an identifier for it, so B0F100nn is the
platform's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from wattwheel.apps.energy_books import NO_TOTALS, Ledger, period_count, period_items
from wattwheel.model.energy_items import (
    FOUR_DECIMALS,
    PERIODS_BLOCK,
    PRECISE_DI3,
    STANDARD_WORDS,
    TWO_DECIMALS,
    combined,
    phase_items,
    signed_view,
    tariff_items,
)
from wattwheel.model.records import REGISTERS, EnergyTotals
from wattwheel.model.settlement import SETTLEMENTS_KEPT_MAX

USAGE = 0xB0F10000
"""Of the period that runs; the last octet says how many periods back."""

ACTIVE = 2
"""The first of the registers: forward and reverse active energy."""


def is_view(di: int) -> bool:
    """Whether `di` is made here."""
    return di >> 24 == PRECISE_DI3 or (di >> 24 == 0 and di & 0xFF == PERIODS_BLOCK) or di & ~0xFF == USAGE


def view_item(ledger: Ledger, di: int) -> int | tuple[int, ...] | None:
    """What is read of `di`; None for what there is not."""
    return _usage(ledger, di) if di & ~0xFF == USAGE else energy_item(ledger, di)


def views(ledger: Ledger) -> tuple[int, ...]:
    """The identifiers made here that are answered now, without the blocks over all periods."""
    return (*precise_items(ledger), *_usages(ledger))


def energy_item(ledger: Ledger, di: int) -> int | tuple[int, ...] | None:
    """What is read of the register `di` (00xxxxxx, 0Dxxxxxx): at one time, or the block of now and all periods.

    None for what there is not, and for the block of what is a block itself.
    """
    view, own = FOUR_DECIMALS if di >> 24 == PRECISE_DI3 else TWO_DECIMALS, di & 0xFFFFFF
    if own & 0xFF != PERIODS_BLOCK:
        return period_items(ledger, own & 0xFF, view).get(own)
    base = own & ~0xFF
    column: list[int] = []
    for period in range(period_count(ledger)):
        value = period_items(ledger, period, view).get(base | period)
        if not isinstance(value, int):
            break
        column.append(value)
    return tuple(column) or None


def precise_items(ledger: Ledger) -> tuple[int, ...]:
    """The identifiers of the registers with four decimals, without the blocks over all periods."""
    if ledger.books is None:
        return ()
    kept = (entry.copy in ledger.history.phases for entry in ledger.books.settled.entries)
    return _precise_items(ledger.tariffs, (bool(ledger.books.elements), *kept))


@lru_cache(maxsize=1)  # asked for again and again while somebody watches, and the same for a month
def _precise_items(tariffs: int, has_phases: Sequence[bool]) -> tuple[int, ...]:
    """`has_phases`: of now and of each period, the newest first, whether registers of the phases are kept."""
    own: list[int] = []
    for period, has_own in enumerate(has_phases):
        own += tariff_items([NO_TOTALS[: len(REGISTERS)]], STANDARD_WORDS, tariffs, period)
        own += phase_items(EnergyTotals(0, NO_TOTALS), STANDARD_WORDS, period) if has_own else ()
    return tuple(PRECISE_DI3 << 24 | di for di in own)


def _usage(ledger: Ledger, di: int) -> int | None:
    """Use of a period in 0.01 kWh, signed; None for a period that is not kept, or whose begin is not."""
    books, back = ledger.books, di & 0xFF
    if books is None or di & ~0xFF != USAGE or back >= _periods_used(ledger):
        return None
    copies = [books.shares, *(ledger.history.copies[entry.copy] for entry in books.settled.entries)]
    end, begin = (
        [sum(share[register] for share in shares) for register in range(ACTIVE)]
        for shares in (*copies, [])[back : back + 2]
    )
    used = [now - before for now, before in zip(end, begin, strict=True)]
    return signed_view(combined(ledger.running.words.active, used))


def _usages(ledger: Ledger) -> list[int]:
    return [USAGE | back for back in range(_periods_used(ledger))]


def _periods_used(ledger: Ledger) -> int:
    """The running one and those before it. Of a full ring the oldest copy is a begin alone."""
    kept = len(ledger.books.settled.entries) if ledger.books is not None else -1
    return min(1 + kept, SETTLEMENTS_KEPT_MAX)
