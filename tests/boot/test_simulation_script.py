"""Scripts: what they may say, and how a reply is compared with what was expected."""

from __future__ import annotations

from datetime import datetime

import pytest

from wattwheel.boot.simulation_script import is_expected, read_script
from wattwheel.model.errors import BadInput


def script(tmp_path, text):
    path = tmp_path / "script.toml"
    path.write_text(text)
    return str(path)


def test_steps_come_in_order_of_time(tmp_path):
    text = """
[[step]]
at = 2026-01-02T00:00:00
supply = "off"
[[step]]
at = "2026-01-01T12:00:00"
send = "68 01"
expect = "fe 68 .. 16"
[[step]]
at = "2026-01-03"
press = "up"
long = true
[[step]]
at = "2026-01-04"
clock = "2026-02-01T00:00:30"
"""
    send, supply, press, clock = read_script(script(tmp_path, text))
    assert (send.line, send.action, send.value, send.expect) == (2, "send", b"\x68\x01", ("FE", "68", "..", "16"))
    assert (supply.at, supply.value) == (datetime.fromisoformat("2026-01-02"), "off")
    assert (press.value, press.is_long) == ("up", True)
    assert clock.value == datetime.fromisoformat("2026-02-01T00:00:30")


@pytest.mark.parametrize(
    "text",
    [
        "step = 1",
        "other = 1\n[[step]]\nat = '2026-01-01'\npress = 'up'",
        "[[step]]\npress = 'up'",
        "[[step]]\nat = '2026-01-01T00:00:00+01:00'\npress = 'up'",
        "[[step]]\nat = '2026-01-01T00:00:00.5'\npress = 'up'",
        "[[step]]\nat = '2026-01-01'",
        "[[step]]\nat = '2026-01-01'\npress = 'up'\nsupply = 'on'",
        "[[step]]\nat = '2026-01-01'\npress = 'left'",
        "[[step]]\nat = '2026-01-01'\npress = 'up'\nlong = 1",
        "[[step]]\nat = '2026-01-01'\nsupply = true",
        "[[step]]\nat = '2026-01-01'\nsensor = 'nose 3'",
        "[[step]]\nat = '2026-01-01'\nsensor = 'clock-battery much'",
        "[[step]]\nat = '2026-01-01'\nsensor = 2.5",
        "[[step]]\nat = '2026-01-01'\nsend = '681'",
        "[[step]]\nat = '2026-01-01'\nsend = '68..'",
        "[[step]]\nat = '2026-01-01'\nsend = '68'\nexpect = '6. 16'",
        "[[step]]\nat = '2026-01-01'\nclock = 'noon'",
        "[[step]]\nat = '2026-01-01'\nclock = '1999-12-31T23:59:59'",
        "[[step]]\nat = '2026-01-01'\nclock = '2100-01-01'",
        "[[step]]\nat = '2026-01-01'\nsend = ''",
        "[[step]]\nat = '2026-01-01'\nfee = 'recharge 50'",
        "[[step]]\nat = '2026-01-01'\nfee = 50",
        "[[step]]\nat = '2026-01-01'\nfee = 'refund 5'\nexpect = ''",
        "[[step]]\nat = '2026-01-01'\nsend = '68'\nwait = 3",
        "[[step",
    ],
)
def test_anything_else_is_refused(tmp_path, text):
    with pytest.raises(BadInput):
        read_script(script(tmp_path, text))


def test_no_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="give a TOML file"):
        read_script(str(tmp_path / "none.toml"))


def test_replies_are_compared_octet_by_octet():
    reply = bytes.fromhex("FEFEFEFE680116")
    assert is_expected(reply, None)
    assert is_expected(reply, ("68", "..", "16"))
    assert is_expected(reply, ("FE", "68", "01", ".."))
    assert not is_expected(reply, ("68", "02", "16"))
    assert not is_expected(reply, ("68", ".."))
    assert not is_expected(reply, ("68", "..", "..", ".."))
    assert is_expected(b"", ())
    assert not is_expected(reply, ())
    assert not is_expected(b"", ("68",))
