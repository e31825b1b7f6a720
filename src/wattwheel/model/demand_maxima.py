"""Maxima of the demand: of the total, of each tariff and of each phase, with the minutes in which they were reached.

Pure. A maximum is a value in units of 0.1 W (var, VA) and a minute of the meter's local standard time since 2000, 0 for
none; as octets it is XX.XXXX and YYMMDDhhmm, the low octets first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from wattwheel.model.demand import QUADRANTS, VIEW_MAX, quadrant, signed_view
from wattwheel.model.demand_windows import ACTIVE, APPARENT, REACTIVE, DemandWindows
from wattwheel.model.energy_items import PHASE_BASES
from wattwheel.model.records import ELEMENTS
from wattwheel.model.tariff import TARIFFS_MAX

FORWARD, REVERSE, COMBINED, QUADRANT_I, FORWARD_APPARENT, REVERSE_APPARENT = 0, 1, 2, 4, 8, 9
"""Places of the quantities in a row, in the order of DI2; with combined reactive 2 and the other quadrants between."""

QUANTITIES = 10
CLEARED = (FORWARD, REVERSE, *range(QUADRANT_I, QUADRANT_I + QUADRANTS))
"""Quantities in the record of a demand clear, in its order."""

TOTAL_DI2 = 0x01
FAMILY_DI3 = 0x01
MAXIMUM_OCTETS, VALUE_OCTETS, TIME_OCTETS = 8, 3, 5
NOT_AVAILABLE = b"\xff" * MAXIMUM_OCTETS
MINUTES_MAX = 500_000_000
"""So many minutes before or after 2000 a maximum may lie; it is a bound on what is taken up, not on what is met."""

_SIGN = 0x80
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

Row = list[int]
"""The values of the quantities, then their minutes."""


def _no_row() -> Row:
    return [0] * (2 * QUANTITIES)


def _no_phases() -> list[Row]:
    return [_no_row() for _ in PHASE_BASES]


class Maxima(msgspec.Struct, array_like=True):
    """`rows`: total, then tariff 1, 2 ... as far as any had one; `phases`: a, b, c."""

    rows: list[Row] = msgspec.field(default_factory=lambda: [_no_row()])
    phases: list[Row] = msgspec.field(default_factory=_no_phases)

    def is_sound(self) -> bool:
        """Whether what was saved can be gone on with."""
        return (
            1 <= len(self.rows) <= 1 + TARIFFS_MAX
            and len(self.phases) == len(PHASE_BASES)
            and all(_is_row(row) for row in (*self.rows, *self.phases))
        )

    def row(self, tariff: int) -> Row:
        """The row of `tariff`, 0 for the total, to change."""
        while len(self.rows) <= tariff:
            self.rows.append(_no_row())
        return self.rows[tariff]

    def compare(self, windows: DemandWindows, minute: int, tariff: int, words: Sequence[int]) -> bool:
        """Take over each demand of a whole window that is greater than its maximum. True: there was one.

        `minute`: at which the windows end; `tariff`: the one in force until then; `words`: those of combined reactive
        1 and 2.
        """
        kept, views, has_changed = windows.kept, windows.views, False
        for element in range(len(ELEMENTS)):
            is_active = kept.active[element] >= kept.period_minutes
            is_reactive = kept.reactive[element] >= kept.period_minutes
            if not is_active and not is_reactive:
                continue
            is_reverse = kept.is_reverse[element]
            candidates: list[tuple[int, int]] = []
            if is_active and (views[APPARENT + element] or views[ACTIVE + element]):
                candidates = [
                    (FORWARD + is_reverse, views[ACTIVE + element]),
                    (FORWARD_APPARENT + is_reverse, views[APPARENT + element]),
                ]
            if is_reactive and (view := views[REACTIVE + element]):
                candidates += _reactive(view, quadrant(is_reverse, kept.is_negative[element]), words)
            if not candidates:
                continue
            if element:
                has_changed |= _raise(self.phases[element - 1], candidates, minute)
            else:
                has_changed |= _raise(self.rows[0], candidates, minute)
                if kept.tariff >= kept.period_minutes:
                    has_changed |= _raise(self.row(tariff), candidates, minute)
        return has_changed

    # -- octets as on the wire

    def octets(self, di2: int, tariff: int) -> bytes | None:
        """The maximum of the quantity DI2, of `tariff` or (0) in total; None where no meter has that."""
        if TOTAL_DI2 <= di2 < TOTAL_DI2 + QUANTITIES:
            place = di2 - TOTAL_DI2
            return maximum_octets(self.rows[tariff] if tariff < len(self.rows) else _no_row(), place)
        for row, base in zip(self.phases, PHASE_BASES.values(), strict=True):
            if base <= di2 < base + QUANTITIES and not tariff:
                return maximum_octets(row, di2 - base)
        return None

    def cleared(self) -> bytes:
        """What the record of a demand clear has of them: total, a, b, c."""
        return b"".join(maximum_octets(row, place) for row in (self.rows[0], *self.phases) for place in CLEARED)


NO_MAXIMA = Maxima()


def maximum_octets(row: Row, place: int) -> bytes:
    """XX.XXXX and YYMMDDhhmm of one quantity of a row."""
    value, minute = row[place], row[QUANTITIES + place]
    octets = bytearray(bytes.fromhex(f"{abs(value):0{2 * VALUE_OCTETS}d}")[::-1])
    if value < 0:
        octets[-1] |= _SIGN
    time = bytes.fromhex(f"{_EPOCH + timedelta(minutes=minute):%y%m%d%H%M}")[::-1] if minute else bytes(TIME_OCTETS)
    return bytes(octets) + time


def quantities() -> Iterator[tuple[int, bool]]:
    """DI2 of each quantity, and whether there is one of each tariff."""
    for place in range(QUANTITIES):
        yield TOTAL_DI2 + place, True
    for base in PHASE_BASES.values():
        for place in range(QUANTITIES):
            yield base + place, False


def _is_row(row: Row) -> bool:
    values, minutes = row[:QUANTITIES], row[QUANTITIES:]
    return (
        len(row) == 2 * QUANTITIES
        and all(abs(value) <= VIEW_MAX for value in values)
        and all(abs(minute) <= MINUTES_MAX for minute in minutes)
    )


def _reactive(view: int, own_quadrant: int, words: Sequence[int]) -> list[tuple[int, int]]:
    """The quadrant's demand, and what the words make of it: only one quadrant has any in a window."""
    found = [(QUADRANT_I + own_quadrant, view)]
    for place, word in enumerate(words, COMBINED):
        if bits := word >> 2 * own_quadrant & 3:
            found.append((place, signed_view(view, not bits & 1)))
    return found


def _raise(row: Row, candidates: Sequence[tuple[int, int]], minute: int) -> bool:
    has_changed = False
    for place, view in candidates:
        before = row[place]
        if (view if view >= 0 else -view) > (before if before >= 0 else -before):
            row[place], row[QUANTITIES + place] = view, minute
            has_changed = True
    return has_changed
