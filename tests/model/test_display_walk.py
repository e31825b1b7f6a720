"""Which screen is on the glass: DS-01, DS-02, DS-04, DS-07, DS-08, DS-09."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.display_errors import Errors, ErrorScreen
from wattwheel.model.display_lists import DisplayParameters, Entry
from wattwheel.model.display_state import Supply
from wattwheel.model.display_walk import (
    CLOSE_HOLD_S,
    INFRARED_WAKES_S,
    OUTPUT_HOLD_S,
    STUCK_WAKE_UPS_MAX,
    Action,
    Kind,
    Screen,
    Walk,
)

AUTO, KEY = (Entry(1), Entry(2), Entry(3)), (Entry(11), Entry(12), Entry(13), Entry(13, 1))
PARAMETERS = DisplayParameters(AUTO, KEY, screen_s=5, test_s=4)
UP_S = 4 + 5  # the full-screen test and the version


def walking(parameters: DisplayParameters = PARAMETERS, **rest: bool) -> Walk:
    return Walk(0, parameters, **rest)


def shown(walk: Walk, now: float) -> object:
    """The entry on the glass, the error, or the kind of screen."""
    screen = walk.screen(now)
    return screen.entry or screen.error or screen.kind


def auto(walk: Walk, *moments: float) -> list[int]:
    return [walk.screen(now).entry.di for now in moments]


def test_power_up_lights_every_segment_then_the_version_then_the_list():
    walk = walking()
    assert [shown(walk, now) for now in (0, 3.9, 4, 8.9, 9)] == [
        Kind.TEST, Kind.TEST, Kind.VERSION, Kind.VERSION, Entry(1),
    ]  # fmt: skip
    assert walk.is_lit(3.9)
    assert not walk.is_lit(4)


def test_ds_01_the_auto_cycle_in_order_each_screen_for_its_seconds():
    walk = walking()
    assert auto(walk, *range(UP_S, UP_S + 20)) == [1] * 5 + [2] * 5 + [3] * 5 + [1] * 5
    assert [walk.screen(now).place for now in (9, 14, 19, 24)] == [1, 2, 3, 1]
    slow = walking(PARAMETERS._replace(screen_s=20))
    assert auto(slow, 24, 43.9, 44, 64, 84) == [1, 1, 2, 3, 1]


def test_ds_01_keys_walk_through_the_key_list_both_ways():
    walk = walking()
    walk.press(20, "down")
    assert walk.screen(20) == Screen(Kind.ITEM, Entry(11), place=1, is_key=True)
    seen = []
    for second in range(21, 26):
        walk.press(second, "down")
        seen.append(walk.screen(second).entry)
    assert seen == [KEY[1], KEY[2], KEY[3], KEY[0], KEY[1]]
    walk.press(27, "up")
    walk.press(28, "up")
    assert shown(walk, 28) == KEY[3]
    other = walking()
    other.press(20, "up")
    assert shown(other, 20) == KEY[3]


def test_ds_02_back_to_the_auto_cycle_and_light_off_a_minute_after_the_last_key():
    walk = walking()
    walk.press(20, "down")
    walk.press(50, "down")
    assert (shown(walk, 109.9), walk.is_lit(109.9)) == (KEY[1], True)
    assert (shown(walk, 110), walk.is_lit(110)) == (Entry(1), False)
    assert auto(walk, 110, 115, 120, 125) == [1, 2, 3, 1]
    walk.press(130, "down")
    assert shown(walk, 130) == KEY[0]


def test_a_key_ends_the_test_at_power_up():
    walk = walking()
    walk.press(1, "down")
    assert shown(walk, 1) == KEY[0]


def test_both_keys_check_the_glass_and_the_version():
    walk = walking()
    walk.press(20, "down")
    assert walk.press(30, "both") is None
    assert [shown(walk, now) for now in (30, 33.9, 34, 38.9, 39, 44)] == [
        Kind.TEST, Kind.TEST, Kind.VERSION, Kind.VERSION, Entry(1), Entry(2),
    ]  # fmt: skip


def test_traffic_and_infrared_turn_the_light_on_for_a_minute():
    for hear in (Walk.traffic, Walk.infrared):
        walk = walking()
        hear(walk, 20)
        assert walk.is_lit(79.9)
        assert not walk.is_lit(80)
        assert not walk.screen(20).is_key


def test_no_light_while_all_voltages_are_below_the_critical_one():
    walk = walking()
    walk.press(20, "down")
    assert not walk.is_lit(20, is_light_allowed=False)
    assert not walk.is_lit(0, is_light_allowed=False)


MEMORY, METERING = ErrorScreen.MEMORY, ErrorScreen.METERING


def test_ds_04_errors_hold_the_display_and_rotate_with_the_light_on():
    walk = walking()
    walk.take_errors(22, Errors((MEMORY, METERING)))
    assert [shown(walk, now) for now in (22, 26.9, 27, 32, 1000 * 10 + 22)] == [
        MEMORY, MEMORY, METERING, MEMORY, MEMORY,
    ]  # fmt: skip
    assert walk.is_lit(1000)
    walk.take_errors(40, Errors((METERING,)))
    assert {shown(walk, now) for now in range(40, 60)} == {METERING}
    walk.take_errors(60, Errors())
    assert auto(walk, 60, 65) == [1, 2]
    assert not walk.is_lit(60)


def test_ds_04_keys_work_while_an_error_holds():
    walk = walking()
    walk.take_errors(20, Errors((MEMORY,)))
    walk.press(30, "down")
    assert [shown(walk, now) for now in (30, 89.9, 90)] == [KEY[0], KEY[0], MEMORY]


def test_ds_04_alarms_stand_before_both_lists():
    walk = walking()
    alarms = (ErrorScreen.OVERLOAD, ErrorScreen.DIRECTION)
    walk.take_errors(20, Errors((), alarms))
    assert [shown(walk, now) for now in (20, 25, 30, 35, 40, 45)] == [*alarms, *AUTO, alarms[0]]
    assert walk.screen(30).place == 1
    assert not walk.is_lit(20)
    walk.press(50, "down")
    assert shown(walk, 50) is alarms[0]
    walk.press(51, "down")
    walk.press(51, "down")
    assert shown(walk, 51) == KEY[0]


def test_an_alarm_that_ends_leaves_the_key_cycle_on_one_of_its_screens():
    walk = walking()
    walk.take_errors(20, Errors((), (ErrorScreen.DEMAND,)))
    walk.press(30, "up")
    assert shown(walk, 30) == KEY[3]
    walk.take_errors(31, Errors())
    assert shown(walk, 31) == KEY[3]


def test_an_error_of_a_transaction_is_shown_once():
    walk = walking()
    walk.show_once(20, ErrorScreen.HOARDING)
    assert [shown(walk, now) for now in (20, 24.9, 25, 30)] == [ErrorScreen.HOARDING] * 2 + [Entry(1), Entry(2)]


def on_battery(**rest: bool) -> Walk:
    walk = walking(**rest)
    walk.take_supply(100, Supply.BATTERY)
    return walk


def test_ds_07_a_key_wakes_a_display_without_supply_for_one_pass():
    walk = on_battery()
    assert (shown(walk, 100), walk.is_lit(100)) == (Kind.DARK, False)
    walk.press(200, "down")
    assert auto(walk, 200, 205, 210, 214.9) == [1, 2, 3, 3]
    assert [shown(walk, now) for now in (215, 10_000)] == [Kind.DARK] * 2
    assert walk.is_lit(214)
    assert not walk.is_lit(214, is_light_allowed=False)


def test_ds_07_a_long_list_ends_after_30_s():
    walk = Walk(0, PARAMETERS._replace(auto=AUTO * 9))
    walk.take_supply(100, Supply.BATTERY)
    walk.press(200, "down")
    assert shown(walk, 229.9) == Entry(3)
    assert shown(walk, 230) is Kind.DARK


def test_ds_07_further_keys_walk_through_the_key_list_and_30_s_later_it_is_off():
    walk = on_battery()
    walk.press(200, "down")
    walk.press(202, "down")
    walk.press(210, "down")
    assert [shown(walk, now) for now in (210, 239.9, 240)] == [KEY[1], KEY[1], Kind.DARK]
    walk.press(300, "down")
    assert shown(walk, 300) == Entry(1)


def test_ds_07_infrared_wakes_for_a_week_looked_for_every_3_s():
    walk = on_battery()
    walk.infrared(101)
    assert auto(walk, 101, 115.9) == [1, 3]
    walk.infrared(103.9)  # no look falls here
    assert shown(walk, 116) is Kind.DARK
    walk.infrared(100 + INFRARED_WAKES_S - 1)
    assert auto(walk, 100 + INFRARED_WAKES_S) == [1]
    late = on_battery()
    late.infrared(100 + INFRARED_WAKES_S)
    assert shown(late, 100 + INFRARED_WAKES_S) is Kind.DARK


def test_ds_07_traffic_wakes_nothing_and_without_the_battery_nothing_does():
    walk = on_battery()
    walk.traffic(200)
    assert shown(walk, 200) is Kind.DARK
    bare = on_battery(has_reading_battery=False)
    bare.press(200, "down")
    bare.infrared(201)
    assert shown(bare, 201) is Kind.DARK


def test_the_return_of_the_supply_is_a_power_up():
    walk = on_battery()
    walk.take_supply(500, Supply.MAINS)
    assert [shown(walk, now) for now in (500, 504, 509)] == [Kind.TEST, Kind.VERSION, Entry(1)]
    walk.take_supply(600, Supply.AUXILIARY)
    assert isinstance(shown(walk, 600), Entry)


def test_ds_08_a_stuck_key_wakes_no_more_and_the_other_one_does():
    walk, now = on_battery(), 1000.0
    for _ in range(STUCK_WAKE_UPS_MAX):
        walk.hold(now, "down")
        assert shown(walk, now) == Entry(1)
        now += 100
    walk.hold(now, "down")
    assert shown(walk, now) is Kind.DARK
    walk.hold(now, "up")
    assert shown(walk, now) == Entry(1)
    walk.release("down")
    walk.hold(now + 100, "down")
    assert shown(walk, now + 100) == Entry(1)


def test_ds_08_holding_a_key_through_one_wake_up_counts_once():
    walk = on_battery()
    for look in range(STUCK_WAKE_UPS_MAX * 3):
        walk.hold(200 + look * 0.1, "down")
    walk.hold(300, "down")
    assert shown(walk, 300) == Entry(1)


@pytest.mark.parametrize(
    ("held_s", "action"),
    [
        (0.2, None),
        (CLOSE_HOLD_S - 0.1, None),
        (3, Action.CLOSE_RELAY),
        (4.9, Action.CLOSE_RELAY),
        (5, Action.STEP_OUTPUT),
        (OUTPUT_HOLD_S + 60, Action.STEP_OUTPUT),
    ],
)
def test_ds_09_long_presses_ask_for_something_and_do_not_walk(held_s, action):
    walk = walking()
    walk.press(20, "down")
    assert walk.press(21, "down", held_s) is action
    assert shown(walk, 21) == (KEY[1] if action is None else KEY[0])
    assert walk.is_lit(80.9)


def test_the_programming_button_is_none_of_the_display_s_keys():
    walk = walking()
    assert walk.press(20, "program", 9) is None
    assert not walk.is_lit(20)


def test_other_lists_begin_at_their_beginning_and_other_times_count_at_once():
    walk = walking()
    walk.take_parameters(22, PARAMETERS)
    assert auto(walk, 22) == [3]
    walk.take_parameters(22, PARAMETERS._replace(auto=(Entry(7), Entry(8))))
    assert auto(walk, 22, 26.9, 27) == [7, 7, 8]
    walk.press(30, "up")
    walk.take_parameters(31, PARAMETERS._replace(key=(Entry(9),)))
    assert shown(walk, 31) == Entry(9)


CODES = st.lists(st.sampled_from(list(ErrorScreen))).map(tuple)
EVENTS = st.one_of(
    st.tuples(st.just("press"), st.sampled_from(["up", "down", "both", "program", ""]), st.floats(0, 9)),
    st.tuples(st.just("hold"), st.sampled_from(["up", "down", "both"])),
    st.tuples(st.just("take_supply"), st.sampled_from(list(Supply))),
    st.tuples(st.just("take_errors"), st.builds(Errors, CODES, CODES)),
    st.tuples(st.just("take_parameters"), st.sampled_from([PARAMETERS, PARAMETERS._replace(key=KEY[:1], test_s=0)])),
    st.tuples(st.sampled_from(["traffic", "infrared"])),
    st.tuples(st.just("show_once"), st.sampled_from(list(ErrorScreen))),
)


@given(st.lists(st.tuples(EVENTS, st.floats(0, 100)), max_size=40))
def test_whatever_happens_something_sensible_is_on_the_glass(events):
    walk, now = walking(), 0.0
    for (name, *words), later_s in events:
        getattr(walk, name)(now, *words)
        now += later_s
        screen = walk.screen(now)
        assert (screen.entry is None) == (screen.kind is not Kind.ITEM)
        assert (screen.error is None) == (screen.kind is not Kind.ERROR)
        assert not (screen.kind is Kind.DARK and walk.is_lit(now))
        assert screen == walk.screen(now)
