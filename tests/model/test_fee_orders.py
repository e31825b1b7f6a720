"""Orders to fee control in words."""

from __future__ import annotations

import pytest

from wattwheel.model.fee_orders import ORDERS, allowed_instead

GOOD = (
    *("open-wallet 100", "open-wallet 0", "open-wallet 999999.99", "recharge 50 1", "recharge 0.5 9999"),
    *("refund 20.05", "relay-contact open", "relay-contact closed", "relay-contact follow"),
)


@pytest.mark.parametrize("words", GOOD)
def test_an_order(words):
    assert allowed_instead(words) is None


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ("recharge 50", "recharge AMOUNT COUNT"),
        ("recharge 50.005 3", "at most 2 decimals"),
        ("recharge 50 10000", "0 to 9999"),
        ("recharge \uff15\uff10 3", "recharge AMOUNT COUNT"),
        ("recharge 50 \u0663", "0 to 9999"),
        ("recharge  50 1", "recharge AMOUNT COUNT"),
        ("refund 1000000", "up to 999999.99"),
        ("refund -5", "refund AMOUNT"),
        ("refund 5\n", "refund AMOUNT"),
        ("open-wallet", "open-wallet AMOUNT"),
        ("open-wallet 1 2", "open-wallet AMOUNT"),
        ("relay-contact ajar", "open|closed|follow"),
        ("give 5", ", ".join(ORDERS)),
        ("", ", ".join(ORDERS)),
        (5, ", ".join(ORDERS)),
    ],
)
def test_anything_else_is_told_what_is_allowed(words, allowed):
    assert allowed in allowed_instead(words)
