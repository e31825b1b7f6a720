"""The settings file: its defaults, its overrides, and one clear sentence for everything that cannot be."""

import contextlib
import re
import tomllib
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.boot.settings import Override, Settings, default_state_folder, load
from wattwheel.boot.settings_pages import attribute_texts, default_toml, settings_markdown
from wattwheel.model.errors import BadInput, ConfigError
from wattwheel.model.inputs import InputSettings

KINDS = [*(type(getattr(Settings(), section)) for section in Settings.__struct_fields__), *get_args(InputSettings)]


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "meter.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refusal(path, *overrides):
    with pytest.raises(ConfigError) as caught:
        load(path, overrides)
    return caught.value


def test_no_file_means_the_defaults():
    assert load() == Settings()


def test_the_printed_default_file_is_the_defaults(write):
    assert load(write(default_toml())) == Settings()


def test_every_setting_says_what_it_is():
    for kind in KINDS:
        assert set(attribute_texts(kind)) == set(kind.__struct_fields__), kind


def test_the_table_holds_every_setting():
    text = settings_markdown()
    for section in Settings.__struct_fields__:
        part = text.partition(f"## [{section}]\n")[2].partition("\n## [")[0]
        for key in type(getattr(Settings(), section)).__struct_fields__:
            assert f"| `{key}` |" in part


def test_values_of_the_file(write):
    settings = load(
        write('[meter]\naddress = "000000000001"\nnominal_voltage_v = 220\n\n[dlt645]\nreply_preamble = 0\n')
    )
    assert settings.meter.address == "000000000001"
    assert settings.meter.nominal_voltage_v == 220.0
    assert settings.dlt645.reply_preamble == 0
    assert settings.web == Settings().web


def test_the_command_line_beats_the_file(write):
    path = write('[web]\nlisten = "127.0.0.1:1"\n')
    settings = load(path, [Override("web", "listen", "0.0.0.0:2", "--web")])
    assert settings.web.listen == "0.0.0.0:2"


def test_a_wrong_option_is_named_as_it_was_said(write):
    error = refusal(write("[web]\nenabled = true\n"), Override("web", "listen", "nowhere", "--web"))
    assert (error.where, error.found, error.file) == ("--web", "nowhere", None)


REFUSED = {
    "unknown section": ("\n[metr]\n", "line 2, [metr]", "metr", "'meter'"),
    "unknown key": ('[meter]\n# x\nadress = "1"', "line 3, [meter] adress", "adress", "'address'"),
    "far from any key": ("[web]\nzzz = 1", "line 2, [web] zzz", "zzz", "enabled, listen"),
    "short address": ('[meter]\naddress = "1"', "line 2, [meter] address", "1", "12 decimal digits"),
    "address with a line end": (
        '[meter]\naddress = "202611200001\\n"',
        "line 2, [meter] address",
        "202611200001\n",
        "12",
    ),
    "foreign digits": ('[meter]\naddress = "٢٠٢٦١١٢٠٠٠٠١"', "line 2, [meter] address", "٢٠٢٦١١٢٠٠٠٠١", "12 decimal"),
    "broadcast address": ('[meter]\naddress = "999999999999"', "line 2, [meter] address", "999999999999", "broadcast"),
    "a number for a text": ("[meter]\naddress = 202611200001", "line 2, [meter] address", 202611200001, "in quotes"),
    "a text for a switch": ('[web]\nenabled = "yes"', "line 2, [web] enabled", "yes", "true or false"),
    "one of several": ('[meter]\nwiring = "delta"', "line 2, [meter] wiring", "delta", '"3p3w"'),
    "no such profile": ('[meter]\nprofile = "1997"', "line 2, [meter] profile", "1997", '"2007" or "2020"'),
    "a profile without quotes": ("[meter]\nprofile = 2020", "line 2, [meter] profile", 2020, '"2007" or "2020"'),
    "more tariffs than the profile has": (
        '[meter]\nprofile = "2020"\n[tariffs]\ncount = 13',
        "line 4, [tariffs] count",
        13,
        "at most 12 (profile 2020)",
    ),
    "not a number": ("[meter]\nnominal_voltage_v = nan", "line 2, [meter] nominal_voltage_v", None, "above 0"),
    "without end": ("[clock]\nspeed = inf", "line 2, [clock] speed", None, "from 0.001 to 100000"),
    "beyond 64 bits": (f"[meter]\ncurrent_ratio = {10**30}", "line 2, [meter] current_ratio", 10**30, "999999"),
    "below": ("[dlt645]\nmax_reply_data = 0", "line 2, [dlt645] max_reply_data", 0, "from 16 to 200"),
    "no port": ('[dlt645]\nlisten = "localhost"', "line 2, [dlt645] listen", "localhost", "HOST:PORT"),
    "no such port": ('[dlt645]\nlisten = "localhost:65536"', "line 2, [dlt645] listen", "localhost:65536", "0..65535"),
    "a value for a section": ("meter = 3", "line 1, [meter]", 3, "a section"),
    "one element": (
        "[calibration]\nvoltage_gain = [1, 2,\n true]",
        "line 2, [calibration] voltage_gain[2]",
        True,
        "from -100",
    ),
    "too few elements": (
        "[calibration]\nvoltage_gain = [1]",
        "line 2, [calibration] voltage_gain",
        [1.0],
        "here 3",
    ),
    "smaller maximum": (
        "[meter]\nmaximum_current_a = 1",
        "line 2, [meter] maximum_current_a",
        1.0,
        "nominal_current_a",
    ),
    "no gain": ("[calibration]\nneutral_gain = 0", "line 2, [calibration] neutral_gain", 0.0, "at least 0.01"),
    "large start": ("[meter]\nstarting_current_a = 9", "line 2, [meter] starting_current_a", 9.0, "nominal_current_a"),
    "no kind of input": ("[input]\nrate_hz = 1", "line 1, [input]", "nothing", 'kind = "'),
    "unknown kind": ('[input]\n\nkind = "adc"', "line 3, [input] kind", "adc", '"recording"'),
    "key of another kind": ('[input]\nkind = "house"\npath = ""', "line 3, [input] path", "path", "load"),
    "a house with one phase": ('[input]\nkind = "house"', "line 1, [input] phases", 1, 'wiring = "3p4w"'),
    "input as a value": ('input = "house"', "line 1, [input]", "house", "section"),
    "channel": (
        '[input]\nkind = "recording"\n[input.channels]\nvx = "U1"',
        "line 4, [input] channels.vx",
        "vx",
        '"va"',
    ),
    "channel name": ('[input]\nkind = "recording"\nchannels = {va = 1}', "line 3, [input] channels.va", 1, "text"),
    "input that does not fit": (
        '[input]\nkind = "constant"\nvoltage_v = [1, 2]',
        "line 3, [input] voltage_v",
        [1.0, 2.0],
        "1 or 3",
    ),
    "nothing required": ('[input]\nkind = "stream"', "line 1, [input]", "nothing", "source = "),
    "no device": ('[core_link]\nkind = "serial"', "line 1, [core_link] device", "", "/dev/"),
    "the same port twice": (
        '[web]\nlisten = "127.0.0.1:6450"',
        "line 2, [web] listen",
        "127.0.0.1:6450",
        "another port",
    ),
    "bad syntax": ("[meter]\n\naddress 5", "line 3, column 9", "address 5", "TOML"),
    "cut short": ('[meter]\naddress = """', "end of document", None, "TOML"),
    "the same key twice": ("[web]\nenabled = true\nenabled = true", "line 3", None, "TOML"),
    "deep nesting": ("a = " + "[" * 100_000, "whole file", None, "TOML"),
    "a very long number": ("a = " + "1" * 5000, "whole file", None, "numbers"),
    "a very long text": (f'[meter]\naddress = "{"x" * 5000}"', "line 2", "x" * 80 + "...", "12"),
    "not UTF-8": (b"[meter]\n#\xff", "line 2", b"\xff", "UTF-8"),
}


