"""Which screen is on the glass: time, keys, traffic, faults and supply in, screen out. Pure, for any clock.

With supply the display walks through the auto-cycle list by itself; a key enters the key-cycle list, whose screens stay
until the next key, and without keys for a minute it goes back. Errors hold the display, alarms stand before both lists.
Without supply the display is off; a key wakes it for one pass, or longer when keys follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, StrEnum
from typing import NamedTuple

from wattwheel.model.display_errors import Errors, ErrorScreen
from wattwheel.model.display_lists import DisplayParameters, Entry
from wattwheel.model.display_state import Supply

RETURN_S, RETURN_ON_BATTERY_S = 60.0, 30.0
"""After the last key: back to the auto cycle; without supply off."""

LIGHT_S = 60.0
"""After the last key or traffic, light off."""

CLOSE_HOLD_S, OUTPUT_HOLD_S = 3.0, 5.0
"""A key held so long closes the relay where that is allowed; steps the mode of the multi-function output."""

INFRARED_WAKES_S = 7 * 86_400.0
"""How long after the supply has gone infrared still wakes the display."""

INFRARED_LOOK_S = 3.0
"""How often a display without supply looks for infrared."""

STUCK_WAKE_UPS_MAX = 10
"""Wake-ups in a row by a key that was never let go; from then on it wakes no more."""

STEPS = {"down": 1, "up": -1}
"""Keys that walk through the key-cycle list."""


class Kind(Enum):
    """What stands on the glass."""

    DARK = "off"
    TEST = "every segment"
    VERSION = "software version"
    ITEM = "item"
    ERROR = "error"


class Action(StrEnum):
    """What a long press asks of the meter."""

    CLOSE_RELAY = "close relay"
    STEP_OUTPUT = "step output"


class Screen(NamedTuple):
    """One screen: `entry` of an ITEM, `error` of an ERROR; `place` in its list from 1; `is_key`: called by a key."""

    kind: Kind
    entry: Entry | None = None
    error: ErrorScreen | None = None
    place: int = 0
    is_key: bool = False


class Walk:
    """The walk of one display. Times are seconds of one clock that never goes back.

    Args:
        now: the moment of power-up, which begins with the full-screen test.
        parameters: lists and times.
        has_reading_battery: without one nothing wakes a display that has no supply.
    """

    def __init__(self, now: float, parameters: DisplayParameters, has_reading_battery: bool = True) -> None:
        self._parameters = parameters
        self._has_reading_battery = has_reading_battery
        self._errors = Errors()
        self._link()
        self._supply = Supply.MAINS
        self._supply_lost_at = now
        self._infrared_looked_at = -INFRARED_LOOK_S
        self._began = now  # of the auto cycle
        self._check_at: float | None = now
        self._key_at: float | None = None  # the last key
        self._light_at: float | None = None  # the last key or traffic
        self._woken_at: float | None = None
        self._place: int | None = None  # in the key cycle
        self._once: tuple[float, ErrorScreen] | None = None
        self._wake_ups = dict.fromkeys(STEPS, 0)

    # -- what comes in

    def take_parameters(self, now: float, parameters: DisplayParameters) -> None:
        """Walk by other lists and times from now on."""
        if parameters != self._parameters:
            if (parameters.auto, parameters.key) != (self._parameters.auto, self._parameters.key):
                self._began, self._place = now, None if self._place is None else 0
            self._parameters = parameters
            self._link()

    def take_errors(self, now: float, errors: Errors) -> None:
        """Show these errors and alarms from now on, as long as they last."""
        if errors != self._errors:
            self._errors, self._began = errors, now
            self._link()
            self._place = None if self._place is None else min(self._place, len(self._key_cycle) - 1)

    def take_supply(self, now: float, supply: Supply) -> None:
        """The meter is fed otherwise; the return of the supply is a power-up."""
        if supply is self._supply:
            return
        had_supply, self._supply = self._supply is not Supply.BATTERY, supply
        if supply is Supply.BATTERY:
            self._supply_lost_at = now
            self._place = self._key_at = self._light_at = self._woken_at = self._check_at = None
        elif not had_supply:
            self._began, self._check_at = now, now
            self._wake_ups = dict.fromkeys(STEPS, 0)

    def take_reading_battery(self, feeds: bool) -> None:
        """The battery that feeds a display without supply is there, or is gone or flat."""
        self._has_reading_battery = feeds
        if not feeds:
            self._woken_at = None

    def press(self, now: float, key: str, held_s: float = 0.0) -> Action | None:
        """A key was pressed and let go: `up`, `down`, or `both` of them. What a long press asks for, None for none."""
        self._wake_ups.update(dict.fromkeys(STEPS if key == "both" else {key} & STEPS.keys(), 0))  # it can be let go
        return self._pressed(now, key, held_s)

    def hold(self, now: float, key: str) -> None:
        """A display without supply has found `key` down; a key that is found so again and again is stuck."""
        if self._supply is not Supply.BATTERY or self._is_awake(now) or key not in self._wake_ups:
            return
        self._wake_ups[key] += 1
        if self._wake_ups[key] <= STUCK_WAKE_UPS_MAX:
            self._pressed(now, key, 0.0)

    def release(self, key: str) -> None:
        """`key` has been seen up: it is not stuck."""
        if key in self._wake_ups:
            self._wake_ups[key] = 0

    def traffic(self, now: float) -> None:
        """A frame has come: it turns the light on."""
        if self._supply is not Supply.BATTERY:
            self._light_at = now

    def infrared(self, now: float) -> None:
        """An infrared frame has come: as traffic; without supply it wakes the display, for a week."""
        if self._supply is not Supply.BATTERY:
            self.traffic(now)
        elif now - self._supply_lost_at < INFRARED_WAKES_S and now - self._infrared_looked_at >= INFRARED_LOOK_S:
            self._infrared_looked_at = now
            self._wake(now)

    def show_once(self, now: float, error: ErrorScreen) -> None:
        """Show the error of a transaction for the time of one screen."""
        self._once = (now, error)

    # -- what goes out

    def screen(self, now: float) -> Screen:
        """What stands on the glass at `now`."""
        if self._supply is Supply.BATTERY and not self._is_awake(now):
            return Screen(Kind.DARK)
        checked = self._check_screen(now)
        if checked is not None:
            return checked
        if self._once is not None and now - self._once[0] < self._parameters.screen_s:
            return Screen(Kind.ERROR, error=self._once[1])
        if self._is_key_cycle(now):
            assert self._place is not None
            return self._key_cycle[self._place % len(self._key_cycle)]._replace(is_key=True)
        if self._errors.holding:
            at = self._screens_since(now, self._began) % len(self._errors.holding)
            return Screen(Kind.ERROR, error=self._errors.holding[at])
        at = self._screens_since(now, self._auto_began(now)) % len(self._auto_cycle)
        return self._auto_cycle[at]

    def is_lit(self, now: float, is_light_allowed: bool = True) -> bool:
        """Whether the back light burns. `is_light_allowed`: not all voltages are below the critical one."""
        if not is_light_allowed:
            return False
        kind = self.screen(now).kind
        if kind is Kind.DARK:
            return False
        if kind is Kind.TEST or self._errors.holding:
            return True
        limit = RETURN_ON_BATTERY_S if self._supply is Supply.BATTERY else LIGHT_S
        return self._light_at is not None and now - self._light_at < limit

    # -- keys

    def _pressed(self, now: float, key: str, held_s: float) -> Action | None:
        if key != "both" and key not in STEPS:
            return None
        if self._supply is Supply.BATTERY and not self._is_awake(now):
            self._wake(now)
            return None
        was_key_cycle = self._is_key_cycle(now)
        self._light_at = self._key_at = now
        if held_s >= OUTPUT_HOLD_S:
            return Action.STEP_OUTPUT
        if held_s >= CLOSE_HOLD_S:
            return Action.CLOSE_RELAY
        if key == "both":
            self._check_at, self._place = now, None
            return None
        self._check_at = None  # whoever presses a key has seen enough
        length = len(self._key_cycle)
        if was_key_cycle and self._place is not None:
            self._place = (self._place + STEPS[key]) % length
        else:
            self._place = 0 if key == "down" else length - 1
        return None

    def _wake(self, now: float) -> None:
        if self._has_reading_battery:
            self._woken_at = self._light_at = now
            self._place = self._key_at = None

    def _is_awake(self, now: float) -> bool:
        """Without supply: for one pass of the auto cycle, and as long as keys follow one another."""
        if self._woken_at is None:
            return False
        if self._key_at is not None:
            return now - self._key_at < RETURN_ON_BATTERY_S
        one_pass = len(self._auto_cycle) * self._parameters.screen_s
        return now - self._woken_at < min(one_pass, RETURN_ON_BATTERY_S)

    def _is_key_cycle(self, now: float) -> bool:
        limit = RETURN_ON_BATTERY_S if self._supply is Supply.BATTERY else RETURN_S
        return self._place is not None and self._key_at is not None and now - self._key_at < limit

    # -- cycles

    def _check_screen(self, now: float) -> Screen | None:
        """The full-screen test and the version behind it; both keys and power-up begin it."""
        if self._check_at is None:
            return None
        since = now - self._check_at
        if since < self._parameters.test_s:
            return Screen(Kind.TEST)
        return Screen(Kind.VERSION) if since < self._parameters.test_s + self._parameters.screen_s else None

    def _auto_began(self, now: float) -> float:
        """When the walk that is on now began: after the check, after the last key, or on waking."""
        if self._supply is Supply.BATTERY and self._woken_at is not None:
            return self._woken_at
        began = self._began
        if self._key_at is not None and self._key_at + RETURN_S <= now and self._place is not None:
            began = max(began, self._key_at + RETURN_S)
        if self._check_at is not None:
            began = max(began, self._check_at + self._parameters.test_s + self._parameters.screen_s)
        if self._once is not None:
            began = max(began, self._once[0] + self._parameters.screen_s)
        return began

    def _screens_since(self, now: float, began: float) -> int:
        return max(0, int((now - began) // self._parameters.screen_s))

    def _link(self) -> None:
        """Put the cycles together."""
        self._auto_cycle, self._key_cycle = self._cycle(self._parameters.auto), self._cycle(self._parameters.key)

    def _cycle(self, entries: Sequence[Entry]) -> Sequence[Screen]:
        """Alarms first, then the list."""
        alarms = [Screen(Kind.ERROR, error=code) for code in self._errors.alarms]
        return [*alarms, *(Screen(Kind.ITEM, entry, place=at) for at, entry in enumerate(entries, 1))]
