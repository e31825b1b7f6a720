"""A living meter for other people's clients, and the clients in environments of their own."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.page_api import PageApi

from wattwheel.drivers.sim import recordings
from wattwheel.testing.benchmarks.peers import PeerUnavailableError, peer_python
from wattwheel.testing.living import LivingMeter

HERE = Path(__file__).parent
SPEED = "60"  # energy moves by about a digit a second
ANSWER_TIMEOUT_S = 60.0


class Driver:
    """A client in its own process: one JSON line in, one out."""

    def __init__(self, python: Path, script: str, *arguments: object) -> None:
        command = [str(python), str(HERE / script), *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __call__(self, **order: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        assert select.select([self._process.stdout], [], [], ANSWER_TIMEOUT_S)[0], f"no answer to {order}"
        line = self._process.stdout.readline()
        assert line, f"the client ended at {order}"
        return json.loads(line)

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *fault: object) -> None:
        if fault[0] is not None:
            self._process.kill()
        self._process.communicate(timeout=ANSWER_TIMEOUT_S)


def interpreter(requirement: str) -> Path:
    try:
        return peer_python(requirement)
    except PeerUnavailableError as fault:
        pytest.skip(f"not run: {fault}")


@pytest.fixture(scope="session")
def dlt645_python() -> Path:
    return interpreter("dlt645[async]==3.2.0")


@pytest.fixture(scope="session")
def python_dlt645_python() -> Path:
    return interpreter("python-dlt645[cli]==0.1.4")


@pytest.fixture(scope="module")
def meter() -> Iterator[LivingMeter]:
    with LivingMeter("", "--speed", SPEED) as living:
        yield living
        assert living.stop() == 0, living.output


@pytest.fixture(scope="module")
def api(meter: LivingMeter) -> Iterator[PageApi]:
    page = PageApi(*meter.door("web"))
    yield page
    page.close()


@pytest.fixture(scope="session")
def measured() -> dict[str, Any]:
    """What `wattwheel measure --periodic` says of the recording that the default meter plays."""
    (recording,) = Path(recordings.__file__).parent.glob("data/*.CFG")
    command = [sys.executable, "-m", "wattwheel", "measure", str(recording), "--periodic", "--json"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    document: dict[str, Any] = json.loads(done.stdout)
    return document
