"""The package `dlt645` 3.2.0 as head-end: over TCP, over the pseudo-terminal, eight at once, and its mistakes."""

import pytest
from tests.clients.conftest import Driver
from tests.clients.readings import ENERGIES, check_energy, check_momentary, momentary, read_between, value_in

from wattwheel.protocols.dlt645.frame import decode

ADDRESS = "202611200001"
CLIENTS = {"tcp": 0, "serial": 0, "serial, asynchronous": 1, "tcp, asynchronous, eight at once": 8}


@pytest.fixture(scope="module", params=CLIENTS)
def client(request, meter, dlt645_python):
    """A client that knows the meter's address. Calling it gives what every one of its kind got."""
    door = meter.door("dlt645") if request.param.startswith("tcp") else (meter.serial_path(),)
    with Driver(dlt645_python, "drive_dlt645.py", *door, CLIENTS[request.param]) as driver:
        driver.count = CLIENTS[request.param] or 1
        driver.address = driver(call="read_address")
        driver.is_serial = request.param.startswith("serial")
        yield driver


def test_the_address(client):
    assert len(client.address) == client.count
    for told in client.address:
        ((sent, received),) = told["frames"]
        assert decode(bytes.fromhex(sent)).address == "AAAAAAAAAAAA"
        reply = decode(bytes.fromhex(received))
        assert (reply.address, reply.control) == (ADDRESS, 0x93)
        assert bytes.fromhex(told["value"])[::-1].hex() == ADDRESS  # printed in the order of the line


def read_all(client, call, di):
    """The value that each client printed, each equal to what its captured frame carries."""
    values = []
    for told in client(call=call, args=[di]):
        ((_, received),) = told["frames"]
        assert told["value"] == value_in(received, di)
        values.append(told["value"])
    assert len(values) == client.count
    return values


def test_energy(client, api):
    for di in ENERGIES:
        before, got, after = read_between(api, di, lambda di=di: read_all(client, "read_00", di))
        for value in got:
            check_energy(before, value, after)


def test_momentary_values(client, api, measured):
    expected = momentary(measured)
    assert len(expected) == 23
    for di, value in expected.items():
        before, got, after = read_between(api, di, lambda di=di: read_all(client, "read_02", di))
        for each in got:
            check_momentary(before, each, after, value)


def test_a_block_is_answered_though_the_client_cannot_read_it(client, api):
    for told in client(call="read_02", args=[0x0201FF00]):
        ((_, received),) = told["frames"]
        assert told["value"] is None
        voltages = [value_in_block(received, number) for number in range(3)]
        assert voltages == pytest.approx([api.value(0x02010000 | n << 8) for n in (1, 2, 3)], abs=0.2)


def value_in_block(frame, number):
    reply = decode(bytes.fromhex(frame))
    assert reply.control == 0x91
    return int(reply.data[4 + 2 * number : 6 + 2 * number][::-1].hex()) / 10


def test_what_is_not_there_is_refused(client):
    for call, di in (("read_00", 0x00010001), ("read_01", 0x01010001), ("read_04", 0x04000105)):
        for told in client(call=call, args=[di]):
            assert told["value"] is None
            assert reply_of(told) == (0xD1, b"\x02")


def reply_of(told):
    """Control code and data of the one captured reply, None where there was none."""
    received = [received for _, received in told["frames"] if received is not None]
    if not received:
        return None
    (octets,) = received
    reply = decode(bytes.fromhex(octets))
    assert reply.address == ADDRESS
    return reply.control, reply.data


