"""Pictures: how the standard prints a data item, parsed into codecs of its single fields.

A picture is a sum of terms, `XX.XXXX+YYMMDDhhmm`; a term may be repeated, `4*XXXXXX.XX`, or be repeated as often as the
octets allow, `(1+k)*XXXXXX.XX`. What stands between the signs is one *field*: a number, digits, a time, a text or a bit
word. Numbers and times travel least significant octet first.

A field codec has a `size` in octets, `decode` (None for what is no value: FF, a nibble beyond 9, an impossible time)
and `encode`, its exact inverse (None gives FF octets, "not available").
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from itertools import zip_longest
from typing import Protocol

from wattwheel.model.errors import ItemValueError
from wattwheel.model.item import Field

Plain = int | float | str | None
"""What one field decodes to."""

REPEATS_MAX = {"1+k": 64, "k": 63, "p": 14, "m": 14, "q*m": 2 * 8 * 14, "n": 254, "s": 13}
"""How often a term with such a count may come: tariffs, year zones, day periods, holidays, settlement periods."""

PICTURES_CACHED_MAX = 256
"""Parsed pictures kept; the two tables hold fewer than a hundred."""

VENDOR_OCTETS_MAX = 200
"""Most octets of a vendor-defined item: a read reply holds no more."""

_PAIR_MAX = {"YY": 99, "MM": 12, "DD": 31, "WW": 6, "hh": 23, "mm": 59, "ss": 59, "NN": 99}
_UNUSED = 99
_TIME = re.compile(r"(?:YY|MM|DD|WW|hh|mm|ss|NN)+")
_DIGITS = re.compile(r"([XN]+)(?:\.([XN]+))?")
_REPEATED = re.compile(r"(\d+|\(1\+k\)|q\*m|[knpms])\*(.+)")
_WIRE_ORDER = "wire"


class FieldCodec(Protocol):
    """One field of an item on the wire."""

    size: int
    signed: bool

    def decode(self, octets: bytes) -> Plain:
        """The value, None where the octets are none. `octets` has the right size."""

    def encode(self, value: object, where: str) -> bytes:
        """The octets of `value`; None is "not available". Raises ItemValueError naming `where`."""


class NumberField:
    """A packed BCD number with an implied point; the top bit may be the sign.

    Attributes:
        size: octets.
        decimals: digits behind the point: a value counts units of the last digit.
        signed: True when the top bit is the sign.
        least: lowest number in units of the last digit.
        most: highest number in units of the last digit.
    """

    def __init__(self, digits: int, decimals: int, signed: bool) -> None:
        self.size = (digits + 1) // 2
        self.decimals = decimals
        self.signed = signed
        self.most = (8 if signed else 10) * 10 ** (2 * self.size - 1) - 1 if digits % 2 == 0 else 10**digits - 1
        self.least = -self.most if signed else 0
        self._format = f"0{2 * self.size}d"
        self._sign = 1 << (8 * self.size - 1)

    def decode_int(self, octets: bytes) -> int | None:
        """The number in units of the last digit, None where the octets are no number."""
        sign = 1
        if self.signed and octets[-1] & 0x80:
            sign = -1
            octets = octets[:-1] + bytes((octets[-1] & 0x7F,))
        try:
            number = int(octets[::-1].hex())
        except ValueError:
            return None
        return sign * number if number <= self.most else None

    def encode_int(self, number: int, where: str) -> bytes:
        """The octets of `number`, in units of the last digit. Raises ItemValueError beyond the picture."""
        if not self.least <= number <= self.most:
            raise ItemValueError(where, self.scaled(number), self.allowed())
        if number >= 0:
            return bytes.fromhex(format(number, self._format))[::-1]
        return (int(str(-number), 16) | self._sign).to_bytes(self.size, "little")

    def decode(self, octets: bytes) -> int | float | None:
        """The number itself: an int without decimals, else a float with exactly the digits of the picture."""
        number = self.decode_int(octets)
        return None if number is None else self.scaled(number)

    def encode(self, value: object, where: str) -> bytes:
        """The octets of an int, float, Decimal or decimal text that has no more decimals than the picture."""
        if value is None:
            return b"\xff" * self.size
        try:
            units = Decimal(str(value)).scaleb(self.decimals)
            fits = self.least <= units <= self.most and not isinstance(value, bool)
        except ArithmeticError:
            fits = False
        if not fits or units != int(units):
            raise ItemValueError(where, value, self.allowed())
        return self.encode_int(int(units), where)

    def scaled(self, number: int) -> int | float:
        """`number` units of the last digit as the quantity itself."""
        return number / 10**self.decimals if self.decimals else number

    def allowed(self) -> str:
        """The limits in words."""
        step = Decimal(1).scaleb(-self.decimals)
        return f"{self.least * step} to {self.most * step} in steps of {step}, or None"


class DigitsField:
    """Packed BCD digits that are a name rather than a quantity: addresses and the like. A text of fixed length."""

    signed = False

    def __init__(self, size: int) -> None:
        self.size = size

    def decode(self, octets: bytes) -> str | None:
        """The digits, most significant first."""
        text = octets[::-1].hex()
        return text if text.isdecimal() else None

    def encode(self, value: object, where: str) -> bytes:
        """The octets of a text of exactly that many digits."""
        if value is None:
            return b"\xff" * self.size
        if not (isinstance(value, str) and len(value) == 2 * self.size and value.isascii() and value.isdecimal()):
            raise ItemValueError(where, value, f"a text of {2 * self.size} digits, or None")
        return bytes.fromhex(value)[::-1]


class WordField:
    """Octets without a number in them: bit words, identifiers, passwords. A text of hex digits; every octet is legal.

    `step` -1 prints the most significant octet first, 1 as the octets are sent.
    """

    signed = False

    def __init__(self, size: int, step: int) -> None:
        self.size = size
        self._step = step

    def decode(self, octets: bytes) -> str:
        """The hex digits, upper case."""
        return octets[:: self._step].hex().upper()

    def encode(self, value: object, where: str) -> bytes:
        """The octets of a text of exactly that many hex digits."""
        if value is None:
            return b"\xff" * self.size
        try:
            octets = bytes.fromhex(value) if isinstance(value, str) and len(value) == 2 * self.size else b""
        except ValueError:
            octets = b""
        if len(octets) != self.size:
            raise ItemValueError(where, value, f"a text of {2 * self.size} hex digits, or None")
        return octets[:: self._step]


class TimeField:
    """Pairs of BCD digits such as YYMMDDhhmm: a text in the order of the picture. Any pair may be 99, unused."""

    signed = False

    def __init__(self, picture: str) -> None:
        self.picture = picture
        self.size = len(picture) // 2
        pairs = [picture[at : at + 2] for at in range(0, len(picture), 2)]
        self._pair_max = tuple(_PAIR_MAX[pair] for pair in pairs)

    def decode(self, octets: bytes) -> str | None:
        """The digits in the order of the picture."""
        text = octets[::-1].hex()
        return text if self._is_time(text) else None

    def encode(self, value: object, where: str) -> bytes:
        """The octets of a text of digits in the order of the picture."""
        if value is None:
            return b"\xff" * self.size
        if not (isinstance(value, str) and len(value) == 2 * self.size and value.isascii() and self._is_time(value)):
            limits = ", ".join(
                f"{self.picture[2 * at : 2 * at + 2]} <= {most}" for at, most in enumerate(self._pair_max)
            )
            raise ItemValueError(where, value, f"digits as in {self.picture} with {limits} (or 99: unused), or None")
        return bytes.fromhex(value)[::-1]

    def _is_time(self, text: str) -> bool:
        if not text.isdecimal():
            return False
        return all(
            (pair := int(text[2 * at : 2 * at + 2])) <= most or pair == _UNUSED
            for at, most in enumerate(self._pair_max)
        )


class TextField:
    """ASCII text, sent last character first, padded with NUL at the end of the text."""

    signed = False

    def __init__(self, size: int) -> None:
        self.size = size

    def decode(self, octets: bytes) -> str | None:
        """The text without its padding, None unless printable."""
        text = octets[::-1].rstrip(b"\0")
        return text.decode("ascii") if _is_printable(text) else None

    def encode(self, value: object, where: str) -> bytes:
        """The octets of a printable ASCII text that fits."""
        if value is None:
            return b"\xff" * self.size
        text = value.encode("ascii", "replace") if isinstance(value, str) and value.isascii() else b"\xff"
        if len(text) > self.size or not _is_printable(text):
            raise ItemValueError(where, value, f"at most {self.size} printable ASCII characters, or None")
        return text.ljust(self.size, b"\0")[::-1]


def _is_printable(text: bytes) -> bool:
    return all(0x20 <= character < 0x7F for character in text)


class Picture:
    """A parsed picture: fields that always come, then a group of fields that is repeated.

    Attributes:
        head: the fields that always come, in wire order.
        group: the repeated fields, empty when nothing is repeated.
        repeats_max: how often the group may come at most (at least once, unless fields stand before it).
        counts_from_total: True for `(1+k)`: the first of the group is a total.
        head_size: octets of `head`.
        group_size: octets of one `group`.
    """

    def __init__(self, head: tuple[FieldCodec, ...], group: tuple[FieldCodec, ...], count: str) -> None:
        self.head, self.group = head, group
        self.repeats_max = REPEATS_MAX[count] if count else 0
        self.repeats_min = 0 if head or not count else 1
        self.counts_from_total = count == "1+k"
        self.head_size = sum(field.size for field in head)
        self.group_size = sum(field.size for field in group)

    @property
    def octets(self) -> int | None:
        """Width on the wire, None where it varies."""
        return None if self.group else self.head_size

    def repeats(self, octets: int, most: int, where: str) -> int:
        """How often the group comes in so many octets. Raises ItemValueError when they do not fit the picture."""
        count, rest = divmod(octets - self.head_size, self.group_size) if self.group else (0, octets - self.head_size)
        if rest or not self.repeats_min <= count <= most:
            raise ItemValueError(where, f"{octets} octets", self.allowed_octets(most))
        return count

    def allowed_octets(self, most: int) -> str:
        """The legal widths in words."""
        if not self.group:
            return f"{self.head_size} octets"
        return f"{self.head_size} + {self.group_size} octets for each of {self.repeats_min} to {most} entries"


@lru_cache(maxsize=PICTURES_CACHED_MAX)
def parse(picture: str, signed: bool = False, kind: str = "", layout: tuple[Field, ...] = ()) -> Picture:
    """The codec of `picture`; `signed` and `kind` are the item's, and those of `layout` its fields' own, in wire order.

    Raises ValueError for a picture that this grammar does not know: a mistake in the table, never in the input.
    """
    head: list[str] = []
    group: tuple[str, ...] = ()
    count = ""
    for term in _terms(picture.removesuffix(" (both sets)")):
        repeated = _REPEATED.fullmatch(term)
        if group:
            raise ValueError(f"picture {picture!r}: nothing may follow a term of unknown count")
        if repeated is None:
            head.append(term)
            continue
        inner = tuple(_terms(repeated[2].removeprefix("(").removesuffix(")")))
        if repeated[1].isdigit():
            head += inner * int(repeated[1])
        else:
            group, count = inner, repeated[1].strip("()")
    fields = [
        field(term, signed or (own is not None and own.signed), kind or (own.kind if own is not None else ""))
        for term, own in zip_longest((*head, *group), layout[: len(head) + len(group)])
    ]
    return Picture(tuple(fields[: len(head)]), tuple(fields[len(head) :]), count)


def field(term: str, signed: bool, kind: str) -> FieldCodec:
    """The codec of a single field."""
    if term == "C0C1C2C3":
        return WordField(4, 1)
    if bits := re.fullmatch(r"(\d+) bytes bit field", term):
        return WordField(int(bits[1]), -1)
    if text := re.fullmatch(r"ASCII\[(\d+)\]", term):
        return TextField(int(text[1]))
    if digits := _DIGITS.fullmatch(term):
        whole, behind = len(digits[1]), len(digits[2] or "")
        size = (whole + behind + 1) // 2
        if kind == "digits":
            return DigitsField(size)
        if kind:
            return WordField(size, 1 if kind == _WIRE_ORDER else -1)
        return NumberField(whole + behind, behind, signed)
    if _TIME.fullmatch(term):
        return TimeField(term)
    raise ValueError(f"no such picture: {term!r}")


def _terms(picture: str) -> list[str]:
    """The terms of a sum; a plus sign inside brackets does not part them."""
    terms, depth = [""], 0
    for sign in picture:
        depth += (sign == "(") - (sign == ")")
        if sign == "+" and depth == 0:
            terms.append("")
        else:
            terms[-1] += sign
    return terms
