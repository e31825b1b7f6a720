"""Switch-over of the 2020 profile over the wire: the standby set is copied, the instant consumed, and no set mixed."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import pytest
from tests.apps.turns import Clockwork

from wattwheel.apps import energy
from wattwheel.apps.energy_books import Ledger
from wattwheel.apps.fee_control import FeeControl
from wattwheel.apps.functions import Turn
from wattwheel.apps.recording import Recording
from wattwheel.apps.switch_overs import SwitchOvers
from wattwheel.drivers.sim.storage import Torn
from wattwheel.model.energy_items import MICROJOULE_PER_CENTIWATTHOUR as CENTI
from wattwheel.model.energy_items import STANDARD_WORDS
from wattwheel.model.errors import NotAnswered
from wattwheel.model.profile import PROFILE_DI, YEAR_2020
from wattwheel.model.records import REGISTER_COUNT, EnergyTotals, Quality, Readings
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.tariff_parameters import RunningSets
from wattwheel.testing.world import World, simulated_settings

LEVEL_4 = "440044"
POWER_W = 36e6
MORNING = datetime(2026, 6, 1, 7, 59, 30, tzinfo=UTC)
AT_8 = "2606010800"
CONSUMED = "0000000000"
ZONES_SWITCH, TABLES_SWITCH, PRICES_SWITCH, STEPS_SWITCH = 0x04000106, 0x04000107, 0x04000108, 0x04000109
ZONES, STANDBY_ZONES, TABLE, STANDBY_TABLE = 0x04010000, 0x04020000, 0x04010001, 0x04020001
PRICE, STANDBY_PRICE, STEP_PRICE, STANDBY_STEP_PRICE = 0x04050101, 0x04050201, 0x04060101, 0x04060301
LIMIT, STANDBY_LIMIT = 0x04060001, 0x04060201
WORD_3, CURRENT_PRICE, STEP_ENERGY = 0x04000503, 0x02800020, 0xB0F00000
SETS_BITS = 1 << 0 | 1 << 5 | 1 << 10 | 1 << 11
DAY_1 = "000001"
PROFILE_2020 = {PROFILE_DI: YEAR_2020}


def wire(digits: str) -> bytes:
    return bytes.fromhex(digits)[::-1]


def write(world: World, items: dict[int, str]) -> None:
    for di, digits in items.items():
        assert world.write(di, wire(digits), 4, LEVEL_4) == (0x94, b""), f"{di:08X}"


def shown(world: World, di: int) -> str | None:
    answer = world.ask(di)
    return None if answer.error else bytes(answer.data)[::-1].hex()


class Watched(Ledger):
    """Remembers the registers' shares after each push, and what it was given."""

    given: list[tuple[float, int]]
    newest: Watched

    def take(self, readings):
        Watched.newest = self
        is_urgent = super().take(readings)
        Watched.given.append((readings.calendar_s, readings.totals.microjoule[0]))
        assert [sum(column) for column in zip(*self.books.shares, strict=True)] == self.books.seen
        return is_urgent


@pytest.fixture
def make_world(monkeypatch):
    monkeypatch.setattr(energy, "Ledger", Watched)
    Watched.given = []

    def make(profile: str = "2020", seed: int = 3, calendar: datetime = MORNING) -> World:
        settings = simulated_settings()
        world = World(
            seed,
            settings=msgspec.structs.replace(
                settings,
                dlt645=msgspec.structs.replace(settings.dlt645, password_level_4=LEVEL_4),
                meter=msgspec.structs.replace(settings.meter, profile=profile),
            ),
            calendar=calendar,
        )
        world.set_power(POWER_W)
        world.await_ready()
        return world

    return make


TABLES = {TABLE: DAY_1, STANDBY_TABLE: "000004", ZONES: "010101", STANDBY_ZONES: "010101"}
EVERYTHING = {
    **TABLES,
    PRICE: "00001000",
    STANDBY_PRICE: "00002000",
    STEP_PRICE: "00000300",
    STANDBY_STEP_PRICE: "00000400",
    LIMIT: "00100000",
    STANDBY_LIMIT: "00900000",
    ZONES_SWITCH: AT_8,
    TABLES_SWITCH: AT_8,
    PRICES_SWITCH: AT_8,
    STEPS_SWITCH: AT_8,
}


