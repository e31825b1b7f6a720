"""`wattwheel simulate`: loads, scripts, and a state folder that either kind of meter goes on from."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from wattwheel.boot.kernel_process import STORE_FOLDER
from wattwheel.boot.metering_core import RING_NAME
from wattwheel.boot.simulate import simulate
from wattwheel.boot.simulated_state import METERING_FOLDER
from wattwheel.cli.main import main
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.sqlite_records import SqliteRecords
from wattwheel.drivers.linux.storage import FileMemory
from wattwheel.drivers.sim.load_file import load_rows
from wattwheel.hil.storage import Change
from wattwheel.metrology.ring import RING_OCTETS, RegisterRing
from wattwheel.metrology.saved_state import SavedState
from wattwheel.model.errors import BadInput, DoorUnavailable
from wattwheel.model.records import REGISTER_COUNT, REGISTERS, REGISTERS_RECORDED
from wattwheel.protocols.dlt645.frame import Frame, FrameReader, encode
from wattwheel.testing.living import LivingMeter

UCI = Path(__file__).parents[1] / "data" / "uci-household" / "2007-02-01_02.csv"
ASK_ADDRESS = "FEFEFEFE 68AAAAAAAAAAAA68 1300 DF16"


def played(tmp_path, script="", **given):
    told = []
    path = None
    if script:
        path = str(tmp_path / "script.toml")
        Path(path).write_text(script)
    settings_file = given.pop("settings_file", None)
    given = {"begin": "2026-02-28", "days": 2, "load": str(UCI), "repeats": False, "state": None} | given
    return simulate(settings_file, script=path, say=told.append, **given), told


def test_the_energy_is_that_of_the_load(tmp_path):
    document, told = played(tmp_path)
    rows = load_rows(str(UCI))
    assert document["ok"]
    assert document["energy_microjoule"]["import_active"] == sum(row.active_milliwatt for row in rows) * 60_000
    assert document["energy_microjoule"]["reactive_q1"] == sum(row.reactive_millivar for row in rows) * 60_000
    assert document["clock"] == "2026-03-02T00:00:00"
    assert not told
    longer, told = played(tmp_path, days=3)
    assert longer["energy_microjoule"] == document["energy_microjoule"]
    assert "nothing flows from then on" in told[0]
    again, told = played(tmp_path, days=4, repeats=True)
    assert again["energy_microjoule"]["import_active"] == 2 * document["energy_microjoule"]["import_active"]


SCRIPT = f"""
[[step]]
at = "2026-02-28T10:00:30"
send = "{ASK_ADDRESS}"
expect = "68 01 00 20 11 26 20 68 93 06 34 33 53 44 59 53 .. 16"
[[step]]
at = "2026-02-28T12:00:00"
supply = "off"
[[step]]
at = "2026-02-28T13:00:00"
send = "{ASK_ADDRESS}"
expect = ""
[[step]]
at = "2026-03-01T00:00:00"
supply = "on"
[[step]]
at = "2026-03-01T06:00:00"
clock = "2026-03-01T07:30:00"
[[step]]
at = "2026-03-01T06:00:30"
press = "up"
[[step]]
at = "2026-03-01T07:00:00"
sensor = "clock-battery 2.5"
[[step]]
at = "2026-03-01T07:01:00"
send = "68 01 00 20 11 26 20 68 11 04 3B 33 B3 35 B3 16"
expect = "68 01 00 20 11 26 20 68 91 06 3B 33 B3 35 83 35 .. 16"
"""


def test_a_script_sends_presses_sets_and_switches(tmp_path):
    document, _ = played(tmp_path, SCRIPT)
    assert [step["ok"] for step in document["steps"]] == [True] * 8, document["steps"]
    assert document["clock"] in ("2026-03-02T01:29:59", "2026-03-02T01:30:00")
    rows = load_rows(str(UCI))
    metered = rows[: 12 * 60] + rows[24 * 60 :]
    expected = sum(row.active_milliwatt for row in metered) * 60_000
    found = document["energy_microjoule"]["import_active"]
    assert 0 <= found - expected < 2_000_000_000  # the orderly end after the switch takes a moment


def test_an_answer_that_is_not_as_expected_is_the_answer_no(tmp_path, capfd):
    script = tmp_path / "script.toml"
    script.write_text(f'[[step]]\nat = "2026-02-28T10:00:30"\nsend = "{ASK_ADDRESS}"\nexpect = "68 16"\n')
    words = ["simulate", "--from", "2026-02-28", "--days", "1", "--load", "house", "--script", str(script), "--json"]
    assert main(words) == 1
    out, err = capfd.readouterr()
    document = json.loads(out)
    assert not document["ok"]
    assert document["steps"][0]["got"].startswith("68010020112620")
    assert "did not go as expected" in err


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"begin": "2026-02-30"}, "--from"),
        ({"begin": "2026-02-28T00:00:00Z"}, "--from"),
        ({"load": "castle"}, "--load"),
        ({"begin": "1999-12-31"}, "2000-01-01T00:00:00 to 2099"),
        ({"script": '[[step]]\nat = "2026-03-02"\npress = "up"\n'}, "outside"),
    ],
)
def test_what_cannot_be_played_is_refused(tmp_path, given, why):
    with pytest.raises(BadInput, match=why):
        played(tmp_path, **given)


def test_a_second_simulation_goes_on_where_the_first_has_ended(tmp_path):
    state = str(tmp_path / "state")
    first, told = played(tmp_path, load="constant", repeats=True, state=state)
    assert first["clock_ahead_s"] == 0 or "ahead" in told[-1]
    second, _ = played(tmp_path, begin="2026-03-02", load="constant", repeats=True, state=state)
    one = first["energy_microjoule"]["import_active"]
    assert second["energy_microjoule"]["import_active"] == 2 * one == 2 * 2 * 1440 * 1_100_000 * 60_000
    assert second["clock"] == "2026-03-04T00:00:00"


SAVED_WITH_REGISTERS = ("books", "demand windows", "recording")


def narrow(node):
    """A saved value in which each list of an element's registers, or of all, lacks the two apparent ones of each."""
    if not isinstance(node, list):
        return node
    if len(node) in (len(REGISTERS), REGISTER_COUNT) and all(isinstance(each, int) for each in node):
        return [each for at, each in enumerate(node) if at % len(REGISTERS) < REGISTERS_RECORDED]
    return [narrow(each) for each in node]


