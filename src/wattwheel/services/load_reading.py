"""Reads of several load records (06xxxxxx with a number N), as one answer however many messages on the bus it takes.

The owner puts as many whole records into its answer as one message holds. What is missing of N is asked for with the
time after the last record, and so on, before the head-end is answered. So a new record, or the oldest one going, in
between shifts nothing: each piece begins where the one before ended.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from wattwheel.apex.bus import BusPort, OnReply
from wattwheel.apex.messages import DATA_OCTETS_MAX, Control, Message
from wattwheel.hil.clock import Clock
from wattwheel.model.bcd import MINUTES_MAX, minute_octets, minute_of, number, unsigned
from wattwheel.model.load_record import RECORD_OCTETS_MAX, time_of
from wattwheel.protocols.dlt645.blocks import load_widths
from wattwheel.protocols.dlt645.session import DI_OCTETS, SEQ_MAX

LOAD_DI3 = 0x06
FROM_TIME = 1
"""DI0 of the records from a given time on."""

RECORDS_MAX = 99
"""N is one octet of BCD."""

ANSWER_OCTETS_MAX = RECORDS_MAX * RECORD_OCTETS_MAX
"""Longest answer to one read, 10 197 octets: what a channel keeps of it until its follow-up frames are fetched."""


class _Read(NamedTuple):
    """A read under way.

    Attributes:
        di: what the head-end asked for.
        due_ns: when it has to be answered.
        on_reply: gets the whole answer.
        left: records that are still wanted.
        octets: of the records so far.
        asked_di: of the piece under way.
    """

    di: int
    due_ns: int
    on_reply: OnReply
    left: int
    octets: bytes
    asked_di: int


class LoadReading:
    """Asks for load records on `bus`, piece by piece. `max_reply_data`: longest data field of a frame."""

    def __init__(self, bus: BusPort, clock: Clock, max_reply_data: int) -> None:
        self._bus, self._now_ns = bus, clock.now_ns
        self._max_reply_data = max_reply_data

    def ask(self, di: int, data: bytes, on_reply: OnReply, timeout_ns: int) -> bool:
        """As `BusPort.ask` of a READ whose `data` begin with N; `on_reply` gets all records in one reply."""
        count = number(data[:1]) or 0
        return self._ask(data, _Read(di, self._now_ns() + timeout_ns, on_reply, count, b"", di))

    def _ask(self, data: bytes, read: _Read) -> bool:
        left_ns = max(1, read.due_ns - self._now_ns())
        return self._bus.ask(Control.READ, read.asked_di, data, partial(self._take, read), left_ns)

    def _take(self, read: _Read, reply: Message | None) -> None:
        """Take a piece, and ask for the next one when there may be one."""
        if reply is None or reply.error or reply.di != read.asked_di:
            is_mine = reply is None or reply.error or not read.octets
            read.on_reply(reply if is_mine else None)  # all the records or none
            return
        widths, octets = load_widths(reply.data), read.octets + reply.data
        left = read.left - len(widths)
        if left > 0 and widths and len(reply.data) > DATA_OCTETS_MAX - RECORD_OCTETS_MAX:
            minute = minute_of(time_of(reply.data[-widths[-1] :]))
            if minute is not None and minute < MINUTES_MAX and len(octets) < ANSWER_OCTETS_MAX:
                asked_di = read.asked_di & ~0xFF | FROM_TIME
                following = read._replace(left=left, octets=octets, asked_di=asked_di)
                if not self._ask(unsigned(left, 1) + minute_octets(minute + 1), following):
                    read.on_reply(None)
                return
        read.on_reply(reply._replace(di=read.di, data=self._fitting(octets)))

    def _fitting(self, octets: bytes) -> bytes:
        """The first records of `octets`, as many as the frames of one answer can carry."""
        room = self._max_reply_data - DI_OCTETS["2007"] - 1
        frames = end = 0
        for width in load_widths(octets):
            frames += -(-width // room)
            if frames > SEQ_MAX + 1:
                return octets[:end]
            end += width
        return octets