def test_all_four_pairs_are_copied_at_their_instant_and_the_instants_are_consumed(make_world):
    world = make_world()
    write(world, EVERYTHING)
    world.advance(10)
    assert shown(world, CURRENT_PRICE) == "00001300"
    assert shown(world, TABLES_SWITCH) == AT_8
    world.advance(35)  # 08:00 is over
    for current, standby in ((TABLE, STANDBY_TABLE), (PRICE, STANDBY_PRICE), (STEP_PRICE, STANDBY_STEP_PRICE)):
        assert shown(world, current) == shown(world, standby) == EVERYTHING[standby]
    assert shown(world, LIMIT) == EVERYTHING[STANDBY_LIMIT]
    assert shown(world, ZONES) == EVERYTHING[STANDBY_ZONES]
    assert {shown(world, di) for di in (ZONES_SWITCH, TABLES_SWITCH, PRICES_SWITCH, STEPS_SWITCH)} == {CONSUMED}
    assert int(shown(world, WORD_3), 16) & SETS_BITS == 0
    for kind in (0x02, 0x03, 0x05, 0x07):
        assert shown(world, 0x05000001 | kind << 16) == AT_8
        assert shown(world, 0x05000002 | kind << 16) is None
    world.advance(70)
    assert shown(world, 0x02800021) == "00000000"  # tariff 4, whose price nobody has written
    assert world.counters()["parameters"]["sets_copied"] >= 1
    assert Watched.newest.books.sets.day_tables == 0
    assert Watched.newest.books.tariff == 4
    assert world.meter.crashes == []


def test_the_2007_profile_toggles_as_it_did(make_world):
    world = make_world("2007")
    write(world, EVERYTHING)
    world.advance(45)
    assert shown(world, TABLE) == DAY_1
    assert shown(world, PRICE) == EVERYTHING[PRICE]
    assert {shown(world, di) for di in (ZONES_SWITCH, TABLES_SWITCH, PRICES_SWITCH, STEPS_SWITCH)} == {AT_8}
    assert int(shown(world, WORD_3), 16) & SETS_BITS == SETS_BITS
    assert "switch_overs" not in world.meter.host.sampling
    assert "sets_copied" not in world.counters()["parameters"]


@pytest.mark.parametrize("profile", ["2007", "2020"])
def test_energy_changes_its_tariff_with_the_push_of_the_instant_in_both_profiles(make_world, profile):
    world = make_world(profile)
    write(world, {**TABLES, TABLES_SWITCH: AT_8})
    world.advance(60)
    expected = [0, 0]
    for (_at, before), (_now, total) in zip([(0.0, 0), *Watched.given], Watched.given, strict=False):
        is_after = bool(expected[1]) or (_at % 86400 >= 8 * 3600)
        expected[1 if is_after else 0] += total - before
    shares = [share[0] for share in Watched.newest.books.shares]
    assert shares == [expected[0], 0, 0, expected[1]]
    assert min(expected) > 20 * 10 * CENTI


def test_each_pair_goes_for_itself(make_world):
    world = make_world()
    write(world, {**EVERYTHING, ZONES_SWITCH: "2606010801", PRICES_SWITCH: CONSUMED, STEPS_SWITCH: "2707010000"})
    world.advance(40)
    assert shown(world, TABLE) == "000004"
    assert shown(world, TABLES_SWITCH) == CONSUMED
    assert shown(world, ZONES_SWITCH) == "2606010801"
    assert shown(world, PRICE) == EVERYTHING[PRICE]
    assert shown(world, STEP_PRICE) == EVERYTHING[STEP_PRICE]
    assert shown(world, STEPS_SWITCH) == "2707010000"


def test_an_instant_in_the_past_is_executed_at_once_and_a_further_one_again(make_world):
    world = make_world()
    write(world, {**TABLES, TABLES_SWITCH: "2606010000"})
    world.advance(3)
    assert shown(world, TABLE) == "000004"
    write(world, {STANDBY_TABLE: "000003", TABLES_SWITCH: "2606010001"})
    world.advance(3)
    assert shown(world, TABLE) == "000003"
    assert shown(world, 0x05030001) == "2606010001"
    assert shown(world, 0x05030002) == "2606010000"
    assert Watched.newest.books.tariff == 3


def test_a_standby_item_that_was_never_written_leaves_none(make_world):
    world = make_world()
    write(world, {TABLE: "000003", TABLES_SWITCH: "2606010000"})
    world.advance(3)
    assert shown(world, TABLE) is None
    assert Watched.newest.books.tariff == 1
    world.kill("parameters")
    world.advance(3)
    assert shown(world, TABLE) is None


def test_an_instant_that_passes_without_supply_is_made_up_once(make_world):
    world = make_world()
    write(world, {**TABLES, TABLES_SWITCH: AT_8})
    world.advance(5)
    world.cut_power_at_write(0)
    world.clock.step_calendar(120)  # it was off for so long
    world.advance(30)
    assert world.power_cuts == 1
    world.await_ready()
    world.advance(5)
    assert shown(world, TABLE) == "000004"
    assert shown(world, TABLES_SWITCH) == CONSUMED
    assert shown(world, 0x05030001) == AT_8
    world.kill("kernel")
    world.advance(10)
    world.await_ready()
    assert shown(world, 0x05030002) is None
    assert Watched.newest.books.sets.day_tables == 0