def test_a_state_folder_without_apparent_energy_is_taken_up_and_apparent_energy_begins_at_zero(tmp_path):
    state = tmp_path / "state"
    first, _ = played(tmp_path, load="constant", repeats=True, state=str(state))
    memory = FileMemory(state / METERING_FOLDER / RING_NAME, RING_OCTETS)
    ring = RegisterRing(memory)
    saved = SavedState.from_octets(ring.state)
    fine = [saved.ledger[at : at + 16] for at in range(0, len(saved.ledger), 16)]
    before = b"".join(each for at, each in enumerate(fine) if at % len(REGISTERS) < REGISTERS_RECORDED)
    ring.write(saved._replace(ledger=before).to_octets())
    memory.close()
    records = SqliteRecords(state / STORE_FOLDER)
    kept = records.load("energy")
    with_registers = [key for key in kept if key in SAVED_WITH_REGISTERS or key.startswith(("settled ", "phases "))]
    narrowed = {key: msgspec.msgpack.encode(narrow(msgspec.msgpack.decode(kept[key]))) for key in with_registers}
    changed = [Change("energy", key, octets) for key, octets in narrowed.items() if octets != kept[key]]
    assert {*SAVED_WITH_REGISTERS, "settled 1", "phases 1"} <= {change.key for change in changed}
    records.commit(changed, both=True)
    records.close()
    second, _ = played(tmp_path, begin="2026-03-02", load="constant", repeats=True, state=str(state))
    assert second["ok"]
    added = second["flowed_microjoule"]
    for register, before in first["energy_microjoule"].items():
        begun = 0 if register.endswith("apparent") else before
        assert second["energy_microjoule"][register] == begun + added[register]
    assert added["import_apparent"] > 0


def test_a_simulation_of_earlier_days_is_no_loss_of_the_time(tmp_path):
    state = str(tmp_path / "state")
    for begin in ("2026-02-28", "2026-02-03", "2011-02-03"):
        document, _ = played(tmp_path, state=state, begin=begin, days=1)
        assert document["ok"]
        assert document["clock"][:10] == f"{datetime.fromisoformat(begin) + timedelta(days=1):%Y-%m-%d}"


