"""Groups of users reach the bus from the module configuration, and hold in a whole meter."""

import msgspec
import pytest

from wattwheel.boot.added_apps import AddedApp, with_apps
from wattwheel.boot.settings import Settings
from wattwheel.boot.standard_module import standard_module
from wattwheel.boot.users import with_users
from wattwheel.sdk import App
from wattwheel.testing.world import World

VOLTAGE = 0x02010100


def bus_settings(config):
    return msgspec.json.decode(next(own for own in config.partitions if own.name == "bus").settings)


def test_the_bus_is_told_who_belongs_where():
    config = standard_module(Settings(), (), ("listener:tcp",))
    told = bus_settings(with_users(config))
    assert told["users"] == {own.name: "meter" for own in config.partitions}
    assert told["grants"] == []
    granted = msgspec.structs.replace(config, grants=(("guests", "meter"),))
    assert bus_settings(with_users(with_users(granted)))["grants"] == [["guests", "meter"]]
    assert bus_settings(with_users(config))["partners"] == bus_settings(config)["partners"]


guest = App("guest", version="1.0.0")


@guest.on_start
def begin(meter):
    meter.memory = heard = []
    meter.ask_value(VOLTAGE, heard.append)


@guest.every(1.0)
def ask(meter):
    meter.ask_value(VOLTAGE, meter.memory.append)
    meter.counters.set("heard", sum(value is not None for value in meter.memory))


@pytest.mark.parametrize(("grants", "hears"), [((), False), ((("guests", "meter"),), True)])
def test_a_guest_in_a_whole_meter(grants, hears):
    def adapt(config):
        config = with_apps(config, [AddedApp("guest", "guest:start")])
        partitions = tuple(
            msgspec.structs.replace(own, user="guests") if own.name == "guest" else own for own in config.partitions
        )
        return msgspec.structs.replace(config, partitions=partitions, grants=grants)

    world = World(adapt=adapt, entries={"guest": guest.start})
    world.advance(12)
    counters = world.meter.module.counters()
    assert (counters["guest"].get("heard", 0) > 0) == hears
    assert (counters["bus"].get("refused_guest", 0) > 0) == (not hears)
