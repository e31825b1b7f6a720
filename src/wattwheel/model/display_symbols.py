"""Which symbols of the glass are on, and which blink, for a state of the meter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wattwheel.model.display import LCD_SYMBOLS
from wattwheel.model.display_state import DisplayState, Phase, Relay

NUMBER_MAX = 99
"""Tariff and step have two places."""


class Symbols(NamedTuple):
    """Names of `LCD_SYMBOLS` in their order, those of them that blink, and the numbers beside T and L."""

    on: tuple[str, ...]
    blinking: tuple[str, ...]
    tariff: str
    step: str


def symbols_of(state: DisplayState) -> Symbols:
    """The symbols of `state`."""
    on = set(_on(state))
    blinking = {f"u{letter}" for letter, phase in _lettered(state) if phase.voltage_loss and not phase.is_broken}
    if state.relay is Relay.PENDING:
        blinking.add("relay_open")
    return Symbols(
        tuple(name for name in LCD_SYMBOLS if name in on | blinking),
        tuple(name for name in LCD_SYMBOLS if name in blinking),
        _number(state.tariff),
        _number(state.step),
    )


def _on(state: DisplayState) -> Iterator[str]:
    for letter, phase in _lettered(state):
        yield from _phase_symbols(letter, phase)
    yield from (f"signal_{bar}" for bar in range(1, state.signal + 1))
    yield from (f"channel_{number}" for number, is_used in enumerate(state.channels, 1) if is_used)
    numbered = {
        "quadrant": state.quadrant,
        "time_set": state.time_set,
        "price_set": state.price_set,
    }
    yield from (f"{name}_{number}" for name, number in numbered.items() if number)
    flags = {
        "tariff": bool(_number(state.tariff)),
        "step": bool(_number(state.step)),
        "phase_sequence": state.is_sequence_reversed,
        "traffic": state.traffic,
        "telephone": state.telephone,
        "program": state.programming,
        "suspended": state.suspended,
        "test_key": state.test_key,
        "alarm": state.alarm,
        "card_reading": state.card_reading,
        "success": state.success,
        "fail": state.fail,
        "purchase_needed": state.purchase_needed,
        "overdraft": state.overdraft,
        "hoarding": state.hoarding,
        "relay_open": state.relay is Relay.OPEN,
        "clock_battery": state.clock_battery_low,
        "reading_battery": state.reading_battery_low,
    }
    yield from (name for name, is_on in flags.items() if is_on)


def _phase_symbols(letter: str, phase: Phase) -> Iterator[str]:
    """A broken phase has neither a U nor an I."""
    if phase.is_broken:
        return
    if phase.voltage:
        yield f"u{letter}"
    if phase.current:
        yield f"i{letter}"
        if phase.is_reversed_current:
            yield f"i{letter}_reverse"


def _lettered(state: DisplayState) -> Iterator[tuple[str, Phase]]:
    return zip("abc", state.phases, strict=True)


def _number(number: int) -> str:
    return str(number) if 1 <= number <= NUMBER_MAX else ""
