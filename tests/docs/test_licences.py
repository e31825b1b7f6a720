"""Every locked dependency states a licence that goes with Apache-2.0, and the manual lists it."""

import pytest
from tools.licences import PROJECT, is_allowed, licence_of, locked

TABLE = (PROJECT / "docs/reference/licences.md").read_text()
INSTALLED = [name for name in locked() if licence_of(name)]


def test_the_lock_is_installed():
    assert {"click", "msgspec", "numpy", "pytest"} <= set(INSTALLED)


@pytest.mark.parametrize("name", INSTALLED)
def test_licence(name):
    licence = licence_of(name)
    assert is_allowed(licence), f"{name} is under {licence}: add it to ALLOWED if it goes with Apache-2.0, or drop it"
    assert f"| {name} | " in TABLE, "make docs writes the table anew"


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("MIT", True),
        ("GPL-2.0-only", False),
        ("MIT AND GPL-2.0-only", False),
        ("(MIT OR GPL-3.0-only) AND BSD-3-Clause", True),
        ("unknown", False),
    ],
)
def test_expressions(expression, verdict):
    assert is_allowed(expression) is verdict
