"""Partitions and channels as the operator sees them: tables from a module, and of a living meter."""

import json
import os
import subprocess
import sys
from contextlib import closing

import pytest
from tests.head_end import HeadEnd
from tests.page_api import PageApi

from wattwheel.boot.control import ask
from wattwheel.boot.observing import ThriftyFigures, bounded_tables, channel_table, process_figures, with_rates
from wattwheel.boot.settings import Settings
from wattwheel.boot.standard_module import standard_module
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.ports import LinuxQueuingSource, QueueFigures, QueuingChannel
from wattwheel.testing.living import LivingMeter

READS = 40


@pytest.fixture(scope="module")
def meter():
    with LivingMeter() as meter:
        yield meter


def command(meter, *words):
    words = [sys.executable, "-m", "wattwheel", *words, "--state", str(meter.state)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def test_figures_of_a_process():
    busy_s, own_kib = process_figures(os.getpid())
    assert busy_s > 0.1
    assert 1000 < own_kib < 4_000_000
    assert process_figures(2**22 + 1) is None


def test_every_channel_has_a_row():
    config = standard_module(Settings(), (), ("listener:tcp",))
    queues = {channel.name: QueueFigures(1, 2, 3, 4) for channel in config.queuing_channels}
    rows = channel_table(config, queues, {cell.name: 7 for cell in config.sampling_channels})
    assert [row["channel"] for row in rows] == [
        channel.name for channel in (*config.queuing_channels, *config.sampling_channels)
    ]
    keys = ("waiting", "waiting_highest", "stalls", "messages")
    assert {tuple(row[key] for key in keys) for row in rows if row["kind"] == "queuing"} == {(1, 2, 3, 4)}
    assert {row["messages"] for row in rows if row["kind"] == "sampling"} == {7}


def test_figures_of_a_channel():
    loop = EpollLoop()
    channel = QueuingChannel("queue", 100, 4)
    source = LinuxQueuingSource(loop, channel.source_descriptors(), 100, 4, owned=False)
    sent = [source.send_nowait(b"x") for _ in range(6)]
    assert sent == [True] * 4 + [False] * 2
    assert channel.figures() == QueueFigures(waiting=4, waiting_highest=4, stalls=2, sent=4)
    channel.destination.recv(100)
    channel.repair()
    assert channel.figures() == QueueFigures(waiting=3, waiting_highest=4, stalls=2, sent=3)
    source.close()
    channel.close()
    loop.close()


def test_ps_of_a_living_meter(meter):
    done = command(meter, "ps", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["partition"]: row for row in json.loads(done.stdout)["partitions"]}
    status = meter.status()
    assert {name: row["pid"] for name, row in rows.items()} == status["pids"]["partitions"]
    assert {row["mode"] for row in rows.values()} == {"NORMAL"}
    assert all(row["processor_s"] > 0 and row["memory_kib"] > 500 for row in rows.values())
    assert all(row["windows"] is None and row["restarts"] == 0 for row in rows.values())
    assert {name for name, row in rows.items() if row["is_system"]} == {
        "bus",
        "store",
        "metering",
        "platform",
        "security",
        "communication",
    }
    plain = command(meter, "ps").stdout.splitlines()
    assert plain[0].split()[:3] == ["partition", "pid", "mode"]
    assert len(plain) == 1 + len(rows)


def test_bus_of_a_living_meter(meter):
    def messages():
        document = json.loads(command(meter, "bus", "--json").stdout)
        return {row["channel"]: row for row in document["channels"]}

    before = messages()
    with closing(HeadEnd(meter.door("dlt645"))) as head_end:
        for _ in range(READS):
            head_end.read(0x00010000)
    after = messages()
    for channel in ("communication>bus", "bus>energy", "energy>bus", "bus>communication"):
        assert after[channel]["messages"] - before[channel]["messages"] >= READS
        assert after[channel]["waiting_highest"] >= 1
        assert after[channel]["waiting"] <= after[channel]["depth"]
    assert after["readings"]["messages"] > before["readings"]["messages"]
    assert after["readings"]["messages_per_s"] <= after["readings"]["messages"]
    plain = command(meter, "bus").stdout.splitlines()
    assert plain[0].split()[:3] == ["channel", "from", "to"]
    assert len(plain) == 1 + len(after)


@pytest.mark.parametrize("name", ["ps", "bus"])
def test_without_a_meter(name, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "wattwheel", name, "--state", str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "no meter runs on this state folder" in done.stderr


def test_memory_is_looked_at_one_process_a_time():
    looked = []

    def figures(pid):
        looked.append(pid)
        return None if pid == 9 else (1.0, 100 * pid)

    thrifty = ThriftyFigures(figures, lambda pid: 2.0)
    assert [thrifty(pid) for pid in (1, 2, 9)] == [(1.0, 100), (1.0, 200), None]
    rounds = []
    for _ in range(4):
        looked.clear()
        thrifty.next_look()
        rounds.append([*looked])
        assert [thrifty(pid) for pid in (1, 2)] == [(2.0, 100), (2.0, 200)]
    assert rounds == [[1], [2], [1], [2]]


def test_rates_are_told_from_two_looks():
    rows, counts = with_rates([{"channel": "a", "messages": 5}], {}, 1.0)
    assert (rows[0]["messages_per_s"], counts) == (0.0, {"a": 5})
    rows, _ = with_rates([{"channel": "a", "messages": 25}], counts, 2.0)
    assert rows[0]["messages_per_s"] == 10.0
    rows, _ = with_rates([{"channel": "a", "messages": 1}], counts, 2.0)
    assert rows[0]["messages_per_s"] == 0.0


@pytest.mark.parametrize("octets_max", [40, 200, 5000])
def test_the_tables_for_the_page_are_bounded(octets_max):
    rows = [{"channel": str(number), "messages": number} for number in range(40)]
    octets = bounded_tables(rows[:3], rows, octets_max)
    assert len(octets) <= octets_max
    assert set(json.loads(octets)) == {"partitions", "channels"}


def test_the_page_tells_the_same(meter):
    page = PageApi(*meter.door("web"))
    partitions, channels = page.get("/api/partitions"), page.get("/api/bus")
    page.close()
    own = ask(meter.state, {"ask": "ps"})["partitions"]
    assert [(row["partition"], row["pid"]) for row in partitions] == [(row["partition"], row["pid"]) for row in own]
    assert set(partitions[0]) == set(own[0])
    assert all(row["memory_kib"] > 0 for row in partitions)
    own = ask(meter.state, {"ask": "bus"})["channels"]
    assert [row["channel"] for row in channels] == [row["channel"] for row in own]
    assert set(channels[0]) == {*own[0], "messages_per_s"}
