"""DS-03: each symbol and what turns it on; which errors a state calls for."""

from __future__ import annotations

import pytest

from wattwheel.model.display import EVERY_SEGMENT, LCD_SYMBOLS
from wattwheel.model.display_errors import ERROR_TITLES, Errors, ErrorScreen, errors_of
from wattwheel.model.display_state import (
    DisplayState,
    Faults,
    Limits,
    Phase,
    Relay,
    Supply,
    is_any_voltage_there,
    with_readings,
    with_words,
    words_of,
)
from wattwheel.model.display_symbols import symbols_of
from wattwheel.model.records import REGISTER_COUNT, ElementReading, EnergyTotals, Momentary, Quality, Readings


def readings(total=(0, 0), a=(0, 0, 0), b=(0, 0, 0), c=(0, 0, 0), quality=Quality.VALID, is_reversed=False):
    """Total (mW, mvar), phases (mV, uA, mW)."""
    elements = (
        ElementReading(active_power_milliwatt=total[0], reactive_power_millivar=total[1]),
        *(ElementReading(*phase) for phase in (a, b, c)),
    )
    return Readings(
        0, 0.0, quality, EnergyTotals(1, (0,) * REGISTER_COUNT), Momentary(elements, sequence_reversed=is_reversed)
    )


LIVE = (220_000, 5_000_000, 1_100_000)
LIMITS = Limits(11_000, 20_000, 171_600, 132_000)
OF_READINGS = {
    "all phases, import, lagging": (
        readings((3, 1), LIVE, LIVE, LIVE), {"ua", "ub", "uc", "ia", "ib", "ic", "quadrant_1"}, set(),
    ),
    "phase b broken": (
        readings((3, -1), LIVE, (131_999, 0, 0), LIVE), {"ua", "uc", "ia", "ic", "quadrant_4"}, set(),
    ),
    "phase b low, not broken": (
        readings((3, 1), LIVE, (132_000, 0, 0), LIVE), {"ua", "ub", "uc", "ia", "ic", "quadrant_1"}, set(),
    ),
    "loss of voltage c": (
        readings((3, 1), LIVE, LIVE, (171_599, 20_000, 1)), {"ua", "ub", "uc", "ia", "ib", "ic", "quadrant_1"}, {"uc"},
    ),
    "loss of voltage c, none left": (
        readings((3, 1), LIVE, LIVE, (0, 20_000, 1)), {"ua", "ub", "uc", "ia", "ib", "ic", "quadrant_1"}, {"uc"},
    ),
    "no load": (readings((0, 0), *[(220_000, 19_999, 0)] * 3), {"ua", "ub", "uc"}, set()),
    "c backwards": (
        readings((1, 0), LIVE, LIVE, (220_000, 20_000, -1)),
        {"ua", "ub", "uc", "ia", "ib", "ic", "ic_reverse", "quadrant_1"}, set(),
    ),
    "export, lagging": (readings((-1, 1)), {"quadrant_2"}, set()),
    "export, leading": (readings((-1, -1)), {"quadrant_3"}, set()),
    "turned round": (readings(is_reversed=True), {"phase_sequence"}, set()),
    "stale": (readings((3, 1), LIVE, LIVE, LIVE, Quality.STALE, True), set(), set()),
    "nothing yet": (None, set(), set()),
}  # fmt: skip


@pytest.mark.parametrize(("found", "on", "blinking"), OF_READINGS.values(), ids=OF_READINGS)
def test_symbols_of_readings_say_what_is_true_now(found, on, blinking):
    symbols = symbols_of(with_readings(DisplayState(), found, LIMITS))
    assert (set(symbols.on), set(symbols.blinking)) == (on, blinking)


OF_STATE = {
    "tariff": DisplayState(tariff=3),
    "step": DisplayState(step=2),
    "time_set_1": DisplayState(time_set=1),
    "time_set_2": DisplayState(time_set=2),
    "price_set_1": DisplayState(price_set=1),
    "price_set_2": DisplayState(price_set=2),
    "signal_1": DisplayState(signal=1),
    "traffic": DisplayState(traffic=True),
    "telephone": DisplayState(telephone=True),
    "channel_1": DisplayState(channels=(True, False)),
    "channel_2": DisplayState(channels=(False, True)),
    "program": DisplayState(programming=True),
    "suspended": DisplayState(suspended=True),
    "test_key": DisplayState(test_key=True),
    "alarm": DisplayState(alarm=True),
    "card_reading": DisplayState(card_reading=True),
    "success": DisplayState(success=True),
    "fail": DisplayState(fail=True),
    "purchase_needed": DisplayState(purchase_needed=True),
    "overdraft": DisplayState(overdraft=True),
    "hoarding": DisplayState(hoarding=True),
    "relay_open": DisplayState(relay=Relay.OPEN),
    "clock_battery": DisplayState(clock_battery_low=True),
    "reading_battery": DisplayState(reading_battery_low=True),
    "phase_sequence": DisplayState(is_sequence_reversed=True),
    **{f"quadrant_{number}": DisplayState(quadrant=number) for number in range(1, 5)},
    "ub": DisplayState((Phase(), Phase(voltage=True), Phase())),
    "ia": DisplayState((Phase(current=True), Phase(), Phase())),
}  # fmt: skip


