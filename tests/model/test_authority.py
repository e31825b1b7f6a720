"""Who may write: levels, locks, the key; and that guessing gets nowhere."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.authority import (
    PROGRAMMING_KEY,
    REFUSED_A_DAY_MAX,
    TRIES_MAX,
    Authority,
    Limits,
    Verdict,
    are_digits,
    judge,
    key_is_active,
    may_change,
)

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
RIGHT, WRONG = bytes.fromhex("785634"), bytes.fromhex("785635")


def authority(**passwords: bytes) -> Authority:
    return Authority({int(level[1:]): password for level, password in passwords.items()}, {}, NOON)


@pytest.mark.parametrize(
    ("level", "needed", "verdict"), [(4, 4, "granted"), (2, 4, "granted"), (4, 2, "level_too_low")]
)
def test_a_level_may_do_what_larger_numbers_may(level, needed, verdict):
    assert judge(authority(_2=RIGHT, _4=RIGHT), level, RIGHT, needed, NOON) == verdict


@pytest.mark.parametrize("level", [0, 3, 9, 10, 98, 99, 255])
@pytest.mark.parametrize("password", [bytes(3), b"\x11" * 3, b"\x12\x34\x56", b"\xff" * 3, b""])
def test_no_level_has_a_password_that_nobody_set(level, password):
    assert judge(authority(_4=RIGHT), level, password, 9, NOON) is Verdict.UNKNOWN_LEVEL
    assert judge(Authority({level: b""}, {}, NOON), level, password, 9, NOON) is not Verdict.GRANTED


def test_three_wrong_ones_lock_the_level_for_24_hours():
    ours = authority(_2=RIGHT, _4=RIGHT)
    for _ in range(TRIES_MAX):
        assert judge(ours, 4, WRONG, 4, NOON) is Verdict.WRONG
    assert judge(ours, 4, RIGHT, 4, NOON) is Verdict.LOCKED
    assert judge(ours, 2, RIGHT, 4, NOON) is Verdict.GRANTED
    late = NOON + timedelta(hours=24)
    ours.key_pressed_at = late - timedelta(minutes=1)
    assert judge(ours, 4, RIGHT, 4, late - timedelta(seconds=1)) is Verdict.LOCKED
    assert judge(ours, 4, RIGHT, 4, late) is Verdict.GRANTED


def test_tries_and_lock_are_what_was_set():
    ours, limits = authority(_4=RIGHT), Limits(1, timedelta(minutes=5))
    assert judge(ours, 4, WRONG, 4, NOON, limits) is Verdict.WRONG
    assert judge(ours, 4, RIGHT, 4, NOON, limits) is Verdict.LOCKED
    assert judge(ours, 4, RIGHT, 4, NOON + timedelta(minutes=5), limits) is Verdict.GRANTED


def test_200_attempts_without_success_end_the_day():
    ours = authority(_4=RIGHT)
    ours.key_pressed_at = late = NOON.replace(hour=23, minute=58)
    for _ in range(REFUSED_A_DAY_MAX):
        assert judge(ours, 7, RIGHT, 7, late) is Verdict.UNKNOWN_LEVEL
    assert judge(ours, 4, RIGHT, 4, late) is Verdict.SUSPENDED
    assert judge(ours, 4, RIGHT, 4, late + timedelta(minutes=1)) is Verdict.SUSPENDED
    assert judge(ours, 4, RIGHT, 4, late + timedelta(minutes=2)) is Verdict.GRANTED


def test_a_right_one_before_the_third_clears_the_count():
    ours = authority(_4=RIGHT)
    for _ in range(3):
        for password in (WRONG, WRONG, RIGHT):
            verdict = judge(ours, 4, password, 4, NOON)
        assert verdict is Verdict.GRANTED
    assert ours.locks == {}


def test_what_cannot_succeed_anyhow_is_no_try():
    ours = authority(_4=RIGHT)
    for _ in range(TRIES_MAX + 1):
        assert judge(ours, 4, WRONG, 2, NOON) is Verdict.TOO_LOW
        assert judge(ours, 4, WRONG, 4, NOON + PROGRAMMING_KEY) is Verdict.NO_KEY
    assert judge(ours, 4, RIGHT, 4, NOON) is Verdict.GRANTED


def test_the_key_counts_240_minutes_and_never_from_the_future():
    ours = authority()
    assert key_is_active(ours, NOON)
    assert key_is_active(ours, NOON + PROGRAMMING_KEY - timedelta(seconds=1))
    assert not key_is_active(ours, NOON + PROGRAMMING_KEY)
    assert not key_is_active(ours, NOON - timedelta(seconds=1))
    assert not key_is_active(Authority(), NOON)
    assert judge(Authority({4: RIGHT}), 4, RIGHT, 4, NOON, Limits(key=False)) is Verdict.GRANTED


@given(st.lists(st.tuples(st.binary(min_size=3, max_size=3), st.integers(0, 3000)), max_size=30))
def test_guessing_gets_three_tries_in_24_hours(guesses):
    ours, local, tried = authority(_4=RIGHT), NOON, []
    for guess, minutes in guesses:
        local += timedelta(minutes=minutes)
        ours.key_pressed_at = local
        if guess != RIGHT and judge(ours, 4, guess, 4, local) is Verdict.WRONG:
            tried.append(local)
    for third, later in zip(tried[TRIES_MAX - 1 :: TRIES_MAX], tried[TRIES_MAX::TRIES_MAX], strict=False):
        assert later - third >= timedelta(hours=24)


@pytest.mark.parametrize(("level", "changed", "may"), [(0, 4, True), (4, 4, True), (5, 4, False), (0, 10, False)])
def test_who_may_change_a_password(level, changed, may):
    assert may_change(level, changed) is may


def test_digits():
    assert are_digits(b"\x12\x34\x99")
    assert not are_digits(b"\x12\x3a\x99")
    assert not are_digits(b"\x12\x34")
