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
from tests.head_end import ADDRESS
from tests.page_api import PageApi

from wattwheel.drivers.sim import recordings
from wattwheel.protocols.dlt645.frame import Frame, encode
from wattwheel.testing.benchmarks.peers import PeerUnavailableError, peer_python
from wattwheel.testing.living import LivingMeter

HERE = Path(__file__).parent
SPEED = "60"  # energy moves by about a digit a second
LEVEL_2, LEVEL_4 = "222120", "444342"
SETTINGS = f"""
[dlt645]
password_level_2 = "{LEVEL_2}"
password_level_4 = "{LEVEL_4}"
password_tries = 200
"""
BEGIN, DAYS = "2055-01-31T05:00:00", "2"
"""A settlement lies within. What has a time has one that is also a time in the order in which `dlt645` reads it."""
ANSWER_TIMEOUT_S = 60.0
PUSHES_MAX = 20
PHASE_WORDS = (0x04000504, 0x04000505, 0x04000506)
WEEKEND_TABLE, FIRST_TABLE = 0x04000802, 2


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


def authority(level: int, password: str, operator: int = 0) -> bytes:
    """PA, the password and the operator code, as on the wire."""
    return bytes((level,)) + bytes.fromhex(password)[::-1] + operator.to_bytes(4, "little")


HAPPENED = {
    "2055-02-01T06:00:30": Frame(ADDRESS, 0x19, authority(4, LEVEL_4)),
    "2055-02-01T06:10:10": Frame(
        ADDRESS, 0x14, WEEKEND_TABLE.to_bytes(4, "little") + authority(4, LEVEL_4) + bytes((FIRST_TABLE,))
    ),
    "2055-02-01T06:20:10": Frame(ADDRESS, 0x16, b"\x99\x99\x99\x99"),
}
"""What a head-end of our own has sent: a demand clear, a parameter, a freeze."""


def past_of(folder: Path) -> Path:
    """A state folder in `folder` with two days in it: energy, demands, a settlement, events, freezes, parameters."""
    (folder / "meter.toml").write_text(SETTINGS)
    steps = (
        f'[[step]]\nat = "{at}"\nsend = "{encode(frame).hex()}"\nexpect = "{reply_to(frame)}"\n'
        for at, frame in HAPPENED.items()
    )
    (folder / "script.toml").write_text("".join(steps))
    state = folder / "state"
    command = [
        sys.executable,
        "-m",
        "wattwheel",
        "simulate",
        str(folder / "meter.toml"),
        "--from",
        BEGIN,
        "--days",
        DAYS,
    ]
    command += ["--load", "constant", "--repeat", "--script", str(folder / "script.toml"), "--state", str(state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return state


def reply_to(frame: Frame) -> str:
    """The good reply to an order, as hex."""
    return encode(Frame(ADDRESS, frame.control | 0x80, b"")).hex()


@pytest.fixture(scope="session")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingMeter]:
    """A meter with a past and with passwords, some minutes after its start."""
    with LivingMeter(SETTINGS, "--speed", SPEED, state=past_of(tmp_path_factory.mktemp("past"))) as living:
        page = PageApi(*living.door("web"))
        for _ in page.pushes(PUSHES_MAX):
            if all(page.value(di) == "0000" for di in PHASE_WORDS):  # the undervoltages of its past have ended
                break
        page.close()
        yield living
        assert living.stop() == 0, living.output


@pytest.fixture(scope="session")
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