def test_a_state_folder_of_another_wiring_is_refused(tmp_path):
    three = tmp_path / "three.toml"
    three.write_text('[meter]\nwiring = "3p4w"\n')
    for first, second in ((None, str(three)), (str(three), None)):
        state = str(tmp_path / f"state of {first}".replace("/", "-"))
        played(tmp_path, settings_file=first, days=1, load="constant", repeats=True, state=state)
        with pytest.raises(BadInput, match="allowed: a folder of the same wiring"):
            played(tmp_path, settings_file=second, days=1, load="constant", repeats=True, state=state)
        played(tmp_path, settings_file=first, days=1, load="constant", repeats=True, state=state)


PREPAID = """[fee_control]
mode = "local"
[meter]
wiring = "1p2w"
nominal_voltage_v = 230.0
"""
PAYMENTS = """
[[step]]
at = "2026-02-28T08:00:00"
fee = "open-wallet 100"
[[step]]
at = "2026-02-28T09:00:00"
fee = "recharge 50.5 1"
[[step]]
at = "2026-02-28T10:00:00"
fee = "recharge 50.5 3"
[[step]]
at = "2026-02-28T10:10:00"
send = "68AAAAAAAAAAAA68 1104 3335C333 3F 16"
"""


def test_a_script_pays(tmp_path):
    settings = tmp_path / "prepaid.toml"
    settings.write_text(PREPAID)
    document, told = played(tmp_path, PAYMENTS, settings_file=str(settings), days=1, load="constant", repeats=True)
    opened, recharged, again, read = document["steps"]
    assert (opened["ok"], recharged["ok"], again["ok"]) == (True, True, False)
    assert "one more than that of the last purchase" in again["refused"]
    assert "fee did not go as expected" in told[-1]
    assert read["got"].endswith("3335C33383833433" + read["got"][-4:])  # 0150.50 - 33H a octet
    assert document["energy_microjoule"]["import_active"] > 5e13  # the relay that the first payment closed lets it flow


def test_registers_are_printed_in_their_units(tmp_path, capfd):
    assert main(["simulate", "--from", "2026-02-28", "--days", "1", "--load", "house"]) == 0
    units = {line.split()[0]: line.split()[1:] for line in capfd.readouterr().out.splitlines() if "_" in line}
    assert units["import_active"][1] == "kWh"
    assert units["reactive_q4"] == ["0.0000", "kvarh"]
    assert units["export_apparent"] == ["0.0000", "kVAh"]


def test_a_meter_that_runs_goes_on_in_meter_time(tmp_path):
    state = tmp_path / "state"
    begin = LinuxClock(EpollLoop()).calendar().replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    begin += timedelta(days=1000)
    text = begin.isoformat()
    document, told = played(tmp_path, begin=text, load="constant", repeats=True, state=str(state))
    assert re.fullmatch(r"the meter's clock is 100[0-9.]+ days ahead of this machine's; .*", told[-1])
    with LivingMeter(state=state) as meter:
        host, port = meter.door("dlt645")
        assert main(["read", "00010000", "--tcp", f"{host}:{port}"]) == 0
        assert "days ahead of this machine's" in meter.output
        status = meter.status()
        with pytest.raises(DoorUnavailable):
            played(tmp_path, state=str(state))
    assert (
        timedelta(0) <= datetime.fromisoformat(status["clock"][:-1]) - begin - timedelta(days=2) < timedelta(minutes=10)
    )
    assert status["energy_microjoule"]["import_active"] >= document["energy_microjoule"]["import_active"]


def test_nothing_is_played_beyond_the_calendar(tmp_path):
    with pytest.raises(BadInput, match="calendar ends at 2100-01-01"):
        played(tmp_path, begin="2099-12-31T12:00:00", days=1, state=str(tmp_path / "state"))
    assert not (tmp_path / "state").exists()


