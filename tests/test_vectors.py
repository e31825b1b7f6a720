"""Every worked example in `vectors/domain.json` is used: a key that no test names shows nothing."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILE = TESTS / "vectors" / "domain.json"
GROUPS = json.loads(FILE.read_text())
PROSE = ("_about", "note", "rule")
PATHS = [
    (name, *inner)
    for name, group in GROUPS.items()
    if name not in PROSE
    for inner in ([(key,) for key in group if key not in PROSE] if isinstance(group, dict) else [()])
]


@cache
def named_by_file() -> dict[Path, frozenset[str]]:
    """Which texts stand between brackets in each test that reads the vectors."""
    texts = {path: path.read_text() for path in TESTS.rglob("test_*.py") if path != Path(__file__)}
    return {path: subscripts(text) for path, text in texts.items() if FILE.name in text}


def subscripts(text: str) -> frozenset[str]:
    """The constant texts by which `text`, a module, takes something out of something."""
    slices = (node.slice for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Subscript))
    return frozenset(each.value for each in slices if isinstance(each, ast.Constant) and isinstance(each.value, str))


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_a_test_names_each_group_of_examples(path):
    assert any(set(path) <= named for named in named_by_file().values()), f"no test reads {path}"


def test_there_is_something_to_name():
    assert {("quadrant",), ("calendar",), ("load_record", "capacity"), ("tariff", "holidays")} <= set(PATHS)
