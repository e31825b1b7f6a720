"""Freezes of the 2020 profile: each at its nominal time, once, from the image of its push, and none in 2007."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import msgspec
import pytest
from tests.apps.turns import Clockwork, at, octets_of, shown_time, wire

from wattwheel.apps import further_freezing
from wattwheel.apps.fee_control import FeeControl
from wattwheel.apps.further_freezing import STATE_KEY, FurtherFreezing
from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import UnknownItem
from wattwheel.model.further_freezes import CONTENT_WORDS, DEFAULTS_2020, DEPTHS, INTERVALS, SCHEMES, FurtherKind
from wattwheel.model.profile import PROFILE_DI, YEAR_2020
from wattwheel.model.settled_books import Entry
from wattwheel.protocols.dlt645.items import decode
from wattwheel.testing.world import World, simulated_settings

SETTLEMENT, MONTH, YEAR, STEP = (kind << 16 | 0xB5000000 for kind in FurtherKind)
PASSWORD = "440044"


class Work(Clockwork):
    """In the 2020 profile, with settlements and step periods that the test says."""

    def __init__(self, written=None, saved=None, profile=True):
        super().__init__(FurtherFreezing(), {**DEFAULTS_2020, **(written or {})}, saved)
        if profile:
            self.parameters[PROFILE_DI] = YEAR_2020
        self.settled = ()
        self.fees = FeeControl()
        self.function.meet([self.fees, self.function])
        push, minute = self.function.push, self.function.minute
        self.function.push = lambda turn: push(turn._replace(settled=self.settled))
        self.function.minute = lambda turn: minute(turn._replace(settled=self.settled))

    def step_ends(self, time):
        settled = int((at(time) - at("2000-01-01 00:00")).total_seconds()) // 60
        self.fees.charging.money = msgspec.structs.replace(self.fees.charging.money, settled=settled)

    def settles(self, time):
        minute = int((at(time) - at("2000-01-01 00:00")).total_seconds()) // 60
        self.settled = (Entry(minute, 1, 1), *self.settled)

    def times(self, kind):
        backs = (self.function.look(kind | back, b"") for back in range(1, 100))
        return [shown_time(octets) for octets in backs if octets is not None]


def test_a_month_and_a_year_end_once():
    work = Work()
    work.run("2026-11-30 23:57", "2026-12-01 00:03")
    assert work.times(MONTH) == ["2612010000"]
    assert work.times(YEAR) == []
    work.run("2026-12-31 23:58", "2027-01-01 00:02")
    assert work.times(MONTH) == ["2701010000", "2612010000"]
    assert work.times(YEAR) == ["2701010000"]
    assert work.function.look(MONTH | 0x0101, b"") == work.function.look(YEAR | 0x0101, b"")
    work.run("2027-01-01 00:03", "2027-01-01 00:09")
    assert len(work.times(MONTH)) == 2


def test_the_entry_is_that_of_the_push_which_finds_it_due():
    work = Work()
    work.push("2026-11-30 23:59:30", 7)
    work.push("2026-12-01 00:00:02", 9)
    work.push("2026-12-01 00:00:03", 10)
    assert work.function.look(MONTH | 0x0101, b"")[:4] == wire("00000009")
    block = work.function.look(MONTH | 0xFF01, b"")
    assert block.startswith(wire("2612010000") + b"\xaa" + wire("00000009"))
    assert block.count(b"\xaa") >= 12
    assert work.function.look(MONTH | 0x0102, b"") is None
    assert work.function.look(MONTH | 0x0101, b"\0") is None


def test_of_months_missed_the_newest_is_made_up_for_also_over_a_restart():
    work = Work()
    work.push("2026-08-15 12:00", 1)
    again = Work(saved=work.saved)
    again.push("2027-02-03 09:00", 5)
    assert again.times(MONTH) == ["2702010000"]
    assert again.times(YEAR) == ["2701010000"]
    third = Work(saved=again.saved)
    third.push("2027-02-03 09:01", 6)
    assert third.times(MONTH) == ["2702010000"]


def test_a_clock_that_goes_back_over_a_month_freezes_it_once():
    work = Work()
    work.push("2026-11-30 23:59", 1)
    work.push("2026-12-01 00:00", 2)
    work.push("2026-11-30 23:58", 3)
    work.push("2026-12-01 00:00", 4)
    assert work.times(MONTH) == ["2612010000"]
    assert work.function.look(MONTH | 0x0101, b"")[:4] == wire("00000002")


def test_after_a_clock_that_was_years_ahead_months_are_frozen_again():
    work = Work()
    work.push("2036-01-15 12:00", 1)
    work.push("2026-11-30 23:59", 2)
    work.push("2026-12-01 00:00", 3)
    assert work.times(MONTH) == ["2612010000"]


def test_the_register_table_has_as_many_as_are_kept():
    assert list(DEPTHS.values()) == [12, 24, 5, 4, *[60] * 8]
    for kind, depth in DEPTHS.items():
        block = 0xB500FF00 | kind << 16
        assert item_2007(block | 1).category == item_2007(block | depth).category == "freeze"
        with pytest.raises(UnknownItem):
            item_2007(block | depth + 1)


def test_each_settlement_and_each_step_settlement():
    work = Work()
    work.settles("2026-10-01 00:00")
    work.step_ends("2026-10-01 00:00")
    work.push("2026-10-31 12:00", 1)
    assert work.times(SETTLEMENT) == work.times(STEP) == []  # nobody saw them
    work.settles("2026-11-01 00:00")
    work.push("2026-11-01 00:00:01", 2)
    work.step_ends("2026-11-01 01:00")
    work.push("2026-11-01 01:00:30", 3)
    assert (work.times(SETTLEMENT), work.times(STEP)) == (["2611010000"], ["2611010100"])
    again = Work(saved=work.saved)
    again.settled = work.settled
    again.settles("2026-12-01 00:00")
    again.settles("2026-12-10 00:00")
    again.step_ends("2026-11-01 01:00")
    again.push("2026-12-11 00:00", 9)
    assert again.times(SETTLEMENT) == ["2612100000", "2612010000", "2611010000"]
    assert again.times(STEP) == ["2611010100"]


def test_schemes_of_minutes_have_their_own_intervals_and_are_not_made_up():
    work = Work({INTERVALS[0x21]: "0005", INTERVALS[0x28]: "0060"})
    first, last = 0xB521FF00, 0xB528FF00
    work.run("2026-03-01 09:58", "2026-03-01 10:11")
    blocks = [work.function.look(first | back, b"") for back in (1, 2, 3, 4)]
    assert [None if each is None else shown_time(each[:5]) for each in blocks] == [
        "2603011010",
        "2603011005",
        "2603011000",
        None,
    ]
    assert shown_time(work.function.look(last | 1, b"")[:5]) == "2603011000"
    assert len(blocks[0]) == 16
    assert work.function.look(0xB5210101, b"") == blocks[0][6:10]
    assert work.function.look(0xB5210301, b"") is None
    again = Work({INTERVALS[0x21]: "0005"}, saved=work.saved)
    again.push("2026-03-01 13:02", 99)
    assert shown_time(again.function.look(first | 1, b"")[:5]) == "2603011010"
    again.push("2026-03-01 13:06", 99)  # a minute or two late is not missed
    assert shown_time(again.function.look(first | 1, b"")[:5]) == "2603011305"


def test_what_passed_in_the_other_profile_is_not_made_up():
    work = Work({INTERVALS[0x21]: "0060"})
    work.settles("2026-11-01 00:00")
    work.step_ends("2026-11-01 00:00")
    work.run("2026-11-30 23:58", "2026-12-01 00:01")
    of_2020 = dict(work.parameters)
    assert STATE_KEY in work.saved
    other = Work(saved=work.saved, profile=False)
    assert other.push("2026-12-05 00:00", 3)
    assert not other.push("2026-12-05 00:01", 3)
    assert STATE_KEY not in other.saved
    later = Work({INTERVALS[0x21]: "0060"}, saved=other.saved)
    later.settled = work.settled
    later.settles("2027-01-01 00:00")
    later.step_ends("2027-01-01 00:00")
    later.push("2027-02-03 00:30", 9)
    assert (later.times(SETTLEMENT), later.times(MONTH), later.times(YEAR)) == ([], ["2612010000"], [])
    assert later.times(STEP) == []
    # the same within one run, and what follows is frozen as ever
    later.parameters = {di: octets for di, octets in of_2020.items() if di != PROFILE_DI}
    later.push("2027-02-03 00:31", 9)
    later.settles("2027-03-01 00:00")
    later.push("2027-03-02 00:00", 10)
    later.parameters = of_2020
    later.push("2027-03-02 12:01", 11)
    assert (later.times(SETTLEMENT), later.times(MONTH)) == ([], ["2612010000"])
    later.settles("2027-04-01 00:00")
    later.push("2027-04-01 00:00", 12)
    assert (later.times(SETTLEMENT), later.times(MONTH)) == (["2704010000"], ["2704010000", "2612010000"])


@pytest.mark.parametrize(("is_power_up", "frozen"), [(True, []), (False, ["2606100500"])])
def test_a_minute_that_passed_without_supply_is_not_frozen(is_power_up, frozen):
    work = Work({INTERVALS[0x21]: "0060"})
    work.is_power_up = is_power_up
    work.push("2026-06-10 05:00:12", 1)
    assert work.times(0xB5210000) == frozen
    work.push("2026-06-10 06:00:00", 1)
    assert work.times(0xB5210000) == ["2606100600", *frozen]


@pytest.mark.parametrize("kind", [*FurtherKind, *SCHEMES])
def test_each_ring_has_its_depth(kind):
    work = Work({INTERVALS[kind]: "0001"} if kind in SCHEMES else {})
    work.push("2026-01-15 00:00", 0)
    for number in range(DEPTHS[kind] + 3):
        time = datetime(2027 + number // 12, 1 + number % 12, 1, tzinfo=UTC)
        if kind == FurtherKind.YEAR:
            time = datetime(2027 + number, 1, 1, tzinfo=UTC)
        if kind in SCHEMES:
            time = datetime(2027, 1, 1, number // 60, number % 60, tzinfo=UTC)
        if kind == FurtherKind.SETTLEMENT:
            work.settles(f"{time:%F %T}")
        if kind == FurtherKind.STEP_SETTLEMENT:
            work.step_ends(f"{time:%F %T}")
        work.push(time, number)
    item = 0xFF00
    shown = [work.function.look(0xB5000000 | kind << 16 | item | back, b"") for back in range(1, 256)]
    assert [each is not None for each in shown] == [back <= DEPTHS[kind] for back in range(1, 256)]
    assert shown[0][:5] == octets_of(time)
    assert max(map(len, work.saved)) <= 64


@pytest.mark.parametrize("word", [0x00, 0x01, 0x42, 0xFF])
def test_the_content_word_says_what_is_in_it(word):
    work = Work({CONTENT_WORDS[FurtherKind.MONTH]: f"{word:02X}"})
    work.push("2026-11-30 23:59", 1)
    work.push("2026-12-01 00:00", 2)
    has = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 8: 4, 9: 5, 10: 6, 16: 7}
    for item, bit in has.items():
        assert (work.function.look(MONTH | item << 8 | 1, b"") is not None) is bool(word >> bit & 1)
    listed = set(work.function.listed())
    assert {MONTH | 1, MONTH | 0xFF01} <= listed
    for di in listed:
        decode(item_2007(di), work.function.look(di, b""))


def test_without_the_profile_nothing_is_made_saved_or_shown():
    work = Work({INTERVALS[0x21]: "0001"}, profile=False)
    work.run("2026-12-31 23:50", "2027-01-01 00:10")
    assert work.saved == {}
    assert list(work.function.listed()) == []
    before = Work()
    before.run("2026-11-30 23:58", "2026-12-01 00:01")
    later = Work(saved=before.saved, profile=False)
    later.push("2027-01-01 00:00", 1)
    assert later.times(MONTH) == []
    assert list(later.function.listed()) == []


@pytest.mark.parametrize("octets", [b"", b"\xff", b"\xc1", msgspec.msgpack.encode(["x"])])
def test_what_cannot_be_read_is_forgotten(octets):
    work = Work(saved={STATE_KEY: octets, "further 6 1": octets, "further x": octets, "further 99 1": octets})
    work.run("2026-11-30 23:58", "2026-12-01 00:01")
    assert work.times(MONTH) == ["2612010000"]


def test_a_meter_clear_leaves_none():
    work = Work()
    work.run("2026-11-30 23:58", "2026-12-01 00:01")
    work.carry_out(work.function.clear(work.turn, b""))
    assert work.times(MONTH) == []
    assert [key for key in work.saved if key != STATE_KEY] == []
    assert Work(saved=work.saved).times(MONTH) == []
    work.parameters = dict(work.parameters)  # whoever hears parameters looks at everything
    work.push("2026-12-01 00:02", 9)
    assert work.times(MONTH) == []


def test_nothing_due_costs_nothing(monkeypatch):
    work = Work()
    work.run("2026-11-10 10:00", "2026-11-10 10:02")
    monkeypatch.setattr(further_freezing, "month_begin", None)
    ring = SimpleNamespace(has=None)
    work.function._rings = dict.fromkeys(DEPTHS, ring)  # whoever looked at one would fail
    work.run("2026-11-10 10:03", "2026-11-10 11:00")
    assert not work.function.needs_saving_now


@pytest.mark.parametrize("profile", ["2007", "2020"])
def test_over_the_wire(profile):
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4=PASSWORD)
    meter = msgspec.structs.replace(settings.meter, profile=profile)
    settings = msgspec.structs.replace(settings, dlt645=own, meter=meter)
    world = World(4, settings=settings, calendar=datetime(2026, 12, 31, 23, 58, 20, tzinfo=UTC))
    world.set_power(9e6)
    world.await_ready()
    reply = world.write(INTERVALS[0x21], wire("0001"), 4, PASSWORD)
    assert reply == ((0x94, b"") if profile == "2020" else (0xD4, b"\x02"))
    if profile == "2020":
        assert world.write(INTERVALS[0x21], wire("1441"), 4, PASSWORD) == (0xD4, b"\x01")
    for di, digits in ((0x04060001, "00000100"), (0x04060101, "00001000")):  # with steps, whose period is a month
        assert world.write(di, wire(digits), 4, PASSWORD) == (0x94, b"")
    world.advance(110)
    answers = {di: world.ask(di) for di in (MONTH | 1, YEAR | 1, SETTLEMENT | 1, STEP | 1, 0xB521FF01, INTERVALS[0x21])}
    if profile == "2007":
        assert {answer.error for answer in answers.values()} == {2}
        return
    for di in (MONTH | 1, YEAR | 1, SETTLEMENT | 1, STEP | 1):
        assert answers[di].data == wire("2701010000"), f"{di:08X}"
    assert world.ask(SETTLEMENT | 0x0101).check() == world.ask(MONTH | 0x0101).check() == world.ask(0x05060101).check()
    assert answers[0xB521FF01].data[:5] == wire("2701010000")
    world.kill("kernel")
    world.advance(5)
    assert world.ask(YEAR | 0xFF01).data == world.ask(MONTH | 0xFF01).data != b""
    assert world.meter.crashes == []
