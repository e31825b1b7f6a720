"""The functions of a line that change the meter, each in its channel's order of questions: 08H, 14H to 1DH."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from wattwheel.apex.partition import Counters
from wattwheel.model.communication_parameters import RATES, address_of
from wattwheel.protocols.dlt645.frame import Frame
from wattwheel.protocols.dlt645.functions import ERR_RATE, Function2007
from wattwheel.protocols.dlt645.legality import Accept, abnormal_reply
from wattwheel.services.communication_channel import Act, Channel, Slot
from wattwheel.services.reaching import Reaching
from wattwheel.services.writing import Answered, Writing

WRITE_ADDRESS_REPLY = Function2007.WRITE_ADDRESS | 0x80
CHANGE_RATE_REPLY = Function2007.CHANGE_RATE | 0x80


class Turns(Protocol):
    """The order of replies of each channel."""

    def send(self, channel: Channel, control: int, field: bytes) -> None:
        """Send a reply now, from the address in force."""

    def in_turn(self, channel: Channel, act: Act) -> None:
        """Run `act` as soon as the questions before it are answered."""

    def answer_in_order(self, channel: Channel) -> None:
        """Run what is due."""


class Changing:
    """Takes such a frame, has it done, and answers or keeps silent."""

    def __init__(
        self, turns: Turns, writing: Writing, reaching: Reaching, counters: Counters, is_rate_kept: bool
    ) -> None:
        self._turns, self._writing, self._reaching, self._counters = turns, writing, reaching, counters
        self._is_rate_kept = is_rate_kept

    def take(self, channel: Channel, frame: Frame, decision: Accept) -> None:
        """Do what `frame` wants."""
        function = decision.function
        if function is Function2007.BROADCAST_TIME:
            self._counters.add("broadcast_times")
        if decision.is_silent:
            if function is not Function2007.BROADCAST_TIME:
                self._counters.add("broadcast_commands")
            self._writing.broadcast(function, frame.data)
        elif function is Function2007.WRITE_ADDRESS:
            self._write_address(channel, frame, decision)
        elif function is Function2007.CHANGE_RATE:
            self._change_rate(channel, frame, decision)
        else:
            self._change(channel, frame, decision, partial(self._turns.send, channel))

    def _change(self, channel: Channel, frame: Frame, decision: Accept, conclude: Answered) -> None:
        """Have it done, and `conclude` when it is this question's turn."""
        slot: Slot = []
        channel.slots.append(slot)

        def answered(control: int, field: bytes) -> None:
            slot.append(partial(conclude, control, field))
            self._turns.answer_in_order(channel)

        self._writing.change(decision.function, frame.data, answered)

    def _write_address(self, channel: Channel, frame: Frame, decision: Accept) -> None:
        """15H: silence unless it is done; the reply comes from the new address."""

        def conclude(control: int, field: bytes) -> None:
            if control == WRITE_ADDRESS_REPLY and (address := address_of(frame.data)):
                self._reaching.address(address)
                self._turns.send(channel, control, b"")
            else:
                self._counters.add("silent_write_address")

        self._change(channel, frame, decision, conclude)

    def _change_rate(self, channel: Channel, frame: Frame, decision: Accept) -> None:
        """17H: the reply goes at the old rate. A channel that has no rate, or not that one, cannot change it."""
        rate, baud = channel.rate, RATES.get(frame.data[0])
        if rate is None or baud is None:
            self._counters.add("changes_refused")
            self._turns.in_turn(channel, partial(self._refuse_rate, channel))
            return

        def conclude(control: int, field: bytes) -> None:
            if control == CHANGE_RATE_REPLY:
                self._turns.send(channel, control, frame.data)
                rate.change(baud)
            else:
                self._refuse_rate(channel)

        if self._is_rate_kept and self._reaching.is_kept_rate(rate):
            self._change(channel, frame, decision, conclude)
        else:
            self._turns.in_turn(channel, partial(conclude, CHANGE_RATE_REPLY, b""))

    def _refuse_rate(self, channel: Channel) -> None:
        refusal = abnormal_reply(Function2007.CHANGE_RATE, ERR_RATE)
        self._turns.send(channel, refusal.control, refusal.data)
