"""The package `dlt645` 3.2.0 as head-end: over TCP, over the pseudo-terminal, eight at once, and its mistakes."""

import pytest
from tests.clients.conftest import FIRST_TABLE, LEVEL_2, LEVEL_4, WEEKEND_TABLE, Driver, authority
from tests.clients.readings import ENERGIES, check_energy, check_momentary, momentary, read_between, value_in
from tests.head_end import ADDRESS, HeadEnd

from wattwheel.protocols.dlt645.frame import Frame, decode

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


MAXIMA = (0x01010000, 0x01010100, 0x01090000, 0x01150000, 0x01010001, 0x01010101)


def test_maximum_demands(client, api):
    """Of this period and of the last; the client reads the time in another order."""
    for di in MAXIMA:
        before, told_of_all, after = read_between(
            api, di, lambda di=di: client(call="read_01", args=[di]), lambda di=di: plain(api.value(di))
        )
        for told in told_of_all:
            control, data = reply_of(told)
            assert control == 0x91
            maximum, at = int(data[4:7][::-1].hex()) / 10_000, data[7:][::-1].hex()
            assert [maximum, at] in (before, after)
            assert maximum > 0.3
            assert at.startswith("5501" if di & 0xFF else "5502")
            assert told["value"] == maximum


def test_event_counters(client, api):
    """Undervoltages and their minutes of each phase, which the client gives the wrong way round, and a demand clear."""
    count, minutes_of_it = plain(api.value(0x03020000))[:2]
    assert count == 1
    assert minutes_of_it >= 2 * 24 * 60 - 1
    for told in client(call="read_03", args=[0x03020000]):
        assert told["value"] == [[f"{minutes_of_it:06}", f"{count:06}"]] * 3
    for di in (0x03300200, 0x03300700):
        assert api.value(di) > 0
        for told in client(call="read_03", args=[di]):
            assert told["value"] == [f"{api.value(di):06}"]


PARAMETERS = {0x04000103: "15", 0x04000104: "01", 0x04000203: "01", 0x04000802: "02", 0x04000B01: "0100"}


def test_parameters(client, api):
    for di, digits in PARAMETERS.items():
        for told in client(call="read_04", args=[di]):
            assert reply_of(told) == (0x91, di.to_bytes(4, "little") + bytes.fromhex(digits)[::-1])
            assert told["value"] == digits
        assert int(api.value(di)) == int(digits)


def test_what_is_not_there_is_refused(client):
    for call, di in (
        ("read_00", 0x00010002),
        ("read_01", 0x01010002),
        ("read_03", 0x03010102),
        ("read_04", 0x04000701),
    ):
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


PASSWORD = "04" + bytes.fromhex(LEVEL_4)[::-1].hex()
CLEARING = "02" + bytes.fromhex(LEVEL_2)[::-1].hex()
REFUSED = {
    "write, another password": ({"call": "write_04", "args": [0x04000103, "30", "04123456"]}, (0xD4, b"\x04")),
    "freeze, fields turned round": ({"call": "freeze", "args": [12, 31, 23, 59]}, (0xD6, b"\x01")),
    "4800 baud, wrong word": ({"call": "change_baud_rate", "args": [4800]}, (0xD7, b"\x08")),
    "9600 baud, wrong word": ({"call": "change_baud_rate", "args": [9600]}, (0xD7, b"\x08")),
    "19200 baud, wrong word": ({"call": "change_baud_rate", "args": [19200]}, (0xD7, b"\x08")),
    "change a password": ({"call": "change_password", "args": [PASSWORD, "04654321"]}, (0xD8, b"\x01")),
    "clear the demand": ({"call": "clear_demand", "args": [0x01010000, PASSWORD]}, (0xD9, b"\x04")),
    "clear the meter": ({"call": "clear_meter", "args": [CLEARING]}, (0xDA, b"\x04")),
    "clear the events, another password": ({"call": "clear_event", "args": ["02123456"]}, (0xDB, b"\x04")),
}
SILENT = {
    "write the address": {"call": "write_address", "args": ["112233445566"]},
    "set the time, an impossible one": {"call": "broadcast_time_sync", "named": {"dt": [2026, 7, 25, 12, 40, 30]}},
    "set the time, another year": {"call": "broadcast_time_sync", "named": {"dt": [2026, 11, 20, 11, 5, 30]}},
    "freeze all, fields turned round": {"call": "freeze", "args": [12, 31, 23, 59], "named": {"broadcast": True}},
}
"""Calls whose data are laid out otherwise than the standard has it, with passwords that are good, and two of others."""


LINE_RATE = 0x04000703
GROUPS = ("00", "01", "03", "04", "05")
CLOCK = ("04000101", "04000102", "0400010C")
VOLTAGE_STATISTICS, HOURLY_FREEZE, PROGRAMMINGS = "0310", "0504", "03300000"
HOUR_MINUTES = 60


