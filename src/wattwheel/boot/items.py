"""The register table as `wattwheel items` lists it, and which of it a new meter answers."""

from __future__ import annotations

import csv
import os.path
import random
from functools import cache
from typing import NamedTuple

import msgspec

from wattwheel.apex.messages import Control, Message
from wattwheel.boot.settings import Settings
from wattwheel.boot.sim_core import Shown
from wattwheel.boot.sim_meter import SimMeter
from wattwheel.drivers.sim.clock import POWER_UP, SimClock
from wattwheel.model import catalogue

RUN_S = 65.0
"""A minute has ended by then: what is made of whole minutes is there too."""

PHASE_MILLIWATT = 500_000
UNANSWERED = os.path.join(catalogue.DATA, "unanswered.csv")


class Reason(NamedTuple):
    """Why items whose identifiers begin with `prefix` are not answered.

    Attributes:
        prefix: hex digits; the longest that fits an identifier counts.
        state: "empty" where there is nothing yet, and an answer once there is; "absent" where there is no answer ever.
        why: in a sentence.
    """

    prefix: str
    state: str
    why: str


@cache
def reasons() -> tuple[Reason, ...]:
    """Every reason there is for a refused item."""
    with open(UNANSWERED, encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        return tuple(Reason(*line) for line in lines)


def reason_of(di: int) -> Reason | None:
    """Why the item `di` may be refused; None: it has to be answered."""
    text = f"{di:08X}"
    fitting = [reason for reason in reasons() if text.startswith(reason.prefix)]
    return max(fitting, key=lambda reason: len(reason.prefix), default=None)


def item_rows(*, unanswered_only: bool = False) -> list[dict[str, object]]:
    """Rows of the register table; `unanswered_only`: those that a new meter answers with an exception, and why.

    A row that stands for a range counts as answered when the meter answers the row's own identifier.
    """
    rows = catalogue.listing()
    if not unanswered_only:
        return rows
    return [{**row, "why": _why(row)} for row in rows if not is_answered(row)]


def _why(row: dict[str, object]) -> str:
    if row["di"] is None:
        return "of DL/T 645-1997 alone"
    reason = reason_of(int(str(row["di"]), 16))
    return "" if reason is None else reason.why


def is_answered(row: dict[str, object]) -> bool:
    """True when the meter answers a read of the row's identifier; those of 1997 alone it never does."""
    return row["di"] is not None and int(str(row["di"]), 16) in answered_identifiers()


@cache
def answered_identifiers() -> frozenset[int]:
    """Identifiers of rows that a new three-phase meter answers: a simulated one is asked for each."""
    clock = SimClock(POWER_UP, random.Random(0))
    settings = Settings()
    without_page = msgspec.structs.replace(settings, web=msgspec.structs.replace(settings.web, enabled=False))
    meter = SimMeter(clock, random.Random(0), without_page)
    nominal = round(1000 * settings.meter.nominal_voltage_v)
    meter.load.set([PHASE_MILLIWATT] * 3, [0] * 3, Shown((nominal,) * 3))
    clock.advance(RUN_S)
    answered: set[int] = set()

    def ask(di: int) -> None:
        def take(reply: Message | None) -> None:
            if reply is not None and not reply.error:
                answered.add(di)

        meter.ask(Control.READ, di, b"", take)

    for item in catalogue.ITEMS_2007:
        ask(item.di)
    clock.advance(2.0)
    return frozenset(answered)
