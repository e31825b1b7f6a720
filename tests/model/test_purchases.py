"""Purchases and refunds: counts, the hoarding limit, and that no money appears or vanishes."""

from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.charging import AMOUNT_MAX, Wallet
from wattwheel.model.purchases import PURCHASE_COUNT_MAX, Account, Refusal, initialised, recharged, refunded

_amounts = st.integers(1, AMOUNT_MAX)
_wallets = st.one_of(
    st.builds(Wallet, st.integers(0, AMOUNT_MAX), st.just(0)), st.builds(Wallet, st.just(0), st.integers(0, AMOUNT_MAX))
)


@given(_wallets, _amounts, st.integers(0, 9), st.integers(0, 9))
def test_a_purchase_counts_once_and_changes_the_sum_by_its_amount(wallet, amount, count, said):
    account = Account(wallet, count, 7)
    result = recharged(account, amount, said)
    if said == count:
        assert result == Refusal.REPEATED
    elif said != count + 1:
        assert result == Refusal.COUNT_WRONG
    elif wallet.balance + amount > AMOUNT_MAX:
        assert result == Refusal.HOARDING
    else:
        after = result.wallet
        assert after.balance - after.overdraft == wallet.balance - wallet.overdraft + amount
        assert 0 in after
        assert (result.count, result.purchased) == (said, 7 + amount)
        assert recharged(result, amount, said) == Refusal.REPEATED


def test_the_hoarding_limit_is_of_balance_and_purchase():
    assert recharged(Account(Wallet(60, 0)), 40, 1, 100).wallet == (100, 0)
    assert recharged(Account(Wallet(60, 0)), 41, 1, 100) == Refusal.HOARDING
    assert recharged(Account(Wallet(0, 60)), 100, 1, 100).wallet == (40, 0)
    assert initialised(101, 100) == Refusal.HOARDING
    assert initialised(100, 100) == Account(Wallet(100, 0))
    assert initialised(AMOUNT_MAX + 1, AMOUNT_MAX + 5) == Refusal.HOARDING


def test_nothing_and_less_is_no_payment_and_counts_end():
    account = Account(Wallet(5, 0), PURCHASE_COUNT_MAX)
    assert recharged(account, 0, PURCHASE_COUNT_MAX + 1) == Refusal.OTHER
    assert refunded(account, 0) == Refusal.OTHER
    assert initialised(-1) == Refusal.OTHER
    assert recharged(account, 1, PURCHASE_COUNT_MAX + 1) == Refusal.COUNT_WRONG


@given(_wallets, _amounts)
def test_a_refund_pays_out_what_is_there(wallet, amount):
    after = refunded(Account(wallet, 3, 4), amount)
    assert after == Account(Wallet(max(0, wallet.balance - amount), wallet.overdraft), 3, 4)
