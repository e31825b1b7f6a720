"""Money for energy: worked examples, and each quantum on its own as the reference."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.charging import AMOUNT_DIGITS, Wallet, charged, cost, recharged, refunded
from wattwheel.model.tariff import step_number

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["step_charging"]
LIMITS = [int(Decimal(limit) * 100) for limit in VECTORS["step_limits_kwh"]]
PRICES = [int(Decimal(price) * 10_000) for price in VECTORS["step_prices"]]


def amount(text: str) -> int:
    return int(Decimal(text) * AMOUNT_DIGITS)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['start_kwh']}+{case['delta_kwh']}")
def test_the_worked_examples(case):
    used, quanta = (int(Decimal(case[key]) * 100) for key in ("start_kwh", "delta_kwh"))
    price = int(Decimal(case["tariff_price"]) * 10_000)
    before = Wallet(amount(case["balance_before"]), amount(case["overdraft_before"]))
    after = charged(before, cost(used, quanta, price, LIMITS, PRICES, case["ct_vt_ratio"]))
    assert after == (amount(case["balance_after"]), amount(case["overdraft_after"]))
    assert step_number(LIMITS, used + quanta) == case["step_after"]


_limits = st.lists(st.integers(0, 60), max_size=6)
_prices = st.lists(st.integers(0, 9999), max_size=7)


@given(st.integers(0, 70), st.integers(0, 70), st.integers(0, 9999), _limits, _prices, st.integers(1, 100))
def test_quantum_by_quantum_it_is_the_same(used, quanta, price, limits, prices, ratio):
    total = cost(used, quanta, price, limits, prices, ratio)
    assert total == sum(cost(used + at, 1, price, limits, prices, ratio) for at in range(quanta))
    assert total == ratio * cost(used, quanta, price, limits, prices)


@given(st.integers(0, 10**9), st.lists(st.tuples(st.booleans(), st.integers(0, 10**8)), max_size=30))
def test_the_books_balance(balance, moves):
    wallet, paid_in, paid_out = Wallet(balance, 0), 0, 0
    for is_recharge, size in moves:
        wallet = recharged(wallet, size) if is_recharge else charged(wallet, size)
        paid_in += size if is_recharge else 0
        paid_out += 0 if is_recharge else size
        assert min(wallet) == 0
        assert wallet.balance - wallet.overdraft == balance + paid_in - paid_out


def test_a_refund_never_goes_below_nothing():
    assert refunded(Wallet(5, 0), 3) == (2, 0)
    assert refunded(Wallet(5, 0), 9) == (0, 0)
    assert refunded(Wallet(0, 7), 9) == (0, 7)