PASSWORD, LEVEL_0 = "04123456", "00123456"
REFUSED = {
    "write a parameter": ({"call": "write_04", "args": [0x04000103, "15", PASSWORD]}, (0xD4, b"\x04")),
    "freeze, fields turned round": ({"call": "freeze", "args": [12, 31, 23, 59]}, (0xD6, b"\x01")),
    "4800 baud, wrong word": ({"call": "change_baud_rate", "args": [4800]}, (0xD7, b"\x08")),
    "9600 baud, wrong word": ({"call": "change_baud_rate", "args": [9600]}, (0xD7, b"\x08")),
    "19200 baud, wrong word": ({"call": "change_baud_rate", "args": [19200]}, (0xD7, b"\x08")),
    "change a password": ({"call": "change_password", "args": [PASSWORD, "04654321"]}, (0xD8, b"\x04")),
    "clear the demand": ({"call": "clear_demand", "args": [0x01010000, PASSWORD]}, (0xD9, b"\x04")),
    "clear the meter": ({"call": "clear_meter", "args": [LEVEL_0]}, (0xDA, b"\x04")),
    "clear the events": ({"call": "clear_event", "args": [LEVEL_0]}, (0xDB, b"\x04")),
}
SILENT = {
    "write the address": {"call": "write_address", "args": ["112233445566"]},
    "set the time, an impossible one": {"call": "broadcast_time_sync", "named": {"dt": [2026, 7, 25, 12, 40, 30]}},
    "set the time, another year": {"call": "broadcast_time_sync", "named": {"dt": [2026, 11, 20, 11, 5, 30]}},
    "freeze all, fields turned round": {"call": "freeze", "args": [12, 31, 23, 59], "named": {"broadcast": True}},
}
"""Calls whose data are laid out otherwise than the standard has it, and calls of what is not there yet."""


@pytest.fixture
def unchanged(meter, api):
    """What must be the same after a call as before it: address, doors, restarts, the energy's direction, the clock."""

    def state():
        status = meter.status()
        return {name: status[name] for name in ("address", "dlt645", "serial", "pids", "restarts")}

    before, energy, minute = state(), meter.status()["energy_microjoule"], minutes(api)
    yield
    assert state() == before
    assert api.value(0x04000401) == ADDRESS
    assert all(now >= energy[name] for name, now in meter.status()["energy_microjoule"].items())
    assert 0 <= minutes(api) - minute < 60  # the calendar runs at the meter's speed
    assert meter.status()["counters"].get("platform", {}).get("time_accepted", 0) == 0


def minutes(api):
    """The meter's calendar in minutes of the month."""
    text = api.value(0x0400010C)
    return (int(text[4:6]) * 24 + int(text[8:10])) * 60 + int(text[10:12])


@pytest.mark.parametrize(("order", "reply"), REFUSED.values(), ids=REFUSED)
def test_an_order_is_refused_and_changes_nothing(client, unchanged, order, reply):
    for told in client(**order):
        assert reply_of(told) == reply
    assert value_of_voltage(client)


@pytest.mark.parametrize(("baud", "word"), [(1200, b"\x04"), (2400, b"\x08")])
def test_a_rate_is_changed_on_a_line_and_nowhere_else(client, unchanged, baud, word):
    for told in client(call="change_baud_rate", args=[baud]):
        assert reply_of(told) == ((0x97, word) if client.is_serial else (0xD7, b"\x08"))
    assert value_of_voltage(client)


@pytest.mark.parametrize("order", SILENT.values(), ids=SILENT)
def test_an_order_is_met_with_silence_and_changes_nothing(client, unchanged, order):
    for told in client(**order):
        assert reply_of(told) is None
    assert value_of_voltage(client)


def value_of_voltage(client):
    return all(345 < value < 352 for value in read_all(client, "read_02", 0x02010100))


def test_what_the_broadcast_times_came_to(client, meter, api):
    """Both were heard, and neither was obeyed."""
    for _ in api.pushes(5):
        counters = meter.status()["counters"].get("platform", {})
        if {"time_impossible", "time_too_far"} <= counters.keys():
            break
    assert {"time_impossible", "time_too_far"} <= counters.keys()
    assert "time_accepted" not in counters


def test_a_freeze_now_is_made_and_read(client, api):
    """99999999 in the order of the standard; what was frozen is read as any energy item."""
    for told in client(call="freeze", args=[99, 99, 99, 99]):
        assert reply_of(told) == (0x96, b"")
    assert api.value(0x05010001).startswith(f"{minutes_text(api)}")
    energies = api.value(0x05010101)
    assert energies[0]["value"] <= api.value(0x00010000)


def minutes_text(api):
    """Year, month and day of the meter's calendar."""
    return api.value(0x0400010C)[:6]
