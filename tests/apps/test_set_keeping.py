"""The copy of standby sets by the owner of the parameters: one transaction, told once it is on the medium."""

from __future__ import annotations

import msgspec
import pytest

from wattwheel.apex.partition import Counters
from wattwheel.apex.store import SaveResult
from wattwheel.apps.set_keeping import COPIED_KEY, SetKeeping
from wattwheel.model.profile import PROFILE_DI, YEAR_2020, copied_di
from wattwheel.model.set_copies import CONSUMED
from wattwheel.sdk.writing import Writes

SWITCH, TABLE, STANDBY, SECOND_TABLE = 0x04000107, 0x04010001, 0x04020001, 0x04010002
AT_8 = bytes.fromhex("2606010800")[::-1]
REFUSED = next(result for result in SaveResult if result is not SaveResult.SAVED)
VALUES = {SWITCH: AT_8, TABLE: b"\1\0\0", STANDBY: b"\4\0\0", SECOND_TABLE: b"\2\0\0"}
COPIED = {SWITCH: CONSUMED, TABLE: b"\4\0\0", STANDBY: b"\4\0\0"}


class Rig:
    """A meter's ports and medium, as far as sets are kept."""

    def __init__(self, is_2020=True, saved=None):
        self.saved = dict(saved or {})
        self.counters = Counters(lambda: None)
        self.values = dict(VALUES)
        self.saves, self.told = [], 0
        self.writes = Writes(None, self, self.counters, lambda di, octets: 0, lambda di, octets: None)
        self.sampled = None
        self.keeping = SetKeeping(self, self.values, is_2020)
        self.keeping.follow(self.writes, self.tell)

    def has_port(self, port):
        return port == "switch_overs"

    def on_sampled(self, port, action):
        self.sampled = action

    def save(self, changes, promised=False, on_saved=None):
        assert promised
        self.saves.append((dict(changes), on_saved))

    def tell(self):
        self.told += 1

    def ask(self, wanted):
        self.sampled(self, msgspec.msgpack.encode(wanted))

    def answer(self, result=SaveResult.SAVED):
        self.saves.pop(0)[1](result)


def test_a_copy_is_one_transaction_and_told_when_it_is_on_the_medium():
    rig = Rig()
    rig.ask({SWITCH: AT_8})
    assert rig.values == VALUES
    assert (rig.told, rig.keeping.told()) == (0, {PROFILE_DI: YEAR_2020})
    ((changes, _answered),) = rig.saves
    assert changes["item 04010001"] == b"\4\0\0"
    assert changes["item 04010002"] is None
    assert changes["item 04000107"] == CONSUMED
    assert msgspec.msgpack.decode(changes[COPIED_KEY]) == {SWITCH: AT_8}
    rig.answer()
    assert rig.values == COPIED
    assert (rig.told, rig.keeping.told()) == (1, {PROFILE_DI: YEAR_2020, copied_di(SWITCH): AT_8})
    rig.ask({SWITCH: AT_8})
    assert rig.saves == []


def test_what_cannot_be_kept_is_asked_for_again():
    rig = Rig()
    rig.ask({SWITCH: AT_8})
    rig.answer(REFUSED)
    assert rig.values == VALUES
    assert rig.told == 0
    rig.ask({SWITCH: AT_8})
    rig.answer()
    assert rig.values == COPIED


def test_two_questions_in_a_row_make_one_copy():
    rig = Rig()
    rig.ask({SWITCH: AT_8})
    rig.ask({SWITCH: AT_8})
    rig.answer()
    assert rig.saves == []
    assert rig.told == 1


def test_after_a_restart_it_is_known_what_was_copied():
    rig = Rig(saved={COPIED_KEY: msgspec.msgpack.encode({SWITCH: AT_8})})
    assert rig.keeping.told() == {PROFILE_DI: YEAR_2020, copied_di(SWITCH): AT_8}
    rig.ask({SWITCH: AT_8})
    assert rig.saves == []


@pytest.mark.parametrize("has_copied", [False, True])
def test_the_2007_profile_copies_and_tells_nothing_and_forgets_copies(has_copied):
    rig = Rig(is_2020=False, saved={COPIED_KEY: msgspec.msgpack.encode({SWITCH: AT_8})} if has_copied else {})
    assert rig.keeping.told() == {}
    assert rig.sampled is None
    assert [changes for changes, _answered in rig.saves] == ([{COPIED_KEY: None}] if has_copied else [])
