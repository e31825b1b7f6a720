"""The display in a whole simulated meter: it shows what a head-end reads, follows its keys, its lists and faults."""

from __future__ import annotations

import re

import msgspec
import pytest

from wattwheel import __version__
from wattwheel.apps.display import METERING_PATIENCE_S, WORDS_S, DisplaySettings
from wattwheel.model.display import EVERY_SEGMENT, LCD_DIGITS, Lcd
from wattwheel.model.display_lists import (
    AUTO_COUNT,
    AUTO_LIST,
    DEFAULT_AUTO_LIST,
    DEFAULT_KEY_LIST,
    ENERGY_DECIMALS,
    KEY_COUNT,
    KEY_LIST,
    SCREEN_SECONDS,
    TEST_SECONDS,
    Entry,
)
from wattwheel.model.display_state import Limits
from wattwheel.testing.world import World, simulated_settings

DONE, OTHER = (0x94, b""), (0xD4, b"\x01")
LEVEL_4 = "440044"
UP_S = 11  # full-screen test, version, and the second in which the first screen comes up


def meter(has_auxiliary_supply: bool = False) -> World:
    own = simulated_settings()
    board = msgspec.structs.replace(own.board, auxiliary_supply=has_auxiliary_supply)
    dlt645 = msgspec.structs.replace(own.dlt645, password_level_4=LEVEL_4, programming_key=False)
    name_plate = msgspec.structs.replace(own.meter, nominal_voltage_v=220.0)
    world = World(4, settings=msgspec.structs.replace(own, dlt645=dlt645, meter=name_plate, board=board))
    world.set_power(3e3)
    world.await_ready()
    return world


@pytest.fixture
def world() -> World:
    return meter()


def glass(world: World) -> Lcd:
    return msgspec.json.decode(world.published("display"), type=Lcd)


def write(world: World, di: int, octets: bytes) -> tuple[int, bytes] | None:
    return world.write(di, octets, 4, LEVEL_4)


def walked(world: World, seconds: int) -> list[Lcd]:
    """What stood on the glass, without repetitions."""
    seen: list[Lcd] = []
    for _ in range(seconds):
        world.advance(1)
        if not seen or glass(world) != seen[-1]:
            seen.append(glass(world))
    return seen


def pressed(world: World, button: str, held_s: float = 0.0) -> Lcd:
    assert world.press(button, held_s)
    world.advance(0.1)
    return glass(world)


def test_power_up_lights_every_segment_and_tells_the_version():
    world = World(4)
    world.advance_until(lambda: world.published("display") is not None, 10)
    assert glass(world) == EVERY_SEGMENT
    assert any(shown.title == f"software version {__version__}" for shown in walked(world, 9))


def test_it_walks_through_its_list_by_itself(world):
    world.advance(UP_S)
    seen = walked(world, 4 * 5)
    screens = list(dict.fromkeys((int(shown.di, 16), shown.index) for shown in seen))
    expected = [(entry.di, f"{at:02d}") for at, entry in enumerate(DEFAULT_AUTO_LIST, 1)]
    assert sorted(screens) == sorted(expected)
    energy = next(shown for shown in seen if shown.di == "00010000")
    assert energy.unit == "kWh"
    assert energy.title == f"current total forward active energy: {energy.digits.strip()} kWh"
    assert {"ua", "ub", "uc", "ia", "ib", "ic", "tariff", "quadrant_1"} <= set(energy.symbols)
    assert (energy.tariff, energy.blinking, energy.lit) == ("1", (), False)
    assert len({shown.digits for shown in seen if shown.di == "04000102"}) >= 4  # the time goes on while it is shown


def test_the_time_on_the_glass_is_the_meter_s(world):
    pressed(world, "down")
    assert pressed(world, "down").di == "04000102"
    for _ in range(3):
        world.advance(0.9)
        second = int(world.read("04000102"))
        assert int(glass(world).digits.replace(":", "")) in (second, second - 1)


