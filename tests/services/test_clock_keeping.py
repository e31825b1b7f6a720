"""What is kept of the clock: drift that is never forgotten, a loss of the time, and how it is found again."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.clock_drift import drift_ppb
from wattwheel.services.clock_keeping import (
    BUILD_DATE,
    CHANGES_KEY,
    DRIFT_KEY,
    LOST_KEY,
    OFFSET_KEY,
    OFFSET_S_MAX,
    SEEN_EVERY,
    SEEN_KEY,
    STEP_BACK_MAX,
    Kept,
    Trusted,
    calendar,
    kept_of,
    records_of,
    recovered,
    saved_offset,
    setting_of,
    started,
    was_set,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND, MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)
POWER_ON = datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC)
HALF_A_SECOND = drift_ppb(5.787)
TIMES = st.datetimes(datetime(2001, 1, 1), datetime(2098, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))  # noqa: DTZ001
OFFSETS = st.integers(-(10**15), 10**15).map(lambda us: timedelta(microseconds=us))
KEPT = st.builds(
    Kept,
    offset=OFFSETS,
    changes=st.integers(0, 1 << 40),
    drift_ppb=st.integers(-1_000_000, 1_000_000),
    since=TIMES,
    seen=st.none() | TIMES,
    trusted=st.none() | st.builds(Trusted, OFFSETS, st.none() | TIMES),
)


def stored(kept: Kept) -> Kept:
    """`kept` after a restart."""
    return kept_of({key: octets for key, octets in records_of(kept).items() if octets is not None})


@given(KEPT)
def test_what_is_saved_is_found_again(kept):
    assert stored(kept) == kept


@given(st.sampled_from((OFFSET_KEY, CHANGES_KEY, DRIFT_KEY, SEEN_KEY, LOST_KEY)), st.binary(max_size=20))
def test_any_octets_are_a_clock_or_a_value_error(key, octets):
    with contextlib.suppress(ValueError):
        kept = kept_of({key: octets})
        assert abs(kept.offset) <= timedelta(seconds=OFFSET_S_MAX)


@pytest.mark.parametrize("octets", [b"1e300", b"-1e10", b'"1"', b"null", b"\xff", b"nan"])
def test_an_offset_that_no_clock_could_have_is_none(octets):
    for key, around in ((OFFSET_KEY, b"%b"), (SEEN_KEY, b"%b"), (DRIFT_KEY, b"[1,%b]"), (LOST_KEY, b"[%b,null]")):
        with pytest.raises(ValueError):
            kept_of({key: around % octets})
    assert saved_offset(b"-12.5") == timedelta(seconds=-12.5)


# -- drift


def test_a_new_meter_begins_to_drift_at_its_first_start():
    kept = started(Kept(), NOON, HALF_A_SECOND)
    assert calendar(kept, NOON) == NOON
    for days in (1, 20, 365):
        error = calendar(kept, NOON + days * DAY) - (NOON + days * DAY)
        assert abs(error - days * SECOND / 2) < days * 4 * MICROSECOND + MICROSECOND


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=8), st.sampled_from((-1_000_000, HALF_A_SECOND)))
def test_no_restart_forgets_a_microsecond(pauses_us, ppb):
    kept, host = started(Kept(), NOON, ppb), NOON
    undisturbed = kept
    for pause_us in pauses_us:
        host += timedelta(microseconds=pause_us)
        kept = started(stored(kept), host, ppb)
        assert calendar(kept, host) == calendar(undisturbed, host)
        assert kept.changes == 0


def test_another_drift_begins_where_the_last_one_ends():
    kept = started(Kept(), NOON, 1_000_000)
    later = NOON + 10 * DAY
    shown = calendar(kept, later)
    assert shown == later + 864 * SECOND * 10 / 10
    slower = started(kept, later, -1_000_000)
    assert calendar(slower, later) == shown
    assert calendar(slower, later + 10 * DAY) == later + 10 * DAY
    without = started(slower, later + 5 * DAY, 0)
    assert calendar(without, later + 9 * DAY) == later + 9 * DAY + 432 * SECOND


def test_a_clock_that_is_set_drifts_on_from_there():
    kept = started(Kept(), NOON, HALF_A_SECOND)
    later = NOON + 10 * DAY
    assert calendar(kept, later) - later > 4 * SECOND
    kept = was_set(kept, later, later)
    assert calendar(kept, later) == later
    error = calendar(kept, later + 10 * DAY) - (later + 10 * DAY)
    assert abs(error - 5 * SECOND) < 50 * MICROSECOND
    assert (kept.changes, kept.seen) == (1, later)


def test_without_drift_nothing_of_it_is_kept():
    assert started(Kept(), NOON) == Kept()
    assert records_of(Kept())[DRIFT_KEY] is None


def test_no_clock_is_set_to_where_its_offset_could_not_be_kept():
    assert was_set(Kept(), NOON, NOON + timedelta(seconds=OFFSET_S_MAX + 1)) is None


# -- a loss


@pytest.mark.parametrize(
    ("kept", "host", "is_lost", "shown"),
    [
        (Kept(), NOON, False, NOON),
        (Kept(), BUILD_DATE, False, BUILD_DATE),
        (Kept(), POWER_ON, True, BUILD_DATE),  # a machine that has no clock of its own, and nothing was ever saved
        (Kept(), BUILD_DATE - SECOND, True, BUILD_DATE),
        (Kept(seen=NOON), NOON + 300 * DAY, False, NOON + 300 * DAY),
        (Kept(seen=NOON), NOON - STEP_BACK_MAX, False, NOON - STEP_BACK_MAX),
        (Kept(seen=NOON), NOON - STEP_BACK_MAX - SECOND, True, NOON),
        (Kept(seen=NOON), POWER_ON, True, NOON),
        (Kept(offset=-9000 * DAY, seen=NOON - 9001 * DAY), NOON, False, NOON - 9000 * DAY),  # was set so
        (Kept(offset=30 * DAY, seen=NOON + 30 * DAY), NOON, False, NOON + 30 * DAY),
    ],
)
def test_a_clock_is_lost_before_what_was_seen_and_before_the_build_where_nothing_was(kept, host, is_lost, shown):
    found = started(kept, host)
    assert (found.trusted is not None) == is_lost
    assert calendar(found, host) == shown
    assert found.changes == kept.changes + is_lost


def test_a_lost_clock_goes_on_from_the_last_time_that_was_seen_at_each_start():
    kept = started(Kept(seen=NOON, drift_ppb=HALF_A_SECOND, since=NOON - DAY), POWER_ON, HALF_A_SECOND)
    assert calendar(kept, POWER_ON) == NOON
    soon = POWER_ON + 600 * SECOND
    same = started(stored(kept), soon, HALF_A_SECOND)  # only its service was started again
    assert same == kept
    assert abs(calendar(same, soon) - NOON - 600 * SECOND) < SECOND
    kept = kept._replace(seen=NOON + SEEN_EVERY)
    again = started(stored(kept), POWER_ON, HALF_A_SECOND)
    assert calendar(again, POWER_ON) == NOON + SEEN_EVERY
    far = started(stored(kept), NOON + 9999 * DAY, HALF_A_SECOND)
    assert far.trusted is None  # the host may be right
    wrong = started(stored(kept), NOON - 400 * DAY, HALF_A_SECOND)
    assert wrong.trusted == kept.trusted
    assert calendar(wrong, NOON - 400 * DAY) == NOON + SEEN_EVERY


@pytest.mark.parametrize("ppb", [0, HALF_A_SECOND])
def test_it_is_found_again_with_the_offset_and_drift_that_were_believed(ppb):
    before = started(Kept(offset=30 * DAY, seen=NOON + 30 * DAY), NOON, ppb)
    lost = started(before, POWER_ON, ppb)
    assert recovered(lost, POWER_ON + DAY, NOON + 31 * DAY) is None
    assert recovered(lost, NOON - DAY, NOON + 31 * DAY) is None
    found = recovered(lost, NOON + DAY, NOON + 31 * DAY)
    assert calendar(found, NOON + DAY) == calendar(before, NOON + DAY)
    assert (found.trusted, found.changes) == (None, 2)
    assert recovered(found, NOON + DAY, NOON) is None


def test_a_first_start_without_a_time_counts_no_drift_of_it():
    lost = started(Kept(), POWER_ON, HALF_A_SECOND)
    found = recovered(lost, NOON, BUILD_DATE + 60 * SECOND)
    assert calendar(found, NOON) == NOON


@pytest.mark.parametrize("was_lost", [False, True])
def test_another_drift_at_the_start_that_loses_the_clock_forgets_nothing_of_the_last_one(was_lost):
    before = started(Kept(), NOON, 1_000_000)._replace(seen=NOON + 10 * DAY + 864 * SECOND)
    lost = started(started(before, POWER_ON, 1_000_000) if was_lost else before, POWER_ON, HALF_A_SECOND)
    assert calendar(lost, POWER_ON) == NOON + 10 * DAY + 864 * SECOND
    found = recovered(lost, NOON + 10 * DAY, NOON + 10 * DAY + 864 * SECOND)
    assert calendar(found, NOON + 10 * DAY) == NOON + 10 * DAY + 864 * SECOND
    error = calendar(found, NOON + 20 * DAY) - (NOON + 20 * DAY)
    assert abs(error - 864 * SECOND - 5 * SECOND) < 50 * MICROSECOND


def test_setting_it_ends_the_loss():
    lost = started(Kept(seen=NOON), POWER_ON)
    kept = was_set(lost, POWER_ON + SECOND, NOON + 7 * DAY)
    assert kept.trusted is None
    assert calendar(kept, POWER_ON + SECOND) == NOON + 7 * DAY
    assert started(stored(kept), POWER_ON + 60 * SECOND).trusted is None


def test_what_is_published_of_a_lost_clock_does_not_depend_on_the_host():
    lost = started(Kept(seen=NOON), POWER_ON)
    setting = setting_of(lost, POWER_ON, 5_000, 2.0)
    assert (setting.held.at_ns, setting.held.speed) == (5_000, 2.0)
    assert setting_of(Kept(offset=DAY), NOON, 5_000, 1.0).held is None
