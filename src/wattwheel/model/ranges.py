"""Ranges of identifiers as rules: one row of the register table stands for many concrete data items.

A row's `range` column reads, for example, `DI1=01-3F tariff, DI0=00-0C settlement block`: the octet DI1 counts tariffs
1 to 63, DI0 counts settlement periods back, and DI0 = FF asks for the block over all of them. In 1997 rows `DI0L` is
the low nibble of DI0. The row itself stands at one point of its range; the rules here derive the others, names too.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

PLACES = {"DI0": (0, 0xFF), "DI1": (8, 0xFF), "DI0L": (0, 0xF)}
"""Where a range lies: shift and mask. All ones in the mask's width is the block."""

RANGE_TEXTS_CACHED_MAX = 64
"""Parsed `range` columns kept; the tables hold some twenty different ones."""

_WORDS: dict[str, tuple[str, str]] = {
    # kind -> what stands for number 1 in the English title and in the Chinese name
    "tariff": ("tariff 1", "费率1"),
    "harmonic": ("harmonic 1", "1次"),
    "day_table": ("day table 1", "第1日"),
    "holiday": ("holiday 1", "第1公共"),
    "screen": ("screen 1", "第1屏"),
    "step": ("step 1", "阶梯1"),
    "zone": ("zone 1", "1时区"),
    "period": ("period 1", "第1时段"),
    "record": ("", "(上1次)"),
}
_PERIODS = {
    # kind -> English words, what stands for the running period in the Chinese name, Chinese unit
    "settlement": ("settlement period", "当前", "结算日"),
    "month": ("month", "本月", "月"),
}
_PERIOD_NAME = re.compile(r"(.+?)_(settlement|month)_(\d{1,2}|block)")
_TARIFF_NAME = re.compile(r"(.+_tariff)_(\d{1,2})(_.+)?")
_LAST_NUMBER = re.compile(r"(.+)_(\d{1,3})")


class Range(msgspec.Struct, frozen=True):
    """One ranged octet (or nibble) of an identifier.

    Attributes:
        shift: of the octet within the identifier, in bits.
        mask: FF for an octet, F for a nibble.
        first: lowest number that exists.
        last: highest number that exists.
        kind: what is counted: tariff, settlement, month, record, harmonic, ...
        block: True when all ones ask for all numbers in one item.
    """

    shift: int
    mask: int
    first: int
    last: int
    kind: str
    block: bool = False

    def number(self, di: int) -> int:
        """What stands in `di` at this place."""
        return (di >> self.shift) & self.mask

    def replaced(self, di: int, number: int) -> int:
        """`di` with `number` at this place."""
        return di & ~(self.mask << self.shift) | number << self.shift

    def holds(self, di: int) -> bool:
        """True when what stands in `di` at this place is a number of the range or its block mark."""
        number = self.number(di)
        return self.first <= number <= self.last or (self.block and number == self.mask)

    def numbers(self) -> list[int]:
        """All numbers, the block mark last when there is one."""
        return [*range(self.first, self.last + 1), *([self.mask] if self.block else [])]


class Members(msgspec.Struct, frozen=True):
    """The items of which a block is made: identifiers in equal steps, as many as the octets hold.

    Attributes:
        first: identifier of the first member.
        step: from one member's identifier to the next.
        most: members that can exist.
    """

    first: int
    step: int
    most: int

    def di(self, index: int) -> int:
        """Identifier of the member at `index` (0 is the first)."""
        return self.first + index * self.step


@lru_cache(maxsize=RANGE_TEXTS_CACHED_MAX)
def parse(text: str) -> tuple[Range, ...]:
    """The ranges of a row from its `range` column."""
    ranges = []
    for part in filter(None, text.split(", ")):
        place, _, rest = part.partition("=")
        numbers, kind, *block = rest.split(" ")
        first, last = (int(number, 16) for number in numbers.split("-"))
        ranges.append(Range(*PLACES[place], first, last, kind, block == ["block"]))
    return tuple(ranges)


def parse_members(text: str) -> tuple[Members | None, tuple[int, ...]]:
    """A block's members from its `members` column: `FIRST+STEP*MOST`, or identifiers one after another."""
    if "+" in text:
        first, _, rest = text.partition("+")
        step, _, most = rest.partition("*")
        return Members(int(first, 16), int(step, 16), int(most)), ()
    return None, tuple(int(di, 16) for di in text.split())


def numbered_name(name: str, kind: str, number: int) -> str:
    """The name of item `number` of a range, from that of its row."""
    if kind in _PERIODS:
        return f"{name}_{kind}_{number}" if number else name
    if kind == "count":
        return name if number == 1 else name.removesuffix("_count") + "_minutes"
    if kind == "tariff":
        return name.replace("_tariff_1", f"_tariff_{number}", 1)
    return f"{name.removesuffix('_1')}_{number}"


def block_name(name: str, kind: str) -> str:
    """The name of the block over a range, from that of its row."""
    if kind in _PERIODS:
        return f"{name}_{kind}_block"
    return name.removesuffix("_1").removesuffix("_tariff") + "_block"


def numbered_title(title: str, kind: str, number: int) -> str:
    """The English title of item `number` of a range, from that of its row."""
    if kind in _PERIODS:
        return f"{title.removeprefix('current ')}, {_PERIODS[kind][0]} {number} back" if number else title
    if kind == "count":
        return title if number == 1 else title.replace("count", "accumulated minutes")
    word = _WORDS[kind][0]
    if not word:
        return title if number == 1 else f"{title}, {number} back"
    return title.replace(word, f"{word[:-1]}{number}", 1)


def numbered_name_zh(name_zh: str, kind: str, number: int) -> str:
    """The Chinese name of item `number` of a range, from that of its row."""
    if kind in _PERIODS:
        _, now, unit = _PERIODS[kind]
        return name_zh.replace(f"({now})", f"(上{number}{unit})", 1) if number else name_zh
    if kind == "count":
        return name_zh if number == 1 else name_zh.replace("总次数", "总累计时间", 1)
    word = _WORDS[kind][1]
    return name_zh.replace(word, word.replace("1", str(number)), 1)


def candidates(name: str) -> list[tuple[str, dict[str, int]]]:
    """Row names that `name` may have been derived from, each with the numbers by kind ("" for whatever the row counts).

    A guess to be checked: whoever uses it derives the name again and compares.
    """
    found: list[tuple[str, dict[str, int]]] = []
    stems: list[tuple[str, dict[str, int]]] = [(name, {})]
    if period := _PERIOD_NAME.fullmatch(name):
        stem, kind, number = period.groups()
        stems.append((stem, {kind: -1 if number == "block" else int(number)}))
    for stem, numbers in stems:
        found.append((stem, numbers))
        if tariff := _TARIFF_NAME.fullmatch(stem):
            found.append((f"{tariff[1]}_1{tariff[3] or ''}", {**numbers, "tariff": int(tariff[2])}))
        if last := _LAST_NUMBER.fullmatch(stem):
            found.append((f"{last[1]}_1", {**numbers, "": int(last[2])}))
        if stem.endswith("_minutes"):
            found.append((stem.removesuffix("_minutes") + "_count", {**numbers, "": 2}))
        if stem.endswith("_block"):
            bare = stem.removesuffix("_block")
            found += [(f"{bare}{end}", {**numbers, "": -1}) for end in ("_1", "_tariff_1")]
    return found
