"""The mean power of the last minute."""

from __future__ import annotations

from datetime import UTC, datetime

from wattwheel.testing.world import World

MEAN_POWER = 0x02800003


def test_it_is_that_of_the_last_whole_minute_and_unknown_before_one():
    world = World(4, calendar=datetime(2026, 6, 1, 7, 58, 30, tzinfo=UTC))
    world.set_power(3000)
    world.await_ready()
    assert world.ask(MEAN_POWER).error == 2
    world.advance(40)
    assert world.ask(MEAN_POWER).error == 2  # that minute was not seen from its beginning
    world.advance(60)
    assert world.read(MEAN_POWER) == 30_000
    world.set_power(-1000)
    world.advance(30)
    assert world.read(MEAN_POWER) == 30_000
    world.advance(90)
    assert world.read(MEAN_POWER) == 10_000
    world.kill("energy")
    world.advance(5)
    assert world.ask(MEAN_POWER).error == 2
