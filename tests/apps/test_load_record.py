"""The load record: classes at their intervals, reading by number and time, the ring, clocks that go back, damage."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.apps import turns
from tests.apps.turns import CENTI, Clockwork, at, octets_of, wire

from wattwheel.apps import load_pages
from wattwheel.apps.load_pages import PAGE_OCTETS_MAX, PAGES_MAX, LoadPages
from wattwheel.apps.load_record import LoadRecord
from wattwheel.model.bcd import signed
from wattwheel.model.catalogue import item_2007
from wattwheel.model.load_record import decode_record
from wattwheel.protocols.dlt645 import blocks, items
from wattwheel.sdk import ANSWER_OCTETS_MAX

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["load_record"]
MODE, START = 0x04000901, 0x04000A01
ALL_EARLIEST, ALL_FROM, ALL_LATEST = 0x06000000, 0x06000001, 0x06000002


def clockwork(written: dict[int, str] | None = None, saved: dict | None = None) -> Clockwork:
    return Clockwork(LoadRecord(), written, saved)


def every(minutes: int, mode: str = "3F") -> dict[int, str]:
    return {MODE: mode, **{START + number: f"{minutes:04}" for number in range(1, 7)}}


def look(works: Clockwork, di: int, count: int | None = None, time: str = "") -> bytes | None:
    asked = b"" if count is None else bytes.fromhex(f"{count:02}")
    return works.function.look(di, asked + (octets_of(at(time)) if time else b""))


def split(octets: bytes) -> list[bytes]:
    """Whole records."""
    found = []
    while octets:
        size = octets[2] + 5
        found.append(octets[:size])
        octets = octets[size:]
    return found


def told(octets: bytes | None) -> list[tuple[str, list[int]]]:
    """Time and classes of each record."""
    decoded = [decode_record(record) for record in split(octets)]
    return [(f"{time:%m-%d %H:%M}", sorted(classes)) for time, classes in decoded]


def everything(works: Clockwork) -> list[str]:
    """Times of all records, the oldest first, asked as a head-end does."""
    times: list[str] = []
    octets = look(works, ALL_EARLIEST, 99)
    while octets:
        found = [decode_record(record)[0] for record in split(octets)]
        times += [f"{time:%Y-%m-%d %H:%M}" for time in found]
        octets = look(works, ALL_FROM, 99, f"{found[-1] + timedelta(minutes=1):%Y-%m-%d %H:%M}")
    return times


# -- contents (L-01)


def test_the_record_of_a_minute_is_the_worked_example(monkeypatch):
    case = VECTORS["vectors"][0]
    classes = {int(number): bytes.fromhex(octets) for number, octets in case["classes_hex"].items()}
    decoded = dict.fromkeys(range(1, 7))
    for number, members in enumerate(blocks.LOAD_CLASSES, 1):
        at_, numbers = 0, []
        for member in map(item_2007, members):
            numbers.append(items.decode(member, classes[number][at_ : at_ + member.octets or 4]).number)
            at_ += member.octets or 4
        decoded[number] = numbers
    voltages, currents, frequency = decoded[1][:3], decoded[1][3:6], decoded[1][6]
    active, reactive, factors = decoded[2][:4], decoded[2][4:], decoded[3]
    elements = tuple(
        turns.ElementReading(
            voltages[number - 1] * 100 if number else None,
            currents[number - 1] * 1000 if number else None,
            active[number] * 100,
            reactive[number] * 100,
            None,
            factors[number] * 1000,
        )
        for number in range(4)
    )
    works = clockwork(every(15))
    works.momentary = turns.Momentary(elements, frequency * 10)
    works.demands = {0x02800004: decoded[6][0], 0x02800005: decoded[6][1]}
    imported, exported, *_combined = decoded[4]
    works.shares = (tuple(each * CENTI for each in (imported, exported, *decoded[5])),)
    works.push(case["time"])
    record = look(works, ALL_LATEST)
    _time, found = decode_record(record)
    combined = decoded[5][0] + decoded[5][3], decoded[5][1] + decoded[5][2]
    assert found == {**classes, 4: classes[4][:8] + b"".join(signed(each, 4) for each in combined)}
    assert len(record) == case["total_bytes"]


def test_each_item_of_each_class():
    works = clockwork(every(15))
    works.shares = (tuple(100 * number * CENTI for number in range(1, 9)),)
    works.demands = {0x02800004: 12345, 0x02800005: -2}
    works.push("2026-03-01 10:00")
    (record,) = items.decode(item_2007(ALL_LATEST), look(works, ALL_LATEST)).parts
    _time, *classes = record.parts
    assert [[each.number for each in found.parts] for found in classes] == [
        [2201, 2211, 2299, 1235, 2000, 3000, 4999],
        [50004, 10000, 20000, 20004, -12000, 1000, 2000, -15000],
        [-950, 990, 980, -970],
        [100, 200, 900, 900],
        [300, 400, 500, 600],
        [12345, -2],
    ]


def test_octets_of_demand_are_taken_as_they_are():
    works = clockwork(every(15))
    works.demands = {0x02800004: wire("123456"), 0x02800005: None}
    works.push("2026-03-01 10:00")
    assert decode_record(look(works, ALL_LATEST))[1][6] == wire("123456") + b"\xff" * 3


def test_what_is_not_known_is_recorded_as_not_available():
    works = clockwork(every(15))
    works.momentary = None
    works.push("2026-03-01 10:00")
    _time, classes = decode_record(look(works, ALL_LATEST))
    assert classes[1] + classes[2] + classes[3] + classes[6] == b"\xff" * (17 + 24 + 8 + 6)
    assert classes[4] == classes[5] == bytes(16)


@pytest.mark.parametrize("mode", [0x01, 0x08, 0x09, 0x20, 0x3F])
def test_the_mode_word_chooses(mode):
    works = clockwork(every(15, f"{mode:02X}"))
    works.push("2026-03-01 10:00")
    chosen = [number for number in range(1, 7) if mode >> number - 1 & 1]
    assert told(look(works, ALL_LATEST)) == [("03-01 10:00", chosen)]
    same = [case for case in VECTORS["vectors"] if case["mode"] == mode]
    assert all(len(look(works, ALL_LATEST)) == case["total_bytes"] for case in same)


def test_without_classes_there_is_no_record():
    works = clockwork(every(1, "00"))
    works.run("2026-03-01 10:00", "2026-03-01 10:10")
    assert look(works, ALL_LATEST) == look(works, ALL_EARLIEST, 5) == b""
    assert look(works, ALL_FROM, 5, "2026-03-01 10:00") == look(works, 0x06040002) == b""


# -- intervals (L-02, L-06)


@pytest.mark.parametrize("minutes", [1, 5, 15, 60])
def test_a_record_comes_at_each_interval(minutes):
    works = clockwork(every(minutes, "08"))
    works.run("2026-03-01 09:58", "2026-03-01 12:01")
    assert everything(works) == [
        f"2026-03-01 {minute // 60:02}:{minute % 60:02}"
        for minute in range(9 * 60 + 58, 12 * 60 + 2)
        if not minute % minutes
    ]
    assert decode_record(look(works, ALL_LATEST))[1][4][:4] == signed(works.shares[0][0] // CENTI - 1 % minutes, 4)


def test_each_class_has_its_interval_and_one_record_holds_all_that_are_due():
    intervals = dict(zip(range(START + 1, START + 7), ("0001", "0005", "0015", "0060", "0000", "0005"), strict=True))
    works = clockwork({MODE: "3F", **intervals})
    works.run("2026-03-01 10:59", "2026-03-01 11:15")
    assert told(look(works, ALL_EARLIEST, 99)) == [
        ("03-01 10:59", [1]),
        ("03-01 11:00", [1, 2, 3, 4, 6]),
        *((f"03-01 11:{minute:02}", [1, 2, 6] if minute in (5, 10) else [1]) for minute in range(1, 15)),
        ("03-01 11:15", [1, 2, 3, 6]),
    ]


def test_it_begins_at_the_start_and_intervals_count_from_there():
    works = clockwork({**every(20, "08"), START: "03011007"})
    works.run("2026-03-01 09:00", "2026-03-01 11:00")
    assert everything(works) == [f"2026-03-01 10:{minute}" for minute in ("07", "27", "47")]
    again = clockwork({**every(20, "08"), START: "03011007"}, works.saved)
    again.run("2027-01-01 00:00", "2027-01-01 01:00")  # the year has changed, the start has not come anew
    assert len(everything(again)) == 6


@pytest.mark.parametrize("start", ["00000000", "02290000", "99999999"])
def test_a_start_that_is_no_time_is_long_past(start):
    works = clockwork({**every(15, "08"), START: start})
    works.run("2026-01-01 10:00", "2026-01-01 10:15")
    assert len(everything(works)) == 2


def test_a_start_heard_by_a_clock_that_was_years_ahead_is_understood_anew():
    works = clockwork({**every(15, "08"), START: "03010000"})
    works.push("2031-04-01 10:00")
    works.run("2026-04-01 10:00", "2026-04-01 10:15")
    assert len(everything(works)) == 2


def test_parameters_that_cannot_be_read_count_as_the_defaults():
    works = clockwork()
    works.parameters = {0: b"", START + 1: b"\xaa\xaa"}
    works.run("2026-03-01 10:00", "2026-03-01 10:30")
    assert told(look(works, ALL_EARLIEST, 99)) == [
        (f"03-01 10:{minute}", [1, 2, 3, 4, 5, 6]) for minute in ("00", "15", "30")
    ]


def test_changed_parameters_count_from_the_next_minute():
    works = clockwork(every(15, "08"))
    works.run("2026-03-01 10:00", "2026-03-01 10:06")
    works.parameters = turns.parameters(every(4, "10"))
    works.run("2026-03-01 10:07", "2026-03-01 10:12")
    works.parameters = turns.parameters(every(0))
    works.run("2026-03-01 10:13", "2026-03-01 10:30")
    assert told(look(works, ALL_EARLIEST, 99)) == [("03-01 10:00", [4]), ("03-01 10:08", [5]), ("03-01 10:12", [5])]


def test_nothing_is_recorded_before_the_parameters_are_heard():
    works = clockwork()
    heard, works.parameters = works.parameters, {}
    works.push("2026-03-01 10:00")
    assert look(works, ALL_LATEST) == b""
    works.parameters = heard
    works.push("2026-03-01 10:00:01")
    works.push("2026-03-01 10:00:02")
    assert len(split(look(works, ALL_EARLIEST, 9))) == 1


# -- reading (L-03, L-08)


@pytest.fixture(scope="module")
def half_hour():
    """Class 4 each minute, class 1 each ten, from 10:00 to 10:30, nothing from 10:11 to 10:19."""
    intervals = {START + number: "0000" for number in range(1, 7)} | {START + 1: "0010", START + 4: "0001"}
    works = clockwork({MODE: "3F", **intervals})
    works.run("2026-03-01 10:00", "2026-03-01 10:10")
    works.run("2026-03-01 10:20", "2026-03-01 10:30")
    return works


ALL_TIMES = [f"10:{minute:02}" for minute in range(31) if not 10 < minute < 20]


def minutes_told(octets: bytes) -> list[str]:
    return [time.removeprefix("03-01 ") for time, _classes in told(octets)]


def test_reading_from_both_ends(half_hour):
    assert minutes_told(look(half_hour, ALL_EARLIEST)) == ["10:00"]
    assert minutes_told(look(half_hour, ALL_EARLIEST, 3)) == ["10:00", "10:01", "10:02"]
    assert minutes_told(look(half_hour, ALL_EARLIEST, 99)) == ALL_TIMES
    assert minutes_told(look(half_hour, ALL_LATEST)) == ["10:30"]
    assert minutes_told(look(half_hour, ALL_LATEST, 3)) == ["10:28", "10:29", "10:30"]
    assert look(half_hour, ALL_EARLIEST, 0) == b""


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2020-01-01 00:00", ["10:00", "10:01", "10:02"]),
        ("2026-03-01 09:59", ["10:00", "10:01", "10:02"]),
        ("2026-03-01 10:05", ["10:05", "10:06", "10:07"]),
        ("2026-03-01 10:10", ["10:10", "10:20", "10:21"]),
        ("2026-03-01 10:13", ["10:20", "10:21", "10:22"]),
        ("2026-03-01 10:30", ["10:30"]),
        ("2026-03-01 10:31", []),
        ("2099-12-31 23:59", []),
    ],
)
def test_a_time_without_a_record_answers_from_the_next_later(half_hour, time, expected):
    assert minutes_told(look(half_hour, ALL_FROM, 3, time)) == expected


def test_reading_one_class_passes_over_records_without_it(half_hour):
    octets = look(half_hour, 0x06010000, 9)
    assert told(octets) == [(f"03-01 10:{minute}", [1]) for minute in ("00", "10", "20", "30")]
    assert told(look(half_hour, 0x06010002)) == [("03-01 10:30", [1])]
    assert told(look(half_hour, 0x06010001, 2, "2026-03-01 10:01")) == [("03-01 10:10", [1]), ("03-01 10:20", [1])]
    assert told(look(half_hour, 0x06040001, 1, "2026-03-01 10:10")) == [("03-01 10:10", [4])]
    assert look(half_hour, 0x06020000, 9) == b""
    assert decode_record(split(octets)[0])[1][1] == decode_record(look(half_hour, ALL_EARLIEST))[1][1]


@pytest.mark.parametrize(
    ("di", "data"),
    [
        (ALL_EARLIEST, b"\x0a"),
        (ALL_EARLIEST, b"\x01" + octets_of(at("2026-03-01 10:00"))),
        (ALL_FROM, b""),
        (ALL_FROM, b"\x01"),
        (ALL_FROM, b"\x01" + wire("2613011000")),
        (ALL_FROM, b"\x01\x00"),
        (0x06000003, b"\x01"),
        (0x06000100, b"\x01"),
        (0x06070000, b"\x01"),
        (0x05000000, b"\x01"),
    ],
)
def test_what_cannot_be_asked_is_no_data(half_hour, di, data):
    assert half_hour.function.look(di, data) is None


def test_an_answer_holds_whole_records_up_to_its_bound_and_the_rest_is_asked_for_by_time():
    works = clockwork(every(1))
    works.run("2026-03-01 10:00", "2026-03-01 11:38")
    for di in (ALL_EARLIEST, ALL_LATEST):
        octets = look(works, di, 99)
        assert ANSWER_OCTETS_MAX - 103 < len(octets) <= ANSWER_OCTETS_MAX
        assert len(split(octets)) == ANSWER_OCTETS_MAX // 103
    assert told(look(works, ALL_LATEST, 50))[0][0] == "03-01 10:49"  # of the newest 50 the oldest
    assert told(look(works, ALL_LATEST, 34))[-1][0] == "03-01 11:38"
    assert len(everything(works)) == 99


def test_what_is_listed_is_answered(half_hour):
    listed = list(half_hour.function.listed())
    assert listed == [ALL_EARLIEST, ALL_LATEST, 0x06010000, 0x06010002, 0x06040000, 0x06040002]
    assert all(half_hour.function.look(di, b"") for di in listed)
    assert list(clockwork().function.listed()) == []


# -- the ring (L-04)


def test_60_days_of_class_4_each_minute_fit():
    pages, record = LoadPages(), b"\x00" * 32
    for minute in range(60 * 1440 + 1):
        pages.add(minute, [4], record)
    assert len(pages.keys) <= PAGES_MAX
    assert pages._pages[0].first == 0
    assert pages.octets < 3_000_000
    assert pages.octets > 60 * 96 * (103 + 1)  # all classes each 15 minutes are far less


def test_when_the_ring_is_full_the_oldest_page_goes(monkeypatch):
    monkeypatch.setattr(load_pages, "PAGES_MAX", 3)
    works = clockwork(every(1))
    a_page = (PAGE_OCTETS_MAX - 1) // 104
    works.run("2026-03-01 10:00", "2026-03-01 12:00")
    times = everything(works)
    assert times[-1] == "2026-03-01 12:00"
    assert 2 * a_page < len(times) <= 3 * a_page
    assert times == [f"{at(times[0]) + timedelta(minutes=minute):%Y-%m-%d %H:%M}" for minute in range(len(times))]
    assert len(works.saved) == 3 + 1  # and the start
    assert everything(clockwork(every(1), works.saved)) == times


def test_after_a_restart_the_last_page_is_filled_on():
    works = clockwork(every(1, "08"))
    works.run("2026-03-01 10:00", "2026-03-01 10:10")
    again = clockwork(every(1, "08"), works.saved)
    again.push("2026-03-01 10:10:30")
    again.run("2026-03-01 10:11", "2026-03-01 10:20")
    assert everything(again) == [f"2026-03-01 10:{minute:02}" for minute in range(21)]
    assert len(again.saved) == 2


# -- disturbances (L-05, L-07)


def test_a_clock_that_goes_back_by_three_hours_voids_what_is_later():
    works = clockwork(every(1, "08"))
    works.run("2026-03-01 10:00", "2026-03-01 14:00")
    works.push("2026-03-01 11:00:30")
    assert everything(works)[-1] == "2026-03-01 11:00"
    assert everything(clockwork(saved=works.saved)) == everything(works)
    works.run("2026-03-01 11:01", "2026-03-01 11:05")
    times = everything(works)
    assert times == [f"2026-03-01 {10 + minute // 60}:{minute % 60:02}" for minute in range(66)]
    assert decode_record(look(works, ALL_LATEST))[1][4][:4] == signed(246, 4)


def test_what_is_later_than_a_clock_that_was_set_back_is_void_with_the_very_push_that_finds_it():
    works = clockwork(every(1, "08"))
    works.passes_turns_only = True
    works.run("2026-03-01 10:00", "2026-03-01 14:00")
    assert works.push("2026-03-01 11:00:30")  # saved at once, with the books
    assert everything(works)[-1] == "2026-03-01 11:00"
    assert everything(clockwork(saved=works.saved)) == everything(works)
    assert not works.push("2026-03-01 11:00:31")
    works.run("2026-03-01 11:01", "2026-03-01 11:02")
    assert everything(works)[-2:] == ["2026-03-01 11:01", "2026-03-01 11:02"]


def test_a_clock_that_has_lost_the_time_voids_nothing():
    works = clockwork(every(1, "08"))
    works.passes_turns_only = True
    works.run("2026-03-01 10:00", "2026-03-01 10:10")
    turn = works.turn
    lost = msgspec.structs.replace(turn.readings, is_clock_lost=True)
    works.function.push(turn._replace(readings=lost, image=msgspec.structs.replace(turn.image, second=0)))
    assert len(everything(works)) == 11


@pytest.mark.parametrize(("second", "is_recorded"), [(0, True), (1, True), (2, False), (30, False)])
def test_a_minute_whose_beginning_had_no_supply_is_not_recorded(second, is_recorded):
    for heard_later_s in (0, 5):
        works = clockwork(every(1, "08"))
        works.is_power_up = True
        heard, works.parameters = works.parameters, {} if heard_later_s else works.parameters
        works.push(f"2026-03-01 10:00:{second:02d}")
        works.parameters = heard
        works.push(f"2026-03-01 10:00:{second + heard_later_s:02d}")
        works.push("2026-03-01 10:01:00")
        assert everything(works) == ["2026-03-01 10:00"] * is_recorded + ["2026-03-01 10:01"]


def test_parameters_that_are_heard_after_the_turn_of_a_minute_that_had_supply_record_it():
    works = clockwork(every(1, "08"))
    works.is_power_up = True
    heard, works.parameters = works.parameters, {}
    works.push("2026-03-01 09:59:58")
    works.parameters = heard
    works.push("2026-03-01 10:00:03")
    assert everything(works) == ["2026-03-01 10:00"]


def test_a_clock_that_goes_back_before_everything_leaves_nothing():
    works = clockwork(every(1, "08"))
    works.run("2026-03-01 10:00", "2026-03-01 12:30")
    works.push("2026-02-01 10:00:30")
    assert everything(works) == ["2026-02-01 10:00"]
    assert len(works.saved) == 2


def test_a_small_correction_over_a_minute_leaves_one_record_of_it():
    works = clockwork(every(1, "08"))
    works.run("2026-03-01 10:00", "2026-03-01 10:02")
    works.push("2026-03-01 10:01:58")
    works.push("2026-03-01 10:02:00")
    assert everything(works) == ["2026-03-01 10:00", "2026-03-01 10:01", "2026-03-01 10:02"]


@settings(deadline=None)  # a machine may be busy
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_record_is_passed_over_and_counted(place, change):
    works = clockwork(every(1, "09"))
    works.run("2026-03-01 10:00", "2026-03-01 11:10")
    key = sorted(key for key in works.saved if "page" in key)[0]
    page = bytearray(works.saved[key])
    at_ = 1 + place % (len(page) - 1)
    page[at_] ^= change
    again = clockwork(every(1, "09"), {**works.saved, key: bytes(page)})
    is_mask = not (at_ - 1) % 50
    expected, found = everything(works), everything(again)
    assert found == [time for number, time in enumerate(expected) if is_mask or number != (at_ - 1) // 50]
    assert is_mask or again.function.counted["load_records_corrupt"] > 0
    assert works.function.counted == {"load_records_corrupt": 0}
    read = told(look(again, 0x06040000, 99))
    assert all(classes == [4] for _time, classes in read)
    assert {time for time, _classes in read} <= {time.removeprefix("2026-") for time in expected}
    assert len(read) >= 69


def test_a_record_with_a_right_checksum_and_no_content_is_passed_over():
    works = clockwork(every(1, "08"))
    works.run("2026-03-01 10:00", "2026-03-01 10:02")
    page = bytearray(works.saved["load_record page 0"])
    page[9], page[10] = page[10] - 1, page[9] + 1  # the end of an absent class
    again = clockwork(every(1, "08"), {"load_record page 0": bytes(page)})
    assert minutes_told(look(again, 0x06040000, 9)) == ["10:01", "10:02"]


@given(
    st.dictionaries(
        st.sampled_from([f"load_record page {n}" for n in (0, 1, "x", "1" * 40)] + ["load_record start"]),
        st.binary(max_size=3000),
    )
)
def test_what_was_saved_by_another_is_forgotten(saved):
    works = clockwork(every(1), saved)
    works.run("2026-03-01 10:00", "2026-03-01 10:02")
    assert everything(works) == [f"2026-03-01 10:0{minute}" for minute in range(3)]


LIFE = st.lists(
    st.tuples(st.sampled_from(("push", "kill", "cut", "back", "on", "mode")), st.integers(1, 90)), max_size=30
)


@settings(deadline=None)  # a machine may be busy
@given(LIFE)
def test_whatever_happens_the_ring_is_in_order_and_each_minute_is_there_once(steps):
    works, now = clockwork(every(7, "08")), at("2026-03-01 10:00")
    before: dict[str, bytes] = {}
    for what, number in steps:
        if what == "kill":
            works = clockwork(None, works.saved)
        elif what == "cut":  # what was saved last has not come on the medium
            works = clockwork(None, before)
        elif what == "back":
            now -= timedelta(minutes=number)
        elif what == "on":
            now += timedelta(minutes=number)
        elif what == "mode":
            works.parameters = turns.parameters(every(number % 9, f"{number % 64:02X}"))
        before = dict(works.saved)
        now += timedelta(seconds=45)
        works.push(now)
        times = everything(works)
        assert times == sorted(set(times))
        assert not times or times[-1] <= f"{now:%Y-%m-%d %H:%M}"
        assert everything(clockwork(None, works.saved)) == times


def test_a_meter_clear_leaves_no_record_and_keeps_the_start():
    works = clockwork({**every(1), START: "03011000"})
    works.run("2026-03-01 10:00", "2026-03-01 11:00")
    prepared = works.function.clear(works.turn, b"")
    assert everything(works)
    works.carry_out(prepared)
    assert everything(works) == []
    assert list(works.saved) == ["load_record start"]
    works.push("2026-03-01 11:00:30")
    works.run("2026-03-01 11:01", "2026-03-01 11:02")
    assert everything(works) == everything(clockwork(saved=works.saved)) == ["2026-03-01 11:01", "2026-03-01 11:02"]
