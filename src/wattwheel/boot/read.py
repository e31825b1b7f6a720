"""A head-end for one meter: the reading dialogue of `protocols.dlt645.master` on a TCP connection or a serial line."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

import msgspec

from wattwheel.boot.read_records import ONE_RECORD, RecordPages, Wanted, check, is_load_record
from wattwheel.drivers.linux.clock import LinuxClock
from wattwheel.drivers.linux.octets import open_serial
from wattwheel.hil.clock import Clock
from wattwheel.hil.octets import LineSettings
from wattwheel.model import catalogue
from wattwheel.model.errors import BadInput, ConfigError, DoorUnavailable, ItemValueError, NotAnswered
from wattwheel.model.records import Quality, ValueRow
from wattwheel.protocols.dlt645 import items as codec
from wattwheel.protocols.dlt645.frame import FRAME_OCTETS_MAX, address_from
from wattwheel.protocols.dlt645.master import Answer, Ask, ReadDialogue, Step

TIMEOUT_MIN_S, TIMEOUT_MAX_S = 0.05, 600.0
RECEIVE_OCTETS_MAX = 65_536
LINE_BAUDS = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
CHARACTER_BITS = 11  # start, eight data, parity, stop
NOT_ASKED = "not asked any more"


class Door(NamedTuple):
    """Where the meter is: a TCP door `HOST:PORT`, or a serial line with its rate and parity."""

    tcp: str | None = None
    serial: str | None = None
    baud: int = 2400
    parity: str = "E"


class ReadError(msgspec.Struct, frozen=True):
    """An item that was not read: its identifier, and what the meter said or did not say."""

    di: str
    error: str


class Reading(msgspec.Struct, frozen=True):
    """What `read` prints: the meter's address (None: it was not told), the values read, the items that were not."""

    address: str | None
    values: list[ValueRow]
    errors: list[ReadError]


class Channel(Protocol):
    """A channel that waits."""

    def send(self, octets: bytes) -> None:
        """Send all of `octets`. Raises NotAnswered when the far end has gone."""

    def receive(self, timeout_s: float) -> bytes:
        """What comes within `timeout_s`, b"" for nothing. Raises NotAnswered when the far end has gone."""

    def close(self) -> None:
        """Give the channel back."""


def read_items(
    texts: Sequence[str], door: Door, address: str | None = None, timeout_s: float = 1.0, records: Wanted = ONE_RECORD
) -> Reading:
    """Read the items `texts` (identifiers or names) of the meter behind `door`; of load records those of `records`.

    A meter that falls silent is asked for nothing more; what it has answered counts. Everything that was asked for is
    checked before the door is touched. Raises BadInput or UnknownItem for nonsense, DoorUnavailable when there is no
    such door.
    """
    wanted = [catalogue.find(text) for text in texts]
    check(wanted, records)
    asked = "" if address is None else address_from(address)
    if not TIMEOUT_MIN_S <= timeout_s <= TIMEOUT_MAX_S:
        raise BadInput(f"--timeout: found {timeout_s:g}; allowed: {TIMEOUT_MIN_S:g} to {TIMEOUT_MAX_S:g} seconds")
    channel, line_s = _open(door, timeout_s)
    clock = LinuxClock(_NoTimers())
    conversation = Conversation(channel, clock, asked, timeout_s + line_s)
    silence = ""
    try:
        for is_load, items in groupby(wanted, is_load_record):
            if is_load:
                for item in items:
                    conversation.read_records(item, records)
            else:
                conversation.read([Ask(item.di, item.edition) for item in items])
    except NotAnswered as error:
        silence = str(error)
    finally:
        channel.close()
    answers = conversation.answers
    found = reading(conversation.address, answers, clock.calendar().strftime("%Y-%m-%dT%H:%M:%SZ"))
    if conversation.broken is not None:
        found.errors.append(ReadError(conversation.broken.text, silence))
        silence = NOT_ASKED
    for item in wanted[len(answers) :]:
        found.errors.append(ReadError(Ask(item.di, item.edition).text, silence))
        silence = NOT_ASKED
    return found


class Conversation:
    """Dialogues one after the other on one channel.

    Attributes:
        address: of the meter, "" until it is known.
        answers: so far.
        broken: an item of which some records came before the silence; they are among the answers.
    """

    def __init__(self, channel: Channel, clock: Clock, address: str, timeout_s: float) -> None:
        self.address = address
        self.answers: list[Answer] = []
        self.broken: Ask | None = None
        self._channel, self._clock, self._timeout_s = channel, clock, timeout_s

    def read(self, asks: Sequence[Ask]) -> None:
        """Read items. Raises NotAnswered."""
        for answer in self._talk(asks):
            self.answers.append(answer)

    def read_records(self, item: catalogue.Item, wanted: Wanted) -> None:
        """Read the load records of `item`, as many pages as it takes. Raises NotAnswered."""
        pages, first = RecordPages(item, wanted), Ask(item.di)
        refused: Answer | None = None
        try:
            while pages.ask is not None:
                for answer in self._talk([pages.ask]):
                    refused = pages.take(answer)
        except NotAnswered:
            if pages.count:
                self.broken = first
                self.answers.append(Answer(first, self.address, pages.octets))
            raise
        self.answers.append(refused._replace(ask=first) if refused else Answer(first, self.address, pages.octets))

    def _talk(self, asks: Sequence[Ask]) -> Iterator[Answer]:
        dialogue = ReadDialogue(asks, self.address)
        try:
            yield from converse(dialogue, self._channel, self._clock, self._timeout_s)
        finally:
            self.address = dialogue.address


