"""Active reporting: which bit of the mode word decides about which of the status word."""

from __future__ import annotations

import pytest

from wattwheel.model.reporting import DEFAULT_MODE, MODE_OCTETS, STATUS_OCTETS, Report, is_wanted, mode_bit

DEFAULT = int(DEFAULT_MODE, 16)


@pytest.mark.parametrize(
    ("status", "mode"),
    [
        *((0, 0), (7, 7), (15, 15), (16, 16), (24, 24), (32, 16), (40, 24), (48, 16), (56, 24)),
        *((64, 32), (74, 42), (80, 48), (95, 63)),
    ],
)
def test_bits(status, mode):
    assert mode_bit(status) == mode


def test_every_bit_has_one_in_the_mode_word():
    assert {mode_bit(bit) for bit in range(8 * STATUS_OCTETS)} == set(range(8 * MODE_OCTETS))


def test_what_a_new_meter_reports():
    reported = {bit for bit in Report if is_wanted(DEFAULT, bit, is_end=False, has_relay=True)}
    assert reported == {
        *(Report.POWER_DOWN, Report.METER_COVER, Report.TERMINAL_COVER),
        *(Report.OVER_CURRENT, Report.MAGNETIC_FIELD, Report.CLOCK_FAULT),
    }
    assert len(DEFAULT_MODE) == 2 * MODE_OCTETS


@pytest.mark.parametrize(
    ("bit", "is_end", "has_relay", "wanted"),
    [
        (Report.POWER_DOWN, False, True, True),
        (Report.POWER_DOWN, True, True, True),
        (Report.POWER_DOWN, False, False, False),
        (Report.POWER_DOWN, True, False, True),
        (Report.METER_COVER, False, False, True),
        (Report.METER_COVER, True, True, False),
    ],
)
def test_begin_and_end(bit, is_end, has_relay, wanted):
    assert is_wanted(DEFAULT, bit, is_end, has_relay) is wanted
    assert not is_wanted(0, bit, is_end, has_relay)
