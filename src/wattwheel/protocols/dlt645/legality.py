"""Silence, abnormal reply or service? What a meter of edition 2007 does with a good frame, before it looks at the data.

The order matters, because a meter that answers what was not meant for it jams the bus: (1) frames of other meters,
(2) address and address form, (3) broadcast, (4) functions that have no abnormal reply, (5) lengths, (6) unknown
functions. What comes after (passwords, identifiers, values) belongs to the owner of the data.

`RULES` says per function which address forms it takes and which lengths it can have. A `Legality` is made for one
meter: from its own address and its options it writes down the answer for every usual request, so that judging one is a
look into a dictionary; only the rest is judged by the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Flag, StrEnum, auto
from typing import Final

import msgspec

from wattwheel.model.errors import LocalProtocolError
from wattwheel.protocols.dlt645.frame import ADDRESS_ANY, ADDRESS_BROADCAST, Frame, Station
from wattwheel.protocols.dlt645.functions import ABNORMAL, ERR_OTHER, RESPONSE, Function2007


class Form(Flag):
    """Forms of address that reach a meter."""

    OWN = auto()
    ABBREVIATED = auto()  # AA from the top downward, the rest as the meter's own
    ANY = auto()  # all AA
    BROADCAST = auto()  # all 99


class Why(StrEnum):
    """Why the meter keeps silent; the names of the counters."""

    REPLY_HEARD = "reply_heard"
    OTHER_ADDRESS = "other_address"
    ADDRESS_FORM = "address_form"
    DEFECT = "defect"
    UNKNOWN_FUNCTION = "unknown_function"


class Silence(msgspec.Struct, frozen=True, tag=True):
    """No answer, nothing executed."""

    why: Why


class AbnormalReply(msgspec.Struct, frozen=True, tag=True):
    """The answer is the abnormal reply `control` with `data` (ERR, or the two-octet error word of C3H)."""

    control: int
    data: bytes


class Accept(msgspec.Struct, frozen=True, tag=True):
    """The request goes on to the service; `is_silent`: it is executed without an answer, whatever happens."""

    function: Function2007
    is_silent: bool = False


Decision = Silence | AbnormalReply | Accept


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the meter that concern legality.

    Attributes:
        accept_broadcast_reads: 11H and 12H to 99..99 are answered with the real address, as some old meters do.
        accept_single_address_time_sync: 08H to the meter's own address is obeyed and answered.
        unknown_function: "exception" or "silent".
    """

    accept_broadcast_reads: bool = False
    accept_single_address_time_sync: bool = False
    unknown_function: str = "exception"

    def __post_init__(self) -> None:
        if self.unknown_function not in ("exception", "silent"):
            raise ValueError(f"unknown_function {self.unknown_function!r}: allowed are 'exception' and 'silent'")


class Rule(msgspec.Struct, frozen=True):
    """What one function accepts.

    Attributes:
        forms: address forms; any other form is met with silence.
        lengths: data octets L that are possible.
        fits: a further test of the data field for lengths that depend on it, or None.
        never_abnormal: a defect is met with silence.
    """

    forms: Form
    lengths: range | frozenset[int]
    fits: Callable[[bytes], bool] | None = None
    never_abnormal: bool = False


_LOAD_RECORD = 0x06  # DI3
_PA_ENCRYPTED = 0x98
_AUTHENTICATION_OCTETS = {
    0x070000FF: 32, 0x070001FF: 14, 0x070002FF: 8, 0x07000201: 8, 0x070101FF: 30, 0x070102FF: 30, 0x070201FF: 48,
    0x070202FF: 48, 0x070203FF: 48, 0x070204FF: 48, 0x078001FF: 16, 0x078102FF: 8, 0x07810201: 8,
}  # fmt: skip


def _read_fits(data: bytes) -> bool:
    """11H: the DI alone; load records also with a count (DI0 = 00 and 02), or a count and a time (DI0 = 01)."""
    return len(data) == 4 or (data[3] == _LOAD_RECORD and data[0] in ((0, 2) if len(data) == 5 else (1,)))


def _relay_fits(data: bytes) -> bool:
    """1CH: the plain form has 16 octets, the encrypted one (PA = 98) more."""
    return len(data) == 16 or data[0] == _PA_ENCRYPTED


def _authentication_fits(data: bytes) -> bool:
    """03H: the length that goes with the identifier, as far as it is known."""
    return _AUTHENTICATION_OCTETS.get(int.from_bytes(data[:4], "little"), len(data)) == len(data)


_READS = Form.OWN | Form.ABBREVIATED | Form.ANY
_EVERY_LENGTH = range(256)

