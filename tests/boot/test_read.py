"""The head-end, against a meter of a few lines on TCP and on a pseudo-terminal."""

import re
import socket
import threading

import pytest
from tests.slave import ADDRESS, ITEMS, Slave

from wattwheel.boot.read import Door, host_and_port, read_items
from wattwheel.model.errors import BadInput, ConfigError, DoorUnavailable, UnknownItem


@pytest.fixture
def slave():
    made = []

    def make(**options):
        made.append(Slave(**options))
        return made[-1]

    yield make
    for each in made:
        each.close()


DOORS = {
    "tcp": lambda slave: Door(tcp=slave.tcp()),
    "pty": lambda slave: Door(serial=slave.pty(), baud=9600, parity="N"),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("address", [None, ADDRESS])
def test_items_by_name_and_identifier(slave, door, address):
    reading = read_items(["voltage_a", "00010000"], door(slave()), address, 5)
    assert reading.address == ADDRESS
    assert [(row.di, row.name, row.value, row.unit) for row in reading.values] == [
        ("02010100", "voltage_a", 230.1, "V"),
        ("00010000", "import_active_energy", 123456.78, "kWh"),
    ]
    assert reading.errors == []
    assert reading.values[0].at.endswith("Z")


def test_the_address_is_asked_for_only_when_it_is_not_given(slave):
    asked = slave()
    read_items(["voltage_a"], Door(tcp=asked.tcp()), None, 5)
    told = slave()
    read_items(["voltage_a"], Door(tcp=told.tcp()), ADDRESS, 5)
    assert [frame.control for frame in asked.requests] == [0x13, 0x11]
    assert [frame.control for frame in told.requests] == [0x11]


def test_1997_by_four_digits(slave):
    reading = read_items(["9010"], Door(tcp=slave().tcp()), ADDRESS, 5)
    assert [(row.di, row.name, row.value) for row in reading.values] == [("9010", "import_active_energy", 123456.78)]


def test_a_refused_item_does_not_stop_the_others(slave):
    reading = read_items(["frequency", "voltage_a"], Door(tcp=slave().tcp()), None, 5)
    assert [(row.di, row.error) for row in reading.errors] == [("02800002", "no requested data")]
    assert [row.name for row in reading.values] == ["voltage_a"]


def test_an_answer_of_the_wrong_width_is_an_error_of_that_item(slave):
    reading = read_items(["voltage_a"], Door(tcp=slave(items={0x02010100: b"\x01"}).tcp()), None, 5)
    assert reading.values == []
    assert reading.errors[0].di == "02010100"


def test_follow_up_frames_are_read_on(slave):
    block = bytes.fromhex("78563412") * 5
    meter = slave(items={0x0001FF00: block}, data_octets_max=16)
    reading = read_items(["0001FF00"], Door(tcp=meter.tcp()), ADDRESS, 5)
    assert [row.value for row in reading.values[0].value] == [123456.78] * 5
    assert [frame.control for frame in meter.requests] == [0x11, 0x12]


def test_lost_requests_are_repeated(slave):
    meter = slave(silent=2)
    assert read_items(["voltage_a"], Door(tcp=meter.tcp()), ADDRESS, 0.05).values
    assert len(meter.requests) == 3


def test_noise_before_the_reply(slave):
    meter = slave(noise=bytes.fromhex("6868FE1600"))
    assert read_items(["voltage_a"], Door(tcp=meter.tcp()), ADDRESS, 0.3).values[0].value == 230.1


def test_silence_is_told(slave):
    reading = read_items(["voltage_a", "9010"], Door(tcp=slave(silent=99).tcp()), ADDRESS, 0.05)
    assert reading.values == []
    assert [(error.di, error.error) for error in reading.errors] == [
        ("02010100", f"no answer from {ADDRESS} to 02010100 after 3 tries"),
        ("9010", "not asked any more"),
    ]
    assert reading.address == ADDRESS


def test_what_was_answered_before_the_silence_counts(slave):
    meter = slave(patience=2)  # 13H and one read
    reading = read_items(["voltage_a", "00010000", "02030000"], Door(tcp=meter.tcp()), None, 0.05)
    assert [row.value for row in reading.values] == [230.1]
    assert [error.di for error in reading.errors] == ["00010000", "02030000"]
    assert len(meter.requests) == 5  # the silent item three times, the one behind it never


def test_an_address_that_nobody_tells_is_none(slave):
    reading = read_items(["voltage_a"], Door(tcp=slave(silent=99).tcp()), None, 0.05)
    assert (reading.address, [error.di for error in reading.errors]) == (None, ["02010100"])
    assert "13H" in reading.errors[0].error


def test_a_far_end_that_hangs_up():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        door = Door(tcp=f"127.0.0.1:{listener.getsockname()[1]}")
        listener.listen(1)
        listener.settimeout(5)
        thread = threading.Thread(target=lambda: listener.accept()[0].close())
        thread.start()
        [error] = read_items(["voltage_a"], door, ADDRESS, 5).errors
        thread.join()
    assert re.search("closed|broke", error.error)


def test_nobody_behind_the_door():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DoorUnavailable, match="Connection refused"):
        read_items(["voltage_a"], Door(tcp=f"127.0.0.1:{port}"), ADDRESS, 1)


def test_no_such_device(tmp_path):
    with pytest.raises(DoorUnavailable, match="No such file"):
        read_items(["voltage_a"], Door(serial=str(tmp_path / "tty")), ADDRESS, 1)


def test_a_device_that_is_no_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DoorUnavailable, match="not a serial device"):
        read_items(["voltage_a"], Door(serial=str(tmp_path / "file")), ADDRESS, 1)


NONSENSE = {
    "item": (["voltag_a"], None, 1.0, Door(tcp="127.0.0.1:1"), UnknownItem, "did you mean"),
    "hex of the wrong length": (["02010"], None, 1.0, Door(tcp="127.0.0.1:1"), UnknownItem, "8 hex digits"),
    "address": (["voltage_a"], "12x", 1.0, Door(tcp="127.0.0.1:1"), BadInput, "decimal digits"),
    "timeout": (["voltage_a"], None, float("nan"), Door(tcp="127.0.0.1:1"), BadInput, "--timeout"),
    "door": (["voltage_a"], None, 1.0, Door(tcp="127.0.0.1"), BadInput, "HOST:PORT"),
    "port": (["voltage_a"], None, 1.0, Door(tcp="127.0.0.1:0"), BadInput, "1..65535"),
    "parity": (["voltage_a"], None, 1.0, Door(serial="/dev/null", parity="X"), ConfigError, "E, N or O"),
    "baud": (["voltage_a"], None, 1.0, Door(serial="/dev/null", baud=0), ConfigError, "2400"),
}


@pytest.mark.parametrize(("texts", "address", "timeout_s", "door", "kind", "says"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense(texts, address, timeout_s, door, kind, says):
    with pytest.raises(kind, match=says):
        read_items(texts, door, address, timeout_s)


def test_hosts():
    assert host_and_port("[::1]:6450") == ("::1", 6450)
    assert host_and_port("meter.example:80") == ("meter.example", 80)


def test_every_item_of_the_fake_meter_is_in_the_table():
    from wattwheel.model.catalogue import item_2007

    assert [item_2007(di).di for di in ITEMS] == list(ITEMS)
