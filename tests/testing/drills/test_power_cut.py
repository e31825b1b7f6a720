"""The drill `power-cut`, cut short: it holds, and it finds a transaction that is none."""

from __future__ import annotations

from functools import partial

import pytest

from wattwheel.testing.drills.power_cut import KINDS, PERIOD, Kind, read, swept, write

WORD = 0x04000601


def document(kinds, times=1):
    return swept(kinds, times, 3).document("power-cut", times, 3)


def test_a_write_and_a_clear_are_there_or_not():
    found = document({name: KINDS[name] for name in ("write", "meter clear")})
    assert found["ok"], found["details"]
    for row in found["details"]:
        assert row["cuts"] >= row["writes"] > 4
        assert min(row["old"], row["new"]) > 4


@pytest.mark.parametrize("name", ["settlement", "plug event"])
def test_it_is_made_up_for_whenever_the_supply_was_cut(name):
    """A settlement by the calendar, a plug event by the board, which has noted it."""
    found = document({name: KINDS[name]})
    assert found["ok"], found["details"]
    row = found["details"][-1]
    assert row["old"] == 0
    assert row["new"] == row["cuts"] >= row["writes"] > 1


def two_writes(world):
    return write(WORD, "01", world) and write(PERIOD, "30", world)


def test_two_transactions_that_should_be_one_are_found():
    found = document({"two writes": Kind(two_writes, partial(read, (WORD, PERIOD)))})
    assert not found["ok"]
    assert {row["failed"] for row in found["details"] if "failed" in row} == {"a mix"}
    assert any(row["found"].endswith(": no") for row in found["details"] if "failed" in row)


def test_what_was_answered_and_is_lost_is_found():
    def forgets(world):
        return write(PERIOD, "30", world) or True

    found = document({"a lie": Kind(forgets, partial(read, (PERIOD,)))})
    assert {row["failed"] for row in found["details"] if "failed" in row} == {"answered and lost"}


def test_a_kind_that_the_meter_does_not_have_is_told():
    missing = Kind(lambda world: False, partial(read, (PERIOD,)), may_be_missing=True)
    found = document({"missing": missing, "needed": missing._replace(may_be_missing=False)})
    assert found["failures"] == 1
    assert found["details"][0]["failed"] == "needed"
    assert found["details"][1] == {"what": "missing", "cuts": 0, "found": "the meter has no such function"}
