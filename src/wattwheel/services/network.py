"""The network partition: the one that was granted the network holds the module's links, and opens sockets for others.

Each link is a device of virtual ports: the ports of this partition that are named LINK.NUMBER go on at the far module's
port of the same number (`services.virtual_ports`, `services.module_link`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import cast

import msgspec

from wattwheel.apex.partition import VIRTUAL_PORTS_PORT, StartContext
from wattwheel.hil.network import Network
from wattwheel.hil.octets import OctetChannel
from wattwheel.model.errors import ConfigError
from wattwheel.services.line_connection import LineConnections
from wattwheel.services.link_port import MESSAGE_OCTETS_MAX
from wattwheel.services.module_link import ModuleLink
from wattwheel.services.tls_channel import TlsChannel, tls_context
from wattwheel.services.virtual_ports import VirtualPorts
from wattwheel.services.virtual_sockets import serve_all, wants_sockets

NETWORK_DEVICE = "network"
LINKS_MAX = 32
TABLE_NS = 1_000_000_000


class LinkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One link. Exactly one of `listen`, `connect` and `line` says how it is made.

    Attributes:
        name: device name of its virtual ports.
        listen: HOST:PORT at which the far module connects; the address in digits.
        connect: HOST:PORT of the far module; the address in digits.
        line: device of a serial line or pseudo-terminal that was granted to the partition.
        certificate, key, authority: PEM files for mutual TLS, each granted to the partition as a device `file:PATH`;
            all three or none.
        far_name: name that the far end's certificate must bear; "": any that the authority has signed.
    """

    name: str
    listen: str = ""
    connect: str = ""
    line: str = ""
    certificate: str = ""
    key: str = ""
    authority: str = ""
    far_name: str = ""

    @property
    def files(self) -> tuple[str, str, str]:
        """What TLS needs."""
        return self.certificate, self.key, self.authority


class NetworkSettings(msgspec.Struct, frozen=True):
    """Settings of the partition.

    Attributes:
        links: to other modules.
        module: name under which this one greets.
        epoch: a number that tells this life of the module from others; 0: drawn when it is first needed.
        sockets: for each partition with ports for sockets, the addresses that it may connect to and open doors at:
            HOST:PORT, or HOST:* for all ports of a host. Missing: none.
    """

    links: tuple[LinkSettings, ...] = ()
    module: str = "wattwheel"
    epoch: int = 0
    sockets: dict[str, tuple[str, ...]] = {}


Wrap = Callable[[OctetChannel], OctetChannel]


def _plain(channel: OctetChannel) -> OctetChannel:
    return channel


class NetworkService:
    """All links of the module."""

    def __init__(self, context: StartContext, settings: NetworkSettings) -> None:
        self._context, self._settings = context, settings
        self._check()
        self._ports = VirtualPorts(context)
        epoch = settings.epoch or secrets.randbits(63) | 1
        self.links = [self._link(own, epoch) for own in settings.links]
        wants = wants_sockets(context) or settings.sockets
        self.sockets = serve_all(context, self._network(), settings.sockets) if wants else []
        self._ports.join_all()
        for link in self.links:
            link.start()
        if context.has_port(VIRTUAL_PORTS_PORT):
            self._publish = context.sampling_source(VIRTUAL_PORTS_PORT).write
            self._told = b""
            self._tell_table()

    def _check(self) -> None:
        links = self._settings.links
        names = [own.name for own in links]
        if len(links) > LINKS_MAX or len(set(names)) != len(names):
            raise ConfigError("network links", names, f"at most {LINKS_MAX}, each name once")
        for own in links:
            if [bool(own.listen), bool(own.connect), bool(own.line)].count(True) != 1:
                raise ConfigError(f"network link {own.name}", own, "one of listen, connect, line")
            if any(own.files) and (not all(own.files) or own.line):
                raise ConfigError(f"network link {own.name}", own, "certificate, key and authority, on a TCP link")
        for name, spec in self._context.queuing_ports().items():
            if name.rpartition(".")[0] in names and spec.max_message_size > MESSAGE_OCTETS_MAX:
                raise ConfigError(f"virtual port {name}", spec.max_message_size, f"at most {MESSAGE_OCTETS_MAX} octets")

    def _link(self, own: LinkSettings, epoch: int) -> ModuleLink:
        wrap = _plain
        if own.certificate:
            tls, is_server, far_name = tls_context(bool(own.listen), *own.files), bool(own.listen), own.far_name

            def wrap(channel: OctetChannel) -> OctetChannel:
                return TlsChannel(channel, tls, is_server, far_name)

        link = ModuleLink(self._context, own.name, self._settings.module, epoch, self._opener(own, wrap))
        if own.listen:
            self._network().listen(own.listen).on_connection(lambda channel: link.take(wrap(channel)))
        self._ports.add(own.name, link)
        return link

    def _opener(self, own: LinkSettings, wrap: Wrap) -> Callable[[], OctetChannel | None] | None:
        if own.listen:
            return None
        if own.connect:
            network = self._network()
            return lambda: wrap(network.connect(own.connect))
        line = cast(OctetChannel, self._context.device(own.line))
        return LineConnections(line, secrets.randbits(31)).open

    def _network(self) -> Network:
        return cast(Network, self._context.device(NETWORK_DEVICE))

    def _tell_table(self) -> None:
        octets = msgspec.json.encode(self._ports.table())
        if octets != self._told:
            self._told = octets
            self._publish(octets)
        self._context.clock.call_at(self._context.clock.now_ns() + TABLE_NS, self._tell_table)


def start(context: StartContext) -> None:
    """Entry of the partition. Settings: JSON of `NetworkSettings`."""
    NetworkService(context, context.decode_settings(NetworkSettings))
