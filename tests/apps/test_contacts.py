"""Covers, inputs and the metering chip: a record each time, with the registers at both ends, whatever dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.apps.test_energy_tariffs import POWER_W, numbers
from tests.apps.turns import MOMENTARY

from wattwheel.apex.messages import Control
from wattwheel.apps.contacts import Contacts
from wattwheel.apps.functions import EPOCH, Turn
from wattwheel.model.energy_items import STANDARD_WORDS
from wattwheel.model.private_items import contact_di
from wattwheel.model.ratings import Ratings
from wattwheel.model.records import EnergyTotals, Quality, Readings
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.reporting import Report
from wattwheel.sdk import Function
from wattwheel.testing.world import World, simulated_settings

METER_COVER, TERMINAL_COVER = 0x03300D00, 0x03300E00
AUXILIARY, MAGNETIC, INTERNAL, CHIP = 0x03060000, 0x03350000, 0x03370000, 0xB0490000
INPUTS = [  # identifier of the count, what is told, delay, octets of a record
    (AUXILIARY, "auxiliary-supply lost", "auxiliary-supply present", 60, 12),
    (MAGNETIC, "magnetic-field present", "magnetic-field absent", 5, 28),
    (INTERNAL, "internal-supply abnormal", "internal-supply normal", 60, 12),
    (CHIP, "metering-chip faulty", "metering-chip sound", 60, 12),
]
WORD_7 = 0x04000507
CLEAR = bytes((2,)) + bytes.fromhex("220022")[::-1] + b"OPER"


@pytest.fixture
def world():
    usual = simulated_settings()
    own = msgspec.structs.replace(usual.dlt645, password_level_2="220022")
    world = World(6, settings=msgspec.structs.replace(usual, dlt645=own))
    world.set_power(POWER_W, reactive_var=(1e6, -2e6, 0))
    world.await_ready()
    return world


def tell(world: World, contact: str, state: str) -> int:
    replies = []
    world.meter.ask(Control.CONTACT, contact_di(contact), f"{contact} {state}".encode(), replies.append)
    assert world.advance_until(lambda: bool(replies), 2.0)
    return replies[0].error


def times(record: bytes) -> list[datetime | None]:
    ends = record[:6], record[6:12]
    return [
        datetime.strptime(end[::-1].hex(), "%y%m%d%H%M%S").replace(tzinfo=UTC) if any(end) else None for end in ends
    ]


def test_an_opening_is_recorded_from_begin_to_end(world):
    assert world.read(METER_COVER) == 0
    assert world.ask(METER_COVER + 1).error == 2
    opened_at = world.clock.calendar()
    assert tell(world, "meter-cover", "open") == 0
    world.advance(5)
    assert world.read(METER_COVER) == 1
    record = world.ask(METER_COVER + 1).check()
    assert len(record) == 60
    begin, end = times(record)
    assert 0 <= (begin - opened_at).total_seconds() <= 3
    assert end is None
    assert numbers(record[12:])[6:] == [0] * 6
    world.advance(60)
    assert tell(world, "meter-cover", "closed") == 0
    world.advance(5)
    record = world.ask(METER_COVER + 1).check()
    assert times(record)[0] == begin
    assert 60 <= (times(record)[1] - begin).total_seconds() <= 68
    energies = numbers(record[12:])
    assert 60_000 <= energies[6] - energies[0] <= 68_000  # 36 MW for a minute and a little
    assert energies[7] == energies[1] == 0
    assert world.read(METER_COVER) == 1
    assert world.read(TERMINAL_COVER) == 0


def test_what_lasts_less_than_a_second_is_no_opening(world):
    assert tell(world, "terminal-cover", "open") == 0
    world.advance(0.3)
    assert tell(world, "terminal-cover", "closed") == 0
    world.advance(5)
    assert world.read(TERMINAL_COVER) == 0


def test_ten_records_are_kept_and_all_are_counted(world):
    for _ in range(12):
        for state in ("open", "closed"):
            assert tell(world, "terminal-cover", state) == 0
            world.advance(4)
    assert world.read(TERMINAL_COVER) == 12
    begins = [times(world.ask(TERMINAL_COVER + place).check())[0] for place in range(1, 11)]
    assert begins == sorted(begins, reverse=True)
    assert len(set(begins)) == 10
    assert world.ask(TERMINAL_COVER + 11).error == 2


@pytest.mark.parametrize("tenth", range(10))
def test_a_look_that_finds_it_open_for_less_than_a_second_is_none(world, tenth):
    """Wherever it lies between the looks, which are a second apart: some of these are seen once."""
    world.advance(tenth / 10)
    assert tell(world, "terminal-cover", "open") == 0
    world.advance(0.6)
    assert tell(world, "terminal-cover", "closed") == 0
    world.advance(5)
    assert world.read(TERMINAL_COVER) == 0


def test_what_was_told_outlives_a_kill_at_once(world):
    assert tell(world, "meter-cover", "open") == 0
    world.kill("energy")
    world.advance(10)
    assert world.read(METER_COVER) == 1


@pytest.mark.parametrize("write", range(10))
def test_a_cut_leaves_what_the_contact_said_or_what_it_said_before(world, write):
    world.cut_power_at_write(write)
    replies = []
    world.meter.ask(Control.CONTACT, 0, b"meter-cover open", replies.append)
    world.advance(1)
    was_told = bool(replies) and replies[0] is not None and not replies[0].error
    world.advance(20)
    world.await_ready()
    assert world.read(METER_COVER) in ((1,) if was_told else (0, 1))


def test_meter_clear_and_kill(world):
    tell(world, "meter-cover", "open")
    world.advance(5)
    world.kill("energy")
    world.advance(5)
    assert world.read(METER_COVER) == 1
    assert world.request(0x1A, CLEAR) == (0x9A, b"")
    assert world.read(METER_COVER) == 0
    world.advance(5)
    assert world.read(METER_COVER) == 0  # the opening that lasts was recorded, and that record is gone
    tell(world, "meter-cover", "closed")
    world.advance(5)
    assert world.ask(METER_COVER + 1).error == 2


@pytest.mark.parametrize(
    "told", [b"", b"meter-cover", b"meter-cover ajar", b"window open", b"\xff open", b"magnetic-field open"]
)
def test_what_is_no_contact_is_refused(world, told):
    replies = []
    world.meter.ask(Control.CONTACT, 0, told, replies.append)
    assert world.advance_until(lambda: bool(replies), 2.0)
    assert replies[0].error == 1


def count_of(world: World, di: int) -> int:
    return int(world.ask(di).check()[:3][::-1].hex())


@pytest.mark.parametrize(("di", "on", "off", "delay_s", "octets"), INPUTS)
def test_an_input_is_recorded_when_it_has_lasted(world, di, on, off, delay_s, octets):
    """As many seconds as the delay are nothing, one more is the begin; the end likewise."""
    tell(world, *on.split())
    world.advance(delay_s - 0.5)
    assert count_of(world, di) == 0
    world.advance(3)
    assert count_of(world, di) == 1
    record = world.ask(di + 1).check()
    begin, end = times(record)
    assert (len(record), end) == (octets, None)
    world.advance(60)
    tell(world, *off.split())
    world.advance(delay_s - 0.5)
    assert times(world.ask(di + 1).check()) == [begin, None]
    world.advance(3)
    record = world.ask(di + 1).check()
    assert 60 + delay_s - 3 <= (times(record)[1] - begin).total_seconds() <= 60 + delay_s + 3
    assert count_of(world, di) == 1
    assert world.ask(di + 2).error == 2


def test_a_magnetic_record_tells_active_energy_before_and_after(world):
    tell(world, "magnetic-field", "present")
    world.advance(67)
    tell(world, "magnetic-field", "absent")
    world.advance(8)
    before, reverse_before, after, reverse_after = numbers(world.ask(MAGNETIC + 1).check()[12:])
    assert 55_000 < after - before < 80_000  # 36 MW for a minute and a little
    assert reverse_before == reverse_after == 0


def test_a_lost_auxiliary_supply_shows_in_word_7_and_its_minutes_grow(world):
    assert world.ask(WORD_7).check()[0] >> 4 & 1 == 0
    tell(world, "auxiliary-supply", "lost")
    world.advance(60 + 3 + 2 * 60)
    assert world.ask(WORD_7).check()[0] >> 4 & 1 == 1
    assert numbers_of_3(world.ask(AUXILIARY).check()) == [1, 2]  # while it lasts
    tell(world, "auxiliary-supply", "present")
    world.advance(63)
    assert world.ask(WORD_7).check()[0] >> 4 & 1 == 0
    minutes = numbers_of_3(world.ask(AUXILIARY).check())
    world.advance(120)
    assert numbers_of_3(world.ask(AUXILIARY).check()) == minutes == [1, 3]


def numbers_of_3(octets: bytes) -> list[int]:
    return [int(octets[at : at + 3][::-1].hex()) for at in range(0, len(octets), 3)]


def test_without_mains_the_internal_supply_is_not_abnormal(world):
    world.set_power(0, voltage_v=(0, 0, 0))
    world.advance(2)
    tell(world, "internal-supply", "abnormal")
    world.advance(70)
    assert count_of(world, INTERNAL) == 0
    world.set_power(POWER_W)
    world.advance(63)
    assert count_of(world, INTERNAL) == 1


def silence(world: World) -> None:
    world.meter.core.is_held_down = True
    world.kill("metering_core")


def speak(world: World) -> None:
    world.meter.core.is_held_down = False
    world.meter.core.start()


def test_a_silent_core_is_a_metering_chip_fault_while_it_is_silent(world):
    """No push comes then: the event begins all the same, and is on the medium."""
    silent_at = world.clock.calendar()
    silence(world)
    world.advance(55)
    assert count_of(world, CHIP) == 0
    world.advance(10)
    assert count_of(world, CHIP) == 1
    begin, end = times(world.ask(CHIP + 1).check())
    assert 60 <= (begin - silent_at).total_seconds() <= 64
    assert end is None
    world.kill("energy")
    world.advance(100)
    speak(world)
    world.advance(30)
    assert times(world.ask(CHIP + 1).check()) == [begin, None]
    world.advance(45)
    end = times(world.ask(CHIP + 1).check())[1]
    assert 224 <= (end - silent_at).total_seconds() <= 240  # 165 s of silence, and the delay
    assert count_of(world, CHIP) == 1


def test_silences_shorter_than_the_delay_are_no_fault(world):
    for _ in range(3):
        silence(world)
        world.advance(50)
        speak(world)
        world.advance(5)
    assert count_of(world, CHIP) == 0


class Alone:
    """The function by itself, with pushes made by hand."""

    def __init__(self, saved=None):
        self.function, self.second, self.saved = Contacts(), 1000, dict(saved or {})
        self.function.rate(Ratings())
        self.function.begin(self.saved)
        self.reports = []
        self.function.on_report = lambda bit, is_end: self.reports.append((bit, is_end))

    def push(self, seconds=1, faults=0, quality=Quality.VALID):
        self.second += seconds
        image = RegisterImage(self.second, ((0,) * 6,), (0,) * 24, at_ns=self.second * 1_000_000_000)
        readings = Readings(image.at_ns, 0.0, quality, EnergyTotals(1, (0,) * 24), MOMENTARY, core_faults=faults)
        turn = Turn(readings, image, None, {}, STANDARD_WORDS, (), {}, False, lambda di: None)
        self.function.push(turn)
        self.saved.update(self.function.changes())
        return turn

    def tell(self, words):
        prepared = self.function.prepare(Function.CONTACT, words.encode(), b"", self.push())
        prepared.apply()
        self.saved.update(prepared.changes)

    def count(self, di):
        return int(self.function.look(di, b"")[:3][::-1].hex())

    def times(self, di):
        return times(self.function.look(di + 1, b""))


@pytest.mark.parametrize(
    ("faults", "is_fault"), [(0x01, True), (0x04, True), (0x20, True), (0x08, False), (0x02, False)]
)
@pytest.mark.parametrize("step", [1, 10, 60])
def test_a_core_that_reports_a_fault(faults, is_fault, step):
    """However often it pushes: 60 s are nothing, 61 are the event, and the end likewise."""
    alone = Alone()
    alone.push()
    begin = alone.second + step
    for _ in range(60 // step):
        alone.push(step, faults)
    assert alone.count(CHIP) == 0
    alone.push(step, faults)
    assert alone.count(CHIP) == is_fault
    if is_fault:
        assert alone.times(CHIP) == [EPOCH + timedelta(seconds=begin + 60), None]
        end = alone.second + step
        for _ in range(60 // step + 1):
            alone.push(step)
        assert alone.times(CHIP)[1] == EPOCH + timedelta(seconds=end + 60)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 90), st.booleans()), min_size=1, max_size=12), st.data())
def test_how_often_the_core_pushes_does_not_matter(runs, data):
    """What holds from one push to the next was seen by the earlier one; and a restart in between loses nothing."""
    plain, coarse = Alone(), Alone()
    plain.push(), coarse.push()
    for seconds, is_on in runs:
        faults = 0x20 if is_on else 0
        for _ in range(seconds):
            plain.push(1, faults)
        coarse.push(1, faults)
        cut = data.draw(st.integers(0, seconds - 1))
        for part in (cut, seconds - 1 - cut):
            if part:
                coarse.push(part, faults)
    assert coarse.function.look(CHIP, b"") == plain.function.look(CHIP, b"")
    assert [coarse.function.look(CHIP + n, b"") for n in range(1, 6)] == [
        plain.function.look(CHIP + n, b"") for n in range(1, 6)
    ]


def test_reports_at_both_ends_and_none_without_a_bit():
    alone = Alone()
    for words in ("meter-cover open", "magnetic-field present", "metering-chip faulty"):
        alone.tell(words)
    for _ in range(70):
        alone.push()
    alone.tell("meter-cover closed")
    for _ in range(3):
        alone.push()
    assert alone.reports == [(Report.METER_COVER, False), (Report.MAGNETIC_FIELD, False), (Report.METER_COVER, True)]


@given(st.binary(max_size=60))
def test_what_was_saved_is_taken_up_or_forgotten(octets):
    alone = Alone({"contacts": octets, "contacts plug": octets})
    alone.push()
    assert alone.count(METER_COVER) >= 0


def test_what_an_older_version_saved_is_taken_up():
    """A cover of three fields, without what was added to it since."""
    saved = msgspec.msgpack.encode({"meter-cover": (True, (True, 0), (7, (bytes(60),)))})
    alone = Alone({"contacts": saved})
    alone.push()
    assert alone.count(METER_COVER) == 7
    alone.tell("meter-cover closed")
    for _ in range(3):
        alone.push()
    assert alone.times(METER_COVER)[1] is not None
