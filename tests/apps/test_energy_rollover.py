"""E-05 and E-06: every kind of register rolls over behind 999999.99 and keeps its remainder; tariffs make the total.

The reference is an odometer: digits and what is left below the last of them, carried on step by step.
"""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattwheel.apps.energy_books import Ledger, RunningTariff
from wattwheel.apps.register_views import energy_item
from wattwheel.model.catalogue import item_2007
from wattwheel.model.energy_items import Words
from wattwheel.model.records import ELEMENTS, REGISTER_COUNT, REGISTERS, EnergyTotals
from wattwheel.protocols.dlt645 import items

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["energy_rollover"]
MICROJOULE_PER_KWH = 3_600_000_000_000
STANDARD, PRECISE = 0x00, 0x0D
DECIMALS = {STANDARD: 2, PRECISE: 4}
DI2 = {  # of the total's register, in the order of the core's
    "import_active": 0x01,
    "export_active": 0x02,
    "reactive_q1": 0x05,
    "reactive_q2": 0x06,
    "reactive_q3": 0x07,
    "reactive_q4": 0x08,
    "import_apparent": 0x09,
    "export_apparent": 0x0A,
}
PHASE_OFFSET = {"a": 0x14, "b": 0x28, "c": 0x3C}
SIGNED_MAX_KWH = 800_000
"""A sign takes the top bit of the first digit: 799999.99 is the most."""


def microjoule(kwh: str) -> int:
    exact = Decimal(kwh) * MICROJOULE_PER_KWH
    assert exact == int(exact)
    return int(exact)


class Odometer:
    """`decimals` behind the point, rolling over behind `limit_kwh`."""

    def __init__(self, start: int, decimals: int, limit_kwh: int = 1_000_000) -> None:
        self.unit, self.limit = MICROJOULE_PER_KWH // 10**decimals, limit_kwh * 10**decimals
        self.digits, self.left = start // self.unit % self.limit, start % self.unit

    def add(self, more: int) -> None:
        carry, self.left = divmod(self.left + more, self.unit)
        self.digits = (self.digits + carry) % self.limit


def numbered(name: str, element: str = "total") -> int:
    return ELEMENTS.index(element) * len(REGISTERS) + REGISTERS.index(name)


def pushed(ledger: Ledger, values: dict[int, int], tariff: int = 1) -> None:
    registers = [values.get(number, 0) for number in range(REGISTER_COUNT)]
    ledger.book(EnergyTotals(1, tuple(registers)), tariff)
    ledger.books.tariff = tariff


def made(words: Words | None = None, tariffs: int = 2) -> Ledger:
    ledger = Ledger()
    ledger.running = RunningTariff(0)
    ledger.running.tariffs = tariffs
    ledger.running.words = words or ledger.running.words
    return ledger


def test_the_names_are_those_of_the_core():
    assert tuple(DI2) == REGISTERS


@pytest.mark.parametrize("group", DECIMALS)
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["add"])
@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("name", DI2)
def test_e_05_the_vectors_for_every_register(name, element, vector, group):
    """Of the total and of each phase; forward, reverse, quadrants, apparent; two and four decimals."""
    ledger, number, left = made(), numbered(name, element), 17
    before = microjoule(vector["before"]) + left
    pushed(ledger, {number: before})
    di = group << 24 | DI2[name] + PHASE_OFFSET.get(element, 0) << 16
    factor = 10 ** DECIMALS[group]
    assert energy_item(ledger, di) == Decimal(vector["before"]) * factor
    pushed(ledger, {number: before + microjoule(vector["add"])})
    assert energy_item(ledger, di) == Decimal(vector["after"]) * factor
    unit = MICROJOULE_PER_KWH // factor
    pushed(ledger, {number: before + microjoule(vector["add"]) + unit - left - 1})
    assert energy_item(ledger, di) == Decimal(vector["after"]) * factor
    pushed(ledger, {number: before + microjoule(vector["add"]) + unit - left})
    assert energy_item(ledger, di) == Decimal(vector["after"]) * factor + 1  # the remainder was kept over the rollover


SIGNS = ((1, 1), (2, -1))  # bits of a word, and what they make of the register
COMBINED = [  # of what, item, what rolls over, its word, and how it counts
    *(("total", 0x00, name, bit << 2 * at, sign) for at, name in enumerate(REGISTERS[:2]) for bit, sign in SIGNS),
    *(
        (element, di2, f"reactive_q{1 + at}", bit << 2 * at, sign)
        for element in ELEMENTS
        for di2 in (0x03, 0x04)
        for at in range(4)
        for bit, sign in SIGNS
    ),
]


