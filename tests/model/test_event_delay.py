"""Begin and end of events: worked examples, and that looking at many seconds at once changes nothing."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.event_delay import EventDelay, imbalance_rate, looked, looks_until_flip

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())


@pytest.mark.parametrize("case", VECTORS["event_delay"])
def test_the_worked_examples(case):
    state, second, actions = EventDelay(), 0, []
    for condition, seconds in case["runs"]:
        for _ in range(seconds):
            if looked(state, bool(condition), case["delay_s"]):
                actions.append({"second_index": second, "action": "begin" if state.is_active else "end"})
            second += 1
    assert actions == case["actions"]


@given(st.integers(0, 20), st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=20))
def test_many_seconds_at_once_are_the_same(delay_s, runs):
    one, many = EventDelay(), EventDelay()
    for condition, seconds in runs:
        foreseen = looks_until_flip(many, condition, delay_s)
        flips = [look for look in range(1, seconds + 1) if looked(one, condition, delay_s)]
        assert flips == ([foreseen] if foreseen is not None and foreseen <= seconds else [])
        assert looked(many, condition, delay_s, seconds) == (flips[0] if flips else None)
        assert one == many


@pytest.mark.parametrize("case", VECTORS["imbalance"])
def test_imbalance(case):
    assert imbalance_rate(tuple(case["values"])) == case["rate_0_01pct"]


def test_imbalance_is_of_magnitudes():
    assert imbalance_rate((-5000, 500, 5000)) == 9000
