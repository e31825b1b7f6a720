"""The drill `power-cut`: the supply is cut in every write of every kind of transaction: all of it is there, or nothing.

Each kind is carried out once without a cut, which tells how many writes to the disk it takes and what a head-end reads
before and after it. Then once more for each of these writes, and a few that follow, with the supply cut in the middle
of it, which leaves that write old, new or torn. After the restart a head-end reads what stood before or what stands
after, every item of it, and never a mix; what was answered as done is there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, NamedTuple

from wattwheel.apex.messages import Control, Message
from wattwheel.drivers.sim.storage import Torn
from wattwheel.model.errors import NotAnswered
from wattwheel.model.private_items import contact_di
from wattwheel.testing.drills.score import Score
from wattwheel.testing.world import World, simulated_settings

LEVEL_2, LEVEL_4 = "220022", "440044"
OPERATOR = bytes.fromhex("12345678")
POWER_W = 9e6
FLOW_S, STILL_S, AFTER_S = 20.0, 30.0, 3.0
"""Energy flows, then none until the metering core has forced it to its medium: a cut forgets nothing of it."""
WRITES_AFTER = 2
"""So many writes after the transaction's last one are cut as well."""

NOON = datetime(2028, 2, 28, 12, 0, 5, tzinfo=UTC)
BEFORE_SETTLEMENT = datetime(2028, 2, 29, 23, 58, 50, tzinfo=UTC)
DONE = 0x80

TOTALS = (0x00000000, 0x00010000, 0x0001FF00, 0x00020000, 0x0015FF00, 0x00150000, 0x00290000)
SETTLED = (0x00000001, 0x00010001, 0x0001FF01, 0x00150001, 0x00010002)
DEMANDS = (0x01010000, 0x01010100, 0x0101FF00, 0x01020000, 0x01010001)
FREEZES = (0x05010001, 0x05010101, 0x05010201, 0x05010501, 0x05010601, 0x05010801, 0x0501FF01)
CLEARS = (0x03300100, 0x03300101, 0x03300200, 0x03300201, 0x03300300, 0x03300301)
PERIOD, DAY_TABLE, DATE_TIME = 0x04000103, 0x04010001, 0x0400010C
STANDBY_TABLE, TABLES_SWITCH, TABLES_FREEZE = 0x04020001, 0x04000107, 0x05030001
PLUG = 0xB0520000
CONTACT_S_MAX = 2.0


class Kind(NamedTuple):
    """A kind of transaction.

    Attributes:
        act: lets it happen; True: the meter answered that it is done.
        watch: what of the meter must be all old or all new.
        calendar: when the world begins.
        is_made_up: what a cut has prevented the meter does after the restart, so that old is never seen.
        may_be_missing: a meter that refuses it has no such function; told, and no failure.
        profile: of the meter.
    """

    act: Callable[[World], bool]
    watch: Callable[[World], Hashable]
    calendar: datetime = NOON
    is_made_up: bool = False
    may_be_missing: bool = False
    profile: Literal["2007", "2020"] = "2007"


def read(items: Sequence[int], world: World) -> Hashable:
    """Error and octets of each of `items`."""
    answers = [world.ask(di) for di in items]
    return tuple((answer.error, bytes(answer.data)) for answer in answers)


def shown_clock(world: World) -> int:
    """By how many hours the meter's clock is ahead of the world's, to the nearest."""
    digits = bytes(world.ask(DATE_TIME).check())[::-1].hex()
    shown = datetime.strptime(digits[:6] + digits[8:], "%y%m%d%H%M%S").replace(tzinfo=UTC)
    return round((shown - world.clock.calendar()).total_seconds() / 3600)


def asked(control: int, data: bytes, world: World) -> bool:
    """Whether the meter answered that it did what one frame asks."""
    reply = world.request(control, data)
    return reply is not None and reply[0] == control | DONE


def authority(level: int, password: str) -> bytes:
    """Level, password and operator as a command carries them."""
    return bytes((level,)) + bytes.fromhex(password)[::-1] + OPERATOR


def write(di: int, digits: str, world: World) -> bool:
    """Whether 14H wrote `digits`, the highest first."""
    data = di.to_bytes(4, "little") + authority(4, LEVEL_4) + bytes.fromhex(digits)[::-1]
    return asked(0x14, data, world)


def contact(words: str, world: World) -> bool:
    """Whether the meter took what one of its contacts says."""
    replies: list[Message | None] = []
    world.meter.ask(Control.CONTACT, contact_di(words.split()[0]), words.encode(), replies.append)
    world.advance_until(lambda: bool(replies), CONTACT_S_MAX)
    return bool(replies) and replies[0] is not None and not replies[0].error


def _switched_over(world: World) -> bool:
    """A standby table, then an instant that has come already: it is copied as soon as that is heard."""
    is_done = write(STANDBY_TABLE, "000004", world) and write(TABLES_SWITCH, "2802010000", world)
    world.advance(AFTER_S)
    return is_done


def _over_midnight(world: World) -> bool:
    midnight = BEFORE_SETTLEMENT.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    world.advance((midnight - world.clock.calendar()).total_seconds() + AFTER_S)
    return False


