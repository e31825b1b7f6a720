"""What the bus and the kernel say to each other about taps: which channels are listened to, and what passed there."""

from __future__ import annotations

import msgspec

from wattwheel.apex.messages import PORT_MESSAGE_OCTETS_MAX

TAP_WISH_PORT = "tap_wish"  # sampling, from the kernel to the bus: JSON list of the channels to listen to
TAPPED_PORT = "tapped"  # queuing, from the bus to the kernel: `Tapped`
TAPS_MAX = 4
"""Taps at a time."""
WISH_OCTETS_MAX = 1024
TAPPED_OCTETS_MAX = PORT_MESSAGE_OCTETS_MAX + 256
TAPPED_DEPTH = 64


class Tapped(msgspec.Struct, frozen=True):
    """A copy of what passed.

    Attributes:
        channel: where.
        octets: as it passed, secrets blanked.
        left_out: how much passed unseen since the copy before, because it came too fast.
    """

    channel: str
    octets: bytes
    left_out: int = 0