RULES: Final[dict[Function2007, Rule]] = {
    Function2007.AUTHENTICATE: Rule(Form.OWN, range(8, 256), _authentication_fits),
    Function2007.BROADCAST_TIME: Rule(Form.BROADCAST, frozenset({6}), never_abnormal=True),
    Function2007.READ: Rule(_READS, frozenset({4, 5, 10}), _read_fits),
    Function2007.READ_FOLLOW_UP: Rule(_READS, frozenset({5})),
    Function2007.READ_ADDRESS: Rule(Form.ANY | Form.OWN, _EVERY_LENGTH, never_abnormal=True),
    Function2007.WRITE: Rule(Form.OWN, range(13, 256)),
    Function2007.WRITE_ADDRESS: Rule(Form.ANY, frozenset({6}), never_abnormal=True),
    Function2007.FREEZE: Rule(Form.OWN | Form.BROADCAST, frozenset({4})),
    Function2007.CHANGE_RATE: Rule(Form.OWN, frozenset({1})),
    Function2007.CHANGE_PASSWORD: Rule(Form.OWN, frozenset({12})),
    Function2007.CLEAR_DEMAND: Rule(Form.OWN, frozenset({8})),
    Function2007.CLEAR_METER: Rule(Form.OWN, frozenset({8})),
    Function2007.CLEAR_EVENTS: Rule(Form.OWN, frozenset({12})),
    Function2007.RELAY: Rule(Form.OWN, range(16, 256), _relay_fits),
    Function2007.OUTPUT: Rule(Form.OWN | Form.BROADCAST, frozenset({1})),
}
"""What each function accepts, before options."""


def abnormal_reply(control: int, error: int) -> AbnormalReply:
    """The abnormal reply to a request with `control`: one ERR octet, for 03H the two-octet security error word."""
    width = 2 if control == Function2007.AUTHENTICATE else 1
    return AbnormalReply(control | RESPONSE | ABNORMAL, error.to_bytes(width, "little"))


# Lengths that say all: where a rule looks at the data too, only those where the data do not matter.
_USUAL_LENGTHS: Final = {
    int(function): (4,) if function is Function2007.READ else tuple(rule.lengths)
    for function, rule in RULES.items()
    if isinstance(rule.lengths, frozenset)
}

_REPLY_HEARD = Silence(Why.REPLY_HEARD)
_OTHER_ADDRESS = Silence(Why.OTHER_ADDRESS)
_ADDRESS_FORM = Silence(Why.ADDRESS_FORM)
_DEFECT = Silence(Why.DEFECT)
_UNKNOWN_FUNCTION = Silence(Why.UNKNOWN_FUNCTION)


class Legality:
    """Judges frames for one meter with its address and options. Make a new one when either changes."""

    __slots__ = ("_abnormal_unknown", "_address", "_options", "_rules", "_usual")

    def __init__(self, address: str, options: Options | None = None) -> None:
        if not (len(address) == 12 and address.isascii() and address.isdecimal()) or address == ADDRESS_BROADCAST:
            raise LocalProtocolError(f"meter address {address!r}: 12 decimal digits, not all 9")
        self._address, self._options = Station(address).address, options or Options()
        self._abnormal_unknown = self._options.unknown_function == "exception"
        self._rules: dict[int, Rule] = {int(function): rule for function, rule in RULES.items()}
        if self._options.accept_broadcast_reads:
            for function in (Function2007.READ, Function2007.READ_FOLLOW_UP):
                self._allow(function, Form.BROADCAST)
        if self._options.accept_single_address_time_sync:
            self._allow(Function2007.BROADCAST_TIME, Form.OWN)
        self._usual: dict[tuple[str, int, int], Decision] = {
            (text, function, size): self._by_rule(Function2007(function), rule, form, bytes(size))
            for function, rule in self._rules.items()
            for text, form in ((address, Form.OWN), (ADDRESS_ANY, Form.ANY), (ADDRESS_BROADCAST, Form.BROADCAST))
            for size in _USUAL_LENGTHS.get(function, ())
        }

    def judge(self, frame: Frame) -> Decision:
        """What to do with `frame`, whose sum and form are good. Never raises."""
        usual = self._usual.get((frame.address, frame.control, len(frame.data)))
        return usual if usual is not None else self._judge(frame)

    def _judge(self, frame: Frame) -> Decision:
        if frame.control & RESPONSE:
            return _REPLY_HEARD
        form = self._form(frame.address)
        if form is None:
            return _OTHER_ADDRESS
        rule = self._rules.get(frame.control)
        if rule is not None:
            return self._by_rule(Function2007(frame.control), rule, form, frame.data)
        if form is not Form.OWN:
            return _ADDRESS_FORM
        return abnormal_reply(frame.control, ERR_OTHER) if self._abnormal_unknown else _UNKNOWN_FUNCTION

    def _by_rule(self, function: Function2007, rule: Rule, form: Form, data: bytes) -> Decision:
        if form not in rule.forms:
            return _ADDRESS_FORM
        # A broadcast read, where it is allowed at all, is answered like any read: that is what the option is for.
        is_silent = form is Form.BROADCAST and not rule.forms & Form.ANY
        if len(data) in rule.lengths and (rule.fits is None or rule.fits(data)):
            return Accept(function, is_silent)
        return _DEFECT if is_silent or rule.never_abnormal else abnormal_reply(function, ERR_OTHER)

    def _form(self, address: str) -> Form | None:
        """How `address` reaches this meter, or None."""
        if address == self._address:
            return Form.OWN
        if address == ADDRESS_BROADCAST:
            return Form.BROADCAST
        if address == ADDRESS_ANY:
            return Form.ANY
        at = 0
        while address[at : at + 2] == "AA":
            at += 2
        return Form.ABBREVIATED if address[at:] == self._address[at:] else None

    def _allow(self, function: Function2007, form: Form) -> None:
        rule = self._rules[function]
        self._rules[function] = msgspec.structs.replace(rule, forms=rule.forms | form)
