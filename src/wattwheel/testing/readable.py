"""Everything that can be read of a simulated meter, and writes to it: for comparisons of whole meters."""

from __future__ import annotations

from wattwheel.apex.messages import Control, Message
from wattwheel.boot.time_machine import TimeMachine
from wattwheel.protocols.dlt645.frame import Frame, decode, encode
from wattwheel.protocols.dlt645.functions import Function2007
from wattwheel.protocols.dlt645.master import Ask, ReadDialogue
from wattwheel.sdk.asking import LISTED_MAX

FAMILIES = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0D, *range(0x10, 0x20))
"""DI3 of all items that an APP may own."""
REPLY_S_MAX = 2.0


def readable(machine: TimeMachine) -> dict[int, tuple[int, bytes]]:
    """Error and octets of each item that the meter lists, as a read on the bus gives them now."""
    found: dict[int, tuple[int, bytes]] = {}
    for family in FAMILIES:
        after, is_last = family << 24, False
        while not is_last:
            reply = _asked(machine, Control.LIST, after)
            octets = b"" if reply is None or reply.error else reply.data
            listed = [int.from_bytes(octets[at : at + 4], "little") for at in range(0, len(octets), 4)]
            for di in listed:
                read = _asked(machine, Control.READ, di)
                if read is not None:
                    found[di] = (read.error, read.data)
            is_last = len(listed) < LISTED_MAX
            after = listed[-1] + 1 if listed else after
    return found


def _asked(machine: TimeMachine, control: Control, di: int) -> Message | None:
    replies: list[Message | None] = []
    machine.ask(control, di, b"", replies.append)
    machine.advance_until(lambda: bool(replies), REPLY_S_MAX)
    return replies[0] if replies else None


def written(machine: TimeMachine, di: int, digits: str, password: str, level: int = 4) -> bool:
    """Whether 14H wrote `digits` (the highest first) to `di`."""
    authority = bytes((level,)) + bytes.fromhex(password)[::-1] + bytes(4)
    data = di.to_bytes(4, "little") + authority + bytes.fromhex(digits)[::-1]
    reply = requested(machine, Function2007.WRITE, data)
    return reply is not None and reply.control == Function2007.WRITE | 0x80


def requested(machine: TimeMachine, control: int, data: bytes) -> Frame | None:
    """The meter's reply to one frame to its own address; None: silence."""
    octets = machine.exchange(encode(Frame(machine.settings.meter.address, control, data)))
    return decode(octets) if octets else None


def answered(machine: TimeMachine, di: int, parameters: bytes = b"") -> bytes | None:
    """Octets of an item as a head-end reads it over TCP, follow-up frames and all; None: refused, or silence.

    `parameters`: octets behind the identifier.
    """
    channel, address = machine.door.connect(), machine.settings.meter.address
    dialogue = ReadDialogue([Ask(di, parameters=parameters)], address, preamble=0)
    step, octets = dialogue.start(), bytearray()
    channel.on_arrival(lambda: octets.extend(channel.read()))
    while not step.is_done:
        channel.write(step.octets)
        if not machine.advance_until(lambda: bool(octets), REPLY_S_MAX):
            break
        step = dialogue.receive(bytes(octets))
        octets.clear()
    channel.close()
    return step.answers[0].data if step.answers and step.answers[0].error is None else None
