"""After a power-up no push has a wrong time: the first ones wait until the clock's setting has been told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from wattwheel.model.records import Readings
from wattwheel.services.metering_link import CLOCK_PATIENCE_NS
from wattwheel.services.platform_management import Platform
from wattwheel.testing.world import World, simulated_settings

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD_H = 3
PASSWORD = "440044"
NEVER_S = 10_000


def cut_with_a_late_platform(monkeypatch, late_s):
    """Hours by which the clock is ahead in each push after a power-up, and when the first one came."""
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=PASSWORD)
    world = World(6, settings=msgspec.structs.replace(settings, dlt645=own), calendar=NOON)
    world.await_ready()
    octets = bytes.fromhex(f"26112005{AHEAD_H + 12:02d}0000")[::-1]
    assert world.write(0x0400010C, octets, 4, PASSWORD) == (0x94, b"")
    loaded = Platform._loaded

    def late(self, loading):
        self._clock.call_at(self._clock.now_ns() + round(late_s * 1e9), lambda: loaded(self, loading))

    monkeypatch.setattr(Platform, "_loaded", late)
    world.cut_power_at_write(0)
    while not world.power_cuts:
        world.advance(0.1)
    began, hours = world.clock.now_ns(), []
    first_ns = None
    for _ in range(300):
        world.advance(0.05)
        message = world.published("readings")
        readings = None if message is None else msgspec.msgpack.decode(message, type=Readings)
        if readings is not None and readings.at_ns > began:
            host = NOON + timedelta(seconds=(readings.at_ns - 5_000_000_000) / 1e9)
            hours.append(round((EPOCH + timedelta(seconds=readings.calendar_s) - host).total_seconds() / 3600))
            first_ns = first_ns or readings.at_ns
    assert first_ns is not None
    return set(hours), (first_ns - began) / 1e9


@pytest.mark.parametrize("late_s", [0, 1, 5])
def test_no_push_has_the_time_of_the_host(monkeypatch, late_s):
    hours, first_s = cut_with_a_late_platform(monkeypatch, late_s)
    assert hours == {AHEAD_H}
    assert late_s <= first_s < late_s + 5


def test_a_setting_that_never_comes_is_not_waited_for_without_end(monkeypatch):
    hours, first_s = cut_with_a_late_platform(monkeypatch, NEVER_S)
    assert hours == {0}
    assert CLOCK_PATIENCE_NS / 1e9 < first_s < CLOCK_PATIENCE_NS / 1e9 + 3
