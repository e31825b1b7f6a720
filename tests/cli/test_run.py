"""`wattwheel run` as a process: boots, is read, asked, pressed, stopped; and what it refuses before it starts."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wattwheel.drivers.sim import recordings

FREE = ["--dlt645", "127.0.0.1:0", "--web", "127.0.0.1:0"]


def command(*arguments):
    return [sys.executable, "-m", "wattwheel", *map(str, arguments)]


def call(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60)


class Meter:
    """A running meter and what it printed up to `ready`."""

    def __init__(self, state, *arguments):
        self.state = state
        self.process = subprocess.Popen(
            command("run", "--state", state, *(arguments or FREE)), stdout=subprocess.PIPE, text=True
        )
        self.said = {}
        for line in self.process.stdout:
            words = line.split()
            if words == ["ready"]:
                return
            self.said[words[0]] = words[1]
        raise AssertionError(f"the meter ended before it was ready, exit code {self.process.wait(60)}")

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def meter(tmp_path_factory):
    running = Meter(tmp_path_factory.mktemp("meter") / "state")
    yield running
    if running.process.poll() is None:
        running.stop()


def test_it_says_where_it_is(meter):
    assert meter.said["address"] == "202611200001"
    assert re.fullmatch(r"127\.0\.0\.1:[1-9][0-9]+", meter.said["dlt645"])
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9][0-9]+", meter.said["web"])
    assert meter.said["serial"].startswith("/dev/pts/")


@pytest.mark.parametrize("door", ["tcp", "serial"])
def test_it_is_read_by_its_own_head_end(meter, door):
    where = ["--tcp", meter.said["dlt645"]] if door == "tcp" else ["--serial", meter.said["serial"], "--parity", "N"]
    done = call("read", "voltage_a", "0001FF00", "import_active_energy_tariff_9", *where, "--timeout", "20", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["address"] == "202611200001"
    assert [error["error"] for error in document["errors"]] == ["no requested data"]
    assert document["values"][0]["value"] == pytest.approx(348.9, abs=0.1)
    assert len(document["values"][1]["value"]) >= 2


IN_A_MINUTE = ("02800003", "0310", "0504")
"""What a meter has once a minute has passed: a mean, statistics, the first freeze of the hour."""


def test_what_is_listed_as_answered_is_answered_and_nothing_else_of_its_classes(meter):
    rows = [row["di"] for row in json.loads(call("items", "--json").stdout) if row["di"]]
    unanswered = {row["di"] for row in json.loads(call("items", "--unanswered", "--json").stdout)}
    asked = [di for di in rows if di not in unanswered or di.startswith(("00", "02"))]
    done = call("read", *asked, "--tcp", meter.said["dlt645"], "--timeout", "20", "--json")
    document = json.loads(done.stdout)
    answered, expected = {row["di"] for row in document["values"]}, set(rows) - unanswered
    assert answered <= expected
    assert all(di.startswith(IN_A_MINUTE) for di in expected - answered)
    assert {row["di"] for row in document["errors"]} == set(asked) - answered


def test_status(meter):
    document = json.loads(call("status", "--state", meter.state, "--json").stdout)
    assert document["ready"] is True
    assert (document["address"], document["dlt645"]) == ("202611200001", meter.said["dlt645"])
    assert {"kernel", "metering_core", "partitions"} <= set(document["pids"])
    assert isinstance(document["energy_microjoule"]["import_active"], int)
    assert re.search(r"^pids\.kernel +\d+$", call("status", "--state", meter.state).stdout, re.MULTILINE)


def test_press(meter):
    for how in ((), ("--long",), ("--stuck",), ("--seconds", "5")):
        done = call("press", "down", *how, "--state", meter.state)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_contact(meter):
    for position in ("open", "closed"):
        done = call("contact", "terminal-cover", position, "--state", meter.state)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_sensor(meter):
    done = call("sensor", "clock-battery", "2.5", "--state", meter.state)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    status = call("read", "02800008", "--tcp", meter.said["dlt645"], "--json")
    assert json.loads(status.stdout)["values"][0]["value"] == 2.5
    done = call("sensor", "temperature", "-20.5", "--state", meter.state)
    assert (done.returncode, done.stdout) == (1, "")
    assert "[board]" in done.stderr


@pytest.mark.parametrize(
    "told", [("auxiliary-supply", "lost"), ("magnetic-field", "absent"), ("security-element", "0123456789abcdef")]
)
def test_inputs(meter, told):
    done = call("contact", *told, "--state", meter.state)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_contact_that_has_no_such_state(meter):
    done = call("contact", "magnetic-field", "open", "--state", meter.state)
    assert (done.returncode, done.stdout) == (2, "")
    assert "allowed: present or absent" in done.stderr


def test_commission(meter):
    done = call("commission", "--state", meter.state)
    said = "the meter was not in factory mode; it stays so\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def test_fee_control_says_why_not(meter):
    done = call("fee", "recharge", "50", "1", "--state", meter.state)
    assert (done.returncode, done.stdout) == (1, "")
    assert "[fee_control] mode" in done.stderr


def test_a_second_meter_on_the_same_state_is_refused(meter):
    done = call("run", "--state", meter.state, *FREE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert call("status", "--state", meter.state).returncode == 0


def test_a_port_in_use(meter, tmp_path):
    done = call("run", "--state", tmp_path, "--dlt645", meter.said["dlt645"], "--web", "off")
    assert (done.returncode, done.stdout) == (2, "")
    assert "choose another port" in done.stderr
    assert done.stderr.count("\n") == 1


NOT_STARTED = {
    "no recording": '[input]\nkind = "recording"\npath = "/nowhere/absent.cfg"\n',
    "unknown format": '[input]\nkind = "recording"\npath = "/dev/null"\n',
    "unknown channel": '[input]\nkind = "recording"\nchannels = {va = "no such"}\n',
    "wrong key": '[input]\nkind = "recording"\nfile = "x"\n',
}


@pytest.mark.parametrize("text", NOT_STARTED.values(), ids=NOT_STARTED)
def test_a_meter_that_cannot_be_set_up(tmp_path, text):
    (tmp_path / "meter.toml").write_text(text)
    done = call("run", tmp_path / "meter.toml", "--state", tmp_path / "state", *FREE)
    assert done.returncode == 2
    assert "ready" not in done.stdout
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_a_cut_recording(tmp_path):
    source = next(Path(recordings.__file__).parent.glob("data/*.CFG"))
    (tmp_path / "cut.cfg").write_bytes(source.read_bytes())
    (tmp_path / "cut.dat").write_bytes(source.with_suffix(".DAT").read_bytes()[:5000])
    (tmp_path / "meter.toml").write_text(f'[input]\nkind = "recording"\npath = "{tmp_path}/cut.cfg"\n')
    done = call("run", tmp_path / "meter.toml", "--state", tmp_path / "state", *FREE)
    assert done.returncode == 2
    assert "cut" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_state_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", "/proc/state"):
        done = call("run", "--state", folder, *FREE)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_stops_in_order(tmp_path, number, code):
    meter = Meter(tmp_path / "state")
    assert meter.stop(number) == code
    assert call("status", "--state", tmp_path / "state").returncode == 1