def test_keys_walk_through_the_key_list_and_show_what_a_head_end_reads(world):
    world.advance(UP_S)
    seen = [pressed(world, "down") for _ in DEFAULT_KEY_LIST]
    assert [int(shown.di, 16) for shown in seen] == [entry.di for entry in DEFAULT_KEY_LIST]
    assert all(shown.lit for shown in seen)
    values = {(entry.di, entry.part): shown for entry, shown in zip(DEFAULT_KEY_LIST, seen, strict=True)}
    assert values[0x02010100, 0].digits.strip() == f"{world.read(0x02010100) / 10:.1f}" == "220.0"
    assert values[0x02800002, 0].digits.strip() == "50.00"
    assert values[0x04000401, 0].digits == "11200001"
    assert values[0x04000401, 1].digits == "    2026"
    assert pressed(world, "down").index == "01"
    assert pressed(world, "up").index == f"{len(DEFAULT_KEY_LIST):02d}"


def test_a_minute_after_the_last_key_it_goes_back_and_the_light_off(world):
    world.advance(UP_S)
    assert pressed(world, "down").lit
    world.advance(58)
    assert (glass(world).di, glass(world).lit) == ("04000101", True)
    world.advance(3)
    assert (glass(world).di, glass(world).lit) == ("00000000", False)


def test_both_keys_check_every_segment(world):
    world.advance(UP_S)
    assert pressed(world, "both") == EVERY_SEGMENT
    world.advance(UP_S)
    assert glass(world).di


def test_long_presses_are_told_apart(world):
    world.advance(UP_S)
    before = glass(world)
    assert pressed(world, "down", held_s=3).di == before.di
    pressed(world, "down", held_s=5)
    world.advance(2)
    counters = world.counters()["display"]
    assert (counters["relay_closings_wanted"], counters["output_steps_wanted"]) == (1, 1)


def test_the_programming_button_shows_for_240_minutes(world):
    assert world.press("program")
    world.advance(UP_S)
    assert "program" in glass(world).symbols
    assert world.press("program")
    world.advance(2)
    assert "program" not in glass(world).symbols


def test_lists_can_be_written_and_outlive_a_kill(world):
    assert write(world, AUTO_COUNT, b"\x02") == DONE
    assert write(world, AUTO_LIST + 1, Entry(0x02010200).octets) == DONE
    assert write(world, AUTO_LIST + 2, Entry(0x04000401, 1).octets) == DONE
    assert write(world, SCREEN_SECONDS, b"\x07") == DONE
    assert write(world, TEST_SECONDS, b"\x00") == DONE
    world.advance(UP_S)
    for victim in ("display", "parameters", "kernel"):
        world.kill(victim)
        world.advance(10)
        seen = walked(world, 28)
        assert [shown.di for shown in seen][:4] in (["02010200", "04000401"] * 2, ["04000401", "02010200"] * 2)
        assert {shown.digits.strip() for shown in seen} == {"220.0", "2026"}
    assert world.read(AUTO_LIST + 2) == "0400040101"
    assert world.read(AUTO_LIST + 1) == "02010200"
    assert world.meter.crashes == []


@pytest.mark.parametrize(
    ("di", "octets"),
    [
        (AUTO_LIST + 1, bytes.fromhex("0000FF09")),  # no such item
        (KEY_LIST + 99, bytes.fromhex("FFFFFFFF")),
        (AUTO_LIST + 1, bytes.fromhex("000001000A")),  # a part that is no number
        (AUTO_LIST + 1, bytes.fromhex("000001")),
        (AUTO_LIST + 1, bytes.fromhex("000001000000")),
        (KEY_COUNT, b"\x00"),
        (SCREEN_SECONDS, b"\x04"),
        (TEST_SECONDS, b"\x31"),
        (ENERGY_DECIMALS, b"\x05"),
    ],
)
def test_what_is_no_screen_is_refused(world, di, octets):
    before = world.read(AUTO_LIST + 1)
    assert write(world, di, octets) == OTHER
    assert world.read(AUTO_LIST + 1) == before == "00000000"


@pytest.mark.parametrize(
    ("decimals", "digits"), [(0, r"\d+"), (1, r"\d+\.\d"), (2, r"\d+\.\d\d"), (3, r"\d+\.\d{3}"), (4, r"\d+\.\d{4}")]
)
def test_energies_have_the_decimals_that_are_set(world, decimals, digits):
    assert write(world, ENERGY_DECIMALS, bytes((decimals,))) == DONE
    world.advance(UP_S)
    energy = next(shown for shown in walked(world, 20) if shown.di == "00010000")
    assert re.fullmatch(digits, energy.digits.strip())


