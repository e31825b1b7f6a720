"""The board's watchdog on virtual time, and on a living meter whose kernel was stopped."""

import os
import select
import signal
import time
from contextlib import closing, suppress

import pytest
from tests.head_end import HeadEnd

from wattwheel.boot.watchdog import LOOK_NS, LOOKS_MAX, SIGN_NS, Watchdog
from wattwheel.drivers.sim.clock import SimClock
from wattwheel.model.errors import NotAnswered
from wattwheel.testing.living import LivingMeter

ENERGY = 0x00010000
BACK_S = 60.0
HUNG_S = (LOOKS_MAX + 1) * LOOK_NS / 1e9


class Watched:
    def __init__(self):
        self.clock = SimClock()
        self.hangs = []
        self.is_alive = True
        self.dog = Watchdog(self.clock, self.clock.now_ns, lambda: self.hangs.append(self.clock.now_ns()))
        self._sign()

    def _sign(self):
        if self.is_alive:
            self.dog.sign()
        self.clock.call_at(self.clock.now_ns() + SIGN_NS, self._sign)


def test_a_kernel_that_gives_signs_is_left_alone():
    watched = Watched()
    watched.clock.advance(3600)
    assert watched.hangs == []


@pytest.mark.parametrize("lived_s", [0.0, 1.0, 2.5, 100.1])
def test_one_that_gives_none_is_hung_and_told_again_no_sooner(lived_s):
    watched = Watched()
    watched.clock.advance(lived_s)
    watched.is_alive = False
    watched.clock.advance(HUNG_S - LOOK_NS / 1e9 - SIGN_NS / 1e9)
    assert watched.hangs == []
    watched.clock.advance(LOOK_NS / 1e9 + SIGN_NS / 1e9)
    assert len(watched.hangs) == 1
    watched.clock.advance(10 * HUNG_S)
    assert len(watched.hangs) == 11


def test_a_stopped_kernel_is_started_again():
    with LivingMeter("", "--speed", "200") as meter:
        with closing(HeadEnd(meter.door("dlt645"))) as head_end:
            energy = head_end.read_when_back(ENERGY, lambda value: value > 0)
        before = meter.pids()
        os.kill(before["kernel"], signal.SIGSTOP)
        due, now = time.perf_counter() + BACK_S, before
        while now["kernel"] == before["kernel"]:
            assert time.perf_counter() < due, meter.output
            if select.select([meter.process.stdout], [], [], 0.05)[0]:
                meter.drain()
            if "no sign of life" in meter.output:  # until then nobody answers, and asking would only wait
                with suppress(NotAnswered):
                    now = meter.pids()
        assert now["metering_core"] == before["metering_core"]
        with closing(HeadEnd(meter.door("dlt645"))) as head_end:
            assert head_end.read_when_back(ENERGY) >= energy
        assert meter.output.count("kernel: no sign of life; it is ended") == 1
        assert meter.stop() == 0