@pytest.mark.parametrize(("text", "where", "found", "allowed"), REFUSED.values(), ids=REFUSED)
def test_refused(write, text, where, found, allowed):
    path = write(text)
    error = refusal(path)
    assert error.where.startswith(where)
    assert found is None or error.found == found
    assert allowed in error.allowed
    assert error.file == str(path)
    assert "\n" not in str(error).replace("\\n", "")
    assert len(str(error)) < 700


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        load(tmp_path / "absent.toml")
    with pytest.raises(BadInput, match="Is a directory"):
        load(tmp_path)


def test_a_file_that_is_far_too_long(write):
    with pytest.raises(BadInput, match="longer than"):
        load(write("#" * (1 << 21)))


def test_line_ends_of_other_systems(write):
    assert refusal(write("\ufeff[meter]\r\n\r\nadress = 1\r\n")).where.startswith("line 3")


LEAVES = st.one_of(st.integers(), st.floats(), st.booleans(), st.text(max_size=5), st.lists(st.integers(), max_size=2))


@given(st.sampled_from(Settings.__struct_fields__), st.data())
def test_no_value_raises_anything_but_a_config_error(tmp_path_factory, section, data):
    kind = type(getattr(Settings(), section))
    key = data.draw(st.sampled_from(kind.__struct_fields__))
    value = data.draw(LEAVES)
    try:
        settings = load(None, [Override(section, key, value, "--option")])
    except ConfigError:
        pass
    else:
        assert msgspec.convert(msgspec.to_builtins(settings), Settings) == settings


@given(st.text(max_size=80))
def test_no_text_raises_anything_but_bad_input(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    with contextlib.suppress(BadInput):
        load(path)


def test_the_state_folder(monkeypatch, write):
    monkeypatch.setenv("XDG_STATE_HOME", "/var/tmp/states")
    assert default_state_folder() == Path("/var/tmp/states/wattwheel")
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert load().state_folder == Path("/home/somebody/.local/state/wattwheel")
    assert load(write('[state]\nfolder = "~/meter"\n')).state_folder == Path("/home/somebody/meter")


def test_a_relative_name_of_a_file_counts_from_the_settings_file(write, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/home/somebody")
    for said, meant in (("out/p", tmp_path / "out" / "p"), ("/out/p", "/out/p"), ("~/p", "/home/somebody/p")):
        settings = load(write(f'[pulse_output]\nfile = "{said}"\n[module]\nfile = "{said}"\ntap = true\n'))
        assert (settings.pulse_output.file, settings.module.file, settings.module.tap) == (str(meant), str(meant), True)
    assert load(write("[meter]\n")).pulse_output.file == ""
    said = Override("pulse_output", "file", "p", "--x")
    assert (load(None, [said]).pulse_output.file, load(write(""), [said]).pulse_output.file) == (
        "p",
        str(tmp_path / "p"),
    )


def test_every_default_is_valid_by_its_own_limits():
    table = tomllib.loads(default_toml())
    assert set(table) == set(Settings.__struct_fields__)
    assert re.fullmatch("[0-9]{12}", table["meter"]["address"])


def test_as_many_tariffs_as_the_profile_has(write):
    assert load(write('[meter]\nprofile = "2020"\n[tariffs]\ncount = 12')).tariffs.count == 12
    assert load(write("[tariffs]\ncount = 63")).meter.profile == "2007"
