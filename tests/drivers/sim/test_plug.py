"""A simulated plug: what its board notes, and keeps over everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wattwheel.drivers.sim.plug import CHANGES_MAX, SimPlug, board_clock
from wattwheel.hil.plug import PlugChange

FIRST = "0123456789abcdef"


@pytest.mark.parametrize("has_file", [True, False])
def test_changes_are_noted_once_until_they_are_forgotten(tmp_path, has_file):
    path = tmp_path / "plug" if has_file else None
    plug = SimPlug(path, lambda: 1234)
    assert (plug.number, plug.level(), plug.changes(0)) == (0, PlugChange(0, False, b"", None), [])
    for state in ("inserted", "removed", "removed", FIRST, FIRST.upper(), "inserted"):
        assert plug.move(state)
    serial = bytes.fromhex(FIRST)
    noted = [PlugChange(1, True, b"", 1234), PlugChange(2, True, serial, 1234), PlugChange(3, False, serial, 1234)]
    for each in (plug, *([SimPlug(path)] if has_file else [])):
        assert each.changes(0) == noted
        assert each.changes(2) == noted[2:]
        assert each.level() == PlugChange(3, False, serial, None)
    plug.forget(2)
    assert (SimPlug(path) if has_file else plug).changes(0) == noted[2:]
    assert plug.number == 3


def test_of_too_many_the_oldest_give_way():
    plug = SimPlug()
    for _ in range(CHANGES_MAX):
        plug.move("removed")
        plug.move("inserted")
    assert [change.number for change in plug.changes(0)] == list(range(CHANGES_MAX + 1, 2 * CHANGES_MAX + 1))
    assert plug.now_ms() is None


IMPOSSIBLE = (
    *(b'{"number": -5}', b'{"number": 18446744073709551615}', b'{"number": 1e30}'),
    *(b'{"changes": [[1, true, "", -5000]]}', b'{"changes": [[-1, true, "", 0]]}'),
)


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b'{"number": "x"}', b'{"serial": "zz"}', b"\xff", *IMPOSSIBLE])
def test_a_file_that_cannot_be_read_is_that_of_a_new_plug(tmp_path, octets):
    (tmp_path / "plug").write_bytes(octets)
    plug = SimPlug(tmp_path / "plug")
    assert plug.number == 0
    plug.move("removed")
    assert SimPlug(tmp_path / "plug").level().is_removed


def test_without_a_medium_it_is_known_until_the_supply_is_lost(tmp_path):
    plug = SimPlug(tmp_path / "nowhere" / "plug")
    plug.move("removed")
    assert plug.level().is_removed
    assert not plug.is_kept
    (tmp_path / "nowhere").mkdir()
    plug.move("inserted")
    assert plug.is_kept
    plug.move("removed")
    (tmp_path / "nowhere" / "plug").unlink()
    assert not SimPlug(tmp_path / "nowhere" / "plug").level().is_removed


def test_a_clock_of_the_board_that_shows_a_time_before_2000_has_lost_it():
    class Shown:
        time = datetime(2000, 1, 1, 0, 0, 1, tzinfo=UTC)

        def calendar(self):
            return self.time

    clock = Shown()
    now_ms = board_clock(clock)
    assert now_ms() == 1000
    clock.time -= timedelta(seconds=2)
    assert now_ms() is None
