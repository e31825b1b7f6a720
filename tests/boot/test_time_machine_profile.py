"""The time machine in both profiles: minutes leave what seconds leave, and a switch-over moves the same energy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.boot.test_time_machine import EVENING, FOUR_TARIFFS, PASSWORD, START_MS, play, rows, told

from wattwheel.apps.fee_control import FeeControl
from wattwheel.boot.minute_core import MinuteCore, MinuteLoad
from wattwheel.boot.sim_meter import SimStore
from wattwheel.boot.time_machine import TimeMachine
from wattwheel.drivers.sim.storage import SimDisk
from wattwheel.testing.readable import readable, written
from wattwheel.testing.world import simulated_settings

TABLE, STANDBY = 0x04010001, 0x04020001
SWITCHES = {0x04000106: "2603010330", 0x04000107: "2603010330", 0x04000108: "2603010800", 0x04000109: "2603010800"}
WRITTEN = {
    **FOUR_TARIFFS,
    STANDBY: "180001" + "100002" + "040003" + "000004",
    **{0x04050100 + tariff: f"0000{tariff}000" for tariff in range(1, 5)},
    **{0x04050200 + tariff: f"0000{tariff}500" for tariff in range(1, 5)},
    0x04060001: "00000100",
    0x04060101: "00000100",
    0x04060201: "00000200",
    0x04060301: "00000200",
    **SWITCHES,
}


def machine(profile, core=None, store=None, calendar=EVENING, written_items=WRITTEN):
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=PASSWORD)
    meter = msgspec.structs.replace(settings.meter, profile=profile)
    settings = msgspec.structs.replace(settings, dlt645=own, meter=meter)
    core = core or MinuteCore(MinuteLoad(rows(), START_MS, True, 1))
    made = TimeMachine(settings, core, store or SimStore(SimDisk(1)), calendar)
    made.await_ready()
    for di, digits in written_items.items():
        assert written(made, di, digits, PASSWORD), f"{di:08X}"
    made.advance(70)
    return made


def shown(made):
    """Octets of each item that can be read."""
    return {di: octets for di, (error, octets) in readable(made).items() if not error}


def steps(made):
    """Use in the running step period, in those before, and when the last one ended."""
    fees = next(each for each in made._energy.memory.functions if isinstance(each, FeeControl))
    return fees.charging.money.used, fees.charging.money.periods, fees.charging.money.settled


def lived(profile, in_seconds):
    made = machine(profile)
    play(made, 86_400, in_seconds)
    made.advance(2.5)
    assert not made.crashes
    return made


@pytest.mark.parametrize("profile", ["2007", "2020"])
def test_a_day_with_four_switch_overs_in_minutes_is_one_in_seconds(profile):
    found = [told(lived(profile, in_seconds)) for in_seconds in (True, False)]
    assert found[0] == found[1]
    assert len(set(found[0][1].shares)) == 4


def test_both_profiles_book_and_charge_the_same_and_end_with_their_own_sets():
    old, new = (lived(profile, False) for profile in ("2007", "2020"))
    assert old.image.shares == new.image.shares
    assert steps(old) == steps(new)
    assert len(steps(new)[1]) == 2  # one by the calendar, one by the switch-over
    before, after_it = shown(old), shown(new)
    for kind in (2, 3, 5, 7):
        first = 0x05000001 | kind << 16
        assert before[first] == after_it[first]
        for item in range(1, 9):
            assert before[first | item << 8] == after_it[first | item << 8]
    zeros = bytes(5)
    for switch, digits in SWITCHES.items():
        assert before[switch] == bytes.fromhex(digits)[::-1]
        assert after_it[switch] == zeros
    assert after_it[TABLE] == after_it[STANDBY] == before[STANDBY]
    words = [int.from_bytes(made._energy.memory.look(0x04000503), "little") for made in (old, new)]
    assert [word & 0b1100_0010_0001 for word in words] == [0b1100_0010_0001, 0]
    assert before[0x02800020] == after_it[0x02800020]  # the price in force


@pytest.mark.parametrize("profile", ["2007", "2020"])
def test_an_instant_that_passes_while_it_is_off_is_made_up_for(profile):
    made = machine(profile)
    play(made, 3600, False)
    made.switch_off()
    made.clock.skip_to(made.clock.now_ns() + 40_000 * 1_000_000_000)
    made.power_up()
    made.await_ready()
    play(made, 50_000, False)
    made.advance(2)
    items = shown(made)
    assert items[0x05030001] == bytes.fromhex("2603010330")[::-1]
    assert 0x05030002 not in items
    assert (items[0x04000107] == bytes(5)) is (profile == "2020")
    assert made.local > datetime(2026, 3, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "profiles", [("2007", "2020"), ("2020", "2007"), ("2007", "2020", "2007", "2020"), ("2020", "2007", "2007", "2020")]
)
def test_whatever_profile_it_gets_what_is_in_force_stays(profiles):
    """Each life has one switch-over, after which its own tariff is in force the whole day."""
    core, store, calendar = MinuteCore(MinuteLoad(rows(), START_MS, True, 1)), SimStore(SimDisk(1)), EVENING
    in_force = 1
    for number, profile in enumerate(profiles, 1):
        first = {0x04000203: "01", 0x04000204: "12"}
        made = machine(profile, core, store, calendar, {**first, TABLE: "000001"} if number == 1 else first)
        assert made.image.tariff == in_force, f"life {number}"
        standby = STANDBY if profile == "2020" or not made.image.sets.day_tables else TABLE
        in_force = 1 + number
        instant = made.local.replace(second=0) + timedelta(minutes=2)
        for di, digits in ((standby, f"0000{in_force:02d}"), (0x04000107, f"{instant:%y%m%d%H%M}")):
            assert written(made, di, digits, PASSWORD)
        play(made, 600, False)
        made.advance(5)
        assert made.image.tariff == in_force, f"life {number}"
        assert (shown(made)[0x04000107] == bytes(5)) is (profile == "2020")
        made.switch_off()
        calendar = made.clock.calendar()
