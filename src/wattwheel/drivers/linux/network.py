"""The network of a partition that was granted it: TCP doors and connections, by numeric address."""

from __future__ import annotations

import ipaddress
import os
import socket

from wattwheel.drivers.linux.loop import EpollLoop
from wattwheel.drivers.linux.octets import TcpChannel, TcpListener, listen_tcp
from wattwheel.model.errors import DoorUnavailable

PORT_MAX = 65_535


class LinuxNetwork:
    """`hil.network.Network` on sockets."""

    def __init__(self, loop: EpollLoop, name: str) -> None:
        self._loop, self._name = loop, name

    def listen(self, address: str) -> TcpListener:
        """Open a door."""
        host, port = _split(address)
        return TcpListener(self._loop, listen_tcp(host, port, self._name).detach(), f"{self._name}:{address}")

    def connect(self, address: str) -> TcpChannel:
        """Begin a connection; one that is refused shows as closed."""
        host, port = _split(address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as fault:
            raise DoorUnavailable(f"{self._name} {address}", os.strerror(fault.errno or 0)) from fault
        connection.connect_ex((host, port))  # what comes of it shows when it is read
        return TcpChannel(self._loop, connection, f"{self._name}:{address}")


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        ipaddress.ip_address(host)
        number = int(port)
    except ValueError:
        number = -1
    if not 0 <= number <= PORT_MAX:
        raise DoorUnavailable(f"network {address}", "no such address; HOST:PORT with the host in digits")
    return host, number
