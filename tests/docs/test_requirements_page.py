"""The table of requirements: each row is shown by tests that exist, or says what is open."""

import csv
import re
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
with (PROJECT / "tests/data/requirements.csv").open(encoding="utf-8", newline="") as table:
    ROWS = list(csv.DictReader(table))


@cache
def named_in(path):
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)", (PROJECT / path).read_text(), re.MULTILINE))


def test_every_requirement_of_both_sources_is_there_once():
    assert [row["id"] for row in ROWS] == [f"R0-{n:03}" for n in range(1, 121)] + [f"R1-{n:03}" for n in range(1, 106)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_the_named_tests_exist_or_it_is_said_what_is_open(row):
    assert row["requirement"]
    assert row["tests"] or row["open"]
    for test in row["tests"].split():
        path, _, name = test.partition("::")
        assert re.fullmatch(r"tests/[\w/]+/test_\w+\.py|tests/test_\w+\.py", path), test
        assert named_in(path), f"{path} has no tests"
        assert not name or name in named_in(path), test
    for page in re.findall(r"docs/[\w./-]+\.md", row["open"]):
        assert (PROJECT / page).exists(), page
