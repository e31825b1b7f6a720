"""How much processor time the time machine takes for 400 days of a single-phase meter with all functions on."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Any

import msgspec

from wattwheel.testing.benchmarks.result import Result

DAYS = 400
TARGET_S, AIM_S = 120.0, 60.0
TIMEOUT_S = 1800
MINUTES_A_DAY = 1440


def measure(days: int = DAYS) -> list[Result]:
    """Play the house of `--load house` again and again, in a process of its own and into a folder of its own.

    Raises RuntimeError when the simulation fails.
    """
    with tempfile.TemporaryDirectory(prefix="wattwheel-simulate-") as folder:
        command = [sys.executable, "-m", "wattwheel", "simulate", "--from", "2026-01-01", "--days", str(days)]
        command += ["--load", "house", "--repeat", "--state", f"{folder}/state", "--json"]
        before = os.times()
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S)
        after = os.times()
    if done.returncode:
        raise RuntimeError(f"simulate ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return [result(msgspec.json.decode(done.stdout), cpu_s)]


def result(document: dict[str, Any], cpu_s: float) -> Result:
    """What a simulation that printed `document` and took `cpu_s` says."""
    days = document["days"]
    minute_us = 1e6 * cpu_s / (days * MINUTES_A_DAY)
    is_whole = bool(document["ok"]) and days == DAYS
    return Result(
        name="simulate",
        value=cpu_s,
        unit=f"s of one core for {days} days",
        target=TARGET_S if is_whole else None,
        at_most=True,
        notes=[
            f"user and system time, start and end included; the aim is {AIM_S:g} s for {DAYS} days",
            f"{minute_us:.0f} us a minute; {document['pushes']} pushes; {document['seconds']:.0f} s by the clock",
        ],
    )
