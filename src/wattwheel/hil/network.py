"""The network, for the one partition that was granted it: doors to open, far doors to knock at."""

from __future__ import annotations

from typing import Protocol

from wattwheel.hil.octets import Listener, OctetChannel


class Network(Protocol):
    """Makes connections. Addresses are numbers: a walled partition cannot ask for names."""

    def listen(self, address: str) -> Listener:
        """Open a door at `address`, HOST:PORT; port 0 takes a free one. Raises DoorUnavailable."""

    def connect(self, address: str) -> OctetChannel:
        """A connection to the door at `address`. Returns at once; one that cannot be made is closed soon after.

        Raises DoorUnavailable for what is no address.
        """
