"""What outside programs read of a living meter: the status document, the same over the page, and the buttons."""

import contextlib
import json
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from tests.head_end import HeadEnd
from tests.page_api import PageApi

from wattwheel.boot.settings import load
from wattwheel.model.records import REGISTERS
from wattwheel.protocols.dlt645.frame import ADDRESS_ANY, Frame
from wattwheel.testing.living import LivingMeter

CONTRACT = {
    "ready": True, "version": "0.1.0", "address": "202611200001", "dlt645": "127.0.0.1:6450", "serial": "/dev/pts/3",
    "web": "http://127.0.0.1:8645", "isolation": "L2",
    "pids": {"kernel": 11, "metering_core": 12, "partitions": {"communication": 13, "energy": 14}},
    "energy_microjoule": {
        "import_active": 1, "export_active": 0, "reactive_q1": 0, "reactive_q2": 0, "reactive_q3": 0, "reactive_q4": 0
    },
    "counters": {},
}  # fmt: skip
"""The literal of the contract; values are examples of their kind."""
PUSHES_MAX = 5


def check_shape(document, contract):
    for name, example in contract.items():
        assert name in document
        if isinstance(example, dict):
            check_shape(document[name], example)
        else:
            assert type(document[name]) is type(example), name


def wattwheel(*arguments):
    command = [sys.executable, "-m", "wattwheel", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


@pytest.fixture(scope="module")
def meter():
    with LivingMeter("", "--speed", "60") as living:
        yield living
        assert living.stop() == 0, living.output


@pytest.fixture
def page(meter):
    api = PageApi(*meter.door("web"))
    yield api
    api.close()


def test_the_status_document_on_the_command_line(meter):
    done = wattwheel("status", "--json", "--state", str(meter.state))
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    check_shape(document, CONTRACT)
    assert set(document["energy_microjoule"]) == set(REGISTERS)
    assert document["dlt645"] == ":".join(map(str, meter.door("dlt645")))
    assert document["serial"] == meter.serial_path()


def test_the_status_document_on_the_page(meter, page):
    document = page.get("/api/status")
    check_shape(document, CONTRACT)
    own = meter.status()
    assert set(document) == set(own)
    assert {name: document[name] for name in ("ready", "address", "pids", "web")} == {
        name: own[name] for name in ("ready", "address", "pids", "web")
    }


def test_every_pid_is_a_living_process_of_its_name(meter):
    pids = meter.status()["pids"]
    for name, pid in {**pids["partitions"], "kernel": pids["kernel"]}.items():
        with open(f"/proc/{pid}/comm") as comm:
            assert comm.read().strip() == f"ww-{name}"[:15]


def test_energy_never_falls_over_what_is_told(meter, page):
    before = meter.status()["energy_microjoule"]["import_active"]
    for _ in page.pushes(2):
        now = meter.status()["energy_microjoule"]["import_active"]
        assert now >= before
        before = now
    assert before > 0


def test_reads_are_counted(meter, page):
    head_end = HeadEnd(meter.door("dlt645"))
    for _ in range(7):
        head_end.read_when_back(0x02010100)
    head_end.close()
    for _ in page.pushes(PUSHES_MAX):
        counted = meter.status()["counters"].get("communication", {})
        if counted.get("reads_by_owner", 0) >= 7:
            break
    assert counted["reads_by_owner"] == 7
    assert counted["connections"] == 1


def shown_when(page, is_shown):
    """What the display shows as soon as `is_shown` likes it."""
    display = page.get("/api/display")
    pushes = page.pushes(PUSHES_MAX)
    while not is_shown(display):
        assert next(pushes, None) is not None, display
        display = page.get("/api/display")
    pushes.close()
    return display


def press(meter, *words):
    done = wattwheel("press", *words, "--state", str(meter.state))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_buttons_turn_the_display(meter, page):
    press(meter, "down")
    first = shown_when(page, lambda display: display["index"] == "01")
    assert first["di"] == "04000101"
    assert first["lit"] is True
    press(meter, "up")
    assert shown_when(page, lambda display: display["di"] == "02800002")["unit"] == "Hz"
    press(meter, "down")
    press(meter, "down", "--long")
    press(meter, "down", "--seconds", "5")
    press(meter, "down")
    assert shown_when(page, lambda display: display["index"] == "02")["di"] == "04000102"
    press(meter, "both")
    assert shown_when(page, lambda display: display["digits"].startswith("8:8:"))
    assert wattwheel("lcd", "--once", "--json", "--state", str(meter.state)).stdout.startswith("{")


def test_the_programming_button_opens_and_closes(meter, page):
    press(meter, "down")  # every segment may still be lit; a key ends that
    shown_when(page, lambda display: "program" not in display["symbols"])
    press(meter, "program")
    shown_when(page, lambda display: "program" in display["symbols"])
    press(meter, "program")
    shown_when(page, lambda display: "program" not in display["symbols"])


def test_a_button_that_is_not_there(meter):
    done = wattwheel("press", "left", "--state", str(meter.state))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_the_page_finds_the_items_of_all_owners(page):
    items = {row["di"] for row in page.get("/api/items?prefix=0330")}
    assert {"03300000", "03300100", "03300400", "03300500", "03301000"} <= items
    groups = {row["di"][:2] for row in page.get("/api/items")}
    assert {"00", "02", "03", "04"} <= groups
    assert {"04000101", "04000103", "04000401", "04000703"} <= {row["di"] for row in page.get("/api/items?prefix=04")}


def test_the_status_tells_the_address_that_was_written():
    with LivingMeter("", "--speed", "60") as living:
        first = living.status()["address"]
        assert wattwheel("press", "program", "--state", str(living.state)).returncode == 0
        head_end = HeadEnd(living.door("dlt645"))
        reply = head_end.ask(Frame(ADDRESS_ANY, 0x15, bytes.fromhex("000000000077")[::-1]))
        head_end.close()
        assert (reply.address, reply.control) == ("000000000077", 0x95)
        assert first != living.status()["address"] == "000000000077"
        assert living.stop() == 0, living.output


NEW_METER = """
[meter]
factory_days = 3
[dlt645]
password_level_4 = "444444"
programming_key = false
"""


def test_factory_mode_and_the_clock_that_was_written():
    with LivingMeter(NEW_METER) as meter, contextlib.closing(PageApi(*meter.door("web"))) as page:
        assert meter.status()["factory_mode"] is True
        assert page.get("/api/status")["factory_mode"] is True
        before = datetime.fromisoformat(meter.status()["clock"])
        local = before + timedelta(minutes=load().clock.utc_offset_minutes, hours=1)  # the clock goes on by an hour
        digits = f"{local:%y%m%d}{local.isoweekday() % 7:02d}{local:%H%M%S}"
        level = bytes.fromhex("444444")[::-1]
        data = (0x0400010C).to_bytes(4, "little") + b"\4" + level + bytes(4) + bytes.fromhex(digits)[::-1]
        with contextlib.closing(HeadEnd(meter.door("dlt645"))) as head_end:
            assert head_end.ask(Frame(meter.status()["address"], 0x14, data)).control == 0x94
        after = datetime.fromisoformat(meter.status()["clock"])
        assert timedelta(hours=1) - timedelta(seconds=2) <= after - before < timedelta(hours=1, minutes=1)
        assert wattwheel("status", "--state", str(meter.state)).stdout.count("factory_mode") == 1
        for said, status in (("factory mode is over, for good", False), ("the meter was not in factory mode", False)):
            done = wattwheel("commission", "--state", str(meter.state))
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith(said)
            assert meter.status()["factory_mode"] is status
