"""What `wattwheel run` refuses: one sentence, exit code 2, and nothing left behind: no process, no socket, no door."""

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes import sockets_below, using

from wattwheel.drivers.sim import recordings
from wattwheel.testing.living import LivingMeter

FREE = ["--dlt645", "127.0.0.1:0", "--web", "127.0.0.1:0"]
RUN_TIMEOUT_S = 30


def run(*arguments, **options):
    command = [sys.executable, "-m", "wattwheel", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, **options)


def check_refused(done, folder, *words):
    """One sentence with `words` on standard error, exit code 2, nothing on standard output, nothing left."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert using(folder) == []
    assert sockets_below(folder) == []


BAD_TOML = {
    "no TOML": ("[meter\n", ["line 1"]),
    "wrong section": ("[metre]\n", ["line 1", "metre"]),
    "wrong key": ('[meter]\naddres = "1"\n', ["line 2", "addres"]),
    "wrong kind of value": ("[meter]\naddress = 202611200001\n", ["line 2", "address", "12 decimal digits"]),
    "an address that is none": ('[meter]\naddress = "2026"\n', ["line 2", "12 decimal digits"]),
    "the broadcast address": ('[meter]\naddress = "999999999999"\n', ["line 2", "broadcast"]),
    "out of range": ("[dlt645]\nreply_preamble = 5\n", ["line 2", "reply_preamble", "4"]),
    "not among the choices": ('[dlt645]\nreads = "cache"\n', ["line 2", "owner", "snapshot"]),
    "no such input": ('[input]\nkind = "dice"\n', ["line 2", "dice"]),
    "input of another kind": ('[input]\nkind = "house"\npath = "x"\n', ["line 3", "path"]),
    "powers and voltages of different length": (
        '[input]\nkind = "constant"\nvoltage_v = [230.0, 230.0, 230.0]\nactive_power_w = [1.0]\n',
        ["active_power_w"],
    ),
    "a stream from nowhere": ('[input]\nkind = "stream"\nsource = "COM1"\nrate_hz = 6400\n', ["[input]"]),
    "missing recording": ('[input]\nkind = "recording"\npath = "/nowhere/absent.cfg"\n', ["/nowhere/absent.cfg"]),
    "a folder for a recording": ('[input]\nkind = "recording"\npath = "/usr"\n', ["/usr"]),
    "unknown format": (f'[input]\nkind = "recording"\npath = "{__file__}"\n', [Path(__file__).name]),
    "unknown channel": ('[input]\nkind = "recording"\nchannels = {va = "no such"}\n', ["no such"]),
    "a file for a FIFO": (
        f'[input]\nkind = "stream"\nsource = "{__file__}"\nrate_hz = 6400\n'
        "voltage_v_per_count = 0.1\ncurrent_a_per_count = 0.1\n",
        ["mkfifo"],
    ),
    "a core link that is not there": ('[core_link]\nkind = "serial"\ndevice = "/dev/absent"\n', ["/dev/absent"]),
    "a serial line that is not there": ('[serial]\ndevice = "/dev/absent"\n', ["/dev/absent"]),
    "a file for a serial line": (f'[serial]\ndevice = "{__file__}"\n', ["serial device"]),
    "no module file": ('[module]\nfile = "absent.xml"\n', ["absent.xml", "module configuration"]),
    "a folder for a module file": ('[module]\nfile = "."\n', ["module configuration"]),
    "a module file without end": ('[module]\nfile = "/dev/zero"\n', ["/dev/zero: whole file", "a shorter file"]),
    "a module file that is none": (
        f'[module]\nfile = "{__file__}"\n',
        [Path(__file__).name, "line 1", "well-formed XML"],
    ),
}


@pytest.mark.parametrize(("text", "words"), BAD_TOML.values(), ids=BAD_TOML)
def test_settings_that_cannot_be(tmp_path, text, words):
    (tmp_path / "meter.toml").write_text(text)
    check_refused(run(tmp_path / "meter.toml", "--state", tmp_path / "state", *FREE), tmp_path, *words)


def test_a_cut_recording(tmp_path):
    (configuration,) = Path(recordings.__file__).parent.glob("data/*.CFG")
    shutil.copy(configuration, tmp_path / "cut.cfg")
    (tmp_path / "cut.dat").write_bytes(configuration.with_suffix(".DAT").read_bytes()[:5000])
    (tmp_path / "meter.toml").write_text(f'[input]\nkind = "recording"\npath = "{tmp_path}/cut.cfg"\n')
    check_refused(run(tmp_path / "meter.toml", "--state", tmp_path / "state", *FREE), tmp_path, "cut")


@pytest.mark.parametrize("door", ["--dlt645", "--web"])
def test_a_port_in_use(tmp_path, door):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        other = {"--dlt645": "--web", "--web": "--dlt645"}[door]
        done = run("--state", tmp_path / "state", door, where, other, "127.0.0.1:0")
    check_refused(done, tmp_path, where, "another port")


def test_an_address_of_another_machine(tmp_path):
    check_refused(run("--state", tmp_path / "state", "--dlt645", "192.0.2.1:0", "--web", "off"), tmp_path, "192.0.2.1")


def test_the_same_door_twice(tmp_path):
    """Both are named on the command line, so the one cannot know of the other before."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        where = f"127.0.0.1:{free.getsockname()[1]}"
    check_refused(run("--state", tmp_path / "state", "--dlt645", where, "--web", where), tmp_path, where)


def test_a_file_in_place_of_the_state_folder(tmp_path):
    (tmp_path / "state").touch()
    for folder in (tmp_path / "state", tmp_path / "state" / "below"):
        check_refused(run("--state", folder, *FREE), tmp_path, str(folder))


AS_NOBODY = """
import os, pwd, sys
import wattwheel.boot.run, wattwheel.cli.run
from wattwheel.boot.settings import load
from wattwheel.cli.main import main
load()
if os.geteuid() == 0:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
sys.exit(main(sys.argv[1:]))
"""
"""As root nothing is unwritable. What is needed is loaded before, for nobody may not read every checkout."""


def test_a_state_folder_of_somebody_else(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    for above in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        above.chmod(0o755)
    folder.chmod(0o555)
    command = [sys.executable, "-c", AS_NOBODY, "run", "--state", str(folder), *FREE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S)
    check_refused(done, tmp_path, str(folder), "ermission")


def test_a_second_instance_on_the_same_state(tmp_path):
    with LivingMeter("", state=tmp_path) as meter:
        before = meter.pids()
        done = run("--state", tmp_path, *FREE)
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(rf"wattwheel[^\n]*{tmp_path}[^\n]*\n", done.stderr)
        assert meter.pids() == before
        assert meter.stop() == 0
    assert using(tmp_path) == []


@pytest.mark.parametrize("name", ["management/store.lock", "metering/registers.ring", "meter.lock", "control.sock"])
def test_a_folder_where_a_file_of_the_state_belongs(tmp_path, name):
    (tmp_path / name).mkdir(parents=True)
    check_refused(run("--state", tmp_path, *FREE), tmp_path, name, "directory")


@pytest.mark.parametrize("name", ["management", "metering"])
def test_a_file_where_a_folder_of_the_state_belongs(tmp_path, name):
    (tmp_path / name).touch()
    check_refused(run("--state", tmp_path, *FREE), tmp_path, name)