def plain(value):
    """Values alone, of a record as well."""
    return [plain(each["value"]) for each in value] if isinstance(value, list) else value


def snapshot(api):
    """Identifier to value of every item of the register groups."""
    return {row["di"]: plain(row["value"]) for group in GROUPS for row in api.get(f"/api/items?prefix={group}")}


def compare(before, now, is_same_hour):
    """Every item must be as it was; energies and maxima of this period may rise, time and statistics go on."""
    assert ignoring_sessions(before) == ignoring_sessions(now)
    for di, was in before.items():
        value = now[di]
        if value == was or di in CLOCK or (di.startswith(HOURLY_FREEZE) and not is_same_hour):
            continue
        if (di[:2] == "00" and not isinstance(was, list)) or di == PROGRAMMINGS:
            assert value > was, di
        elif (di[:2] == "01" and di[-2:] == "00") or di.startswith(VOLTAGE_STATISTICS):
            assert value[0] >= was[0], di
        elif not is_session(di):
            pytest.fail(f"{di}: {was} became {value}")


def is_session(di):
    """Records of programming: they come some minutes after what was rightly written before."""
    return di.startswith(PROGRAMMINGS[:6])


def ignoring_sessions(items):
    return {di for di in items if not is_session(di)}


@pytest.fixture
def unchanged(meter, api):
    """What must be the same after a call as before: all registers, passwords, address, doors, restarts, the clock."""

    def state():
        status = meter.status()
        return {name: status[name] for name in ("address", "dlt645", "serial", "pids", "restarts")}

    before, minute, was = state(), minutes(api), snapshot(api)
    yield
    now, later = snapshot(api), minutes(api)
    compare(was, now, minute // HOUR_MINUTES == later // HOUR_MINUTES)
    assert state() == before
    assert api.value(0x04000401) == ADDRESS
    assert 0 <= later - minute < 60  # the calendar runs at the meter's speed
    assert meter.status()["counters"].get("platform", {}).get("time_accepted", 0) == 0
    assert_passwords_are_good(meter)


def assert_passwords_are_good(meter):
    """The value that is there is written again, which leaves no record."""
    head_end = HeadEnd(meter.door("dlt645"))
    order = WEEKEND_TABLE.to_bytes(4, "little")
    for level, password in ((2, LEVEL_2), (4, LEVEL_4)):
        data = order + authority(level, password) + bytes((FIRST_TABLE,))
        assert head_end.ask(Frame(ADDRESS, 0x14, data)).control == 0x94, f"level {level}"
    head_end.close()


def minutes(api):
    """The meter's calendar in minutes of the month."""
    text = api.value(0x0400010C)
    return (int(text[4:6]) * 24 + int(text[8:10])) * 60 + int(text[10:12])


@pytest.mark.parametrize(("order", "reply"), REFUSED.values(), ids=REFUSED)
def test_an_order_is_refused_and_changes_nothing(client, unchanged, order, reply):
    for told in client(**order):
        assert reply_of(told) == reply
    assert value_of_voltage(client)


@pytest.mark.parametrize("order", SILENT.values(), ids=SILENT)
def test_an_order_is_met_with_silence_and_changes_nothing(client, unchanged, order):
    for told in client(**order):
        assert reply_of(told) is None
    assert value_of_voltage(client)


@pytest.mark.parametrize(("baud", "word"), [(1200, b"\x04"), (2400, b"\x08")])
def test_a_rate_is_changed_on_a_line_and_nowhere_else(client, api, baud, word):
    before = api.value(LINE_RATE)
    for told in client(call="change_baud_rate", args=[baud]):
        assert reply_of(told) == ((0x97, word) if client.is_serial else (0xD7, b"\x08"))
    assert int(api.value(LINE_RATE)) == (word[0] if client.is_serial else int(before))
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


def test_a_parameter_is_written_and_its_records_are_cleared(client, api):
    """What is laid out as the standard has it is obeyed."""
    for table in ("01", f"{FIRST_TABLE:02}"):
        for told in client(call="write_04", args=[WEEKEND_TABLE, table, PASSWORD]):
            assert reply_of(told) == (0x94, b"")
        for told in client(call="read_04", args=[WEEKEND_TABLE]):
            assert told["value"] == table
    before = snapshot(api)
    assert before["03300700"] > 0
    for told in client(call="clear_event", args=[CLEARING], named={"di": 0x033007FF}):
        assert reply_of(told) == (0x9B, b"")
    assert api.value(0x03300700) == 0
    assert api.value(0x03300200) == before["03300200"]
    for told in client(call="write_04", args=[WEEKEND_TABLE, "01", PASSWORD]):
        assert reply_of(told) == (0x94, b"")
    for told in client(call="write_04", args=[WEEKEND_TABLE, f"{FIRST_TABLE:02}", PASSWORD]):
        assert reply_of(told) == (0x94, b"")


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
