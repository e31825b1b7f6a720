"""Long times: a clock that drifts for weeks (C-08), and everything that fell due while there was no supply (P-07)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.boot.test_time_machine import EVENING, PASSWORD, START_MS, after, machine, rows, set_clock, told

from wattwheel.apps.energy import FUNCTIONS
from wattwheel.apps.freezing import Freezing
from wattwheel.apps.recording import Recording
from wattwheel.boot.minute_core import MinuteCore, MinuteLoad
from wattwheel.boot.sim_meter import SimStore
from wattwheel.boot.time_machine import TimeMachine
from wattwheel.drivers.sim.clock import START_NS
from wattwheel.drivers.sim.storage import SimDisk
from wattwheel.model.energy_items import MICROJOULE_PER_CENTIWATTHOUR as CENTI
from wattwheel.testing.readable import written
from wattwheel.testing.world import simulated_settings

SECOND_NS = 1_000_000_000
LIMIT_PPM, LIMIT_S_A_DAY = 5.787, 0.5
DAYS = 5


def drifting(ppm: float) -> TimeMachine:
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=PASSWORD)
    clock = msgspec.structs.replace(settings.clock, drift_ppm=ppm)
    settings = msgspec.structs.replace(settings, dlt645=own, clock=clock)
    made = TimeMachine(settings, MinuteCore(MinuteLoad(rows(), START_MS, True)), SimStore(SimDisk(1)), EVENING)
    made.await_ready()
    return made


def error(made: TimeMachine) -> timedelta:
    """How much the meter's clock is ahead of the world's."""
    return made.local - made.clock.calendar()


@pytest.mark.parametrize("ppm", [LIMIT_PPM, -LIMIT_PPM])
def test_c_08_a_drifting_clock_is_wrong_by_its_share_of_the_days(ppm):
    made = drifting(ppm)
    begin, first = made.clock.calendar(), error(made)
    for day in (1, DAYS):
        made.play_to(START_NS + day * 86_400 * SECOND_NS)
        elapsed = made.clock.calendar() - begin
        gained = error(made) - first
        assert abs(gained - elapsed * ppm / 1e6) <= timedelta(microseconds=2)
        assert abs(gained) <= elapsed / timedelta(days=1) * timedelta(seconds=LIMIT_S_A_DAY)
    assert abs(made.image.second - (made.local - datetime(2000, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)) < 60


@pytest.mark.parametrize("ppm", [1000.0, -777.7])
def test_a_drifting_clock_turns_its_minutes_at_the_same_pushes_however_time_is_played(ppm):
    found = []
    for in_seconds in (None, True, False):
        made = drifting(ppm)
        made.advance(after(made, 70) / 1e9)
        seen: list[int] = []
        own = made._energy.memory
        take = own.take

        def spy(readings, own=own, take=take, seen=seen):
            before = own.ledger.image.minute
            take(readings)
            if own.ledger.image.minute != before:
                seen.append(readings.at_ns)

        own.take = spy
        for until in (2500, 5000):
            if in_seconds is None:
                made.advance(after(made, until) / 1e9)
            else:
                made.play_to(START_NS + until * SECOND_NS, makes_every_push=in_seconds)
            set_clock(made, EVENING + timedelta(seconds=until + 37))
            made.advance(after(made, until + 70) / 1e9)
        made.advance(0.5)
        assert len(seen) > 80
        found.append((seen, told(made)))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("before_us", [0, 499, 500, 501, 900])
def test_a_push_just_before_the_turn_belongs_where_its_milliseconds_say(before_us):
    found = []
    for makes_every_push in (True, False):
        made = machine(
            calendar=EVENING + timedelta(seconds=17, microseconds=-before_us)
        )  # no row of the load begins then
        made.play_to(START_NS + 100 * SECOND_NS, makes_every_push)
        own, turns = made._energy.memory, []
        take = own.take

        def spy(readings, own=own, take=take, turns=turns):
            before = own.ledger.image.minute
            take(readings)
            turns += [readings.at_ns] if own.ledger.image.minute != before else []

        own.take = spy
        made.play_to(START_NS + 400 * SECOND_NS, makes_every_push)
        found.append(turns)
    assert len(found[0]) == 5
    assert found[0] == found[1]


def test_setting_it_corrects_it_at_that_instant_and_a_downtime_does_not():
    made = drifting(100.0)
    made.play_to(START_NS + 86_400 * SECOND_NS)
    assert error(made) > timedelta(seconds=8)
    world = made.clock.calendar()
    set_clock(made, world)
    assert abs(error(made)) < timedelta(seconds=1.5)
    before, at = error(made), made.clock.calendar()
    made.switch_off()
    made.clock.skip_to(made.clock.now_ns() + 5 * 86_400 * SECOND_NS)
    made.power_up()
    made.await_ready()
    gained, elapsed = error(made) - before, made.clock.calendar() - at
    assert abs(gained - elapsed * 100 / 1_000_000) <= timedelta(microseconds=2)
    assert gained > timedelta(seconds=43)


# -- what falls due while there is no supply

NEW_TABLES_AT = "2603011000"
OFF_AT, ON_AT = EVENING + timedelta(hours=2), datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PREPARED = {
    0x04000203: "04",  # four slots a day
    0x04000204: "04",
    0x04010001: "201501" + "120001" + "061701" + "000001",  # the first tables know tariff 1 alone
    0x04020001: "201504" + "120004" + "061704" + "000004",  # the second ones tariff 4
    0x04000106: NEW_TABLES_AT,
    0x04000107: NEW_TABLES_AT,
    0x04000B01: "0100",
    0x04000B02: "0113",
}


def look(made: TimeMachine, di: int) -> bytes:
    """An item of the APP `energy`, as octets on the wire."""
    found = made._energy.memory.look(di)
    assert isinstance(found, bytes), f"{di:08X}: {found!r}"
    return found


def test_p_07_all_that_was_missed_is_made_up_for_with_the_first_push():
    made = machine()
    for di, digits in PREPARED.items():
        assert written(made, di, digits, PASSWORD), f"{di:08X}"
    made.play_to(START_NS + round((OFF_AT - EVENING).total_seconds()) * SECOND_NS)
    assert made.image.tariff == 1
    assert not made.settled
    made.switch_off()
    off = made.core.booked(made.now_ms)
    made.clock.skip_to(START_NS + round((ON_AT - EVENING).total_seconds()) * SECOND_NS)
    made.power_up()
    saved: list[set[str]] = []
    made.advance_until(lambda: made._energy is not None and made._energy.memory is not None, 30)
    save = made._energy.save

    def spy(changes, *rest):
        saved.append(set(changes))
        save(changes, *rest)

    made._energy.save = spy
    made.await_ready()
    made.advance(1)
    image = made.image
    # the tables that were to run since yesterday
    assert image.tariff == 4
    # the newest settlement instant, with what the registers say now: nothing has flowed since it passed
    assert [entry.minute for entry in made.settled] == [minute(2026, 3, 1, 13), minute(2026, 3, 1)]
    share = made._energy.memory.ledger.history.copies[made.settled[0].copy]
    assert off <= tuple(share[0]) <= image.shares[0]
    # the daily freezes of the first and second of March, the same
    assert [look(made, 0x05060000 | number)[::-1].hex() for number in (1, 2)] == ["2603020000", "2603010000"]
    assert look(made, 0x05060101)[:4] == look(made, 0x05060102)[:4]
    assert int(look(made, 0x05060101)[:4][::-1].hex()) == share[0][0] // CENTI
    # the month that has ended
    assert int(look(made, 0x03100001)[:3][::-1].hex()) >= 110  # minutes that were monitored
    # and the end of the power-down
    record = look(made, 0x03110001)
    begin, end = (
        datetime.strptime(record[at : at + 6][::-1].hex(), "%y%m%d%H%M%S").replace(tzinfo=UTC) for at in (0, 6)
    )
    assert timedelta(0) <= OFF_AT - begin <= timedelta(seconds=61)
    assert timedelta(0) <= end - ON_AT < timedelta(seconds=30)
    # no push stood between: one transaction holds all of it
    first = next(keys for keys in saved if "books" in keys)
    for name in ("books", "settled", "freez", "recording power down"):
        assert any(key.startswith(name) for key in first), (name, first)
    # nothing of before belongs to the tariff that runs now
    assert tuple(share[0]) == image.shares[0]
    assert FUNCTIONS.index(Freezing) < FUNCTIONS.index(Recording)


def minute(*time: int) -> int:
    return (datetime(*time, tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)
