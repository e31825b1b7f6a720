"""Two living meters whose module files join them by a link."""

import time

import pytest

from wattwheel.boot.module_file import module_document
from wattwheel.boot.settings import Settings
from wattwheel.testing.drills.link_cut import MODULE
from wattwheel.testing.drills.link_partitions import TAKEN, WRONG
from wattwheel.testing.drills.link_wire import free_address
from wattwheel.testing.living import LivingMeter

PATIENCE_S = 30
BORDER = " <Connection_Table>\n"


def document(name, link, out, into):
    """The module of a meter, and in it the sender, taker and network partition of the drill `link-cut`."""
    settings = str({"links": [{"name": "far"} | link], "module": name}).replace("'", '"')
    added = MODULE.format(name=name, settings=settings, out=out, into=into, level_out=out + 2, level_in=into + 2)
    for number in range(1, 6):
        added = added.replace(f'PartitionIdentifier="{number}"', f'PartitionIdentifier="9{number}"')
        added = added.replace(f'ChannelIdentifier="{number}"', f'ChannelIdentifier="90{number}"')
    partitions, channels = added.split(">\n", 2)[2].split(BORDER)
    text = module_document(Settings()).decode()
    text = text.replace(f" {BORDER}", f"{partitions} {BORDER}", 1)
    return text.replace(
        "  </Connection_Table>", channels.partition(" </Connection_Table>")[0] + "  </Connection_Table>"
    )


@pytest.fixture
def meters(tmp_path):
    address = free_address()
    (tmp_path / "east.xml").write_text(document("east", {"listen": address}, 1, 2))
    (tmp_path / "west.xml").write_text(document("west", {"connect": address}, 2, 1))
    with (
        LivingMeter(f'[module]\nfile = "{tmp_path}/east.xml"\n') as east,
        LivingMeter(f'[module]\nfile = "{tmp_path}/west.xml"\n') as west,
    ):
        yield east, west


def test_they_exchange_messages_and_show_the_ports(meters):
    for meter, far in zip(meters, ("west", "east"), strict=True):
        until(lambda meter=meter: meter.status()["counters"].get("taker", {}).get(TAKEN, 0) > 200)
        until(lambda meter=meter: meter.status()["virtual_ports"][0]["far"] is not None)
        status = meter.status()
        assert not status["counters"]["taker"].get(WRONG)
        rows = status["virtual_ports"]
        assert len(rows) == 4
        assert {row["far"] for row in rows} == {far}
        assert [row["IsAssign"] for row in rows if "IsAssign" in row] == [1, 1]
        assert status["restarts"]["network"] == 0


def until(condition):
    end = time.perf_counter() + PATIENCE_S
    while not condition():
        assert time.perf_counter() < end
