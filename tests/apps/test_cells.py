"""The board's batteries and thermometer, and the minutes that the clock's cell has worked: in a whole meter."""

from __future__ import annotations

import msgspec
import pytest
from tests.apps.event_bench import Bench
from tests.apps.test_recording import DEAD

from wattwheel.apex.messages import Control
from wattwheel.apps.cells import KEY, Cells
from wattwheel.model.event_ring import count_octets
from wattwheel.testing.world import World, simulated_settings

CLOCK, READING, TEMPERATURE, MINUTES = 0x02800008, 0x02800009, 0x02800007, 0x0280000A
STATUS_WORD_1, STATUS_WORD_3 = 0x04000501, 0x04000503
CLEAR_POWER_DOWN = (0x031100FF).to_bytes(4, "little")


def meter(**board: object) -> World:
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.board, **board)
    world = World(6, settings=msgspec.structs.replace(settings, board=own))
    world.set_power(3e3)
    world.await_ready()
    return world


def show(world: World, text: str) -> int:
    replies = []
    world.meter.ask(Control.SENSOR, 0, text.encode(), replies.append)
    assert world.advance_until(lambda: bool(replies), 2.0)
    return replies[0].error


def word(world: World, di: int) -> int:
    return int.from_bytes(world.ask(di).check(), "little")


def test_the_items_are_what_the_settings_say():
    world = meter(clock_battery_v=3.05, reading_battery_v=5.5, thermometer=True, ambient_c=-12.3)
    assert [world.read(di) for di in (CLOCK, READING, TEMPERATURE)] == [305, 550, -123]
    assert word(world, STATUS_WORD_1) == 0


def test_what_is_not_fitted_is_not_answered_and_not_low():
    world = meter(reading_battery_v=0.0)
    assert [world.ask(di).error for di in (READING, TEMPERATURE)] == [2, 2]
    assert word(world, STATUS_WORD_1) == 0
    assert [show(world, text) for text in ("reading-battery 3", "temperature 20")] == [1, 1]
    assert show(world, "clock-battery 3") == 0


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("clock-battery 2.61", 0),
        ("clock-battery 2.6", 1 << 2),
        ("clock-battery 0", 1 << 2),
        ("reading-battery 4.81", 0),
        ("reading-battery 4.80", 1 << 3),
    ],
)
def test_below_its_threshold_a_battery_is_low(text, bits):
    world = meter()
    assert show(world, text) == 0
    assert word(world, STATUS_WORD_1) == bits


def test_what_a_sensor_shows_outlives_a_kill_and_a_cut_as_long_as_the_settings_are_the_same():
    world = meter()
    assert show(world, "clock-battery 2.50") == 0
    world.kill("energy")
    world.advance(5)
    assert world.read(CLOCK) == 250
    world.advance(25)  # until the metering core has forced registers to its medium: none of them is lost
    world.meter.lose_power()
    world._doors.clear()
    world.clock.advance(5)
    world.meter.power_up()
    world.await_ready()
    assert (world.read(CLOCK), word(world, STATUS_WORD_1)) == (250, 1 << 2)


@pytest.mark.parametrize(
    "text", ["", "clock-battery", "clock-battery ", "clock-battery -1", "clock-battery x", "sun 1"]
)
def test_what_is_no_sensor_or_no_value_is_refused(text):
    world = meter()
    before = world.read(CLOCK)
    assert show(world, text) == 1
    assert world.read(CLOCK) == before


def test_other_settings_beat_what_was_shown_before():
    cells = Cells({"clock-battery": 360})
    prepared = cells.prepare(Control.SENSOR, b"clock-battery 2.5", b"", None)
    assert cells.look(CLOCK, b"") == 360  # not before it is on the medium
    prepared.apply()
    assert cells.look(CLOCK, b"") == 250
    for settings, expected in (({"clock-battery": 360}, 250), ({"clock-battery": 350}, 350)):
        again = Cells(settings)
        again.begin(dict(prepared.changes))
        assert again.look(CLOCK, b"") == expected


@pytest.mark.parametrize(
    "octets", [b"", b"\xc1", b"\x90", msgspec.msgpack.encode([{"clock-battery": 360}, {"clock-battery": -1}])]
)
def test_octets_that_are_none_are_forgotten(octets):
    cells = Cells({"clock-battery": 360})
    cells.begin({KEY: octets})
    assert cells.look(CLOCK, b"") == 360


# -- minutes on the cell


def minutes(bench: Bench) -> int:
    return int(bench.read(MINUTES)[::-1].hex())


@pytest.mark.parametrize("cadence_s", [1, 60])
def test_minutes_without_supply_are_counted_from_its_loss(cadence_s):
    bench = Bench(cadence_s)
    bench.run(600)
    assert minutes(bench) == 0
    bench.run(1800, DEAD)
    assert minutes(bench) == 29  # the last push was a little before the half hour
    bench.run(600)
    assert minutes(bench) == 30
    bench.kill()
    bench.run(60)
    bench.run(3600, DEAD)
    bench.kill()
    bench.run(600, DEAD)
    bench.run(120)
    assert minutes(bench) == 30 + 70


def test_so_are_those_in_which_the_whole_meter_was_off():
    bench = Bench()
    bench.run(600)
    bench.kill()
    bench.pass_s(7200)
    bench.run(60)
    assert minutes(bench) in (120, 121)  # what was saved last is up to a minute old
    before = minutes(bench)
    bench.run(1200, DEAD)
    bench.kill()
    bench.pass_s(600)
    bench.run(60)
    assert minutes(bench) - before in (30, 31)


def test_no_clear_of_events_forgets_them():
    bench = Bench()
    bench.run(600)
    bench.run(1200, DEAD)
    bench.obey(bench.recording.clear_events(0x031100FF, bench.turn))
    bench.run(1200, DEAD)
    bench.run(10)
    assert minutes(bench) in (39, 40)
    bench.obey(bench.recording.clear(bench.turn, b"OPER"))
    assert minutes(bench) in (39, 40)
    assert count_octets(0, 4) != bench.read(MINUTES)
