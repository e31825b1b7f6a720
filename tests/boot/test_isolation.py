"""Least levels of isolation: refused before anything starts, with the reason."""

import contextlib
import socket

import msgspec
import pytest
from tests.boot.test_refusals import FREE, check_refused, run
from tests.head_end import ADDRESS

from wattwheel.boot.isolation import check_isolation
from wattwheel.boot.module_file import module_document
from wattwheel.boot.settings import Settings
from wattwheel.drivers.linux.sandbox import LEVELS, Offer
from wattwheel.kernel.config import ModuleConfig, PartitionConfig
from wattwheel.model.errors import ConfigError
from wattwheel.testing.benchmarks.load import IDENTIFIERS, good_head, is_good, request
from wattwheel.testing.living import LivingMeter

OFFERS = {"L1": Offer(0, False), "L2": Offer(7, True)}


def module(*levels):
    partitions = (PartitionConfig(f"p{number}", "a:b", isolation_min=level) for number, level in enumerate(levels))
    return ModuleConfig("m", tuple(partitions))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("offered", OFFERS)
def test_a_partition_that_wants_more_than_there_is(level, offered):
    offer = OFFERS[offered]
    assert offer.level == offered
    if level <= offered:
        check_isolation(module("L0", level), offer)
        return
    with pytest.raises(ConfigError, match=rf"partition p1 isolation_min: found '{level}'; allowed: up to {offered}"):
        check_isolation(module("L0", level), offer)


def test_a_meter_that_cannot_be_walled_in_as_wanted_does_not_start(tmp_path):
    document = module_document(Settings())
    wanted = document.replace(b'PartitionName="energy"', b'PartitionName="energy" ww:IsolationMin="L3"')
    assert wanted != document
    (tmp_path / "meter.xml").write_bytes(wanted)
    (tmp_path / "meter.toml").write_text(f'[module]\nfile = "{tmp_path / "meter.xml"}"\n')
    state = tmp_path / "state"
    done = run(tmp_path / "meter.toml", "--state", state, *FREE)
    check_refused(done, state, "partition energy isolation_min", "'L3'", "on this machine", "namespaces")
    assert not state.exists()


def test_the_level_is_in_the_offer_that_crosses_to_bodies():
    offer = OFFERS["L2"]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(offer), type=Offer) == offer


CONNECTIONS = 600  # more than a partition may have descriptors open otherwise


def test_a_meter_holds_as_many_connections_as_its_settings_allow():
    question = request(ADDRESS, IDENTIFIERS[0])
    with (
        LivingMeter(f"[dlt645]\nconnections_max = {CONNECTIONS}\n") as meter,
        contextlib.ExitStack() as stack,
    ):
        door = meter.door("dlt645")
        channels = [stack.enter_context(socket.create_connection(door, 30)) for _ in range(CONNECTIONS)]
        for channel in channels:
            channel.sendall(question)
        answered = [is_good(channel.recv(4096), good_head(ADDRESS, IDENTIFIERS[0])) for channel in channels]
    assert answered == [True] * CONNECTIONS
