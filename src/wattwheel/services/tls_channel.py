"""TLS over an octet channel: both ends show a certificate, and nobody else hears or speaks."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping

from wattwheel.hil.octets import OctetChannel
from wattwheel.model.errors import ConfigError

EARLY_OCTETS_MAX = 65_536
"""What may be written before the far end has shown who it is."""
READ_OCTETS = 65_536


def tls_context(is_server: bool, certificate: str, key: str, authority: str) -> ssl.SSLContext:
    """TLS 1.3 for one side of a link: own `certificate` and `key`, and the `authority` that the far one is signed by.

    All three are paths of PEM files. Raises ConfigError for a file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # a far end is known by the authority and its name, not by its address
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as fault:
        files = f"{certificate}, {key}, {authority}"
        raise ConfigError(
            "network link certificate, key, authority", f"{files}: {fault}", "readable PEM files"
        ) from None
    return context


class TlsChannel:
    """`hil.octets.OctetChannel` in clear, over `inner`, which carries the cipher.

    Args:
        far_name: common name or DNS name that the far end's certificate must bear; "": any that the authority signed.
    """

    def __init__(self, inner: OctetChannel, context: ssl.SSLContext, is_server: bool, far_name: str = "") -> None:
        self.name = f"{inner.name}/tls"
        self.dropped = 0
        self._inner, self._far_name = inner, far_name
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=is_server)
        self._early = bytearray()
        self._arrived = bytearray()
        self._action: Callable[[], None] | None = None
        self._is_agreed = self._is_failed = False
        self._shake_hands()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, ssl.CertificateError):
            self._fail()
            return
        if self._far_name and self._far_name not in names_in(self._tls.getpeercert() or {}):
            self._fail()
            return
        self._is_agreed = True
        early, self._early = bytes(self._early), bytearray()
        if early:
            self._tls.write(early)
        self._flush()

    def _fail(self) -> None:
        self._flush()  # the alert says why
        self._is_failed = True
        self._inner.close()
        self._tell()

    def _flush(self) -> None:
        octets = self._outgoing.read()
        if octets:
            before = self._inner.dropped
            self._inner.write(octets)
            self.dropped += self._inner.dropped - before

    def _tell(self) -> None:
        if self._action is not None:
            self._action()

    def _take(self) -> None:
        octets = self._inner.read()
        if not octets:
            if self._inner.is_closed:
                self._tell()
            return
        self._incoming.write(octets)
        if not self._is_agreed:
            self._shake_hands()
        if self._is_agreed:
            self._decipher()
        if self._arrived:
            self._tell()

    def _decipher(self) -> None:
        try:
            while octets := self._tls.read(READ_OCTETS):
                self._arrived += octets
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            self._fail()

    def read(self) -> bytes:
        """Octets that have arrived."""
        octets = bytes(self._arrived)
        self._arrived.clear()
        return octets

    def write(self, octets: bytes) -> None:
        """Send `octets`; before both ends have agreed they wait, up to `EARLY_OCTETS_MAX`."""
        if self._is_failed:
            self.dropped += len(octets)
        elif self._is_agreed:
            self._tls.write(octets)
            self._flush()
        elif len(self._early) + len(octets) > EARLY_OCTETS_MAX:
            self.dropped += len(octets)
        else:
            self._early += octets

    def on_arrival(self, action: Callable[[], None] | None) -> None:
        """Call `action` when octets have come or it is over; None: nobody."""
        self._action = action
        self._inner.on_arrival(None if action is None else self._take)
        if action is not None and (self._arrived or self._is_failed):
            action()

    @property
    def unsent(self) -> int:
        """Octets that wait: for the far end to take them, or to show who it is."""
        return len(self._early) + self._inner.unsent

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._is_failed or (self._inner.is_closed and not self._arrived)

    def close(self) -> None:
        """Give the channel back."""
        self._inner.close()


def names_in(certificate: Mapping[str, object]) -> set[str]:
    """Common names and DNS names of a certificate as `getpeercert` gives it."""
    names: set[str] = set()
    subject = certificate.get("subject", ())
    if isinstance(subject, tuple):
        names |= {value for relative in subject for key, value in relative if key == "commonName"}
    others = certificate.get("subjectAltName", ())
    if isinstance(others, tuple):
        names |= {value for kind, value in others if kind == "DNS"}
    return names
