"""Status words (04000501 to 04000507 and the block 040005FF) as far as the registers' functions know them. Pure."""

from __future__ import annotations

from collections.abc import Callable

from wattwheel.apps.event_conditions import (
    CURRENT_IMBALANCE,
    CURRENT_LOSS,
    CURRENT_SEQUENCE,
    DEMAND,
    FAILURE,
    INTERRUPTION,
    LOSS,
    OVER,
    OVER_CURRENT,
    OVERLOAD,
    PHASES,
    POWER_DOWN,
    POWER_FACTOR,
    REVERSAL,
    SEVERE,
    UNDER,
    VOLTAGE_IMBALANCE,
    VOLTAGE_SEQUENCE,
)
from wattwheel.model.panel_state import panel_state_of
from wattwheel.model.records import Momentary
from wattwheel.model.tariff_parameters import RunningSets

STATUS_WORD_1, STATUS_BLOCK = 0x04000501, 0x040005FF
STATUS_WORDS = 7
STATUS_DIS = (*range(STATUS_WORD_1, STATUS_WORD_1 + STATUS_WORDS), STATUS_BLOCK)

PROGRAMMING_BIT = 3
"""Of word 3."""

SUPPLY_WORD, SUPPLY_SHIFT, SUPPLY_BITS = 3, 1, 3
SUPPLY_AUXILIARY, SUPPLY_BATTERY = 1, 2
"""In word 3 what feeds the meter; 0 is the mains. While the functions' bits are put together: that an auxiliary supply
is there, and that the mains are gone."""

_OF_A_PHASE = (LOSS, UNDER, OVER, CURRENT_LOSS, OVER_CURRENT, OVERLOAD, REVERSAL, FAILURE, INTERRUPTION)
"""Slots of phase a, in the order of the bits of word 4."""

_OF_THE_METER = {
    VOLTAGE_SEQUENCE: 0,
    CURRENT_SEQUENCE: 1,
    VOLTAGE_IMBALANCE: 2,
    CURRENT_IMBALANCE: 3,
    POWER_DOWN: 5,
    **dict.fromkeys(range(DEMAND, DEMAND + 6), 6),
    POWER_FACTOR: 7,
    SEVERE: 8,
}
"""Slot to bit of word 7. Bit 4, a lost auxiliary supply, is that of a contact."""


def direction_words(momentary: Momentary | None) -> tuple[int, int]:
    """The direction bits of the words 1 and 2: set where power is reversed."""
    if momentary is None:
        return 0, 0
    active = [(element.active_power_milliwatt or 0) < 0 for element in momentary.elements]
    reactive = [(element.reactive_power_millivar or 0) < 0 for element in momentary.elements]
    second = sum(active[1 + phase] << phase | reactive[1 + phase] << 4 + phase for phase in range(PHASES))
    return active[0] << 4 | reactive[0] << 5, second


def event_word(number: int, active: int) -> int:
    """Word 4, 5, 6 (phases a, b, c) or 7 of the slots that are `active`; 0 for any other number."""
    if 4 <= number < 4 + PHASES:
        phase = number - 4
        return sum((active >> slot + phase & 1) << bit for bit, slot in enumerate(_OF_A_PHASE))
    if number != STATUS_WORDS:
        return 0
    word = 0
    for slot, bit in _OF_THE_METER.items():
        word |= (active >> slot & 1) << bit
    return word


def sets_word(sets: RunningSets) -> int:
    """The bits of word 3 that tell which day tables and zones are running."""
    return sets.day_tables | sets.zones << 5


def supply_word(active: int) -> int:
    """The bits of word 3 that tell that the mains are gone."""
    return (SUPPLY_BATTERY if active >> POWER_DOWN & 1 else 0) << SUPPLY_SHIFT


def fed(number: int, word: int) -> int:
    """Word `number`; in word 3, with what feeds the meter: an auxiliary supply does only without mains."""
    if number != SUPPLY_WORD:
        return word
    told = word >> SUPPLY_SHIFT & SUPPLY_BITS
    feeds = 0 if told < SUPPLY_BATTERY else SUPPLY_AUXILIARY if told & SUPPLY_AUXILIARY else SUPPLY_BATTERY
    return word & ~(SUPPLY_BITS << SUPPLY_SHIFT) | feeds << SUPPLY_SHIFT


def programming_bit(number: int, panel: bytes | None) -> int:
    """The bit of word 3 that tells that programming is allowed; `panel`: the newest message of the security service."""
    return panel_state_of(panel).programming_key << PROGRAMMING_BIT if number == 3 else 0


def shown(di: int, word_of: Callable[[int], int]) -> bytes | None:
    """What a read of `di` gives; `word_of`: the word of a number from 1 on. None: it is no status word."""
    if di not in STATUS_DIS:
        return None
    numbers = range(1, STATUS_WORDS + 1) if di == STATUS_BLOCK else (di - STATUS_WORD_1 + 1,)
    return b"".join(word_of(number).to_bytes(2, "little") for number in numbers)
