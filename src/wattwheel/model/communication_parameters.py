"""Parameters that say how the meter is reached (DL/T 645-2007): its address (04000401), its line's rate (04000703)."""

from __future__ import annotations

ADDRESS, METER_NUMBER = 0x04000401, 0x04000402
LINE_RATE = 0x04000703
"""Rate word of communication port 1: the serial line. The meter has no other port with a rate."""

ADDRESS_OCTETS = 6
RATES = {1 << bit: rate for bit, rate in enumerate((600, 1200, 2400, 4800, 9600, 19_200), 1)}
"""Bits a second by rate word: exactly one bit is set; bits 0 and 7 are reserved."""

WORDS = {rate: word for word, rate in RATES.items()}

_BROADCAST = "99" * ADDRESS_OCTETS


def address_of(octets: bytes) -> str | None:
    """The twelve digits that `octets`, as on the wire, are; None: no meter can have them as its own address."""
    digits = octets[::-1].hex()
    is_address = len(octets) == ADDRESS_OCTETS and digits.isdecimal() and digits != _BROADCAST
    return digits if is_address else None


def address_octets(address: str) -> bytes:
    """The reverse of `address_of`."""
    return bytes.fromhex(address)[::-1]
