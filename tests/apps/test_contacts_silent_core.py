"""Covers while the metering core is silent: no opening is lost and each has its times, whatever restarts meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.test_contacts import METER_COVER, silence, speak, tell, times
from tests.apps.turns import MOMENTARY

from wattwheel.apps.contacts import Contacts
from wattwheel.apps.functions import EPOCH, Turn
from wattwheel.model.energy_items import STANDARD_WORDS
from wattwheel.model.ratings import Ratings
from wattwheel.model.records import EnergyTotals, Quality, Readings
from wattwheel.model.register_image import RegisterImage
from wattwheel.sdk import Function
from wattwheel.testing.world import KERNEL, World, simulated_settings

SECOND_NS = 1_000_000_000
STEP_S, DELAY_S = 31, 1
PASSWORD_4 = "440044"


def world_of(push_seconds: int = 1) -> World:
    usual = simulated_settings(metering={"push_seconds": push_seconds})
    own = msgspec.structs.replace(usual.dlt645, password_level_4=PASSWORD_4, programming_key=False)
    world = World(7, settings=msgspec.structs.replace(usual, dlt645=own))
    world.set_power(3000)
    world.await_ready()
    world.advance(5)
    return world


def record(world: World, place: int) -> list[datetime | None]:
    return times(world.ask(METER_COVER + place).check())


def are_near(found: list[datetime | None], expected: list[datetime]) -> bool:
    return len(found) == len(expected) and all(
        one is not None and timedelta(0) <= one - other <= timedelta(seconds=DELAY_S + 2)
        for one, other in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("after", range(5))
@pytest.mark.parametrize("killed", [("energy",), ("metering", "energy"), ("metering",), (KERNEL,)])
def test_a_restart_loses_and_misdates_nothing(killed, after):
    world = world_of()
    silence(world)
    world.advance(70)
    told = []
    for number, state in enumerate(("", "open", "closed", "open", "closed")):
        if state:
            told.append(world.clock.calendar())
            assert tell(world, "meter-cover", state) == 0
            world.advance(STEP_S)
        if number == after:
            for each in killed:
                world.kill(each)
            world.advance(6)
    speak(world)
    world.advance(15)
    world.await_ready()
    world.advance(5)
    assert world.read(METER_COVER) == 2
    assert are_near(record(world, 2), told[:2])
    assert are_near(record(world, 1), told[2:])
    assert world.meter.crashes == []


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_clock_that_is_set_before_the_core_speaks_loses_nothing(hours, is_restarted):
    world = world_of()
    silence(world)
    world.advance(10)
    told = []
    for state in ("open", "closed"):
        told.append(world.clock.calendar())
        assert tell(world, "meter-cover", state) == 0
        world.advance(20)
    moment = world.clock.calendar() + timedelta(hours=hours)
    octets = bytes.fromhex(f"{moment:%y%m%d}{moment.isoweekday() % 7:02d}{moment:%H%M%S}")[::-1]
    world.write(0x0400010C, octets, 4, PASSWORD_4)
    if is_restarted:
        world.kill("energy")
    world.advance(20)
    speak(world)
    world.advance(15)
    world.await_ready()
    world.advance(5)
    assert world.read(METER_COVER) == 1
    assert are_near(record(world, 1), told)


class Clocked:
    """The function by itself, with a clock that can be set while its own time goes on."""

    def __init__(self, saved: dict[str, bytes] | None = None) -> None:
        self.function, self.saved = Contacts(), dict(saved or {})
        self.function.rate(Ratings())
        self.function.begin(self.saved)

    def turn(self, second: int, at_s: int, quality: Quality = Quality.VALID, is_power_up: bool = False) -> Turn:
        image = RegisterImage(second, ((0,) * 6,), (0,) * 24, at_ns=at_s * SECOND_NS)
        readings = Readings(image.at_ns, 0.0, quality, EnergyTotals(1, (0,) * 24), MOMENTARY)
        return Turn(readings, image, None, {}, STANDARD_WORDS, (), {}, is_power_up, lambda di: None, is_power_up)

    def tell(self, second: int, at_s: int, state: str) -> None:
        words = f"meter-cover {state}".encode()
        prepared = self.function.prepare(Function.CONTACT, words, b"", self.turn(second, at_s))
        prepared.apply()
        self.saved.update(prepared.changes)

    def push(self, *told: Any, **named: Any) -> None:
        self.function.push(self.turn(*told, **named))
        self.saved.update(self.function.changes())

    def records(self) -> list[list[int]]:
        """Begins and ends in seconds since 2000, the oldest first."""
        count = int(self.function.look(METER_COVER, b"")[:3][::-1].hex())
        found = [times(self.function.look(METER_COVER + place, b"")) for place in range(count, 0, -1)]
        return [[int((each - EPOCH).total_seconds()) for each in pair if each is not None] for pair in found]


@pytest.mark.parametrize("quality", [Quality.VALID, Quality.STALE])
def test_a_push_that_is_older_than_the_changes_judges_none_of_them(quality):
    """It was heard before them, and once more by whoever starts after them."""
    before = Clocked()
    before.push(100_000, 1000)
    before.tell(100_020, 1020, "open")
    before.tell(100_040, 1040, "closed")
    again = Clocked(before.saved)
    again.push(100_000, 1000, quality)
    assert again.records() == []
    again.push(100_050, 1050)
    assert again.records() == [[100_022, 100_042]]


def test_a_push_between_two_changes_judges_the_first_one_alone():
    own = Clocked()
    own.push(100_000, 1000)
    own.tell(100_020, 1020, "open")
    own.tell(100_040, 1040, "closed")
    own.push(100_030, 1030)
    assert own.records() == [[100_022]]
    own.push(100_060, 1060)
    assert own.records() == [[100_022, 100_042]]


@pytest.mark.parametrize("step_s", [-3600, -30, 30, 3600])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_clock_that_is_set_between_two_changes(step_s, is_restarted):
    """The begin has the time of the clock then, the end that of the clock after it was set."""
    own = Clocked()
    own.push(100_000, 1000)
    own.tell(100_020, 1020, "open")
    own.tell(100_040 + step_s, 1040, "closed")
    if is_restarted:
        own = Clocked(own.saved)
        own.push(100_000, 1000, Quality.STALE)
    own.push(100_060 + step_s, 1060)
    assert own.records() == [[100_022, 100_042 + step_s]]


@pytest.mark.parametrize("uptime_s", [5, 1030, 90_000])
@pytest.mark.parametrize(("lasted_s", "end"), [(3600, 100_042), (-7200, 100_061 - 7200)])
def test_after_a_power_up_the_clock_of_the_machine_began_anew(uptime_s, lasted_s, end):
    """Where the meter's clock is behind the changes nobody knows how long it was: the last one has just come."""
    own = Clocked()
    own.push(100_000, 1000)
    own.tell(100_020, 1020, "open")
    own.tell(100_040, 1040, "closed")
    own = Clocked(own.saved)
    own.push(100_060 + lasted_s, uptime_s, is_power_up=True)
    own.push(100_065 + lasted_s, uptime_s + 5)
    assert own.records() == [[100_022, end]]


