"""What watches the meter from outside its circuit: contacts of the case, inputs, and the plug of the management module.

Each has a name and two states, the one that is an event first. The operator's command and the messages on the bus say
them in these words: name, a space, state. The security element has no states: its state is its serial number.
"""

from __future__ import annotations

from collections.abc import Mapping
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

PLUG_CONTACTS = (Contact.MODULE_PLUG, Contact.SECURITY_ELEMENT)
"""Those whose events the metering core records."""

SERIAL_OCTETS = 8
"""Of a security element's serial number, two hex digits each."""


def allowed(name: str) -> str:
    """The states of the contact `name`, for a sentence."""
    states = STATES.get(name)
    return f"{2 * SERIAL_OCTETS} hex digits" if states is None else " or ".join(states)


def is_state(name: str, state: str) -> bool:
    """Whether the contact `name` can be in `state`."""
    states = STATES.get(name)
    if states is not None:
        return state in states
    return name == Contact.SECURITY_ELEMENT and serial_of(state) is not None


def serial_of(digits: str) -> bytes | None:
    """The serial number that `digits` say, the first digits first; None for what is none."""
    is_hex = len(digits) == 2 * SERIAL_OCTETS and digits.isascii() and all(each in _HEX for each in digits)
    return bytes.fromhex(digits) if is_hex else None


_HEX = "0123456789abcdefABCDEF"
