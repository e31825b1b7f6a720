"""The multi-function terminal in a whole simulated meter: each signal, its instants, how it is selected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from wattwheel.drivers.sim.clock import START_NS
from wattwheel.hil.pulses import Pulse
from wattwheel.testing.world import METERING_CORE, World, simulated_settings

LEVEL_4 = "440044"
MS_NS = 1_000_000
NOON = datetime(2026, 6, 10, 11, 57, 40, tzinfo=UTC)
SLOT_COUNT, DAY_TABLE, TARIFFS, SLIP, PERIOD = 0x04000203, 0x04010001, 0x04000204, 0x04000104, 0x04000103
DAY_TABLES_SWITCH, SECOND_TABLE = 0x04000107, 0x04020001


def make(calendar: datetime = NOON, has_output: bool = True) -> World:
    settings = simulated_settings()
    replace = msgspec.structs.replace
    world = World(
        5,
        settings=replace(
            settings,
            dlt645=replace(settings.dlt645, password_level_4=LEVEL_4),
            pulse_output=replace(settings.pulse_output, file="pulses" if has_output else ""),
        ),
        calendar=calendar,
    )
    world.await_ready()
    world.advance(3)
    return world


@pytest.fixture
def world() -> World:
    return make()


def write(world: World, items: dict[int, str]) -> None:
    for di, digits in items.items():
        assert world.write(di, bytes.fromhex(digits)[::-1], 4, LEVEL_4) == (0x94, b"")


def select(world: World, mode: int) -> tuple[int, bytes] | None:
    return world.request(0x1D, bytes((mode,)))


def given(world: World, kind: str) -> list[Pulse]:
    return world.meter.pulses.of(kind)


def instants(world: World, kind: str, begin: datetime = NOON) -> list[datetime]:
    """When they were given, to the second, by the meter's clock."""
    return [begin + timedelta(seconds=(pulse.start_ns - START_NS) // 1_000_000_000) for pulse in given(world, kind)]


def test_at_power_up_it_is_the_second_pulse(world):
    """S-05."""
    world.advance(10)
    pulses = given(world, "second")
    assert 12 <= len(pulses) <= 14
    assert {pulse.width_ns for pulse in pulses} == {80 * MS_NS}
    gaps = [after.start_ns - before.start_ns for before, after in pairwise(pulses)]
    assert all(abs(gap - 1_000_000_000) < 10 * MS_NS for gap in gaps)
    assert all(0 <= (pulse.start_ns - START_NS) % 1_000_000_000 < 10 * MS_NS for pulse in pulses)
    assert [pulse.number for pulse in pulses] == list(range(1, len(pulses) + 1))
    assert given(world, "demand_period") == given(world, "slot_change") == []


def test_the_second_pulse_follows_the_meters_clock(world):
    world.advance(0.4)
    assert world.write(0x0400010C, bytes.fromhex("26061003120000")[::-1], 4, LEVEL_4) == (0x94, b"")
    before = len(given(world, "second"))
    world.advance(10.5)
    new = given(world, "second")[before:]
    assert len(new) in (10, 11)
    phases = {pulse.start_ns % 1_000_000_000 // 10_000_000 for pulse in new}
    assert len(phases) == 1
    assert phases != {pulse.start_ns % 1_000_000_000 // 10_000_000 for pulse in given(world, "second")[:before]}


@pytest.mark.parametrize(
    ("period", "slip", "minutes"), [("15", "01", (58, 59, 60, 61)), ("15", "03", (60,)), ("05", "05", (60,))]
)
def test_a_pulse_at_the_end_of_each_slip(world, period, slip, minutes):
    """S-03, demand period."""
    write(world, {PERIOD: period, SLIP: slip})
    assert select(world, 1) == (0x9D, b"\x01")
    seconds = len(given(world, "second"))
    world.advance(230)
    assert instants(world, "demand_period") == [
        NOON.replace(hour=11, minute=0, second=0) + timedelta(minutes=each) for each in minutes
    ]
    assert {pulse.width_ns for pulse in given(world, "demand_period")} == {80 * MS_NS}
    assert len(given(world, "second")) <= seconds + 1


def test_a_pulse_at_each_change_of_slot(world):
    """S-03, slot change: another slot of the same tariff is one, too."""
    write(world, {TARIFFS: "02", SLOT_COUNT: "04", DAY_TABLE: "120301" + "120102" + "120001" + "000001"})
    assert select(world, 2) == (0x9D, b"\x02")
    world.advance(400)
    assert instants(world, "slot_change") == [NOON.replace(hour=12, minute=each, second=0) for each in (0, 1, 3)]


def test_a_pulse_when_another_set_of_day_tables_brings_another_slot(world):
    write(world, {TARIFFS: "02", SLOT_COUNT: "02", DAY_TABLE: "000001" * 2, SECOND_TABLE: "115001" + "000001"})
    write(world, {DAY_TABLES_SWITCH: "2606101200"})
    assert select(world, 2) == (0x9D, b"\x02")
    world.advance(300)
    told = instants(world, "slot_change")
    assert len(told) == 1
    assert NOON.replace(hour=12, minute=0, second=0) <= told[0] <= NOON.replace(hour=12, minute=0, second=5)


def test_an_illegal_mode_is_refused_and_the_former_signal_goes_on(world):
    """S-04."""
    assert select(world, 1) == (0x9D, b"\x01")
    for data in (b"\x03", b"\xff", b"", b"\x00\x00"):
        assert world.request(0x1D, data) == (0xDD, b"\x01")
    seconds = len(given(world, "second"))
    world.advance(60)
    assert len(given(world, "demand_period")) == 1
    assert len(given(world, "second")) == seconds


def test_a_power_up_resets_it(world):
    assert select(world, 2) == (0x9D, b"\x02")
    world.cut_power_at_write(0)
    world.advance(30)
    world.await_ready()
    assert world.power_cuts == 1
    seconds = len(given(world, "second"))
    world.advance(5)
    assert len(given(world, "second")) >= seconds + 4


def test_a_key_that_is_held_for_5_s_steps_it(world):
    """DS-09: second, demand period, slot change, second."""
    for expected in (1, 2, 0):
        assert world.press("up", 5.0)
        world.advance(1)
        told = []
        world.meter.ask(0x11, 0x0E300000, b"", lambda reply, told=told: told.append(reply.data))
        world.advance(1)
        assert told == [bytes((expected,))]
    seconds = len(given(world, "second"))
    world.advance(5)
    assert len(given(world, "second")) >= seconds + 4


def test_the_signal_goes_on_when_somebody_dies(world):
    for name in ("platform", "metering", METERING_CORE):
        world.kill(name)
        world.advance(5)
        before = len(given(world, "second"))
        world.advance(5)
        assert len(given(world, "second")) in range(before + 4, before + 7)


def test_without_an_output_nobody_looks_at_the_clock():
    world = make(has_output=False)
    world.advance(70)
    assert "signals_given" not in world.counters()["platform"]
    assert world.meter.pulses is None


def test_written_constants_and_width_reach_the_core_and_outlive_everybody(world):
    """S-02 in a whole meter: the registers go on, and the pulses by the new constant."""
    world.set_power(3600)
    world.advance(10)
    write(world, {0x04000409: "001000", 0x0400040A: "000400", 0x04000105: "0040"})
    counters = world.meter.core.books.counters
    assert counters.constants == (1000, 400)
    before = len(given(world, "active"))
    world.advance(37)
    assert len(given(world, "active")) - before in (36, 37, 38)  # one a second
    assert given(world, "active")[-1].width_ns == 40 * MS_NS
    assert world.metered_microjoule() <= world.true_microjoule()
    world.kill("kernel")
    world.kill(METERING_CORE)
    world.advance(20)
    world.await_ready()
    world.advance(5)
    assert world.meter.core.books.counters.constants == (1000, 400)
    numbers = [pulse.number for pulse in given(world, "active")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert world.counters()["metering"]["pulses_given"] > 0
    assert world.counters()["metering"]["pulses_dropped"] == 0
