"""What the communication service is told."""

from __future__ import annotations

import msgspec

from wattwheel.apex.bus import ASKS_UNDER_WAY
from wattwheel.protocols.dlt645.functions import ERR_NO_DATA
from wattwheel.protocols.dlt645.legality import Options


class ChannelSettings(msgspec.Struct, frozen=True):
    """What one kind of channel adds: pause before a reply, and FEH octets ahead of it."""

    reply_delay_ns: int = 0
    reply_preamble: int = 4


class CommunicationSettings(msgspec.Struct, frozen=True):
    """Settings of the partition.

    Attributes:
        address: the meter's address, 12 digits.
        listeners: device names of TCP doors.
        lines: device names of serial lines.
        asks_under_way: quota of this partition on the bus.
        line_baud: rate of the serial lines until another is set.
        line_parity: E, N or O.
        rate_change: "kept" makes 17H durable; "session" lets it hold until the service starts again.
        unknown_write_error: ERR of a write of what nobody lets be written.
        reads: "owner" routes each read over the bus, "snapshot" answers from the owner's published snapshot.
    """

    address: str
    listeners: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    tcp: ChannelSettings = ChannelSettings()
    serial: ChannelSettings = ChannelSettings(reply_delay_ns=20_000_000)
    options: Options = Options()
    line_baud: int = 2400
    line_parity: str = "E"
    rate_change: str = "kept"
    asks_under_way: int = ASKS_UNDER_WAY
    reads: str = "owner"
    unknown_write_error: int = ERR_NO_DATA
    connections_max: int = 256
    snapshot_age_max_ns: int = 3_000_000_000
    max_reply_data: int = 200
    follow_timeout_ns: int = 60_000_000_000
    half_frame_timeout_ns: int = 500_000_000
