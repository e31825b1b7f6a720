"""The calendar as the metering core knows it, told and untold, over restarts, with and without a clock of the board."""

from __future__ import annotations

import pytest

from wattwheel.metrology.core_calendar import CoreCalendar, packed_calendar
from wattwheel.model.errors import ItemValueError

S = 1_000_000_000


def after_a_restart(octets, started_ns=100 * S):
    calendar = CoreCalendar(started_ns)
    calendar.take_up(octets)
    return calendar


def test_as_it_was_told_and_going_on_alone():
    calendar = CoreCalendar(0)
    assert calendar.told_ms(5 * S) is None
    assert calendar.to_state(7, 5 * S) == b""
    assert (calendar.at(None, None, 5 * S), calendar.at(None, 777, 5 * S), calendar.at(700, 777, 5 * S)) == (
        0,
        777,
        700,
    )
    calendar.tell(50_000, 5 * S)
    assert calendar.told_ms(8 * S) == calendar.at(None, 9, 8 * S) == calendar.at(9, None, 8 * S) == 53_000
    assert calendar.at(1000, 3000, 8 * S) == 51_000  # two seconds ago
    assert calendar.at(4000, 3000, 8 * S) == 53_000  # the board's clock was set back meanwhile
    assert calendar.at(0, 900_000, 8 * S) == 0
    calendar.tell(None, 9 * S)
    assert calendar.told_ms(9 * S) is None


def test_over_a_restart_it_goes_on_by_the_boards_clock():
    calendar = CoreCalendar(0)
    calendar.tell(50_000, 5 * S)
    kept = calendar.to_state(600_000, 6 * S)
    assert kept == packed_calendar(51_000, 600_000)
    again = after_a_restart(kept)
    assert again.told_ms(101 * S) is None
    assert again.at(None, 660_000, 101 * S) == 111_000
    assert again.at(630_000, 660_000, 101 * S) == 81_000
    assert again.at(500_000, 660_000, 101 * S) == 51_000  # not before it was seen last
    assert again.at(None, None, 103 * S) == 54_000  # the board has lost its clock
    assert again.to_state(661_000, 102 * S) == packed_calendar(112_000, 661_000)
    again.tell(200_000, 104 * S)
    assert again.at(630_000, 690_000, 105 * S) == 141_000


def test_without_a_clock_of_the_board_it_goes_on_from_where_it_stood():
    again = after_a_restart(packed_calendar(51_000, None))
    assert again.at(None, None, 102 * S) == 53_000
    assert again.at(None, 999_000, 102 * S) == 53_000
    assert again.to_state(None, 103 * S) == packed_calendar(54_000, None)


@pytest.mark.parametrize("octets", [b"1", bytes(16), bytes(18)])
def test_octets_that_are_none_are_refused(octets):
    with pytest.raises(ItemValueError):
        after_a_restart(octets)
    assert after_a_restart(b"").at(None, None, 0) == 0
