"""The head-end's side of reading: requests as octets, replies as results, and the dialogue between, without a channel.

The shell owns the channel and the clock. It sends what a `Step` holds, feeds what comes, and calls `time_out` when
nothing good has come for the time it allows. An answer is taken when function, address, identifier and SEQ are those
asked for; anything else on the line is ignored, so late and doubled replies do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from wattwheel.model.errors import NotAnswered, Refused
from wattwheel.protocols.dlt645.frame import (
    ADDRESS_ANY,
    ADDRESS_BROADCAST,
    PREAMBLE_OCTETS_MAX,
    Frame,
    FrameReader,
    Station,
    address_of_octets,
)
from wattwheel.protocols.dlt645.functions import (
    ABNORMAL,
    FUNCTION,
    RESPONSE,
    Function1997,
    Function2007,
    error_reasons,
)
from wattwheel.protocols.dlt645.session import DI_OCTETS, Reassembly

TRIES: Final = 3
"""How often one request is sent before the dialogue gives up."""
REPLY_TIMEOUT_NS: Final = 1_000_000_000
"""Suggested time without a good frame after which `time_out` is called, beside the time the octets take on the line."""


_AA = 0xAA


class Ask(NamedTuple):
    """One data item to read.

    Attributes:
        di: data identifier, four octets (2007) or two (1997) as a number.
        edition: "2007" or "1997".
        parameters: what load records append to the identifier, as on the line before the 33H step.
    """

    di: int
    edition: str = "2007"
    parameters: bytes = b""

    @property
    def octets(self) -> bytes:
        """The identifier in the order of the line."""
        return self.di.to_bytes(DI_OCTETS[self.edition], "little")

    @property
    def text(self) -> str:
        """The identifier as printed: 8 or 4 hex digits."""
        return f"{self.di:0{2 * DI_OCTETS[self.edition]}X}"


class Answer(NamedTuple):
    """What the meter said to one `Ask`.

    Attributes:
        ask: what was asked.
        address: the real address of the meter that answered, as far as it is known.
        data: item octets without the identifier, all follow-up frames put together; b"" when refused.
        error: ERR of the abnormal reply, None for a good answer.
    """

    ask: Ask
    address: str
    data: bytes
    error: int | None = None

    @property
    def reasons(self) -> list[str]:
        """What ERR says, an empty list for a good answer."""
        return [] if self.error is None else error_reasons(self.error, self.ask.edition)

    def check(self) -> bytes:
        """The data, or Refused with ERR and its reasons."""
        if self.error is not None:
            raise Refused(self.error, f"{self.ask.text}: {', '.join(self.reasons)}")
        return self.data


class Step(NamedTuple):
    """What the shell does next: send `octets` (if any), keep `answers`, stop when `is_done`."""

    octets: bytes
    answers: tuple[Answer, ...] = ()
    is_done: bool = False


def read_request(station: Station, ask: Ask, preamble: int = PREAMBLE_OCTETS_MAX) -> bytes:
    """Octets that ask the meter at `station` for `ask` (11H, or 01H in 1997)."""
    code = Function2007.READ if ask.edition == "2007" else Function1997.READ
    return station.encode(code, ask.octets + ask.parameters, preamble)


def follow_up_request(station: Station, ask: Ask, seq: int, preamble: int = PREAMBLE_OCTETS_MAX) -> bytes:
    """Octets that ask for follow-up frame `seq` (12H; 02H in 1997, which has no SEQ)."""
    if ask.edition == "2007":
        return station.encode(Function2007.READ_FOLLOW_UP, ask.octets + bytes((seq,)), preamble)
    return station.encode(Function1997.READ_FOLLOW_UP, ask.octets, preamble)


def read_address_request(preamble: int = PREAMBLE_OCTETS_MAX) -> bytes:
    """Octets that ask the only meter on the line for its address (13H, edition 2007)."""
    return Station(ADDRESS_ANY).encode(Function2007.READ_ADDRESS, b"", preamble)


def address_in(frame: Frame) -> str | None:
    """The address that a 93H reply tells, None for any other frame and for what cannot be the address of a meter.

    The data count, not the address field.
    """
    if frame.control != Function2007.READ_ADDRESS | RESPONSE or len(frame.data) != 6:
        return None
    address = address_of_octets(frame.data)
    return address if _is_whole(address) else None


def _is_whole(address: str) -> bool:
    """True for what may be the address of one meter: no AA, not broadcast."""
    return address.isdecimal() and address != ADDRESS_BROADCAST


def is_reply_from(frame: Frame, address: str) -> bool:
    """True when `frame` answers a request sent to `address`.

    A request to 99..99 or with AA is answered with the full address; a few meters echo the AA octets instead.
    """
    if not frame.control & RESPONSE:
        return False
    if frame.address == address or address == ADDRESS_BROADCAST:
        return True
    pairs = zip(bytes.fromhex(address), bytes.fromhex(frame.address), strict=True)
    return all(asked in (_AA, told) for asked, told in pairs)


class ReadDialogue:
    """Reads one item after the other from one meter.

    Without an address the meter is asked for it first (13H); when only items of 1997 are wanted, which has no such
    request, they are read under 99..99, as head-ends of that time do, and the answer tells the address.

    A refused item is an answer with an error, and the dialogue goes on. A request that stays unanswered is repeated as
    it was, except a follow-up of 1997: without SEQ a repetition could lose or double a part, so that item is read again
    from its beginning.

    Attributes:
        address: of the meter, "" until it is known; abbreviated as given until the meter has told the whole one.
        reader: cuts the octets; its counters tell what was damaged.
    """

    def __init__(
        self, asks: Sequence[Ask], address: str = "", preamble: int = PREAMBLE_OCTETS_MAX, tries: int = TRIES
    ) -> None:
        self.address = address
        self.reader = FrameReader()
        self._asks = tuple(asks)
        self._preamble, self._tries = preamble, tries
        self._at = 0
        self._tried = 0  # how often the request that is open was sent
        self._begun = 0  # how often the item that is open was begun anew
        self._octets = b""
        self._wants_address = not address and (not asks or any(ask.edition == "2007" for ask in asks))
        self._station = Station(address or ADDRESS_BROADCAST)
        self._parts: Reassembly | None = None

    @property
    def is_done(self) -> bool:
        """True when every item has its answer."""
        return not self._wants_address and self._at == len(self._asks)

    def start(self) -> Step:
        """The first request."""
        return Step(self._next(), (), self.is_done)

    def receive(self, octets: bytes) -> Step:
        """Take what came from the line.

        Raises RemoteProtocolError when a meter never ends its reply.
        """
        return self._take(self.reader.feed(octets))

    def time_out(self) -> Step:
        """Nothing good came in time: half a frame is given up, then the request is repeated.

        Raises NotAnswered when all tries are used up.
        """
        late = self._take(self.reader.expire())
        if late.octets or late.is_done:
            return late
        self._begun += self._must_begin_anew()
        if max(self._tried, self._begun) >= self._tries:
            what = "13H, read address" if self._wants_address else self._asks[self._at].text
            raise NotAnswered(f"no answer from {self.address or 'any meter'} to {what} after {self._tries} tries")
        if self._must_begin_anew():
            return Step(self._next())
        self._tried += 1
        return Step(self._octets)

    def _must_begin_anew(self) -> bool:
        """True when a follow-up of 1997 has stayed unanswered."""
        return self._parts is not None and self._parts.seq > 0 and self._asks[self._at].edition == "1997"

    def _take(self, frames: list[Frame]) -> Step:
        answers: list[Answer] = []
        octets = b""
        for frame in frames:
            if self.is_done:
                break
            octets = self._take_address(frame) if self._wants_address else self._take_reply(frame, answers) or octets
        return Step(octets, tuple(answers), self.is_done)

    def _take_address(self, frame: Frame) -> bytes:
        """The first request for an item, once the address is known."""
        address = address_in(frame)
        if address is None:
            return b""
        self._wants_address = False
        self._found(address)
        return self._next()

    def _take_reply(self, frame: Frame, answers: list[Answer]) -> bytes:
        """What to send after `frame`, b"" when it is not what was asked for or all is done."""
        ask, parts = self._asks[self._at], self._parts
        assert parts is not None
        if not is_reply_from(frame, self._station.address) or frame.control & FUNCTION != self._code(parts.seq):
            return b""
        if frame.control & ABNORMAL:
            if len(frame.data) != 1:
                return b""
            answers.append(Answer(ask, frame.address, b"", frame.data[0]))
        else:
            if not parts.accept(frame):
                return b""
            if not parts.is_complete:
                return self._send(follow_up_request(self._station, ask, parts.seq, self._preamble))
            self._found(frame.address)
            answers.append(Answer(ask, self.address or frame.address, parts.data))
        self._at += 1
        self._begun = 0
        return self._next()

    def _code(self, seq: int) -> int:
        """Function code of the reply that is waited for."""
        if self._asks[self._at].edition == "2007":
            return Function2007.READ_FOLLOW_UP & FUNCTION if seq else Function2007.READ & FUNCTION
        return Function1997.READ_FOLLOW_UP if seq else Function1997.READ

    def _found(self, address: str) -> None:
        """From now on speak to `address`, unless the meter only echoed what it was called."""
        if address != self.address and _is_whole(address):
            self.address = address
            self._station = Station(address)

    def _next(self) -> bytes:
        """The request for the address or for the next item, b"" when there is none."""
        if self._wants_address:
            return self._send(read_address_request(self._preamble))
        if self._at == len(self._asks):
            return b""
        ask = self._asks[self._at]
        self._parts = Reassembly(ask.octets, ask.edition)
        return self._send(read_request(self._station, ask, self._preamble))

    def _send(self, octets: bytes) -> bytes:
        self._octets, self._tried = octets, 1
        return octets
