"""A request that kills its owner, on a living meter: it is moved aside, and its asker gets the error."""

from __future__ import annotations

import socket
import time

from tests.boot.poison_entries import GOOD_DI, POISON_DI

from wattwheel.boot.added_apps import AddedApp
from wattwheel.boot.control import ask
from wattwheel.boot.module_file import module_document
from wattwheel.boot.settings import MeterSettings, Settings
from wattwheel.protocols.dlt645.frame import FrameReader
from wattwheel.testing.benchmarks.load import request
from wattwheel.testing.living import LivingMeter

VICTIM = AddedApp("victim", "tests.boot.poison_entries:start", (f"{GOOD_DI >> 16:04X}",))
PATIENCE_S = 30.0


def read(meter, di):
    """Control code and data of the meter's answer."""
    with socket.create_connection(meter.door("dlt645"), timeout=10) as channel:
        channel.sendall(request(MeterSettings().address, f"{di:08X}"))
        reader = FrameReader()
        while not (frames := reader.feed(channel.recv(4096))):
            pass
    return frames[0].control, frames[0].data


def victim(meter):
    return next(row for row in ask(meter.state, {"ask": "ps"})["partitions"] if row["partition"] == VICTIM.name)


def test_a_poison_is_moved_aside(tmp_path):
    module = tmp_path / "meter.xml"
    module.write_bytes(module_document(Settings(), (VICTIM,)))
    with LivingMeter(f'[module]\nfile = "{module}"\n') as meter:
        assert read(meter, GOOD_DI)[1][4:] == b"\x12\x34"
        assert read(meter, POISON_DI)[0] == 0xD1
        end = time.perf_counter() + PATIENCE_S
        while not (row := victim(meter))["set_aside"] or row["mode"] != "NORMAL":
            assert time.perf_counter() < end, row
            meter.process_ended_within(0.05)
        assert (row["set_aside"], row["restarts"]) == (1, 2)
        assert read(meter, GOOD_DI)[1][4:] == b"\x12\x34"
        assert victim(meter)["restarts"] == 2
        meter.drain()
        assert meter.output.count("victim: a message of 16 octets on bus>victim is moved aside") == 1
