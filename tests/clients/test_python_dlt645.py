"""The package `python-dlt645` 0.1.4 as head-end: its commands on the meter's pseudo-terminal, its functions over TCP.

Its reader takes the first octet 16 for the end of a frame, so a reply with a 16 inside cannot be read by it. Such a
failure is known by the captured octets: only then is the question repeated, and when the reply stays the same, what the
meter sent is judged by our own codec instead.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.clients.conftest import HERE, Driver
from tests.clients.readings import ENERGIES, check_energy, check_momentary, momentary, read_between, value_in

from wattwheel.model.catalogue import item_2007
from wattwheel.protocols.dlt645.frame import FrameReader
from wattwheel.protocols.dlt645.items import decode as decode_item

ADDRESS = "202611200001"
TRIES = 3
COMMAND_TIMEOUT_S = 30
END = 0x16


def the_reply(octets):
    """The one whole frame in `octets`, as hex."""
    frame = octets.lstrip(b"\xfe")
    assert len(FrameReader().feed(frame)) == 1, octets.hex()
    return frame


def is_its_own_fault(octets):
    """Whether a good reply could not be read because of a 16 before its end."""
    return END in the_reply(octets)[:-1]


# -- by command line, on the pseudo-terminal --------------------------------------------------------------------------


class Command:
    """One of the package's programs, with what it read from the line."""

    def __init__(self, python, meter, folder):
        self._bin, self._meter, self._capture = python.parent, meter, folder / "captured"

    def __call__(self, name, *arguments):
        """Exit code, printed text and the octets that it read."""
        self._capture.unlink(missing_ok=True)
        line = ["-p", self._meter.serial_path(), "-b", "2400", "-P", "N", "-t", "2"]
        environment = os.environ | {"PYTHONPATH": str(HERE / "capture"), "CAPTURE_FILE": str(self._capture)}
        done = subprocess.run(
            [self._bin / name, *line, *arguments],
            env=environment, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S,
        )  # fmt: skip
        return done.returncode, done.stdout.strip(), self._capture.read_bytes() if self._capture.exists() else b""


@pytest.fixture
def command(meter, python_dlt645_python, tmp_path):
    return Command(python_dlt645_python, meter, tmp_path)


def test_the_address_by_command_line(command):
    code, printed, octets = command("dlt645_addr")
    assert (code, printed) == (0, f"Station address: {ADDRESS}"), octets.hex()


def test_the_energy_by_command_line(command, api):
    for _ in range(TRIES):
        before = api.value(0)
        code, printed, octets = command("dlt645_aen", ADDRESS)
        after = api.value(0)
        if code == 0 and printed:
            break
        assert is_cut_at_an_end(octets), (code, printed, octets.hex())
    check_energy(before, float(re.search(r"[0-9.]+", printed)[0]), after)


def is_cut_at_an_end(octets):
    """Whether what was read, the preamble not counted, ends with a 16 before the frame that it announces is whole."""
    frame = octets.lstrip(b"\xfe")
    return frame[-1] == END and (len(frame) < 10 or len(frame) < frame[9] + 12)


# -- by its functions, over TCP ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(meter, python_dlt645_python):
    with Driver(python_dlt645_python, "drive_python_dlt645.py", *meter.door("dlt645")) as driver:
        yield driver


def test_the_address_over_tcp(client):
    assert client(di=None)["address"] == ADDRESS


def test_the_energy_over_tcp(client, api):
    for _ in range(TRIES):
        before, told, after = read_between(api, 0, lambda: client(di="energy", address=ADDRESS))
        if told["error"] is None:
            break
        assert is_its_own_fault(bytes.fromhex(told["received"])), told
    check_energy(before, told["data"], after)


def read(client, di):
    """The value and whether the client itself could read it."""
    for _ in range(TRIES):
        told = client(di=f"{di:08X}", address=ADDRESS)
        octets = bytes.fromhex(told["received"])
        if told["error"] is None and told["data"] is not None:
            value, identifier = told["data"][:-8], told["data"][-8:]
            assert identifier == f"{di:08x}"
            return decode_item(item_2007(di), bytes.fromhex(value)[::-1]).value, True
        assert is_its_own_fault(octets), told
    return value_in(the_reply(octets).hex(), di), False


def test_every_item_over_tcp(client, api, measured):
    expected = momentary(measured)
    unread = []
    for di in (*ENERGIES, *expected):
        before, (value, was_read), after = read_between(api, di, lambda di=di: read(client, di))
        if di in ENERGIES:
            check_energy(before, value, after)
        else:
            check_momentary(before, value, after, expected[di])
        if not was_read:
            unread.append(f"{di:08X}")
    assert len(unread) <= len(expected) // 4, f"replies with a 16 inside: {unread}"


def test_a_block_over_tcp_is_beyond_it(client):
    """It cannot say FF, for it adds 33H without modulo."""
    assert "ValueError" in client(di="0201FF00", address=ADDRESS)["error"]


def test_a_1997_read_is_an_unknown_function_here(client):
    """This version answers edition 2007: control code 01H gets the exception, which this client takes for data."""
    told = client(di="9010", address=ADDRESS)
    (frame,) = FrameReader().feed(bytes.fromhex(told["received"]))
    assert (frame.control, frame.data) == (0xC1, b"\x01")


def test_the_capture_leaves_the_client_as_it_is():
    assert Path(HERE / "capture" / "sitecustomize.py").read_text().count("_read(self, size)") == 1
