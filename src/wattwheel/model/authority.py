"""Who may write: levels, passwords, the lock after wrong ones, and the programming key (DL/T 645-2007).

Pure. There is no password that a meter does not have: a level without one cannot be passed, nor one with nothing set.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest

import msgspec

from wattwheel.model.panel_state import PasswordChange

LEVELS = range(10)
"""0 is the highest authority; whoever has a level has those of larger numbers too."""

SECURED_LEVELS = (98, 99)
"""What stands in the level's octet when a security element has enciphered or signed the data."""

PASSWORD_OCTETS = 3
TRIES_MAX = 3
LOCK = timedelta(hours=24)
REFUSED_A_DAY_MAX = 200
"""Attempts without success in a day, of all levels together, after which the meter takes none until the next day."""

PASSWORD_DI = 0x04000C01
"""Identifier of the password of level 0; those of the others follow."""

PASSWORD_CHANGES_MAX = 8
"""Changes that are told to who records them; who has slept through more records the newest ones."""

PROGRAMMING_KEY = timedelta(minutes=240)

PARAMETER_LEVEL, DEMAND_CLEAR_LEVEL = 4, 4
METER_CLEAR_LEVEL, EVENT_CLEAR_LEVEL, RELAY_LEVEL = 2, 2, 2


_DAY = "%Y-%m-%d"


class Verdict(StrEnum):
    """What became of an attempt; the names of the counters."""

    GRANTED = "granted"
    NO_KEY = "programming_key_not_pressed"
    TOO_LOW = "level_too_low"
    LOCKED = "level_locked"
    WRONG = "password_wrong"
    UNKNOWN_LEVEL = "level_unknown"
    SUSPENDED = "writing_suspended"


class Lock(msgspec.Struct, array_like=True):
    """Wrong passwords of one level: how many in a row, and since when (local time) it is locked, None if it is not."""

    wrong_in_a_row: int = 0
    locked_at: datetime | None = None


class Authority(msgspec.Struct):
    """What has to survive a cut of the supply.

    Attributes:
        passwords: three octets each as on the wire, by level.
        locks: by level; a level that is missing has had no wrong password.
        key_pressed_at: when the programming key was pressed last, the meter's local time; None: it is not active.
        changes: which levels' passwords were changed last, the newest last.
        factory_since: when the meter was switched on first, local time, if it was in factory mode then.
        is_commissioned: factory mode is over; nothing brings it back.
        refused_on: day (YYYY-MM-DD) on which `refused` attempts were without success.
    """

    passwords: dict[int, bytes] = {}
    locks: dict[int, Lock] = {}
    key_pressed_at: datetime | None = None
    changes: tuple[PasswordChange, ...] = ()
    factory_since: datetime | None = None
    is_commissioned: bool = False
    refused_on: str = ""
    refused: int = 0


def changed(authority: Authority, level: int, password: bytes, local: datetime) -> None:
    """Give `level` another password; a lock of it ends."""
    number = authority.changes[-1].number if authority.changes else 0
    authority.changes = (*authority.changes, PasswordChange(number + 1, local, level))[-PASSWORD_CHANGES_MAX:]
    authority.passwords[level] = password
    authority.locks.pop(level, None)


def key_is_active(authority: Authority, local: datetime) -> bool:
    """Whether the programming key still counts: time without supply counts too, a clock set back ends it."""
    pressed = authority.key_pressed_at
    return pressed is not None and timedelta(0) <= local - pressed < PROGRAMMING_KEY


def is_born(authority: Authority, is_new: bool, local: datetime, days: int) -> bool:
    """Let a meter of which nothing was saved begin in factory mode, if it may be in it for `days`. True: it does."""
    if not days or not is_new:
        return False
    authority.factory_since = local
    return True


def is_in_factory(authority: Authority, local: datetime, days: int) -> bool:
    """Whether a meter that may be in factory mode for `days` is; a clock set back before its first start ends it."""
    since = authority.factory_since
    return not authority.is_commissioned and since is not None and timedelta(0) <= local - since < timedelta(days=days)


class Limits(msgspec.Struct, frozen=True):
    """Wrong passwords in a row that lock a level, how long it stays locked, whether the key has to be active too.

    `counts`: attempts without success count; not in factory mode.
    """

    tries: int = TRIES_MAX
    lock: timedelta = LOCK
    key: bool = True
    counts: bool = True


STANDARD = Limits()


def is_suspended(authority: Authority, local: datetime) -> bool:
    """Whether so many attempts of the day `local` had no success that nothing more is taken until the next day."""
    return authority.refused_on == local.strftime(_DAY) and authority.refused >= REFUSED_A_DAY_MAX


def judge(
    authority: Authority, level: int, password: bytes, needed: int, local: datetime, limits: Limits = STANDARD
) -> Verdict:
    """Whether `level` with `password` may do what needs level `needed`, at the meter's local time `local`.

    Changes the counters in `authority`; whoever calls makes them durable before the answer goes out, so that pulling
    the plug gives no more tries. An attempt that cannot succeed for another reason than its password is no try of its
    level, but one of the day's.
    """
    if limits.key and not key_is_active(authority, local):
        return Verdict.NO_KEY
    today = local.strftime(_DAY)
    if authority.refused_on != today:
        authority.refused_on, authority.refused = today, 0
    if is_suspended(authority, local):
        return Verdict.SUSPENDED
    verdict = _judged(authority, level, password, needed, local, limits)
    authority.refused += limits.counts and verdict is not Verdict.GRANTED
    return verdict


def _judged(authority: Authority, level: int, password: bytes, needed: int, local: datetime, limits: Limits) -> Verdict:
    known = authority.passwords.get(level)
    if level not in LEVELS or known is None:
        return Verdict.UNKNOWN_LEVEL
    if level > needed:
        return Verdict.TOO_LOW
    lock = authority.locks.get(level, Lock())
    if lock.locked_at is not None:
        if abs(local - lock.locked_at) < limits.lock:  # a clock set back must not prolong it for years
            return Verdict.LOCKED
        lock = Lock()
    if len(known) == PASSWORD_OCTETS and compare_digest(known, password):
        authority.locks.pop(level, None)
        return Verdict.GRANTED
    if not limits.counts:
        return Verdict.WRONG
    wrong = lock.wrong_in_a_row + 1
    authority.locks[level] = Lock(wrong, local if wrong >= limits.tries else None)
    return Verdict.WRONG


def may_change(level: int, changed: int) -> bool:
    """Whether `level` may set the password of level `changed` (18H)."""
    return changed in LEVELS and level <= changed


def are_digits(password: bytes) -> bool:
    """Whether `password` is three octets of BCD, as 18H wants it."""
    return len(password) == PASSWORD_OCTETS and all(octet >> 4 < 10 and octet & 15 < 10 for octet in password)
