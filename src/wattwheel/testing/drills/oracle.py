"""The oracle of the drill `fuzz`: which octets hold frames, and what a meter of edition 2007 must answer to each.

It looks at a whole burst at once and knows nothing of the reader that it judges: a frame is where the two 68H, the end
and the sum agree; behind a frame the search goes on, and a 68H that starts none costs one octet. What a frame deserves
follows the order of the standard (silence, exception, service).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import UnknownItem
from wattwheel.model.freeze import freeze_pattern
from wattwheel.protocols.dlt645.frame import Frame
from wattwheel.protocols.dlt645.functions import Function2007
from wattwheel.protocols.dlt645.legality import AbnormalReply, Accept, Legality, Silence
from wattwheel.services.signal_output import Signal
from wattwheel.testing.drills.mutations import END, OFFSET, START

OVERHEAD_OCTETS = 12
NO_DATA, NOT_AUTHORISED = 0x02, 0x04
INTERNAL_DI3 = 0x0E

MADE_IN_TIME = (0x05, 0x06)
"""DI3 of freezes and load records, which come while the drill goes on."""

_MINUS = bytes((octet - OFFSET) & 0xFF for octet in range(256))
_WITHOUT_ANSWER = {
    Function2007.BROADCAST_TIME: "broadcast_times",
    Function2007.WRITE_ADDRESS: "silent_write_address",
}
"""Functions that this meter, whose programming key nobody presses, never answers, and their counters."""


class Expected(NamedTuple):
    """The one reply that a frame deserves.

    Attributes:
        control: of the reply.
        data: its data field; None when only its form is known.
        length: octets of the data field, None when they are not known beforehand.
        di: identifier whose value the reply carries, None for a reply without.
        question: the frame that asked, for the report.
        or_di: an identifier for which there may as well be a normal reply: what is there is a matter of time.
    """

    control: int
    data: bytes | None
    length: int | None
    di: int | None
    question: Frame
    or_di: int | None = None

    def objection(self, reply: Frame, address: str) -> str | None:
        """What is wrong with `reply` from a meter of `address`, None when it will do."""
        if self.or_di is not None and reply.control in (0x91, 0xB1):
            return (
                None
                if reply.address == address and reply.data[:4] == self.or_di.to_bytes(4, "little")
                else self._told(reply)
            )
        is_right = (
            reply.address == address
            and reply.control == self.control
            and (self.data is None or reply.data == self.data)
            and (self.length is None or len(reply.data) == self.length)
            and (self.di is None or reply.data[:4] == self.di.to_bytes(4, "little"))
        )
        if is_right and (self.di is not None or self.data is not None or any(reply.data)):
            return None
        return self._told(reply)

    def _told(self, reply: Frame) -> str:
        asked = f"{self.question.address} {self.question.control:02X} {self.question.data.hex()}"
        wanted = f"{self.control:02X} {self.data.hex() if self.data is not None else '...'}"
        return f"reply {reply.address} {reply.control:02X} {reply.data.hex()} to {asked}; due {wanted}"


def frames_in(octets: bytes) -> tuple[dict[int, Frame], int]:
    """The frames in `octets` by the place of their first 68H, and how many 68H outside of them start none."""
    frames, false_starts, at, end = dict[int, Frame](), 0, 0, len(octets)
    while (at := octets.find(START, at)) >= 0:
        if at + OVERHEAD_OCTETS <= end and octets[at + 7] == START:
            stop = at + OVERHEAD_OCTETS + octets[at + 9]
            if stop <= end and octets[stop - 1] == END and sum(octets[at : stop - 2]) & 0xFF == octets[stop - 2]:
                address = octets[at + 1 : at + 7][::-1].hex().upper()
                frames[at] = Frame(address, octets[at + 8], octets[at + 10 : stop - 2].translate(_MINUS))
                at = stop
                continue
        false_starts += 1
        at += 1
    return frames, false_starts


class Oracle:
    """Predicts the replies of one meter, and what its counters must show in the end.

    Args:
        address: 12 digits.
        answered: identifiers that the meter answers with a value.

    Attributes:
        counts: predicted counters of the communication service; `reads` are those that go to an owner, however they
            end, `reads_internal` those of the meter's own partitions, which are refused without a counter.
        frames, false_starts: found so far.
        swallowed: sound requests that lie inside of a longer frame, which is read in their stead.
    """

    def __init__(self, address: str, answered: Collection[int]) -> None:
        self.address = address
        self.counts: Counter[str] = Counter()
        self.frames = self.false_starts = self.swallowed = 0
        self._answered = frozenset(answered)
        self._legality = Legality(address)

    def replies(self, octets: bytes, sound: Collection[int] = ()) -> list[Expected]:
        """What must be answered to `octets`, in order, when nothing of them is waited for any more.

        `sound`: places of the sound requests in them.
        """
        frames, false_starts = frames_in(octets)
        self.frames += len(frames)
        self.false_starts += false_starts
        self.swallowed += sum(1 for at in sound if at not in frames)
        return [expected for frame in frames.values() if (expected := self._reply(frame)) is not None]

    def _reply(self, frame: Frame) -> Expected | None:
        decision = self._legality.judge(frame)
        if isinstance(decision, Silence):
            self.counts[f"silent_{decision.why}"] += 1
            return None
        if isinstance(decision, AbnormalReply):
            self.counts["abnormal"] += 1
            return Expected(decision.control, decision.data, None, None, frame)
        return self._served(frame, decision)

    def _served(self, frame: Frame, decision: Accept) -> Expected | None:
        function = decision.function
        if function is Function2007.READ:
            self.counts["reads_internal" if frame.data[3] == INTERNAL_DI3 else "reads"] += 1
            return self._read(frame)
        if function is Function2007.READ_ADDRESS:
            return Expected(0x93, bytes.fromhex(self.address)[::-1], None, None, frame)
        if function is Function2007.READ_FOLLOW_UP:  # no item of this meter needs a second frame
            return Expected(0xD2, bytes((NO_DATA,)), None, None, frame)
        if function in _WITHOUT_ANSWER:
            self.counts[_WITHOUT_ANSWER[function]] += 1
            self.counts["changes_refused"] += function is Function2007.WRITE_ADDRESS
            return None
        if decision.is_silent:
            self.counts["broadcast_commands"] += 1
            return None
        if function is Function2007.OUTPUT and frame.data[0] in set(Signal):
            self.counts["changes_done"] += 1
            return Expected(function | 0x80, frame.data, None, None, frame)
        if function is Function2007.FREEZE and _is_pattern(frame.data):
            self.counts["changes_done"] += 1
            return Expected(function | 0x80, b"", None, None, frame)
        is_here = function is not Function2007.AUTHENTICATE
        self.counts["changes_refused" if is_here else "not_here"] += 1
        return Expected(function | 0xC0, None, 1 if is_here else 2, None, frame)

    def _read(self, frame: Frame) -> Expected:
        di = int.from_bytes(frame.data[:4], "little")
        if di in self._answered and len(frame.data) == 4:
            return Expected(0x91, None, None, di, frame)
        or_di = di if di >> 24 in MADE_IN_TIME else None
        return Expected(0xD1, bytes((NOT_AUTHORISED if _is_secret(di) else NO_DATA,)), None, None, frame, or_di)


def _is_pattern(data: bytes) -> bool:
    """Whether `data` says when to freeze."""
    try:
        freeze_pattern(data)
    except ValueError:
        return False
    return True


def _is_secret(di: int) -> bool:
    """Whether the register table has the item and says that it is not for reading."""
    try:
        return not item_2007(di).read
    except UnknownItem:
        return False