KINDS: dict[str, Kind] = {
    "write": Kind(partial(write, PERIOD, "30"), partial(read, (PERIOD, 0x04000104))),
    "write of a table": Kind(partial(write, DAY_TABLE, "000004" * 14), partial(read, (DAY_TABLE, PERIOD, 0x04000204))),
    "clock write": Kind(partial(write, DATE_TIME, "28022801" + "180000"), shown_clock),
    "settlement": Kind(_over_midnight, partial(read, (*TOTALS, *SETTLED, *DEMANDS)), BEFORE_SETTLEMENT, True),
    "meter clear": Kind(
        partial(asked, 0x1A, authority(2, LEVEL_2)), partial(read, (*TOTALS, *SETTLED, *DEMANDS, *CLEARS))
    ),
    "demand clear": Kind(
        partial(asked, 0x19, authority(4, LEVEL_4)), partial(read, (*DEMANDS, *CLEARS)), may_be_missing=True
    ),
    "event clear": Kind(
        partial(asked, 0x1B, authority(2, LEVEL_2) + b"\xff" * 4), partial(read, CLEARS), may_be_missing=True
    ),
    "switch-over by copying": Kind(
        _switched_over, partial(read, (DAY_TABLE, TABLES_SWITCH, TABLES_FREEZE)), profile="2020"
    ),
    "plug event": Kind(partial(contact, "module-plug removed"), partial(read, (PLUG, PLUG + 1)), is_made_up=True),
    "freeze": Kind(partial(asked, 0x16, b"\x99" * 4), partial(read, FREEZES), may_be_missing=True),
}
"""By name. One more kind is one more row."""


def drill(times: int, seed: int) -> Score:
    """Cut each write of each kind `times` times; what the cut leaves of the write takes turns."""
    return swept(KINDS, times, seed)


def swept(kinds: dict[str, Kind], times: int, seed: int) -> Score:
    """The same of `kinds`."""
    score = Score()
    for name, kind in kinds.items():
        _sweep(name, kind, times, seed, score)
    return score


class _Life(NamedTuple):
    before: Hashable
    after: Hashable
    is_done: bool
    writes: int
    was_cut: bool


def _sweep(name: str, kind: Kind, times: int, seed: int, score: Score) -> None:
    whole = _lived(kind, seed, None, Torn.OLD)
    if whole.before == whole.after:
        score.check(kind.may_be_missing, name, "nothing has changed without any cut")
        score.add(what=name, cuts=0, found="the meter has no such function")
        return
    told = {"old": 0, "new": 0}
    cuts = 0
    for place in range(whole.writes + WRITES_AFTER):
        for turn in range(times):
            torn = tuple(Torn)[turn % len(Torn)]
            found = _lived(kind, seed, place, torn)
            where = f"{name}, cut in write {place + 1} of {whole.writes}, which was left {torn.value}"
            score.check(found.before == whole.before, "same world", where)
            is_new, is_old = found.after == whole.after, found.after == whole.before
            score.check(is_new or is_old, "a mix", f"{where}: {_differences(whole, found)}")
            score.check(is_new or not found.is_done, "answered and lost", where)
            score.check(is_new or not kind.is_made_up, "not made up for", where)
            told["new" if is_new else "old"] += 1
            cuts += found.was_cut
    score.check(cuts >= whole.writes * times, "cuts", f"{name}: {cuts} of {whole.writes * times}")
    score.add(what=name, writes=whole.writes, cuts=cuts, **told)


def _lived(kind: Kind, seed: int, cut_at: int | None, torn: Torn) -> _Life:
    """One world in which the transaction happens; `cut_at`: how many writes come before the one that is cut."""
    passwords = {"password_level_2": LEVEL_2, "password_level_4": LEVEL_4}
    settings = simulated_settings(dlt645=passwords, meter={"profile": kind.profile})
    world = World(seed, settings=settings, calendar=kind.calendar)
    world.set_power(POWER_W, reactive_var=(1e5, 2e5, 3e5))
    world.await_ready()
    world.advance(FLOW_S)
    world.set_power(0)
    world.advance(STILL_S)
    before, disk = kind.watch(world), world.meter.disk
    writes = disk.writes
    if cut_at is not None:
        disk.torn = torn
        world.cut_power_at_write(cut_at)
    try:
        is_done = kind.act(world)
    except NotAnswered:
        is_done = False
    writes = disk.writes - writes
    if cut_at is not None:
        world.advance(AFTER_S)
        disk.cut_at_write = None
    world.await_ready()
    world.advance(AFTER_S)
    return _Life(before, kind.watch(world), is_done, writes, world.power_cuts > 0)


def _differences(whole: _Life, found: _Life) -> str:
    """Which watched values are old, new, or neither."""
    if not isinstance(found.after, tuple):
        return repr(found.after)
    rows = zip(_values(whole.before), found.after, _values(whole.after), strict=False)
    return "".join("=" if old == new else "o" if now == old else "n" if now == new else "?" for old, now, new in rows)


def _values(watched: Hashable) -> tuple[Hashable, ...]:
    return watched if isinstance(watched, tuple) else (watched,)
