"""Energy registers as data items: views, combinations by characteristic word, blocks (00xxxxxx, 0Dxxxxxx). Pure.

A register is seen with two decimals of a kWh, as the standard has it (00), or with four (0D, which is not the
standard's); both are cut from the same integer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wattwheel.model.records import QUADRANTS, REGISTERS, EnergyTotals

MICROJOULE_PER_CENTIWATTHOUR = 36_000_000_000

PRECISE_DI3 = 0x0D
"""Group of the registers with four decimals: the other octets are those of the same register in the group 00."""

ACTIVE_COMBINATION = 0x05  # forward plus reverse (04000601)
REACTIVE_COMBINATIONS = (0x41, 0x14)  # I + IV, II + III (04000602, 04000603)
WORDS = (0x04000601, 0x04000602, 0x04000603)

PERIODS_BLOCK = 0xFF
"""DI0 of the block over now and all settlement periods."""

PHASE_BASES = {"a": 0x15, "b": 0x29, "c": 0x3D}  # DI2 of the forward active register
_DI2_OF_REGISTER = (0x01, 0x02, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A)


class View(NamedTuple):
    """How much of a register is seen.

    Attributes:
        microjoule: a unit of the last digit.
        modulus: units behind which comes 0 again.
        signed_max: highest magnitude beside a sign.
    """

    microjoule: int
    modulus: int
    signed_max: int


TWO_DECIMALS = View(MICROJOULE_PER_CENTIWATTHOUR, 10**8, 79_999_999)  # 999999.99 and back to 0
FOUR_DECIMALS = View(MICROJOULE_PER_CENTIWATTHOUR // 100, 10**10, 7_999_999_999)


class Words(NamedTuple):
    """Characteristic words: how registers are combined."""

    active: int = ACTIVE_COMBINATION
    reactive: tuple[int, int] = REACTIVE_COMBINATIONS


STANDARD_WORDS = Words()


def words_of(parameters: Mapping[int, bytes]) -> Words:
    """The words among the parameters."""
    active, *reactive = (parameters[di][0] for di in WORDS)
    return Words(active, (reactive[0], reactive[1]))


def register_view(microjoule: int, view: View = TWO_DECIMALS) -> int:
    """A register in units of the last digit that is seen, 0.01 kWh (kvarh, kVAh) if not told else.

    Rolled over after 999999.99; the remainder stays inside.
    """
    return microjoule // view.microjoule % view.modulus


def combined(word: int, registers: Sequence[int]) -> int:
    """Sum of `registers` by a characteristic word: for each two bits, add and subtract; add wins."""
    total = 0
    for number, register in enumerate(registers):
        bits = word >> 2 * number & 3
        total += register if bits & 1 else -register if bits & 2 else 0
    return total


def signed_view(microjoule: int, view: View = TWO_DECIMALS) -> int:
    """A combined register in such units, towards zero, within what a signed picture holds."""
    units = abs(microjoule) // view.microjoule % (view.signed_max + 1)
    return -units if microjoule < 0 else units


def energy_items(
    shares: Sequence[Sequence[int]], totals: EnergyTotals, words: Words = STANDARD_WORDS, tariffs: int = 1
) -> dict[int, int | tuple[int, ...]]:
    """Identifier to value of every energy item: total, each of `tariffs`, the block of both, and the phases' totals.

    The total is the sum of all `shares`, those of tariffs that the meter no longer has among them.
    """
    return {**tariff_items(shares, words, tariffs), **phase_items(totals, words)}


def phase_items(totals: EnergyTotals, words: Words, period: int = 0, view: View = TWO_DECIMALS) -> dict[int, int]:
    """The totals of each phase at the end of `period`; 0: now."""
    values: dict[int, int] = {}
    for phase, base in PHASE_BASES.items():
        registers = [totals.register(name, phase) for name in REGISTERS]
        own = [register_view(register, view) for register in registers]
        reactive = [signed_view(combined(word, registers[QUADRANTS]), view) for word in words.reactive]
        for offset, value in enumerate((*own[:2], *reactive, *own[2:])):
            values[base + offset << 16 | period] = value
    return values


def tariff_items(
    shares: Sequence[Sequence[int]], words: Words, tariffs: int, period: int = 0, view: View = TWO_DECIMALS
) -> dict[int, int | tuple[int, ...]]:
    """Total, each of `tariffs`, and the block of them all, of the registers at the end of `period`; 0: now."""
    none = (0,) * len(REGISTERS)
    shown = [[sum(column) for column in zip(*shares, strict=True)], *shares[:tariffs]]
    shown += [none] * (1 + tariffs - len(shown))
    columns = {di2: [register_view(row[number], view) for row in shown] for number, di2 in enumerate(_DI2_OF_REGISTER)}
    columns[0x00] = [signed_view(combined(words.active, row[:2]), view) for row in shown]
    for di2, word in zip((0x03, 0x04), words.reactive, strict=True):
        columns[di2] = [signed_view(combined(word, row[QUADRANTS]), view) for row in shown]
    values: dict[int, int | tuple[int, ...]] = {}
    for di2, column in columns.items():
        values |= {di2 << 16 | tariff << 8 | period: value for tariff, value in enumerate(column)}
        values[di2 << 16 | 0xFF00 | period] = tuple(column)
    return values
