"""`wattwheel bus --tap` on a living meter: with the settings' leave, without it, and what the log says."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys

import pytest
from tests.head_end import HeadEnd

from wattwheel.boot.control import ask
from wattwheel.boot.tapping import NOT_ALLOWED, TAPS_MAX
from wattwheel.model.errors import Refused
from wattwheel.testing.living import LivingMeter

CHANNEL = "communication>bus"
LINE_S = 20
READS_MAX, READ_S = 20, 1


@pytest.fixture(scope="module")
def meter():
    with LivingMeter("[module]\ntap = true\n") as living:
        yield living


def tap(meter, name):
    words = [sys.executable, "-m", "wattwheel", "bus", "--tap", name, "--json", "--state", str(meter.state)]
    return subprocess.Popen(words, stdout=subprocess.PIPE)


def first_line(command):
    assert select.select([command.stdout], [], [], LINE_S)[0]
    return json.loads(command.stdout.readline())


def end(command):
    command.terminate()
    command.wait(LINE_S)
    command.stdout.close()


def test_it_is_refused_where_the_settings_do_not_allow_it():
    with LivingMeter() as other:
        words = [sys.executable, "-m", "wattwheel", "bus", "--tap", CHANNEL, "--state", str(other.state)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (1, "")
        assert NOT_ALLOWED in done.stderr
        assert "tap_wish" not in str(ask(other.state, {"ask": "bus"}))


def test_a_message_of_the_bus_is_shown_and_still_answered(meter):
    command = tap(meter, CHANNEL)
    try:
        meter.wait_for_line(f"tap of {CHANNEL} begins, asked for at the operator's door", LINE_S)
        with contextlib.closing(HeadEnd(meter.door("dlt645"))) as head_end:
            for _ in range(READS_MAX):  # the first ones may be faster than the bus is told to listen
                assert head_end.read_when_back(0x02010100)
                if select.select([command.stdout], [], [], READ_S)[0]:
                    break
        row = first_line(command)
        assert (row["kind"], row["control"], row["di"], row["data"]) == ("REQUEST", "READ", "02010100", "")
    finally:
        end(command)
    meter.wait_for_line(f"tap of {CHANNEL} has ended", LINE_S)


def test_a_sampling_channel_is_shown_as_hex(meter):
    command = tap(meter, "energy.readings")
    try:
        row = first_line(command)
        assert len(bytes.fromhex(row["octets"])) == row["length"] > 0
    finally:
        end(command)


def test_a_channel_that_is_not_there_and_one_tap_too_many(meter):
    with pytest.raises(Refused, match=r"allowed: .*communication>bus"):
        ask(meter.state, {"tap": "energy>store"})
    with contextlib.suppress(Refused):  # those of the tests before may not have ended yet
        for _ in range(TAPS_MAX):
            ask(meter.state, {"tap": "bus.from_energy"})
    with pytest.raises(Refused, match="at a time"):
        ask(meter.state, {"tap": "bus.from_energy"})
