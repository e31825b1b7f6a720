"""The windows in which demand is found: what the last minutes had of energy, and which of them count for whom.

Pure. All windows look at the same minutes and differ only in how many of them have passed since their last restart:
active (with apparent) and reactive power of the total and of each phase, and those of the tariff in force. A window
restarts at a change of direction, so all that it holds has one direction, and magnitudes can be added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from operator import add, sub

import msgspec

from wattwheel.model.demand import Method, are_allowed, demand_views, signed_view
from wattwheel.model.records import ELEMENTS, REGISTER_COUNT, REGISTERS, widened
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.tariff import TARIFFS_MAX

LATE_S_MAX = 5
"""A turn of a minute that was seen by so much earlier or later than a minute after the one before is still its turn;
otherwise a minute was missed. It bounds the error of a window of 15 minutes to 0.6 %."""

PUNCTUAL_S_MAX = 1
"""What restarts later in a minute leaves that minute out."""

ACTIVE, REACTIVE, APPARENT = 0, len(ELEMENTS), 2 * len(ELEMENTS)
"""Where the columns of each begin: total, a, b, c."""

COLUMNS = 3 * len(ELEMENTS)
COLUMNS_BEFORE = 2 * len(ELEMENTS)
"""Those of a version that kept no apparent energy."""

_NS_A_S = 1_000_000_000

_SAVED_NS_MASK = (1 << 63) - 1
"""What is saved of an instant: at a hundred thousand times the speed the meter's own time outgrows 64 bits."""


class TurnSeen(msgspec.Struct, frozen=True, array_like=True):
    """What was seen at the last turn of a minute, or at a restart: an image without what is of no use here."""

    second: int
    elements: tuple[int, ...]
    tariff: int
    clock_changes: int
    meter_clears: int
    at_ns: int

    def is_sound(self) -> bool:
        """Whether what was saved can be gone on with."""
        return len(widened(self.elements)) == REGISTER_COUNT and 1 <= self.tariff <= TARIFFS_MAX

    def is_followed_by(self, image: RegisterImage) -> bool:
        """Whether `image` is that of the next turn of a minute: none was missed, and no clock was moved in between."""
        seconds = image.second - self.second
        if image.minute != self.second // 60 + 1 or abs(seconds - 60) > LATE_S_MAX:
            return False
        if image.meter_clears != self.meter_clears:
            return False
        if not (image.at_ns and self.at_ns):
            return True
        interval_ns = (image.at_ns - self.at_ns) & _SAVED_NS_MASK
        return abs(interval_ns - seconds * _NS_A_S) <= LATE_S_MAX * _NS_A_S


def turn_seen(image: RegisterImage) -> TurnSeen:
    """What of `image` counts."""
    at_ns = image.at_ns & _SAVED_NS_MASK
    return TurnSeen(image.second, image.elements, image.tariff, image.clock_changes, image.meter_clears, at_ns)


class Windows(msgspec.Struct, array_like=True):
    """What is kept of the windows.

    Attributes:
        period_minutes, slip_minutes: the method.
        seen: the last turn; None: there was none.
        minutes: the newest last, at most `period_minutes`: magnitudes of active, of reactive, then of apparent energy
            of each element, in microjoule.
        active, reactive: by element, whole minutes since the last restart; -1: one still has to begin.
        tariff: the same of the tariff in force.
        is_reverse, is_negative: by element, the direction of active and of reactive power.
        demand: what is shown as the demand now, active, reactive, apparent, in units of 0.1 W with sign.
    """

    period_minutes: int = 15
    slip_minutes: int = 1
    seen: TurnSeen | None = None
    minutes: list[tuple[int, ...]] = []
    active: list[int] = msgspec.field(default_factory=lambda: [-1] * len(ELEMENTS))
    reactive: list[int] = msgspec.field(default_factory=lambda: [-1] * len(ELEMENTS))
    tariff: int = -1
    is_reverse: list[bool] = msgspec.field(default_factory=lambda: [False] * len(ELEMENTS))
    is_negative: list[bool] = msgspec.field(default_factory=lambda: [False] * len(ELEMENTS))
    demand: list[int] = msgspec.field(default_factory=lambda: [0] * 3)

    @property
    def method(self) -> Method:
        """Period and slip."""
        return Method(self.period_minutes, self.slip_minutes)

    def is_sound(self) -> bool:
        """Whether what was saved can be gone on with."""
        lists = (self.active, self.reactive, self.is_reverse, self.is_negative)
        longest = max(*self.active, *self.reactive, self.tariff, 0)
        return (
            all(len(each) == len(ELEMENTS) for each in lists)
            and all(len(minute) in (COLUMNS, COLUMNS_BEFORE) for minute in self.minutes)
            and min(longest, self.period_minutes) <= len(self.minutes) <= self.period_minutes
            and len(self.demand) == 3
            and are_allowed(*self.method)
            and (self.seen is None or self.seen.is_sound())
        )


