"""Name plate and software identification."""

from __future__ import annotations

import msgspec
import pytest

from wattwheel import __version__
from wattwheel.boot import checksums
from wattwheel.boot.checksums import checksum, sealed_checksum, software_checksum
from wattwheel.boot.identification import SHOWN_DIGITS, name_plate
from wattwheel.boot.settings import Settings
from wattwheel.testing.world import World, simulated_settings


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "one.py").write_text("a")
    (tmp_path / "inner" / "two.csv").write_text("b")
    return tmp_path


def test_every_change_gives_another_checksum(folder):
    seen = {checksum(folder)}
    (folder / "inner" / "two.csv").write_text("c")
    seen.add(checksum(folder))
    (folder / "inner" / "two.csv").rename(folder / "inner" / "three.csv")
    seen.add(checksum(folder))
    (folder / "inner" / "three.csv").rename(folder / "three.csv")
    seen.add(checksum(folder))
    (folder / "empty.py").write_text("")
    seen.add(checksum(folder))
    (folder / "a").mkdir()
    (folder / "empty.py").rename(folder / "a" / "empty.py")
    seen.add(checksum(folder))
    (folder / "a").rename(folder / "b")
    seen.add(checksum(folder))
    assert len(seen) == 7


def test_what_python_writes_beside_the_code_does_not_count(folder):
    before = checksum(folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "one.pyc").write_bytes(b"x")
    assert checksum(folder) == before


def test_the_whole_software_has_another_checksum_than_its_sealed_part():
    assert sealed_checksum() == checksum(checksums.PACKAGE / "metrology") != software_checksum()


def test_the_meter_tells_what_it_is():
    world = World(1)
    world.set_power(100)
    world.await_ready()
    assert world.read("04800001") == f"wattwheel {__version__} {software_checksum()[:SHOWN_DIGITS]}"
    assert world.read("rated_voltage") == "220V"
    assert world.read("rated_current") == "5A"
    assert world.read("protocol_version") == "DL/T645-2007"
    assert world.read("active_meter_constant") == 6400
    assert world.read("current_transformer_ratio") == 50


def test_what_its_picture_cannot_hold_is_not_told():
    meter = msgspec.structs.replace(Settings().meter, current_ratio=0.5, active_constant_imp_per_kwh=1_000_000)
    plate = name_plate(msgspec.structs.replace(Settings(), meter=meter))
    assert not {0x04000306, 0x04000409} & plate.keys()
    assert 0x04000307 in plate


def test_an_item_that_was_written_stands_instead():
    settings = simulated_settings()
    own = msgspec.structs.replace(settings.dlt645, password_level_4="440044")
    world = World(1, settings=msgspec.structs.replace(settings, dlt645=own))
    world.await_ready()
    assert world.write(0x04000404, b"V022".rjust(6, b"\0"), 4, "440044") == (0x94, b"")
    assert world.ask(0x04000404).check() == b"V022".rjust(6, b"\0")
    assert world.write(0x04800001, bytes(32), 4, "440044") == (0xD4, b"\x02")
    assert world.write(0x04000409, b"\x00\x08\x00", 4, "440044") == (0x94, b"")
    assert world.read(0x04000409) == 800