def converse(dialogue: ReadDialogue, channel: Channel, clock: Clock, timeout_s: float) -> Iterator[Answer]:
    """Carry the dialogue out. `timeout_s`: wait for the reply to each request, the time on the line included.

    Raises NotAnswered when the meter stays silent.
    """
    step = dialogue.start()
    while True:
        yield from step.answers
        if step.is_done:
            return
        if step.octets:
            channel.send(step.octets)
        step = _wait(dialogue, channel, clock, timeout_s)


def _wait(dialogue: ReadDialogue, channel: Channel, clock: Clock, timeout_s: float) -> Step:
    """The next step that has something to do. Noise on the line does not lengthen the wait."""
    due_ns = clock.now_ns() + int(timeout_s * 1e9)
    while (left_ns := due_ns - clock.now_ns()) > 0:
        step = dialogue.receive(channel.receive(left_ns / 1e9))
        if step.octets or step.answers or step.is_done:
            return step
    return dialogue.time_out()


def reading(address: str, answers: Sequence[Answer], at: str) -> Reading:
    """The document for `answers`, read at the UTC time `at`."""
    values: list[ValueRow] = []
    errors: list[ReadError] = []
    for answer in answers:
        if answer.error is not None:
            errors.append(ReadError(answer.ask.text, ", ".join(answer.reasons)))
            continue
        item = catalogue.item_of(answer.ask.edition, answer.ask.di)
        try:
            values.append(codec.rows(item, answer.data, at, Quality.VALID))
        except ItemValueError as error:
            errors.append(ReadError(answer.ask.text, str(error)))
    return Reading(address or None, values, errors)


def _open(door: Door, timeout_s: float) -> tuple[Channel, float]:
    """The channel, and the longest time that a request and its reply spend on the line."""
    if door.tcp is not None:
        return _TcpChannel(door.tcp, timeout_s), 0.0
    assert door.serial is not None
    parity = door.parity.upper()
    if parity not in ("E", "N", "O"):
        raise ConfigError("--parity", door.parity, "E, N or O")
    if door.baud not in LINE_BAUDS:
        raise ConfigError("--baud", door.baud, ", ".join(map(str, LINE_BAUDS)))
    channel = _SerialChannel(door.serial, LineSettings(door.baud, parity))
    return channel, 2 * FRAME_OCTETS_MAX * CHARACTER_BITS / door.baud


class _TcpChannel:
    def __init__(self, text: str, timeout_s: float) -> None:
        host, port = host_and_port(text)
        self._name = f"--tcp {text}"
        try:
            self._socket = socket.create_connection((host, port), timeout_s)
        except (OSError, UnicodeError) as fault:
            why = (
                "no answer in time"
                if isinstance(fault, TimeoutError)
                else getattr(fault, "strerror", None) or "no such host"
            )
            raise DoorUnavailable(self._name, f"{why}; give the HOST:PORT of a running meter") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, octets: bytes) -> None:
        try:
            self._socket.sendall(octets)
        except OSError as fault:
            raise NotAnswered(f"{self._name}: the connection broke: {fault.strerror}") from None

    def receive(self, timeout_s: float) -> bytes:
        self._socket.settimeout(timeout_s)
        try:
            octets = self._socket.recv(RECEIVE_OCTETS_MAX)
        except TimeoutError:
            return b""
        except OSError as fault:
            raise NotAnswered(f"{self._name}: the connection broke: {fault.strerror}") from None
        if not octets:
            raise NotAnswered(f"{self._name}: the far end closed the connection")
        return octets

    def close(self) -> None:
        self._socket.close()


class _SerialChannel:
    def __init__(self, device: str, settings: LineSettings) -> None:
        self._name = f"--serial {device}"
        self._descriptor = open_serial(device, settings)

    def send(self, octets: bytes) -> None:
        while octets:
            select.select([], [self._descriptor], [])
            try:
                octets = octets[os.write(self._descriptor, octets) :]
            except BlockingIOError:
                continue
            except OSError as fault:
                raise NotAnswered(f"{self._name}: the line broke: {fault.strerror}") from None

    def receive(self, timeout_s: float) -> bytes:
        if not select.select([self._descriptor], [], [], timeout_s)[0]:
            return b""
        try:
            octets = os.read(self._descriptor, RECEIVE_OCTETS_MAX)
        except BlockingIOError:
            return b""
        except OSError as fault:
            raise NotAnswered(f"{self._name}: the line broke: {fault.strerror}") from None
        if not octets:
            raise NotAnswered(f"{self._name}: the far end of the line is gone")
        return octets

    def close(self) -> None:
        os.close(self._descriptor)


class _NoTimers:
    """A head-end that waits needs none."""

    def call_at(self, due_ns: int, action: object) -> None:
        raise AssertionError("nothing is called later here")


def host_and_port(text: str) -> tuple[str, int]:
    """The two parts of HOST:PORT; an IPv6 address stands in brackets. Raises BadInput."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit()) or not 1 <= int(port[:6]) <= 65535:
        raise BadInput(f"--tcp: found {text!r}; allowed: HOST:PORT with PORT 1..65535, such as 127.0.0.1:6450")
    return host, int(port)