def restarted(method: Method, image: RegisterImage, before: Windows) -> Windows:
    """All windows after a restart at `image`: no demand before a whole period of whole minutes."""
    count = _count(image)
    return Windows(
        *method,
        turn_seen(image),
        [],
        [count] * len(ELEMENTS),
        [count] * len(ELEMENTS),
        count,
        before.is_reverse,
        before.is_negative,
    )


def _count(image: RegisterImage) -> int:
    return -1 if image.second % 60 > PUNCTUAL_S_MAX else 0


class DemandWindows:
    """The windows at work.

    Attributes:
        kept: see there; changed by each call.
        views: mean of the last period, in units of 0.1 W, by column; of use only to windows that are whole.
    """

    def __init__(self, kept: Windows) -> None:
        """`kept` may come from a version that kept no apparent energy."""
        self.kept = kept
        self.views: list[int] = [0] * COLUMNS
        kept.minutes = [_with_apparent(minute) for minute in kept.minutes]
        if kept.seen is not None:
            kept.seen = msgspec.structs.replace(kept.seen, elements=widened(kept.seen.elements))
        self._sums = [sum(column) for column in zip(*kept.minutes, strict=True)] or [0] * COLUMNS

    def restart_tariff(self, image: RegisterImage) -> None:
        """Restart those of the tariff: another one is in force from `image` on."""
        self.kept.tariff = _count(image)

    def pass_minute(self, image: RegisterImage) -> bool:
        """Book the minute that ends with `image`, which follows the turn seen last. True: demands are due."""
        kept, seen = self.kept, self.kept.seen
        assert seen is not None
        kept.seen = turn_seen(image)
        if kept.active[0] < 0:  # what ends here did not begin with a turn
            kept.active, kept.reactive, kept.tariff = [0] * len(ELEMENTS), [0] * len(ELEMENTS), 0
            return False
        self._book(list(map(sub, image.elements, seen.elements)))
        if image.minute % kept.slip_minutes:
            return False
        self._find_demand()
        return True

    def _book(self, energies: Sequence[int]) -> None:
        kept, period = self.kept, self.kept.period_minutes
        minute = [0] * COLUMNS
        for element in range(len(ELEMENTS)):
            at = element * len(REGISTERS)
            forward, reverse, q1, q2, q3, q4, forward_apparent, reverse_apparent = energies[at : at + len(REGISTERS)]
            minute[APPARENT + element] = forward_apparent + reverse_apparent  # it has no direction of its own
            longest = longest_reactive = period
            if net := forward - reverse:
                minute[ACTIVE + element] = abs(net)
                if (net < 0) != kept.is_reverse[element]:
                    kept.is_reverse[element] = net < 0
                    longest = longest_reactive = 0 if forward and reverse else 1
            positive, negative = q1 + q2, q3 + q4
            if net_reactive := positive - negative:
                minute[REACTIVE + element] = abs(net_reactive)
                if (net_reactive < 0) != kept.is_negative[element]:
                    kept.is_negative[element] = net_reactive < 0
                    longest_reactive = min(longest, 0 if positive and negative else 1)
            kept.active[element] = longest if kept.active[element] >= longest else kept.active[element] + 1
            kept.reactive[element] = (
                longest_reactive if kept.reactive[element] >= longest_reactive else kept.reactive[element] + 1
            )
        kept.tariff = period if kept.tariff >= period else kept.tariff + 1
        if kept.active[0] <= 1:
            kept.demand = [0, 0, 0]
        elif kept.reactive[0] <= 1:
            kept.demand = [kept.demand[0], 0, kept.demand[2]]
        self._append(tuple(minute))

    def _append(self, minute: tuple[int, ...]) -> None:
        kept = self.kept
        kept.minutes.append(minute)
        if len(kept.minutes) > kept.period_minutes:
            gone = kept.minutes.pop(0)
            self._sums = list(map(sub, map(add, self._sums, minute), gone))
        else:
            self._sums = list(map(add, self._sums, minute))

    def _find_demand(self) -> None:
        kept = self.kept
        period = kept.period_minutes
        self.views = demand_views(self._sums, period)
        counts = (kept.active[0], kept.reactive[0], kept.active[0])
        signs = (kept.is_reverse[0], kept.is_negative[0], kept.is_reverse[0])
        kept.demand = [
            signed_view(self.views[column] if count >= period else self._partial(column, count), is_negative)
            for column, count, is_negative in zip((ACTIVE, REACTIVE, APPARENT), counts, signs, strict=True)
        ]

    def _partial(self, column: int, count: int) -> int:
        """The demand so far of a window that is not whole: energy of its `count` minutes, over the whole period."""
        minutes = self.kept.minutes[-count:] if count > 0 else []
        return demand_views([sum(minute[column] for minute in minutes)], self.kept.period_minutes)[0]


def _with_apparent(minute: tuple[int, ...]) -> tuple[int, ...]:
    """`minute`; where a version without apparent energy has saved it, with what follows from active and reactive."""
    if len(minute) == COLUMNS:
        return minute
    total, *phases = (
        isqrt(active * active + reactive * reactive)
        for active, reactive in zip(minute[:REACTIVE], minute[REACTIVE:], strict=True)
    )
    return (*minute, max(total, sum(phases)), *phases)
