"""What the communication service knows of one octet channel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from wattwheel.hil.octets import OctetChannel
from wattwheel.protocols.dlt645.frame import Frame, FrameReader
from wattwheel.protocols.dlt645.session import FollowUp
from wattwheel.services.communication_settings import ChannelSettings, CommunicationSettings
from wattwheel.services.line_rate import LineRate

PENDING_A_CHANNEL_MAX = 64  # questions of one channel under way; the next ones are read when these are answered
UNREAD_OCTETS_MAX = 65_536  # answers that a channel's far end has not taken; it is not read until it has

REJECTIONS = ("checksum", "end", "start", "incomplete")
"""Counters of a frame reader: why a 68H did not start a frame."""

Act = Callable[[], None]
Slot = list[Act]
"""The place of one question in its channel's order: empty until answered, then what sends the answer."""


def _nothing() -> None:
    """A channel that is not attached yet has nobody to tell."""


class Channel:
    """One octet channel and its state."""

    def __init__(self, octets: OctetChannel, settings: ChannelSettings, common: CommunicationSettings) -> None:
        self.octets = octets
        self.reader = FrameReader()
        self.delay_ns, self.preamble = settings.reply_delay_ns, settings.reply_preamble
        self.follow_up = FollowUp(common.max_reply_data, common.follow_timeout_ns)
        self.slots: deque[Slot] = deque()
        self.heard_ns = 0
        self.is_waiting_for_rest = False
        self.is_ending = False  # its far end asks nothing more
        self.arrived: Act = _nothing
        self.waiting: deque[Frame] = deque()  # heard, and not yet served
        self.examined = 0
        self.rejected = dict.fromkeys(REJECTIONS, 0)
        self.dropped = 0
        self.rate: LineRate | None = None  # of a serial line
        self.quiet_ns = 0  # until then its last reply is on the line

    @property
    def is_full(self) -> bool:
        """It has enough questions under way, or answers that its far end does not take."""
        return len(self.slots) >= PENDING_A_CHANNEL_MAX or self.octets.unsent > UNREAD_OCTETS_MAX
