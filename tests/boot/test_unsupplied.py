"""What happens to the plug of a meter that nobody runs."""

from __future__ import annotations

import pytest

from wattwheel.boot.core_settings import METERING_FOLDER, PLUG_NAME
from wattwheel.boot.unsupplied import move_unsupplied
from wattwheel.drivers.sim.plug import SimPlug
from wattwheel.model.errors import DoorUnavailable


@pytest.fixture
def folder(tmp_path):
    (tmp_path / METERING_FOLDER).mkdir()
    return tmp_path


def test_the_board_notes_it(folder):
    assert move_unsupplied(folder, "removed")
    assert SimPlug(folder / METERING_FOLDER / PLUG_NAME).level().is_removed


def test_a_board_that_cannot_be_written_says_so(folder):
    (folder / METERING_FOLDER / f"{PLUG_NAME}.new").mkdir()
    with pytest.raises(DoorUnavailable, match="noted nothing"):
        move_unsupplied(folder, "removed")
    assert not SimPlug(folder / METERING_FOLDER / PLUG_NAME).level().is_removed


def test_where_no_meter_ever_ran_there_is_no_board(tmp_path):
    assert not move_unsupplied(tmp_path, "removed")
    assert list(tmp_path.iterdir()) == []