def test_four_decimals_on_the_glass_are_those_of_the_register(world):
    world.advance(40)
    assert write(world, ENERGY_DECIMALS, b"\x04") == DONE
    assert write(world, KEY_LIST + 1, bytes.fromhex("00000100")) == DONE
    world.advance(UP_S)
    world.set_power(0)
    world.advance(2)
    shown = pressed(world, "down")
    units = world.read("precise_import_active_energy")
    assert (shown.di, shown.digits.strip()) == ("00010000", f"{units // 10_000}.{units % 10_000:04d}")
    assert units // 100 == world.read("import_active_energy")
    assert units % 100
    assert units == world.meter.load.registers()[0] // 360_000_000


def test_a_silent_metering_core_is_an_error_that_holds_while_keys_still_work(world):
    world.advance(UP_S)
    world.meter.core.is_held_down = True
    world.kill("metering_core")
    world.advance(METERING_PATIENCE_S + 6)
    assert (glass(world).digits, glass(world).lit) == ("Err-07", True)
    assert glass(world).title == "error 07: metering fault"
    assert not {"ua", "ia", "quadrant_1"} & set(glass(world).symbols)
    assert pressed(world, "up").di == "02800002"
    assert glass(world).digits == "-" * LCD_DIGITS
    assert glass(world).title.endswith(": no value")
    world.meter.core.is_held_down = False
    world.meter.core.start()
    world.advance(70)
    assert not glass(world).digits.startswith("Err")


def tell(world: World, **condition: object) -> Lcd:
    """What stands on the glass when the kernel has told this."""
    world.meter.host.sampling_source("condition").write(msgspec.json.encode(condition))
    world.advance(1.1)
    return glass(world)


def test_what_the_kernel_tells_of_the_memory_is_an_error(world):
    world.advance(UP_S)
    assert not tell(world, faults=["samples_lost"], frames=0).digits.startswith("Err")
    assert tell(world, faults=["samples_lost", "store_write"], frames=0).digits == "Err-06"
    tell(world, faults=[], frames=0)
    world.advance(WORDS_S + 2)  # status word 1 tells it, too
    assert not glass(world).digits.startswith("Err")


def test_frames_turn_the_light_on_for_a_minute(world):
    world.advance(UP_S)
    shown = tell(world, faults=[], frames=7)
    assert (shown.lit, "traffic" in shown.symbols) == (False, False)  # those of a time before this display's
    shown = tell(world, faults=[], frames=8)
    assert (shown.lit, "traffic" in shown.symbols) == (True, True)
    world.advance(2)
    assert "traffic" not in glass(world).symbols
    world.advance(55)
    assert glass(world).lit
    world.advance(5)
    assert not glass(world).lit


def test_it_comes_back_after_a_kill(world):
    world.advance(30)
    world.kill("display")
    world.advance(1.5)
    assert glass(world) == EVERY_SEGMENT
    assert pressed(world, "down").index == "01"
    assert world.meter.crashes == []


def test_thresholds_are_shares_of_the_nominal_voltage():
    settings = DisplaySettings(interrupted_millivolt=11_000, starting_microampere=5000, nominal_millivolt=220_000)
    assert settings.limits == Limits(11_000, 5000, 171_600, 132_000)


def test_a_current_that_runs_backwards_is_read_negative_and_shown(world):
    world.advance(UP_S)
    world.set_power(-3e3)
    world.advance(2)
    for phase in (1, 2, 3):
        answer = world.ask(0x02020000 | phase << 8)
        assert answer.data.hex() == "454580"  # 1000 W at 220 V
    assert {"ia", "ia_reverse", "ib_reverse", "ic_reverse"} <= set(glass(world).symbols)
    world.set_power(3e3)
    world.advance(2)
    assert world.ask(0x02020100).data.hex() == "454500"
    assert not {symbol for symbol in glass(world).symbols if symbol.endswith("_reverse")}


def test_an_idle_display_asks_for_little(world):
    """Its screens, the time each second while it is on the glass, and the run status words every five seconds."""
    world.advance(UP_S)
    channel = world.meter.host.queuing["display>bus"]
    before = channel.sent
    world.advance(60)
    screens, seconds_of_time, words = 3 * 3, 3 * 5, 60 // 5
    assert channel.sent - before <= screens + seconds_of_time + words + 2