@pytest.mark.parametrize("torn", list(Torn))
@pytest.mark.parametrize("place", range(14))
def test_a_cut_at_any_write_leaves_the_old_sets_or_the_new_ones_and_ends_with_the_new(make_world, place, torn):
    world = make_world(seed=place)
    write(world, {**EVERYTHING, TABLES_SWITCH: CONSUMED, STEPS_SWITCH: "2606010000"})
    world.advance(5)
    write(world, {STANDBY_STEP_PRICE: "00000600"})
    watched = (TABLE, TABLES_SWITCH)
    world.advance(max(0.0, 29.5 - (world.clock.calendar() - MORNING).total_seconds()) - 3)
    write(world, {TABLES_SWITCH: AT_8})
    old = [shown(world, di) for di in watched]
    world.meter.disk.torn = torn
    world.cut_power_at_write(place)
    seen = []
    for _ in range(80):
        world.advance(0.25)
        with suppress(NotAnswered):
            table, instant, again = (world.ask(di) for di in (*watched, TABLE))
            if table.data == again.data and not (table.error or instant.error):  # else it came between questions
                seen.append([bytes(answer.data)[::-1].hex() for answer in (table, instant)])
    world.meter.disk.cut_at_write = None
    world.await_ready()
    world.advance(3)
    new = [shown(world, di) for di in watched]
    assert new == ["000004", CONSUMED]
    assert all(found in (old, new) for found in seen), seen
    world.advance(3)
    assert int(shown(world, WORD_3), 16) & SETS_BITS == 0
    assert shown(world, 0x05030001) == AT_8
    assert shown(world, 0x05030002) is None
    assert Watched.newest.books.tariff == 4
    assert sum(share[0] for share in Watched.newest.books.shares) == Watched.given[-1][1]
    assert world.meter.crashes == []


@pytest.mark.parametrize("seed", range(12))
def test_kills_around_the_instant_mix_nothing(make_world, seed):
    world, chance = make_world(seed=seed), random.Random(seed)
    write(world, {**EVERYTHING})
    world.advance(29.0 - (world.clock.calendar() - MORNING).total_seconds())
    for _ in range(6):
        world.kill_within(chance.choice(["parameters", "energy", "store", "bus"]), chance.randrange(30))
        world.advance(chance.uniform(0.1, 1.5))
    world.quiet()
    world.advance(20)
    assert shown(world, TABLE) == "000004"
    assert shown(world, PRICE) == EVERYTHING[STANDBY_PRICE]
    assert {shown(world, di) for di in (ZONES_SWITCH, TABLES_SWITCH, PRICES_SWITCH, STEPS_SWITCH)} == {CONSUMED}
    assert [shown(world, 0x05000001 | kind << 16) for kind in (2, 3, 5, 7)] == [AT_8] * 4
    assert [shown(world, 0x05000002 | kind << 16) for kind in (2, 3, 5, 7)] == [None] * 4
    assert Watched.newest.books.tariff == 4
    assert world.meter.crashes == []


# -- what is asked for


def pushed(function, second, sets, written=PROFILE_2020, is_minute=False):
    image = RegisterImage(second, ((0,) * 8,), (0,) * REGISTER_COUNT, 1, 1, sets)
    readings = Readings(0, float(second), Quality.VALID, EnergyTotals(1, (0,) * REGISTER_COUNT))
    turn = Turn(readings, image, None, written, STANDARD_WORDS, (), {}, False, lambda di: None)
    if is_minute:
        function.minute(turn)
    function.push(turn)
    return function.published()


def test_a_copy_is_asked_for_again_each_minute_until_it_was_made():
    own = SwitchOvers()
    running = RunningSets(day_tables=1, day_tables_switched=wire(AT_8))
    assert pushed(own, 60, RunningSets(), is_minute=True) == b""
    first = pushed(own, 61, running)
    assert msgspec.msgpack.decode(first, type=dict[int, bytes]) == {TABLES_SWITCH: wire(AT_8)}
    assert pushed(own, 62, running) is first
    again = pushed(own, 120, running, is_minute=True)
    assert again == first
    assert again is not first
    done = pushed(own, 121, RunningSets(day_tables_switched=wire(AT_8)))
    assert msgspec.msgpack.decode(done) == {}
    assert pushed(own, 180, RunningSets(day_tables_switched=wire(AT_8)), is_minute=True) is done


def test_in_the_2007_profile_nothing_is_asked_for():
    own = SwitchOvers()
    running = RunningSets(day_tables=1, day_tables_switched=wire(AT_8))
    assert pushed(own, 60, running, written={}, is_minute=True) == b""


@pytest.mark.parametrize(("told", "shown_bits"), [({}, SETS_BITS), (PROFILE_2020, 0)])
def test_the_status_word_shows_no_standby_set_while_it_waits_for_its_copy(told, shown_bits):
    instants = dict.fromkeys((PRICES_SWITCH, STEPS_SWITCH), AT_8)
    recording, fees = Clockwork(Recording()), Clockwork(FeeControl(), instants)
    recording.sets = RunningSets(1, 1, wire(AT_8), wire(AT_8))
    found = 0
    for work in (recording, fees):
        work.parameters |= told
        work.push("2026-06-01 07:59")
        work.push("2026-06-01 08:00")
        found |= work.function.status_bits(3)
    assert fees.function.charging.money.sets.prices == 1
    assert found & SETS_BITS == shown_bits