def test_what_is_told_after_a_power_up_follows_what_waited():
    own = Clocked()
    own.push(100_000, 1000)
    own.tell(100_020, 1020, "open")
    own = Clocked(own.saved)
    own.tell(103_600, 5, "closed")
    own.push(103_700, 105, is_power_up=True)
    assert own.records() == [[100_022, 103_602]]


def test_what_an_older_version_left_waiting_has_its_times():
    told = ("meter-cover", (False, (False, 0), (0, ()), 0, 0, ((100_020, True), (100_040, False)), 100_040))
    own = Clocked({"contacts": msgspec.msgpack.encode(dict([told]))})
    own.push(100_060, 1060)
    assert own.records() == [[100_022, 100_042]]


@given(st.lists(st.tuples(st.integers(3, 90), st.integers(-5000, 5000)), min_size=1, max_size=12), st.integers(0, 12))
def test_no_opening_is_lost_however_the_clock_is_set(changes, killed_after):
    """Each state lasts longer than the delay; the clock is set with each change."""
    own, second, at_s, expected = Clocked(), 100_000, 1000, []
    own.push(second, at_s)
    for number, (lasts_s, step_s) in enumerate(changes):
        expected.append(second + 2)
        own.tell(second, at_s, ("open", "closed")[number % 2])
        if number == killed_after:
            own = Clocked(own.saved)
            own.push(99_000, 900, Quality.STALE)
        second, at_s = second + lasts_s + step_s, at_s + lasts_s
    own.push(second, at_s)
    found = [second for pair in own.records() for second in pair]
    assert len(found) == len(expected)
    assert all(abs(one - other) <= 2 for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("heard_s", [1021, 1000])
def test_an_opening_that_was_looked_at_once_before_a_restart_goes_on(heard_s):
    """A push has found it open, its delay was not over; what the core says next comes after the closing."""
    own = Clocked()
    own.push(100_000, 1000)
    own.tell(100_020, 1020, "open")
    own.push(100_021, 1021)
    assert own.records() == []
    own = Clocked(own.saved)
    own.push(99_000 + heard_s, heard_s, Quality.STALE)
    own.tell(100_120, 1120, "closed")
    own.function.silence(own.turn(100_121, 1121, Quality.STALE))
    own.saved.update(own.function.changes())
    assert own.records() == []
    own.push(100_200, 1200)
    assert own.records() == [[100_022, 100_122]]
