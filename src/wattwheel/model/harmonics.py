"""Harmonic content of one cycle: each order over the fundamental, by the discrete Fourier transform. Pure."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

from wattwheel.model.core_records import Waveform

ORDERS_MAX = 21
CONTENT_DIGITS_MAX = 9999
"""XX.XX % ends there: of the fundamental itself, which is 100 %, too."""

VOLTAGE_GROUP, CURRENT_GROUP = 0x020A, 0x020B
"""DI3 and DI2; DI1 is the phase, 1 to 3, DI0 the order, FF the block of all."""

BLOCK = 0xFF


def contents(points: Sequence[int], orders: int = ORDERS_MAX) -> tuple[int, ...] | None:
    """Contents of the orders 1 to `orders` in 0.01 % of the fundamental; None without a fundamental.

    `points`: one whole cycle, more than twice as many as the highest order.
    """
    assert len(points) > 2 * orders
    amplitudes = [abs(_line(points, order)) for order in range(1, orders + 1)]
    if amplitudes[0] < 1:  # half a step of the converter
        return None
    return tuple(min(CONTENT_DIGITS_MAX, math.floor(each / amplitudes[0] * 10_000 + 0.5)) for each in amplitudes)


def _line(points: Sequence[int], order: int) -> complex:
    turn = -2j * cmath.pi * order / len(points)
    return 2 / len(points) * sum(point * cmath.exp(turn * place) for place, point in enumerate(points))


BLOCKS = tuple(group << 16 | phase << 8 | BLOCK for group in (VOLTAGE_GROUP, CURRENT_GROUP) for phase in (1, 2, 3))
"""The items that hold all orders of a phase."""


def is_harmonic(di: int) -> bool:
    """Whether `di` is one of the harmonic items."""
    return di >> 16 in (VOLTAGE_GROUP, CURRENT_GROUP)


def harmonic_item(waveform: Waveform, di: int) -> int | tuple[int, ...] | None:
    """What the item `di` shows of `waveform`: a content, or those of all orders; None where there is none."""
    phase, order = (di >> 8 & 0xFF) - 1, di & 0xFF
    if not 0 <= phase < len(waveform.phases) or not (order == BLOCK or 1 <= order <= ORDERS_MAX):
        return None
    wave = waveform.phases[phase]
    found = contents(wave.voltage if di >> 16 == VOLTAGE_GROUP else wave.current)
    if found is None:
        return None
    return found if order == BLOCK else found[order - 1]
