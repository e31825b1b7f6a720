"""The plug of the management module in `wattwheel simulate`: moved with the supply on and off, and kept."""

from __future__ import annotations

from tests.boot.test_simulate import played, read_frame, step

from wattwheel.apps.module_plug import PLUG_DI
from wattwheel.boot.simulated_state import METERING_FOLDER
from wattwheel.boot.unsupplied import move_unsupplied
from wattwheel.protocols.dlt645.frame import FrameReader

FIRST, SECOND = "0102030405060708", "1112131415161718"
NONE = "FF" * 8


def told(document) -> list[bytes]:
    got = [bytes.fromhex(row["got"]) for row in document["steps"] if row["action"] == "send"]
    return [FrameReader().feed(octets)[0].data[4:] for octets in got]


def record(octets: bytes) -> tuple[str, str, str, int]:
    """Time to the minute, serial number before and after, kind."""
    words = octets[5::-1].hex(), octets[13:5:-1].hex().upper(), octets[21:13:-1].hex().upper()
    return words[0][:10], *words[1:], octets[22]


def test_what_happens_to_the_plug_is_recorded_with_its_time(tmp_path):
    steps = [
        step("2026-02-28T10:00:00", contact=f"security-element {FIRST}"),
        step("2026-02-28T10:00:10", send=read_frame(PLUG_DI)),
        step("2026-02-28T11:00:00", contact="module-plug removed"),
        step("2026-02-28T11:00:00", send=read_frame(PLUG_DI + 1)),
        step("2026-02-28T12:00:00", contact="module-plug removed"),  # it is out already
        step("2026-02-28T13:00:00", contact="module-plug inserted"),
        step("2026-02-28T14:00:00", contact=f"security-element {SECOND}"),
        step("2026-02-28T14:01:00", send=read_frame(PLUG_DI)),
        step("2026-02-28T14:01:00", send=read_frame(PLUG_DI + 1)),
        step("2026-02-28T14:01:00", send=read_frame(PLUG_DI + 2)),
    ]
    document, _ = played(tmp_path, "".join(steps))
    assert document["ok"], document["steps"]
    none, removed, count, exchanged, inserted = told(document)
    assert (none, count) == (bytes(3), bytes((3, 0, 0)))
    assert record(removed) == ("2602281100", FIRST, NONE, 1)
    assert record(inserted) == ("2602281300", FIRST, FIRST, 2)
    assert record(exchanged) == ("2602281400", FIRST, SECOND, 3)


def test_the_board_sees_it_without_supply(tmp_path):
    steps = [
        step("2026-02-28T11:00:00", supply="off"),
        step("2026-02-28T12:00:00", contact="module-plug removed"),
        step("2026-02-28T13:00:00", contact="module-plug inserted"),
        step("2026-02-28T14:00:00", supply="on"),
        step("2026-02-28T14:01:00", send=read_frame(PLUG_DI)),
        step("2026-02-28T14:01:00", send=read_frame(PLUG_DI + 1)),
        step("2026-02-28T14:01:00", send=read_frame(PLUG_DI + 2)),
    ]
    document, _ = played(tmp_path, "".join(steps))
    assert document["ok"], document["steps"]
    count, inserted, removed = told(document)
    assert count == bytes((2, 0, 0))
    assert record(removed) == ("2602281200", NONE, NONE, 1)
    assert record(inserted) == ("2602281300", NONE, NONE, 2)


def test_the_plug_and_its_records_stay_in_the_folder(tmp_path):
    state = str(tmp_path / "state")
    steps = [
        step("2026-02-28T11:00:00", contact="module-plug removed"),
        step("2026-02-28T12:00:00", supply="off"),
        step("2026-02-28T13:00:00", contact=f"security-element {FIRST}"),  # the first number is no event
    ]
    document, _ = played(tmp_path, "".join(steps), state=state)
    assert document["ok"], document["steps"]
    assert (tmp_path / "state" / METERING_FOLDER / "module.plug").is_file()
    again = [
        step("2026-03-02T09:00:00", contact="module-plug removed"),  # as it is
        step("2026-03-02T09:00:10", send=read_frame(PLUG_DI)),
        step("2026-03-02T10:00:00", contact="module-plug inserted"),
        step("2026-03-02T10:00:10", send=read_frame(PLUG_DI + 1)),
        step("2026-03-02T10:00:10", send=read_frame(PLUG_DI + 2)),
    ]
    document, _ = played(tmp_path, "".join(again), state=state, begin="2026-03-02", repeats=True)
    assert document["ok"], document["steps"]
    count, inserted, removed = told(document)
    assert count == bytes((1, 0, 0))
    assert record(inserted) == ("2603021000", FIRST, FIRST, 2)
    assert record(removed) == ("2602281100", NONE, NONE, 1)


def test_what_was_moved_between_two_simulations_is_seen_by_the_second(tmp_path):
    state = tmp_path / "state"
    played(tmp_path, state=str(state))
    assert move_unsupplied(state, "removed")
    asked = [
        step("2026-03-02T09:00:00", send=read_frame(PLUG_DI)),
        step("2026-03-02T09:00:00", send=read_frame(PLUG_DI + 1)),
    ]
    document, _ = played(tmp_path, "".join(asked), state=str(state), begin="2026-03-02", repeats=True)
    count, removed = told(document)
    assert count == bytes((1, 0, 0))
    assert record(removed) == ("2603020000", NONE, NONE, 1)
    third, _ = played(tmp_path, asked[0].replace("03-02", "03-05"), state=str(state), begin="2026-03-05", repeats=True)
    assert told(third) == [bytes((1, 0, 0))]
