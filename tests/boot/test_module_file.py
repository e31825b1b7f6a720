"""A meter that boots from a module file: the printed standard module, and one with a partition of a stranger."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.head_end import ADDRESS, HeadEnd, SilentError
from tests.page_api import PageApi

from wattwheel.boot.added_apps import AddedApp, with_apps
from wattwheel.boot.items import item_rows
from wattwheel.boot.module_file import module_document, module_of
from wattwheel.boot.settings import MeterSettings, ModuleSettings, Settings, WebSettings, load
from wattwheel.boot.standard_module import standard_module
from wattwheel.kernel.module_xml import read_module
from wattwheel.model.errors import ConfigError, ModuleConfigError
from wattwheel.protocols.dlt645.frame import Frame
from wattwheel.testing.living import LivingMeter
from wattwheel.testing.world import World, simulated_settings

HOW_TO = (Path(__file__).parents[2] / "docs/how-to/add-a-partition.md").read_text()
INPUT = '[input]\nkind = "constant"\nvoltage_v = [230.0]\nactive_power_w = [2300.0]\n[meter]\nwiring = "1p2w"\n'
IDENTIFIERS = [int(row["di"], 16) for row in item_rows() if row["read"] and row["di"] is not None]
LISTENERS, LINES = ("listener:tcp",), ("line:serial",)


def with_module(settings, path):
    return msgspec.structs.replace(settings, module=ModuleSettings(str(path)))


@pytest.fixture
def printed(tmp_path):
    (tmp_path / "module.xml").write_bytes(module_document(Settings()))
    return tmp_path / "module.xml"


def wattwheel(*arguments, **options):
    command = [sys.executable, "-m", "wattwheel", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


# -- the printed module ---------------------------------------------------------------------------------------


def test_the_printed_module_is_the_standard_one(printed):
    config = module_of(with_module(Settings(), printed))
    assert config == standard_module(Settings(), LINES, LISTENERS)


def test_what_the_settings_say_is_not_frozen_in_the_file(printed):
    own = msgspec.structs.replace(Settings(), meter=MeterSettings(address="000000000042"))
    assert b"202611200001" not in printed.read_bytes()
    assert module_of(with_module(own, printed)) == standard_module(own, LINES, LISTENERS)


def test_what_the_file_says_of_a_partition_beats_the_settings(printed):
    text = printed.read_text()
    device = '<ww:Device Name="core_link"/>'
    printed.write_text(text.replace(device, f'{device}<ww:Settings>{{"push_ns": 5}}</ww:Settings>'))
    config = module_of(with_module(Settings(), printed))
    (metering,) = (own for own in config.partitions if own.name == "metering")
    assert msgspec.json.decode(metering.settings) == {"meter_address": "202611200001", "push_ns": 5}
    assert module_document(with_module(Settings(), printed)).count(b"push_ns") == 1


def test_settings_of_a_known_partition_have_names(printed):
    device = '<ww:Device Name="core_link"/>'
    printed.write_text(printed.read_text().replace(device, f"{device}<ww:Settings>[1]</ww:Settings>"))
    with pytest.raises(ConfigError, match="Partition metering ww:Settings: found 'list'; allowed: a JSON object"):
        module_of(with_module(Settings(), printed))


def test_a_door_that_the_settings_do_not_open(printed):
    own = msgspec.structs.replace(Settings(), web=WebSettings(enabled=False))
    with pytest.raises(ModuleConfigError, match=r"line \d+, Partition web ww:Device: found 'socket:web'"):
        module_of(with_module(own, printed))


def test_a_door_behind_which_nobody_is(printed):
    printed.write_text(printed.read_text().replace('<ww:Device Name="line:serial"/>', ""))
    with pytest.raises(ModuleConfigError, match="found 'nobody with line:serial'"):
        module_of(with_module(Settings(), printed))


def test_a_relative_name_counts_from_the_settings_file(tmp_path, monkeypatch):
    (tmp_path / "meter.toml").write_text('[module]\nfile = "m.xml"\n')
    monkeypatch.chdir("/")
    assert load(tmp_path / "meter.toml").module.file == str(tmp_path / "m.xml")


def answers(world):
    world.await_ready()
    world.advance(60)
    return [world.ask(di) for di in IDENTIFIERS[::7]], world.counters(), world.meter.log


def test_in_simulation_it_is_the_same_meter_to_the_last_octet(tmp_path):
    (tmp_path / "module.xml").write_bytes(module_document(simulated_settings()))
    built_in = answers(World(seed=4))
    assert answers(World(seed=4, settings=with_module(simulated_settings(), tmp_path / "module.xml"))) == built_in
    assert any(answer.data for answer in built_in[0])


def told_by(meter):
    """What does not change from second to second: which items are answered and how, what the page and status hold."""
    with closing(HeadEnd(meter.door("dlt645"))) as head_end, closing(PageApi(*meter.door("web"))) as page:
        head_end.read_when_back(0x02010100)
        replies = [head_end.ask(Frame(ADDRESS, 0x11, di.to_bytes(4, "little"))) for di in IDENTIFIERS]
        items = [value["di"] for value in page.get("/api/items?prefix=02")]
        status = page.get("/api/status")
    codes = [(reply.control, len(reply.data), reply.data[:4]) for reply in replies]
    return codes, items, set(status), set(status["pids"]["partitions"])


def test_a_living_meter_answers_as_before(printed):
    with LivingMeter(INPUT) as meter:
        before = told_by(meter)
        assert meter.stop() == 0
    with LivingMeter(f'{INPUT}[module]\nfile = "{printed}"\n') as meter:
        assert told_by(meter) == before
        assert meter.stop() == 0, meter.output
    assert sum(control == 0x91 for control, _length, _data in before[0]) > 20


# -- partitions of others -------------------------------------------------------------------------------------


def test_added_apps_survive_printing(tmp_path):
    apps = [AddedApp("one", "some.one:start", ("0330",)), AddedApp("two", "some.two:start")]
    (tmp_path / "m.xml").write_bytes(module_document(Settings(), apps))
    expected = with_apps(standard_module(Settings(), LINES, LISTENERS), apps)
    assert module_of(with_module(Settings(), tmp_path / "m.xml")) == expected


def test_the_how_to(tmp_path, monkeypatch):
    (app,) = re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL)
    (settings,) = re.findall(r"```toml\n(.*?)```", HOW_TO, re.DOTALL)
    (printing,) = re.findall(r"^wattwheel (module --app .*) > meter\.xml$", HOW_TO, re.MULTILINE)
    (tmp_path / "peak_guard.py").write_text(app)
    (tmp_path / "meter.xml").write_text(wattwheel(*shlex.split(printing)).stdout)
    (tmp_path / "meter.toml").write_text(settings)
    checked = wattwheel("module", tmp_path / "meter.toml")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == (tmp_path / "meter.xml").read_text()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with LivingMeter(INPUT + settings, state=tmp_path) as meter:
        assert "peak-guard" in meter.pids()
        with closing(HeadEnd(meter.door("dlt645"))) as head_end:
            assert head_end.read_when_back(0x03300E00, lambda count: count >= 2) >= 2
        assert meter.stop() == 0, meter.output


def test_a_stranger_has_no_more_rights_than_granted(tmp_path, monkeypatch):
    (app,) = re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL)
    (tmp_path / "peak_guard.py").write_text(app.replace("0x03300E00", "0x02800007"))  # what no partition shows
    (tmp_path / "meter.xml").write_bytes(module_document(Settings(), [AddedApp("peak-guard", "peak_guard:start")]))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        LivingMeter(f'{INPUT}[module]\nfile = "meter.xml"\n', state=tmp_path) as meter,
        closing(HeadEnd(meter.door("dlt645"))) as head_end,
    ):
        head_end.read_when_back(0x02010100)
        with pytest.raises(SilentError, match="D1"):  # nobody owns the item, whoever would answer it
            head_end.read(0x02800007)


# -- the command ----------------------------------------------------------------------------------------------


def test_the_command_prints_the_module_and_ends():
    done = wattwheel("module")
    assert (done.returncode, done.stderr) == (0, "")
    assert read_module(done.stdout.encode()).name == "meter"


def test_the_command_tells_each_fault_in_a_line(tmp_path):
    text = module_document(Settings()).decode().replace("SOURCE", "OUT")
    (tmp_path / "bad.xml").write_text(text)
    (tmp_path / "meter.toml").write_text('[module]\nfile = "bad.xml"\n')
    done = wattwheel("module", "meter.toml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("wattwheel: bad.xml: line ")
    assert all(re.match(r"(wattwheel: )?bad\.xml: line \d+, ", line) for line in lines[:-1])
    assert re.fullmatch(r"and \d+ more", lines[-1])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--app", "guard"], "give NAME=VALUE"),
        (["--app", "guard=nowhere"], "package.module:function"),
        (["--app", "bus=a:b"], "unique"),
        (["--app", "guard=a:b", "--owns", "guard=XY"], "2, 4, 6 or 8 hex digits"),
        (["--owns", "guard=02"], "no --app of that name"),
        (["--schema", "/nowhere"], "cannot write the schema"),
    ],
)
def test_what_the_command_refuses(words, told):
    done = wattwheel("module", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_schema_goes_into_a_folder(tmp_path):
    done = wattwheel("module", "--schema", tmp_path)
    assert done.stdout.split() == [str(tmp_path / name) for name in ("ARINC_653_Module.xsd", "wattwheel_module.xsd")]
    assert all(Path(path).read_text().startswith("<?xml") for path in done.stdout.split())
