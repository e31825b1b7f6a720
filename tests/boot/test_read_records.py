"""Reading load records: number and time on the line, page after page, on TCP and on a pseudo-terminal."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.slave import ADDRESS, Slave

from wattwheel.boot.read import Door, read_items
from wattwheel.boot.read_records import ONE_RECORD, Wanted, wanted_of
from wattwheel.cli.main import main
from wattwheel.model.errors import BadInput
from wattwheel.model.load_record import decode_record, encode_record

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
ENERGIES = bytes.fromhex("78563412000000000100000002000000")
TIMES = [BEGIN + timedelta(minutes=15 * at) for at in range(250)]
RECORDS = [encode_record(time, {4: ENERGIES}) for time in TIMES]
AN_ANSWER_MAX = 34


class Recorder(Slave):
    """A meter with load records of class 4, of which an answer holds no more than a few."""

    def __init__(self, records=RECORDS, at_end=b"", **options):
        super().__init__(items=dict.fromkeys((0x06040000, 0x06040001, 0x06040002), b""), **options)
        self.kept, self.at_end, self.asked = records, at_end, []

    def _reply(self, frame):
        if frame.control == 0x11 and frame.data[3] == 0x06:
            self.asked.append(frame.data.hex())
            self.items[int.from_bytes(frame.data[:4], "little")] = self._found(frame.data[0], frame.data[4:])
        return super()._reply(frame)

    def _found(self, which, data):
        count = min(int(data[:1].hex() or "1"), AN_ANSWER_MAX)
        if which == 2:
            return b"".join(self.kept[-count:])
        since = datetime.strptime(data[:0:-1].hex(), "%y%m%d%H%M").replace(tzinfo=UTC) if data[1:] else BEGIN
        return b"".join([each for each in self.kept if decode_record(each)[0] >= since][:count]) or self.at_end


@pytest.fixture
def recorder():
    made = []

    def make(**options):
        made.append(Recorder(**options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def times(reading):
    return [record.value[0].value for record in reading.values[0].value]


@pytest.mark.parametrize("door", ["tcp", "pty"])
def test_one_page_from_a_time(recorder, door):
    meter = recorder()
    where = Door(tcp=meter.tcp()) if door == "tcp" else Door(serial=meter.pty(), baud=9600, parity="N")
    reading = read_items(["06040001"], where, ADDRESS, 5, wanted_of(3, "2026-03-01T00:20"))
    assert meter.asked == ["01000406032000010326"]
    assert times(reading) == ["2603010030", "2603010045", "2603010100"]
    energies = reading.values[0].value[0].value[4].value
    assert [(row.name, row.value, row.unit) for row in energies][:2] == [
        ("import_active_energy", 123456.78, "kWh"),
        ("export_active_energy", 0.0, "kWh"),
    ]


def test_many_pages_each_from_the_minute_after_the_last_record(recorder):
    meter = recorder()
    reading = read_items(["06040001"], Door(tcp=meter.tcp()), None, 5, wanted_of(120, "2026-03-01T00:00"))
    assert times(reading) == [f"{time:%y%m%d%H%M}" for time in TIMES[:120]]
    assert [asked[8:] for asked in meter.asked] == [
        "990000010326",
        "861608010326",
        "524616010326",
        "181601020326",
    ]


@pytest.mark.parametrize("at_end", [b"", None])
def test_the_records_end_before_there_are_enough(recorder, at_end):
    meter = recorder(at_end=at_end)  # None: it refuses, with "no requested data"
    reading = read_items(["06040000"], Door(tcp=meter.tcp()), ADDRESS, 5, wanted_of(1000, None))
    assert len(times(reading)) == len(RECORDS)
    assert meter.asked[0] == "0000040699"
    assert meter.asked[1].startswith("0100040699")


def test_no_records_are_a_good_answer(recorder):
    reading = read_items(
        ["06040001"], Door(tcp=recorder(records=[]).tcp()), ADDRESS, 5, wanted_of(9, "2026-03-01T00:00")
    )
    assert (reading.errors, reading.values[0].value) == ([], [])


def test_a_meter_that_repeats_itself_is_asked_no_more(recorder):
    meter = recorder(records=RECORDS[:1], at_end=RECORDS[0])
    reading = read_items(["06040001"], Door(tcp=meter.tcp()), ADDRESS, 5, wanted_of(9, "2026-03-01T00:00"))
    assert (times(reading), len(meter.asked)) == (["2603010000"], 2)


def test_the_newest_alone_between_other_items(recorder):
    meter = recorder()
    meter.items[0x02010100] = bytes.fromhex("0123")
    reading = read_items(["voltage_a", "06040002", "06040000", "voltage_a"], Door(tcp=meter.tcp()), None, 5)
    assert [row.di for row in reading.values] == ["02010100", "06040002", "06040000", "02010100"]
    assert meter.asked == ["02000406", "00000406"]
    assert reading.values[1].value[0].value[0].value == f"{TIMES[-1]:%y%m%d%H%M}"


def test_the_newest_of_a_number_are_asked_for_once(recorder):
    meter = recorder()
    reading = read_items(["06040002"], Door(tcp=meter.tcp()), ADDRESS, 5, wanted_of(99, None))
    assert meter.asked == ["0200040699"]
    assert times(reading) == [f"{time:%y%m%d%H%M}" for time in TIMES[-AN_ANSWER_MAX:]]


def test_a_meter_that_falls_silent_between_pages(recorder):
    meter = recorder(patience=8)
    reading = read_items(
        ["06040001", "voltage_a"], Door(tcp=meter.tcp()), ADDRESS, 0.05, wanted_of(99, "2026-03-01T00:00")
    )
    assert [error.di for error in reading.errors] == ["06040001", "02010100"]
    assert "no answer" in reading.errors[0].error
    assert len(times(reading)) == AN_ANSWER_MAX


@pytest.mark.parametrize(
    ("items", "wanted", "says"),
    [
        (["06040001"], ONE_RECORD, "--from"),
        (["06040000"], Wanted(1, BEGIN), "06040001"),
        (["06040002"], Wanted(100), "newest"),
        (["voltage_a"], Wanted(2), "no load record"),
        (["voltage_a"], Wanted(None, BEGIN), "no load record"),
    ],
)
def test_options_that_do_not_go_with_the_items(items, wanted, says):
    with pytest.raises(BadInput, match=says):
        read_items(items, Door(tcp="127.0.0.1:1"), None, 1, wanted)


@pytest.mark.parametrize(
    ("records", "since"),
    [(0, None), (100_001, None), (1, "2026-03-01"), (1, "1999-12-31T00:00"), (1, "2100-01-01T00:00")],
)
def test_numbers_and_times_that_cannot_be(records, since):
    with pytest.raises(BadInput, match="allowed"):
        wanted_of(records, since)


def test_the_command_prints_a_line_a_record(recorder, capsys):
    meter = recorder()
    assert main(["read", "06040001", "--records", "2", "--from", "2026-03-01T00:00", "--tcp", meter.tcp()]) == 0
    head, columns, *lines = capsys.readouterr().out.splitlines()
    assert head == "06040001  load_record_class_4_from_time  2 records"
    assert columns.split()[:2] == ["time", "import_active_energy/kWh"]
    assert [line.split()[:4] for line in lines] == [
        ["2026-03-01", "00:00", "123456.78", "0.00"],
        ["2026-03-01", "00:15", "123456.78", "0.00"],
    ]
