"""What watches the meter from outside its circuit: contacts of the case, inputs, and the plug of the management module.

Each has a name and two states, the one that is an event first. The operator's command and the messages on the bus say
them in these words: name, a space, state. The security element has no states: its state is its serial number.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType


class Contact(StrEnum):
    """Everything that can be told."""

    METER_COVER = "meter-cover"
    TERMINAL_COVER = "terminal-cover"
    AUXILIARY_SUPPLY = "auxiliary-supply"
    MAGNETIC_FIELD = "magnetic-field"
    INTERNAL_SUPPLY = "internal-supply"
    METERING_CHIP = "metering-chip"
    MODULE_PLUG = "module-plug"
    SECURITY_ELEMENT = "security-element"


STATES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        Contact.METER_COVER: ("open", "closed"),
        Contact.TERMINAL_COVER: ("open", "closed"),
        Contact.AUXILIARY_SUPPLY: ("lost", "present"),
        Contact.MAGNETIC_FIELD: ("present", "absent"),
        Contact.INTERNAL_SUPPLY: ("abnormal", "normal"),
        Contact.METERING_CHIP: ("faulty", "sound"),
        Contact.MODULE_PLUG: ("removed", "inserted"),
    }
)
"""The state that is an event, and the one that is not."""

WATCHED_WITHOUT_MAINS = (Contact.METER_COVER, Contact.TERMINAL_COVER, Contact.MAGNETIC_FIELD)
"""What a meter looks at when its battery is all it has."""

TIME_FORMAT = "%Y%m%d%H%M%S"
"""Of a change that is told later, local standard time."""

PLUG_CONTACTS = (Contact.MODULE_PLUG, Contact.SECURITY_ELEMENT)
"""Those whose events the metering core records."""

SERIAL_OCTETS = 8
"""Of a security element's serial number, two hex digits each."""

NO_SERIAL = b"\xff" * SERIAL_OCTETS
"""What stands for none in a record."""


def allowed(name: str) -> str:
    """The states of the contact `name`, for a sentence."""
    states = STATES.get(name)
    return f"{2 * SERIAL_OCTETS} hex digits that are not all F" if states is None else " or ".join(states)


def is_state(name: str, state: str) -> bool:
    """Whether the contact `name` can be in `state`."""
    states = STATES.get(name)
    if states is not None:
        return state in states
    return name == Contact.SECURITY_ELEMENT and serial_of(state) is not None


def serial_of(digits: str) -> bytes | None:
    """The serial number that `digits` say, the first digits first; None for what is none, as FF...FF in a record."""
    is_hex = len(digits) == 2 * SERIAL_OCTETS and digits.isascii() and all(each in _HEX for each in digits)
    serial = bytes.fromhex(digits) if is_hex else NO_SERIAL
    return serial if serial != NO_SERIAL else None


def told_changes(data: bytes, now: int) -> tuple[str, list[tuple[str, int]]] | None:
    """A contact's name and its changes, state and local second since 2000; None for what says none.

    `data` is the name and a state, which it has `now`, or the name and states each of which is followed by its local
    standard time in the form of `TIME_FORMAT`; a time that is yet to come is `now`.
    """
    name, *words = data.decode("ascii", "replace").split() or ("",)
    if len(words) == 1:
        return (name, [(words[0], now)]) if is_state(name, words[0]) else None
    seconds = [_second_of(time) for time in words[1::2]]
    is_told = len(words) == 2 * len(seconds) and all(is_state(name, state) for state in words[::2])
    if not words or not is_told:
        return None
    known = [(state, min(second, now)) for state, second in zip(words[::2], seconds, strict=True) if second is not None]
    return (name, known) if len(known) == len(seconds) else None


def _second_of(time: str) -> int | None:
    try:
        second = int((datetime.strptime(f"{time}+0000", f"{TIME_FORMAT}%z") - _EPOCH).total_seconds())
    except ValueError:
        return None
    return second if second >= 0 else None


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_HEX = "0123456789abcdefABCDEF"
