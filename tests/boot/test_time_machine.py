"""The time machine: a minute at a time leaves exactly what a second at a time leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import msgspec
import pytest

from wattwheel.apex.messages import Control
from wattwheel.apps.energy import Energy
from wattwheel.boot.minute_core import MinuteCore, MinuteLoad
from wattwheel.boot.sim_meter import SimStore
from wattwheel.boot.time_machine import TimeMachine
from wattwheel.drivers.sim.clock import START_NS
from wattwheel.drivers.sim.load_file import LoadRow
from wattwheel.drivers.sim.storage import SimDisk
from wattwheel.protocols.dlt645.frame import Frame, FrameReader, encode
from wattwheel.testing.readable import readable, written
from wattwheel.testing.world import simulated_settings

SECOND_NS = 1_000_000_000
START_MS = START_NS // 1_000_000
PASSWORD = "440044"
MOMENTARY_CLOCK = 0x04000102, 0x0400010C  # the time itself
FOUR_TARIFFS = {
    0x04000203: "04",
    0x04000204: "04",
    0x04010001: "201504" + "120003" + "061702" + "000001",
    0x04000B01: "0100",
    0x04000B02: "0113",
}
EVENING = datetime(2026, 2, 28, 18, 0, tzinfo=UTC)


def rows():
    """A load that changes each minute, in amount and direction."""
    active = accumulate(range(1, 400), lambda power, n: (power * 7 + n * 104_729) % 9_000_000)
    return [LoadRow(p - 2_000_000, p % 1_700_000 - 300_000, 229_000 + p % 3000, p // 230 * 1000) for p in active]


def machine(calendar=EVENING, phases=1, store=None, core=None):
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=PASSWORD)
    settings = msgspec.structs.replace(settings, dlt645=own)
    core = core or MinuteCore(MinuteLoad(rows(), START_MS, True, phases))
    made = TimeMachine(settings, core, store or SimStore(SimDisk(1)), calendar)
    made.await_ready()
    return made


def after(made, seconds):
    """The machine's instant so long after its beginning."""
    return START_NS + seconds * SECOND_NS - made.clock.now_ns()


def play(made, seconds, in_seconds):
    if in_seconds is None:  # the whole host, all its timers and ports
        made.advance(after(made, seconds) / 1e9)
    else:
        made.play_to(START_NS + seconds * SECOND_NS, makes_every_push=in_seconds)


def set_clock(made, local):
    replies = []
    made.set_clock(local, replies.append)
    made.advance_until(lambda: bool(replies), 5)
    assert replies == [True]


def spied(made):
    """How often the clock had been set, by the pushes that energy takes from now on."""
    own, seen = made._energy.memory, set()
    take = own.take

    def look(readings):
        assert readings.clock_changes >= max(seen, default=0)
        seen.add(readings.clock_changes)
        take(readings)

    own.take = look
    return seen


def told(made):
    """What can be read, and what is kept, but for the clock itself."""
    items = {di: value for di, value in readable(made).items() if di not in MOMENTARY_CLOCK}
    image = made._energy.memory.ledger.image
    return items, msgspec.structs.replace(image, at_ns=0)


@pytest.mark.parametrize("phases", [1, 3])
def test_a_day_in_minutes_is_a_day_in_seconds(phases):
    found = []
    for in_seconds in (True, False):
        made = machine(phases=phases)
        for di, digits in FOUR_TARIFFS.items():
            assert written(made, di, digits, PASSWORD)
        made.advance(after(made, 70) / 1e9)
        play(made, 86_400, in_seconds)
        made.advance(0.5)
        assert abs(made.local - EVENING - timedelta(seconds=86_400.5)) < timedelta(seconds=0.1)
        assert not made.crashes
        found.append(told(made))
        assert len(found[-1][0]) > 100
        assert len(set(found[-1][1].shares)) == 4
    assert found[0] == found[1]


def test_a_day_in_minutes_is_saved_together(monkeypatch):
    saves = []
    keep = Energy.keep
    monkeypatch.setattr(Energy, "keep", lambda own, at_once=False: (saves.append(at_once), keep(own, at_once)))
    made = machine()
    saves.clear()
    made.play_to(START_NS + 86_400 * SECOND_NS)  # with 24 hourly freezes, which are saved at once otherwise
    assert 1 <= len(saves) <= 2
    saves.clear()
    made.advance(3700)
    assert len(saves) > 60


def test_with_a_clock_that_is_set_it_is_the_same():
    found = []
    for in_seconds in (None, True, False):
        made = machine()
        settings_seen = spied(made)
        for di, digits in FOUR_TARIFFS.items():
            assert written(made, di, digits, PASSWORD)
        made.advance(after(made, 100) / 1e9)
        play(made, 2000, in_seconds)
        set_clock(made, EVENING + timedelta(hours=6, seconds=17))
        made.advance(after(made, 2070) / 1e9)
        play(made, 3000, in_seconds)
        set_clock(made, EVENING + timedelta(hours=3, seconds=41))
        made.advance(after(made, 3100) / 1e9)
        play(made, 4800, in_seconds)
        made.advance(0.5)
        found.append(told(made))
        assert settings_seen == {0, 1, 2}
    assert found[0] == found[1] == found[2]


