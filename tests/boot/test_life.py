"""A living meter that is hit and stopped: every process killed, every way of ending; energy never falls."""

import contextlib
import os
import select
import signal
import time

import pytest
from tests.head_end import HeadEnd
from tests.page_api import PageApi
from tests.processes import Watched, sockets_below

from wattwheel.model.errors import NotAnswered
from wattwheel.testing.drills import kills
from wattwheel.testing.living import LivingMeter

ENERGY, VOLTAGE = 0x00010000, 0x02010100
SPEED = "200"
SETTLED_S = 20.0
REGISTERS = ("import_active", "reactive_q1")


@pytest.fixture(scope="module")
def meter():
    with LivingMeter("", "--speed", SPEED) as living:
        yield living
        assert living.stop() == 0, living.output


@pytest.fixture
def head_end(meter):
    end = HeadEnd(meter.door("dlt645"))
    yield end
    end.close()


def new_pids(meter, before, killed):
    """The processes once the killed one has been replaced and everything else stands."""
    due, now = time.perf_counter() + SETTLED_S, None
    while time.perf_counter() < due:
        with contextlib.suppress(NotAnswered):  # a kernel that died has not been replaced yet
            now = meter.pids()
            if set(now) == set(before) and now[killed] != before[killed] and meter.status()["link"] == "up":
                return now
        if select.select([meter.process.stdout], [], [], 0.05)[0]:
            meter.drain()
    raise AssertionError(f"{killed}: {before} became {now}; {meter.output}")


@pytest.mark.parametrize("name", [*kills.PARTITIONS, "zygote", "kernel", "metering_core"])
def test_a_killed_process_comes_back_and_energy_does_not_fall(meter, head_end, name):
    energy = head_end.read_when_back(ENERGY)
    before, totals = meter.pids(), meter.status()["energy_microjoule"]
    os.kill(before[name], signal.SIGKILL)
    seen = head_end.read_when_back(ENERGY)
    assert seen >= energy
    after = new_pids(meter, before, name)
    others = {other for other in before if other != name and before[other] != after[other]}
    assert others == (set(before) - {"board", "metering_core", name} if name in ("kernel", "zygote") else set())
    assert head_end.read_when_back(ENERGY, lambda value: value > seen) > energy
    assert 345 < head_end.read_when_back(VOLTAGE) < 352
    now = meter.status()["energy_microjoule"]
    assert all(now[register] >= totals[register] for register in REGISTERS)
    assert now["import_active"] / 36e9 // 1 / 100 <= head_end.read_when_back(ENERGY) + 2  # both tell the same energy


def test_the_page_comes_back_on_the_same_door(meter):
    page = PageApi(*meter.door("web"))
    assert page.get("/api/status")["address"] == "202611200001"
    assert len(list(page.pushes(2))) == 2
    page.close()


def test_restarts_are_told(meter):
    """The kernel was restarted after the first of these, so only what was killed since then is counted."""
    before = meter.pids()
    os.kill(before["display"], signal.SIGKILL)
    new_pids(meter, before, "display")
    assert meter.status()["restarts"]["display"] == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "Ctrl-C"])
def test_it_stops_and_leaves_nothing(tmp_path, number, code):
    living = LivingMeter("", "--speed", SPEED, state=tmp_path)
    living.start()
    head_end = HeadEnd(living.door("dlt645"))
    energy = head_end.read_when_back(ENERGY, lambda value: value > 0)
    pids = living.pids()
    processes = Watched(set(pids.values()))
    if number == signal.SIGINT:
        os.killpg(living.process.pid, number)  # as a terminal does: to the whole group
    else:
        living.process.send_signal(number)
    assert living.process.wait(20) == code
    assert processes.left() == set()
    assert sockets_below(tmp_path) == []
    living.stop()  # nothing is left to stop: takes the last it printed
    assert "Traceback" not in living.output
    assert "starting" not in living.output
    head_end.close()

    living = LivingMeter("", state=tmp_path)  # what was answered is there again
    with living:
        head_end = HeadEnd(living.door("dlt645"))
        assert head_end.read_when_back(ENERGY) >= energy
        head_end.close()


@pytest.mark.parametrize("after_s", [0.1, 0.2, 0.3, 0.5])
def test_it_can_be_stopped_while_it_starts(tmp_path, after_s):
    living = LivingMeter("", state=tmp_path)
    living.launch()
    assert not living.process_ended_within(after_s)
    begin = time.perf_counter()
    os.killpg(living.process.pid, signal.SIGINT)
    os.killpg(living.process.pid, signal.SIGTERM)
    code = living.process.wait(20)
    assert code in (0, 130, -signal.SIGTERM, -signal.SIGINT)
    assert time.perf_counter() - begin < 5  # nothing had to be cut down
    while octets := os.read(living.process.stdout.fileno(), 65_536):  # it ends when the last process has gone
        living.output += octets.decode()
    living.stop()
    assert "Traceback" not in living.output


def test_a_killed_board_takes_everything_with_it(tmp_path):
    living = LivingMeter("", "--speed", SPEED, state=tmp_path)
    living.start()
    head_end = HeadEnd(living.door("dlt645"))
    energy = head_end.read_when_back(ENERGY, lambda value: value > 0)
    head_end.close()
    processes = Watched(set(living.pids().values()))
    living.process.kill()
    assert processes.left() == set()
    living.stop()
    with LivingMeter("", state=tmp_path) as living:
        head_end = HeadEnd(living.door("dlt645"))
        assert head_end.read_when_back(ENERGY) >= energy
        head_end.close()
