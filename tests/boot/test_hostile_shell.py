"""A living meter in a shell that does not do it any favour: nobody reads, everything closed, the terminal gone."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

import pytest
from tests.processes import Watched, sockets_below

from wattwheel.boot.control import ask
from wattwheel.model.errors import NotAnswered

PATIENCE_S = 20.0
PAUSE_S = 0.05


class Shell:
    """`wattwheel run` with standard descriptors as `options` of Popen give them."""

    def __init__(self, state, **options):
        self.state = state
        command = [sys.executable, "-m", "wattwheel", "run", "--state", str(state), "--dlt645", "off", "--web", "off"]
        self.process = subprocess.Popen(command, start_new_session=True, **options)

    def status_where(self, is_so):
        due = time.perf_counter() + PATIENCE_S
        while time.perf_counter() < due:
            assert self.process.poll() is None, "the meter has ended"
            with contextlib.suppress(NotAnswered):
                status = ask(self.state, {"ask": "status"})
                if status["ready"] and is_so(status):
                    return status
            select.select([], [], [], PAUSE_S)
        raise AssertionError("not so in time")

    def lives_on_without_its_core(self):
        """The board has something to say about it."""
        status = self.status_where(lambda status: status["link"] == "up")
        core = status["pids"]["metering_core"]
        os.kill(core, signal.SIGKILL)
        after = self.status_where(lambda status: status["link"] == "up" and status["pids"]["metering_core"] != core)
        assert after["pids"]["kernel"] == status["pids"]["kernel"]

    def ends(self, number):
        pids = self.status_where(lambda status: True)["pids"]
        watched = Watched({pids["board"], pids["kernel"], pids["metering_core"], *pids["partitions"].values()})
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE_S) == 0
        assert watched.left() == set()
        assert sockets_below(self.state) == []


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_closed_standard_descriptors_end_no_meter(tmp_path, closed):
    shell = Shell(tmp_path, preexec_fn=lambda: [os.close(number) for number in closed])
    shell.lives_on_without_its_core()
    shell.ends(signal.SIGTERM)


def test_a_reader_that_has_gone_ends_no_meter(tmp_path):
    reading, writing = os.pipe()
    shell = Shell(tmp_path, stdout=writing, stderr=writing)
    os.close(writing)
    os.close(reading)
    shell.lives_on_without_its_core()
    shell.ends(signal.SIGTERM)


def test_a_full_pipe_keeps_no_meter_waiting(tmp_path):
    reading, writing = os.pipe()
    shell = Shell(tmp_path, stdout=subprocess.DEVNULL, stderr=writing)
    shell.status_where(lambda status: True)
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 512)
    os.set_blocking(writing, True)  # the file description is the meter's, too
    shell.lives_on_without_its_core()
    shell.ends(signal.SIGTERM)
    os.close(reading)
    os.close(writing)


def test_a_hangup_of_the_terminal_is_an_orderly_stop(tmp_path):
    shell = Shell(tmp_path, stdout=subprocess.DEVNULL)
    shell.ends(signal.SIGHUP)


def test_under_nohup_a_hangup_is_nothing(tmp_path):
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    shell = Shell(tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=ignore)
    shell.status_where(lambda status: True)
    shell.process.send_signal(signal.SIGHUP)
    shell.lives_on_without_its_core()
    shell.ends(signal.SIGTERM)