def test_the_registers_are_what_has_flowed():
    made = machine()
    made.play_to(START_NS + 3 * 86_400 * SECOND_NS)
    made.advance(0.5)
    expected = [0] * 8
    cycle = rows()
    for minute in range(3 * 1440):
        row = cycle[minute % len(cycle)]
        expected[0 if row.active_milliwatt >= 0 else 1] += abs(row.active_milliwatt) * 60_000
        quadrant = (0 if row.reactive_millivar >= 0 else 3) if row.active_milliwatt >= 0 else 1
        quadrant = 2 if row.active_milliwatt < 0 and row.reactive_millivar < 0 else quadrant
        expected[2 + quadrant] += abs(row.reactive_millivar) * 60_000
        apparent = row.voltage_millivolt * row.current_microampere // 10**6
        expected[6 if row.active_milliwatt >= 0 else 7] += apparent * 60_000
    assert made._energy.memory.ledger.image.totals == expected


def test_switched_off_and_on_it_goes_on_where_it_was():
    made = machine()
    made.play_to(START_NS + 7000 * SECOND_NS)
    made.switch_off()
    before = made.core.booked(made.now_ms)
    made.clock.skip_to(made.clock.now_ns() + 3600 * SECOND_NS)
    made.power_up()
    made.await_ready()
    made.play_to(made.clock.now_ns() + 600 * SECOND_NS)
    assert made.kernel_starts == 2
    flowed = made.core.load.flowed(made.now_ms)
    total = made.core.booked(made.now_ms)
    assert before < total < flowed
    made.advance(1.5)
    image = made._energy.memory.ledger.image
    assert tuple(image.totals) <= made.core.booked(made.now_ms)
    assert tuple(image.totals) >= total


def test_a_cut_costs_what_was_not_synced():
    made = machine()
    made.advance(53.25)
    made.lose_power()
    lost = made.core.lost_microjoule
    at = made.now_ms
    since = START_MS
    kept = at - (at - since) % 20_000
    assert lost == tuple(b - a for a, b in zip(made.core.load.flowed(kept), made.core.load.flowed(at), strict=True))
    assert made.core.booked(at) == made.core.load.flowed(kept)


# -- a relay in front of the load


def with_relay(mode="remote"):
    settings = simulated_settings()
    replace = msgspec.structs.replace
    settings = replace(
        settings,
        dlt645=replace(settings.dlt645, password_level_2="220022", password_level_4=PASSWORD),
        fee_control=replace(settings.fee_control, mode=mode),
    )
    load = MinuteLoad([LoadRow(6_000_000, 0, 230_000, 26_087_000)], START_MS, True)
    made = TimeMachine(settings, MinuteCore(load), SimStore(SimDisk(1)), EVENING)
    made.await_ready()
    return made


def order(made, code):
    data = bytes((2,)) + bytes.fromhex("220022")[::-1] + bytes(4) + bytes((code, 0)) + bytes.fromhex("000000301299")
    frame = encode(Frame(made.settings.meter.address, 0x1C, data))
    return FrameReader().feed(made.exchange(frame))[0].control


@pytest.mark.parametrize("in_seconds", [None, True, False])
def test_an_order_cuts_the_load_off_and_nothing_is_lost_or_invented(in_seconds):
    made = with_relay()
    made.advance(100)
    assert order(made, 0x1A) == 0x9C
    made.advance(1)
    at_trip = made.core.booked(made.now_ms)
    assert made.core.is_open
    assert 100_000 * 6_000_000 <= at_trip[0] <= made.core.load.flowed(made.now_ms)[0]
    play(made, 4000, in_seconds)
    assert made.core.booked(made.now_ms) == at_trip
    assert made.image.elements[0] == at_trip[0]
    assert order(made, 0x1C) == 0x9C
    made.advance(1)
    closed_ms = made.now_ms
    closed = made.core.booked(closed_ms)
    play(made, 8000, in_seconds)
    assert made.core.booked(made.now_ms)[0] - closed[0] == 6_000_000 * (made.now_ms - closed_ms)
    word = made._own().look(0x04000503)
    assert (word if isinstance(word, int) else int.from_bytes(word, "little")) & (1 << 4 | 1 << 6) == 0


def test_a_wallet_that_is_used_up_ends_the_load_in_minutes():
    made = with_relay("local")
    made.advance(2)
    assert made.core.is_open  # nothing was paid yet
    done = []
    for di, digits in ((0x04050101, "00020000"), (0x04001002, "00000000")):
        data = di.to_bytes(4, "little") + bytes((4,)) + bytes.fromhex(PASSWORD)[::-1] + bytes(4)
        made.exchange(encode(Frame(made.settings.meter.address, 0x14, data + bytes.fromhex(digits)[::-1])))
    made.ask(Control.FEE, 0, b"open-wallet 100", lambda reply: done.append(reply.error))
    made.advance(3)
    assert (done, made.core.is_open) == ([0], False)
    before = made.core.booked(made.now_ms)[0]
    play(made, 3600, False)
    spent = made.core.booked(made.now_ms)[0] - before
    assert made.core.is_open
    assert (
        3_600_000_000_000 * 0.99 <= spent <= 3_600_000_000_000 + 60_000 * 6_000_000
    )  # 100 / 2 / 50 kWh, and at most a minute