@pytest.mark.parametrize("group", DECIMALS)
@pytest.mark.parametrize(("element", "di2", "name", "word", "sign"), COMBINED)
def test_e_05_a_combined_register_rolls_over_where_its_sign_leaves_no_digit(element, di2, name, word, sign, group):
    """And goes on through 999999.99 of the register behind it, on which the combination does not depend."""
    words = {0x00: Words(word, (0, 0)), 0x03: Words(0, (word, 0)), 0x04: Words(0, (0, word))}[di2]
    ledger, number = made(words), numbered(name, element)
    unit = MICROJOULE_PER_KWH // 10 ** DECIMALS[group]
    now = SIGNED_MAX_KWH * MICROJOULE_PER_KWH - unit
    meter = Odometer(now, DECIMALS[group], SIGNED_MAX_KWH)
    di = group << 24 | di2 + PHASE_OFFSET.get(element, 0) << 16
    for more in (0, unit - 1, 1, unit, 200_000 * MICROJOULE_PER_KWH - unit, unit // 2, unit):
        now += more
        meter.add(more)
        pushed(ledger, {number: now})
        assert energy_item(ledger, di) == sign * meter.digits
    assert now > 1_000_000 * MICROJOULE_PER_KWH


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(DI2)),
    st.integers(0, 3 * 10**6 * MICROJOULE_PER_KWH),
    st.lists(st.tuples(st.integers(0, 10**6 * MICROJOULE_PER_KWH), st.integers(1, 3)), min_size=1, max_size=20),
)
def test_e_05_tariffs_and_their_total_roll_over_each_on_its_own(name, start, steps):
    """Whatever flows into which of three tariffs: each and the total are odometers; and on the wire have 8 digits."""
    ledger, number, tariffs = made(tariffs=3), numbered(name), 3
    odometers = {
        (group, tariff): Odometer(start if tariff <= 1 else 0, decimals)
        for group, decimals in DECIMALS.items()
        for tariff in range(tariffs + 1)
    }
    now, running = start, 1
    pushed(ledger, {number: now}, running)
    for more, then in steps:
        now += more
        for group in DECIMALS:
            odometers[group, 0].add(more)
            odometers[group, running].add(more)
        pushed(ledger, {number: now}, then)
        running = then
    for group in DECIMALS:
        base = group << 24 | DI2[name] << 16
        shown = [energy_item(ledger, base | tariff << 8) for tariff in range(tariffs + 1)]
        assert shown == [odometers[group, tariff].digits for tariff in range(tariffs + 1)]
        assert energy_item(ledger, base | 0xFF00) == tuple(shown)
    digits = odometers[STANDARD, 0].digits
    wire = items.encode(item_2007(DI2[name] << 16), f"{digits / 100:.2f}")
    assert wire == bytes.fromhex(f"{digits:08}")[::-1]


STEPS, LOOKS = 1_000_000, 9973
"""E-06: so many steps, and how many are between two looks at what is shown."""


def test_e_06_after_a_million_random_steps_the_tariffs_make_the_total_and_no_remainder_is_lost():
    """Steps from nothing to some 0.05 kWh, in one of four tariffs: each of them and the total roll over meanwhile."""
    chance = random.Random(6)
    tariffs, name = 4, "import_active"
    ledger, start = made(tariffs=tariffs), 999_000 * MICROJOULE_PER_KWH + 12_345
    meters = [Odometer(start if tariff <= 1 else 0, 2) for tariff in range(tariffs + 1)]
    exact = [start, 0, 0, 0]
    none = (0,) * (REGISTER_COUNT - 1)
    book, choices = ledger.book, (0, 1, 35_999_999_999, 36_000_000_000, 36_000_000_001, 179_999_999_999)
    now = start
    book(EnergyTotals(0, (now, *none)))
    for step in range(1, STEPS + 1):
        more = chance.choice(choices) + int(chance.random() * 3_600_000_000)
        tariff = ledger.books.tariff
        now += more
        meters[0].add(more)
        meters[tariff].add(more)
        exact[tariff - 1] += more
        book(EnergyTotals(step, (now, *none)))
        ledger.books.tariff = step // 1000 % tariffs + 1
        if step % LOOKS == 0:
            shown = energy_item(ledger, DI2[name] << 16 | 0xFF00)
            assert shown == tuple(meter.digits for meter in meters)
            assert 0 <= (shown[0] - sum(shown[1:])) % 10**8 < tariffs  # hundredths that the remainders make together
    assert [share[0] for share in ledger.books.shares] == exact
    assert sum(exact) == now == ledger.books.seen[0]
    assert now > 1_000_000 * MICROJOULE_PER_KWH > start
    assert [exact[0] % meters[1].unit, now % meters[0].unit] == [meters[1].left, meters[0].left]
