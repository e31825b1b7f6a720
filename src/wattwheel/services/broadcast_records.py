"""What the 2020 profile keeps of broadcast times: records of them, and whether the clock is in doubt. Pure.

A time that is further away than a broadcast may set makes the clock doubtful, until it is set or a broadcast finds it
within the limits; of such ones the first of a day is recorded. The identifiers are this platform's own: B0 and the
number of the event in the table of events.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from wattwheel.model.event_clears import Clears, Followed, emptied
from wattwheel.model.event_ring import EventRing, time_octets
from wattwheel.services.clock_rules import Verdict, broadcast_verdict, broadcast_verdict_2020

BROADCASTS_KEY = "broadcasts"
SET_DI, ABNORMAL_DI, _FAMILY_DI = 0xB0500000, 0xB0500100, 0xB050FF00

_DOUBTS_NOTHING = (Verdict.TOO_FAR, Verdict.IMPOSSIBLE)
"""All others of the 2020 profile say that the clock is within the limits, whether it is set or not."""


class Broadcasts(msgspec.Struct, frozen=True, array_like=True):
    """See the module.

    Attributes:
        obeyed, abnormal: records: time before (or the clock's), time after (or received); 12 octets.
        abnormal_on: day of the last abnormal one that is recorded, ISO.
        is_doubtful: the clock disagrees with a broadcast.
    """

    obeyed: EventRing = EventRing()
    abnormal: EventRing = EventRing()
    abnormal_on: str = ""
    is_doubtful: bool = False

    def judged(self, verdict: Verdict, own: datetime, received: datetime | None) -> Broadcasts:
        """After a broadcast of `received`, when the clock showed `own`; the same object where it changes nothing."""
        after = self
        if verdict is Verdict.TOO_FAR and received is not None:
            today = own.date().isoformat()
            if today != self.abnormal_on:
                record = time_octets(own) + time_octets(received)
                after = msgspec.structs.replace(self, abnormal=self.abnormal.added(record), abnormal_on=today)
            return after if after.is_doubtful else msgspec.structs.replace(after, is_doubtful=True)
        if verdict is Verdict.ACCEPTED and received is not None:
            record = time_octets(own) + time_octets(received)
            after = msgspec.structs.replace(self, obeyed=self.obeyed.added(record))
        return after if verdict in _DOUBTS_NOTHING else after.settled()

    def settled(self) -> Broadcasts:
        """With a clock that is not in doubt."""
        return msgspec.structs.replace(self, is_doubtful=False) if self.is_doubtful else self

    def items(self) -> dict[int, bytes]:
        """Identifier to octets of counts and records."""
        return {**self.obeyed.items(SET_DI), **self.abnormal.items(ABNORMAL_DI)}

    def following(self, clears: Clears, before: Followed) -> Broadcasts:
        """After `clears` have been followed, of which those `before` were followed already."""
        gone = emptied(clears, before, (SET_DI, ABNORMAL_DI, _FAMILY_DI))
        obeyed = EventRing() if SET_DI in gone or _FAMILY_DI in gone else self.obeyed
        abnormal = EventRing() if ABNORMAL_DI in gone or _FAMILY_DI in gone else self.abnormal
        return msgspec.structs.replace(self, obeyed=obeyed, abnormal=abnormal)


class BroadcastKeeping:
    """The rules of a profile, and what it keeps of broadcasts: that of 2007 only the records it found, and shows none.

    Attributes:
        verdict: the rule. It takes every broadcast as one in clear: protected ones are not known apart yet.
        kept: what is kept.
    """

    def __init__(self, is_2020: bool) -> None:
        self._is_2020 = is_2020
        self.verdict: Callable[..., Verdict] = broadcast_verdict_2020 if is_2020 else broadcast_verdict
        self.kept = Broadcasts()
        self._is_kept = is_2020

    def take_up(self, saved: bytes | None) -> bool:
        """Go on from what was saved; whether that has to be saved anew.

        In the 2007 profile nothing sets or ends a doubt, so it is forgotten. Raises ValueError or RecursionError for
        octets of another version.
        """
        if not saved:
            return False
        found = msgspec.msgpack.decode(saved, type=Broadcasts)
        self._is_kept = True
        self.kept = found if self._is_2020 else found.settled()
        return self.kept is not found

    def judged(self, verdict: Verdict, own: datetime, received: datetime | None) -> bool:
        """A broadcast has been judged; whether that changes what is kept."""
        before = self.kept
        if self._is_2020:
            self.kept = before.judged(verdict, own, received)
        return self.kept is not before

    def records(self) -> dict[str, bytes | None]:
        """What has to be saved."""
        return {BROADCASTS_KEY: msgspec.msgpack.encode(self.kept)} if self._is_kept else {}

    def items(self) -> dict[int, bytes]:
        """What is read."""
        return self.kept.items() if self._is_2020 else {}
