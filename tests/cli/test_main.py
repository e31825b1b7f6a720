"""The command line as a caller sees it: what goes where, and the exit code."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
from tests.slave import Slave

import wattwheel
from wattwheel.cli.main import COMMANDS, main

PROJECT = Path(__file__).parents[2]
READ_ENERGY = "FEFEFEFE68010020112620681104333334332A16"


@pytest.fixture
def wattwheel_command(capfd):
    def call(*arguments):
        code = main(arguments)
        out, err = capfd.readouterr()
        return code, out, err

    return call


def program(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "wattwheel", *arguments],
        capture_output=True, text=True, timeout=60, **options,
    )  # fmt: skip


def is_one_sentence(text):
    return text.endswith("\n") and text.count("\n") == 1 and "Traceback" not in text and text.startswith("wattwheel")


def test_version_is_the_project_s(wattwheel_command):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert wattwheel.__version__ == project["version"]
    assert wattwheel_command("--version") == (0, f"wattwheel {project['version']}\n", "")


def test_help_names_every_command(wattwheel_command):
    code, out, err = wattwheel_command("--help")
    assert (code, err) == (0, "")
    for name, what in COMMANDS.items():
        assert re.search(rf"^  {name} +{what}$", out, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(wattwheel_command, name):
    code, out, err = wattwheel_command(name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: wattwheel {name} ")


def test_nothing_said(wattwheel_command):
    code, out, err = wattwheel_command()
    assert (code, out) == (2, "")
    assert err.startswith("Usage: wattwheel")


BAD_INPUT = {
    "no such command": ["fly"],
    "no such option": ["items", "--fast"],
    "no item": ["read", "--tcp", "127.0.0.1:1"],
    "nonsense for an item": ["read", "voltag_a", "--tcp", "127.0.0.1:1"],
    "nonsense for an address": ["read", "voltage_a", "--tcp", "127.0.0.1:1", "--address", "twelve"],
    "nonsense for a door": ["read", "voltage_a", "--tcp", "nowhere"],
    "no door": ["read", "voltage_a"],
    "two doors": ["read", "voltage_a", "--tcp", "127.0.0.1:1", "--serial", "/dev/null"],
    "a rate that is no number": ["read", "voltage_a", "--serial", "/dev/null", "--baud", "fast"],
    "a rate that no line has": ["read", "voltage_a", "--serial", "/dev/null", "--baud", "12345"],
    "no hex": ["frame", "decode", "68 xy"],
    "half an octet": ["frame", "decode", "681"],
    "no octets": ["frame", "decode", ""],
    "no such edition": ["frame", "decode", "68", "--edition", "2015"],
    "no recording": ["measure", "absent.cfg"],
    "unknown format": ["measure", __file__],
    "a folder for a recording": ["measure", "/"],
    "no settings file": ["run", "absent.toml"],
    "a folder for a settings file": ["run", "/"],
    "a door that is none": ["run", "--dlt645", "nowhere"],
    "a page that is nowhere": ["run", "--web", "127.0.0.1:99999"],
    "a line that is none": ["run", "--serial", "COM1"],
    "no speed": ["run", "--speed", "0"],
    "next to no speed": ["run", "--speed", "0.0001"],
    "speed in words": ["run", "--speed", "fast"],
    "a speed that is no number": ["run", "--speed", "nan"],
    "no such button": ["press", "left"],
    "no button": ["press"],
    "no such contact": ["contact", "window", "open"],
    "a contact ajar": ["contact", "meter-cover", "ajar"],
    "no such sensor": ["sensor", "nose", "2"],
    "volts in words": ["sensor", "clock-battery", "low"],
    "volts that are no number": ["sensor", "clock-battery", "nan"],
    "volts beyond the sensor": ["sensor", "clock-battery", "20.01"],
    "volts too fine": ["sensor", "clock-battery", "2.505"],
    "a relay that is opened by hand": ["contact", "relay", "open"],
    "a clock that is late": ["contact", "clock", "late"],
    "a cover that sticks": ["contact", "meter-cover", "stuck"],
    "no order": ["fee", "give", "50"],
    "no amount": ["fee", "refund"],
    "no count": ["fee", "recharge", "50"],
    "three decimals": ["fee", "recharge", "50.005", "3"],
    "too large an amount": ["fee", "refund", "1000000"],
    "full-width digits": ["fee", "recharge", "\uff15\uff10", "3"],
    "a relay's contact ajar": ["fee", "relay-contact", "ajar"],
    "seconds that are no number": ["press", "up", "--seconds", "nan"],
    "a file for a state folder": ["status", "--state", __file__],
    "how often not at all": ["drill", "kills", "--times", "0"],
    "no drill": ["drill"],
    "unknown drill": ["drill", "juggle"],
    "unknown benchmark": ["bench", "juggle"],
}


@pytest.mark.parametrize("arguments", BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_one_sentence_and_exit_code_2(wattwheel_command, arguments):
    code, out, err = wattwheel_command(*arguments)
    assert (code, out) == (2, "")
    assert is_one_sentence(err), err


def test_an_order_to_fee_control_that_is_none_is_told_what_is_allowed(wattwheel_command):
    code, _, err = wattwheel_command("fee", "recharge", "50.005", "3")
    assert code == 2
    assert "recharge AMOUNT COUNT" in err


def test_the_answer_is_no(wattwheel_command, tmp_path):
    for arguments in (["status", "--state", str(tmp_path)], ["press", "up", "--state", str(tmp_path / "absent")]):
        code, out, err = wattwheel_command(*arguments)
        assert (code, out) == (1, "")
        assert is_one_sentence(err)
    assert not (tmp_path / "absent").exists()


def test_frame_decode(wattwheel_command):
    code, out, err = wattwheel_command("frame", "decode", READ_ENERGY, "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["frames"][0] | {"function": "read data", "di": "00010000"} == document["frames"][0]
    spread = re.sub("(..)", r"\1 ", READ_ENERGY.lower()).split()
    assert json.loads(wattwheel_command("frame", "decode", *spread, "--json")[1]) == document


def test_frame_decode_for_people(wattwheel_command):
    code, out, _ = wattwheel_command("frame", "decode", READ_ENERGY)
    assert code == 0
    assert "address 202611200001" in out
    assert "import_active_energy" in out


def test_no_frame_is_a_document_and_exit_code_1(wattwheel_command):
    code, out, err = wattwheel_command("frame", "decode", "FEFE", "--json")
    assert (code, json.loads(out)["frames"]) == (1, [])
    assert is_one_sentence(err)


def test_items(wattwheel_command):
    code, out, err = wattwheel_command("items", "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "")
    keys = [
        "di",
        "di_1997",
        "name",
        "name_zh",
        "picture",
        "unit",
        "signed",
        "octets",
        "read",
        "write",
        "category",
        "owner",
    ]
    assert set(keys) <= set(rows[0])
    unanswered = json.loads(wattwheel_command("items", "--unanswered", "--json")[1])
    assert 0 < len(unanswered) < len(rows)
    assert "02010100" not in [row["di"] for row in unanswered]


def test_items_for_people(wattwheel_command):
    _, out, _ = wattwheel_command("items")
    assert re.search(r"^02010100 +B611 +voltage_a +XXX\.X +V +r- +energy$", out, re.MULTILINE)


def test_read(wattwheel_command):
    slave = Slave()
    try:
        door = slave.tcp()
        code, out, err = wattwheel_command("read", "voltage_a", "02800002", "--tcp", door, "--json")
        document = json.loads(out)
        assert (code, err) == (1, "")
        assert document["address"] == "202611200001"
        assert document["values"][0]["value"] == 230.1
        assert document["errors"] == [{"di": "02800002", "error": "no requested data"}]
        code, out, err = wattwheel_command("read", "voltage_a", "--tcp", door)
        assert (code, out.split()) == (0, ["02010100", "voltage_a", "230.1", "V"])
    finally:
        slave.close()


def test_print_settings(wattwheel_command):
    from wattwheel.boot.settings import Settings

    code, out, err = wattwheel_command("run", "--print-settings")
    assert (code, err) == (0, "")
    assert msgspec.convert(tomllib.loads(out), Settings) == Settings()


# The same through a real process: what the shell sees, and what only an interpreter of its own shows.


def test_as_a_process():
    done = program("items", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)
    done = program("run", "absent.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert is_one_sentence(done.stderr)


def test_standard_input_as_a_process():
    done = program("frame", "decode", "-", "--json", input=READ_ENERGY)
    assert done.returncode == 0
    assert json.loads(done.stdout)["frames"][0]["di"] == "00010000"


def test_a_reader_that_goes_away():
    command = f"{sys.executable} -m wattwheel items | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""


def test_a_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wattwheel", "items"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 2
    assert is_one_sentence(done.stderr)


LIGHT = {
    "version": (["--version"], ["numpy", "msgspec", "rich", "asyncio", "starlette"]),
    "frame decode": (["frame", "decode", READ_ENERGY], ["numpy", "rich", "asyncio", "starlette"]),
}


@pytest.mark.parametrize(("arguments", "heavy"), LIGHT.values(), ids=LIGHT)
def test_a_command_loads_what_it_needs_only(arguments, heavy):
    code = f"""
import sys
from wattwheel.cli.main import main
code = main({arguments!r})
print(code, *(name for name in {heavy!r} if name in sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.split() == ["0"]


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
@pytest.mark.parametrize(("arguments", "code"), [(("items",), 0), (("nonsense",), 2), (("frame", "decode", "68"), 1)])
def test_closed_standard_descriptors_change_no_exit_code(closed, arguments, code):
    ended = program(*arguments, preexec_fn=lambda: [os.close(number) for number in closed])
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert (ended.stdout == "") == (1 in closed or code != 0)


@pytest.mark.parametrize("environment", [None, {}], ids=["as it is", "bare, where buffers differ"])
def test_full_standard_error_changes_no_exit_code(environment):
    command = [sys.executable, "-m", "wattwheel", "nonsense"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(command, stderr=full, timeout=60, env=environment)
    assert ended.returncode == 2
