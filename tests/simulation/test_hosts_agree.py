"""The simulated host and the Linux host agree: the same network comes to the same messages on every channel."""

from __future__ import annotations

import contextlib
import time
import warnings

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench import Bench
from tests.simulation import network as networks

from wattwheel.boot.body import run_body
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.process import LinuxProcessHost
from wattwheel.kernel.config import ModuleConfig, PartitionConfig
from wattwheel.kernel.module import Module

PATIENCE_S = 30.0
OUTCOME = ": outcome "


def outcomes(log):
    return sorted(line for line in log if OUTCOME in line)


def simulated(network, seed):
    entries = dict.fromkeys(networks.NODES, networks.node)
    programs = {name: msgspec.to_builtins(program) for name, program in network.programs.items()}
    bench = Bench(entries, network.channels, settings=programs, seed=seed)
    bench.run(5.0)
    assert len(outcomes(bench.log)) == len(networks.NODES)
    return outcomes(bench.log), left(network, bench.host.queue_lengths())


def left(network, lengths):
    return {link: lengths[link] for channel in network.channels for link in channel.links()}


@contextlib.contextmanager
def linux_host():
    with (
        warnings.catch_warnings(),
        open(2, "w", encoding="utf-8", closefd=False) as plain,
        contextlib.redirect_stderr(plain),
    ):
        warnings.simplefilter("ignore", DeprecationWarning)
        host = LinuxProcessHost(run_body)
    loop = EpollLoop()
    host.attach(loop)
    inboxes = []
    make = host.queuing_destination

    def remember(channel):
        inboxes.append(make(channel))
        return inboxes[-1]

    host.queuing_destination = remember
    try:
        yield host, loop
    finally:
        for inbox in inboxes:
            inbox.close()
        host.close()
        loop.close()


def real(network):
    partitions = tuple(
        PartitionConfig(name, "tests.simulation.network:node", msgspec.json.encode(network.programs[name]))
        for name in networks.NODES
    )
    log = []
    with linux_host() as (host, loop):
        Module(ModuleConfig("real", partitions, network.channels), LinuxClock(loop), host, log.append).start()
        end = time.perf_counter() + PATIENCE_S
        while len(outcomes(log)) < len(networks.NODES):
            assert time.perf_counter() < end, log
            loop.step(0.05)
        return outcomes(log), left(network, host.queue_lengths())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(0, 1 << 32))
def test_the_order_in_which_partitions_run_changes_nothing(seed, chance):
    network = networks.network(seed)
    assert simulated(network, chance) == simulated(network, chance + 1)


@pytest.mark.parametrize("seed", range(6))
def test_both_hosts_come_to_the_same_messages_and_states(seed):
    network = networks.network(seed)
    assert real(network) == simulated(network, seed)


def test_another_program_comes_to_something_else():
    first, second = networks.network(1), networks.network(2)
    assert simulated(first, 1) != simulated(second, 1)