@pytest.mark.parametrize(("name", "state"), OF_STATE.items(), ids=OF_STATE)
def test_ds_03_each_symbol_alone(name, state):
    assert symbols_of(state).on == (name,)
    assert symbols_of(state).blinking == ()


def test_every_symbol_has_a_state_that_turns_it_on():
    more = {*(f"signal_{bar}" for bar in (2, 3, 4)), *(f"i{p}_reverse" for p in "abc"), "ua", "uc", "ib", "ic"}
    assert set(OF_STATE) | more == set(LCD_SYMBOLS) == set(EVERY_SEGMENT.symbols)


def test_numbers_and_bars():
    assert symbols_of(DisplayState(tariff=63, step=7))[2:] == ("63", "7")
    assert symbols_of(DisplayState(tariff=100)).on == ()
    assert symbols_of(DisplayState(signal=4)).on == ("signal_1", "signal_2", "signal_3", "signal_4")


def test_a_trip_that_is_pending_blinks():
    symbols = symbols_of(DisplayState(relay=Relay.PENDING))
    assert (symbols.on, symbols.blinking) == (("relay_open",), ("relay_open",))


def words(**bits: tuple[int, ...]) -> list[int]:
    """Run status words with these bits set: w3=(4,)."""
    found = [0] * 7
    for name, numbers in bits.items():
        found[int(name[1]) - 1] = sum(1 << number for number in numbers)
    return found


@pytest.mark.parametrize(
    ("bits", "on"),
    [
        ({}, {"time_set_1", "price_set_1"}),
        ({"w1": (2, 3)}, {"time_set_1", "price_set_1", "clock_battery", "reading_battery"}),
        ({"w3": (0, 10)}, {"time_set_2", "price_set_2"}),
        ({"w3": (3, 4, 6, 7)}, {"time_set_1", "price_set_1", "relay_open", "alarm"}),  # programming: from the panel
        ({"w7": (0,)}, {"time_set_1", "price_set_1", "phase_sequence"}),
    ],
)
def test_symbols_of_the_run_status_words(bits, on):
    assert set(symbols_of(with_words(DisplayState(), words(**bits))).on) == on


def test_words_of_a_phase():
    live = with_readings(DisplayState(), readings((3, 1), LIVE, LIVE, LIVE), LIMITS)
    symbols = symbols_of(with_words(live, words(w4=(0,), w5=(7,), w3=(6,))))
    assert set(symbols.blinking) == {"ua", "relay_open"}
    assert not {"ub", "ib"} & set(symbols.on)
    assert {"ua", "uc", "ia", "ic"} <= set(symbols.on)


def test_what_else_the_words_say():
    state = with_words(DisplayState(), words(w3=(2, 8)))
    assert (state.supply, state.is_prepaid) == (Supply.BATTERY, True)
    assert with_words(DisplayState(), words(w3=(1,))).supply is Supply.AUXILIARY
    assert with_words(DisplayState(), words(w3=(1, 2))).supply is Supply.MAINS


def test_the_block_of_words_as_on_the_wire():
    assert words_of(bytes.fromhex("0400 0000 1000 0000 0000 0000 0001")) == (4, 0, 0x10, 0, 0, 0, 0x100)
    assert words_of(bytes(12)) is None


def test_light_needs_a_voltage():
    assert is_any_voltage_there(readings((1, 1), (132_000, 0, 0)), LIMITS)
    assert not is_any_voltage_there(readings((1, 1), (131_999, 0, 0)), LIMITS)
    assert is_any_voltage_there(None, LIMITS)  # nobody knows better


OF_ERRORS = {
    1: DisplayState(faults=Faults(control_loop=True)),
    2: DisplayState(faults=Faults(security_element=True)),
    3: DisplayState(faults=Faults(not_initialised=True)),
    4: DisplayState(clock_battery_low=True),
    5: DisplayState(faults=Faults(program=True)),
    6: DisplayState(faults=Faults(memory=True)),
    7: DisplayState(faults=Faults(metering=True)),
    8: DisplayState(faults=Faults(clock=True)),
    51: with_words(DisplayState(), words(w6=(5,))),
    52: with_words(DisplayState(), words(w7=(8,))),
    53: with_words(DisplayState(), words(w4=(2,))),
    54: with_words(DisplayState(), words(w7=(7,))),
    55: with_words(DisplayState(), words(w7=(6,))),
    56: with_words(DisplayState(), words(w5=(6,))),
}


@pytest.mark.parametrize(("code", "state"), OF_ERRORS.items())
def test_each_error_has_its_cause(code, state):
    expected = Errors((ErrorScreen(code),), ()) if code < 10 else Errors((), (ErrorScreen(code),))
    assert errors_of(state) == expected


def test_errors_come_in_order_and_all_have_words():
    state = with_words(DisplayState(faults=Faults(memory=True, clock=True)), words(w1=(2,), w7=(6, 8)))
    assert errors_of(state) == Errors((4, 6, 8), (52, 55))
    assert set(ERROR_TITLES) == set(ErrorScreen)
