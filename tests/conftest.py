"""What every test shares: a part that cannot run says "not run: why", and under CI=true that counts as failed."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # how long an example takes says something of the machine's other work

PROGRAMS = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "dbus": ("dbus-daemon",), "uv": ("uv",)}
"""System programs that a test may need: any one of the names will do."""


def why_absent(need: str) -> str | None:
    """Why `need` (a program of `PROGRAMS` or a Python module) is not to be had; None when it is."""
    if need in PROGRAMS:
        found = any(shutil.which(name) for name in PROGRAMS[need])
        return None if found else f"no {' or '.join(PROGRAMS[need])} on this machine"
    return None if importlib.util.find_spec(need) else f"no Python module {need}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for need in mark.args:
            if why := why_absent(need):
                pytest.skip(f"not run: {why}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return report if hasattr(report, "wasxfail") else _failed_in_ci(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: Any) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _failed_in_ci(report)


def _failed_in_ci(report: Any) -> Any:
    """`report`, turned into a failure when a part was not run although everything must be."""
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: {_why(report)} (with CI=true everything must run)"
    return report


def _why(report: Any) -> str:
    why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return why.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    terminalreporter.section("not run", sep="-")
    for report in skipped:
        terminalreporter.write_line(f"{report.nodeid}: {_why(report)}")