def test_a_relay_that_is_open_stays_so_for_whoever_goes_on(tmp_path):
    settings = tmp_path / "meter.toml"
    settings.write_text('[meter]\nwiring = "1p2w"\n[fee_control]\nmode = "local"\n')  # nothing was paid
    state = tmp_path / "state"
    given = {"days": 1, "load": "constant", "repeats": True, "script": None, "state": str(state), "say": print}
    first = simulate(str(settings), "2026-02-28", **given)
    assert 0 < first["flowed_microjoule"]["import_active"] <= 1100 * 60 * 10**6  # until the first turn
    assert (state / "metering" / "relay.position").read_bytes() == b"open"
    second = simulate(str(settings), "2026-03-01", **given)
    assert second["flowed_microjoule"]["import_active"] == 0
    assert second["energy_microjoule"] == first["energy_microjoule"]
    assert second["ok"]


def read_frame(di: int) -> str:
    return encode(Frame("202611200001", 0x11, di.to_bytes(4, "little"))).hex()


def step(at: str, **action: str) -> str:
    return "\n".join(["[[step]]", f'at = "{at}"', *(f'{key} = "{value}"' for key, value in action.items()), ""])


def test_a_cover_that_is_opened_without_supply_is_recorded_with_its_times(tmp_path):
    """And with those of the meter's own clock, which was set before; what its battery does not watch counts from the
    power-up on."""
    steps = [
        step("2026-02-28T11:00:00", clock="2026-02-28T11:30:00"),
        step("2026-02-28T12:00:00", supply="off"),
        step("2026-02-28T12:10:00", contact="meter-cover open"),
        step("2026-02-28T12:11:00", contact="auxiliary-supply lost"),
        step("2026-02-28T12:20:00", contact="meter-cover closed"),
        *(
            step(f"2026-02-28T13:00:{second:02d}", contact=f"terminal-cover {('open', 'closed')[second % 2]}")
            for second in range(40)
        ),
        step("2026-02-28T13:30:00", contact="terminal-cover open"),
        step("2026-02-28T14:00:00", supply="on"),
        step("2026-02-28T14:05:00", send=read_frame(0x03300D01)),
        step("2026-02-28T14:05:00", send=read_frame(0x03300E00)),
        step("2026-02-28T14:05:00", send=read_frame(0x03300E01)),
        step("2026-02-28T14:05:00", send=read_frame(0x03060001)),
        step("2026-02-28T14:06:00", contact="terminal-cover closed"),
        step("2026-02-28T14:07:00", send=read_frame(0x03300E01)),
    ]
    document, _ = played(tmp_path, "".join(steps))
    assert document["ok"], document["steps"]
    got = [bytes.fromhex(row["got"]) for row in document["steps"] if row["action"] == "send"]
    data = [FrameReader().feed(octets)[0].data[4:] for octets in got]

    def times(record: bytes) -> list[str]:
        return [record[at : at + 6][::-1].hex() for at in (0, 6)]

    opened, closed = times(data[0])  # the clock was set on its way through the meter, less than a second before
    assert opened in ("260228124001", "260228124002")
    assert closed in ("260228125001", "260228125002")
    assert data[1] == bytes((1, 0, 0))  # forty times for a second: nothing; then once for long
    assert times(data[2])[0] in ("260228140001", "260228140002")
    assert times(data[2])[1] == "000000000000"
    assert "260228143100" <= times(data[3])[0] <= "260228143120"
    assert "260228143601" <= times(data[4])[1] <= "260228143604"


def test_a_contact_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(BadInput, match="meter-cover open or closed"):
        played(tmp_path, step("2026-02-28T12:00:00", contact="meter-cover ajar"))


def test_a_clock_that_stands_still_is_a_fault_of_the_simulated_meter(tmp_path):
    steps = [
        step("2026-02-28T12:00:00", contact="clock stopped"),
        step("2026-02-28T12:00:20", send=read_frame(0x04000501)),
        step("2026-02-28T12:00:30", contact="clock running"),
        step("2026-02-28T12:00:50", send=read_frame(0x04000501)),
    ]
    document, _ = played(tmp_path, "".join(steps))
    assert document["ok"], document["steps"]
    words = [bytes.fromhex(row["got"]) for row in document["steps"] if row["action"] == "send"]
    assert [FrameReader().feed(octets)[0].data[5] >> 7 for octets in words] == [1, 0]
    assert document["clock"] == "2026-03-02T00:00:00"
