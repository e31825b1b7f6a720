"""Error screens `Err-nn`: what each means, and which of them the meter's state calls for.

01 to 08 hold the display; 10 to 21 belong to a transaction and are shown once; 51 to 56 are alarms of events, which
come before the lists. Where makers differ, 07 is the metering chip and 08 the clock.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from wattwheel.model.display_state import DisplayState


class ErrorScreen(IntEnum):
    """The codes."""

    CONTROL_LOOP = 1
    SECURITY_ELEMENT = 2
    INITIALISATION = 3
    CLOCK_BATTERY_LOW = 4
    PROGRAM = 5
    MEMORY = 6
    METERING = 7
    CLOCK = 8
    AUTHENTICATION = 10
    SECURITY_CHECK = 11
    CUSTOMER_NUMBER = 12
    RECHARGE_COUNT = 13
    HOARDING = 14
    PARAMETER_CARD = 15
    KEY_UPDATE = 16
    PROGRAMMING_KEY = 17
    CARD_REMOVED = 18
    ADDRESS_CARD = 19
    KEY_CARD = 20
    ACCOUNT_OPEN_OR_VOLTAGE_LOW = 21
    OVERLOAD = 51
    CURRENT_IMBALANCE = 52
    OVER_VOLTAGE = 53
    POWER_FACTOR = 54
    DEMAND = 55
    DIRECTION = 56


ERROR_TITLES = {
    ErrorScreen.CONTROL_LOOP: "relay control loop",
    ErrorScreen.SECURITY_ELEMENT: "security element",
    ErrorScreen.INITIALISATION: "meter not initialised",
    ErrorScreen.CLOCK_BATTERY_LOW: "clock battery low",
    ErrorScreen.PROGRAM: "internal program error",
    ErrorScreen.MEMORY: "memory fault",
    ErrorScreen.METERING: "metering fault",
    ErrorScreen.CLOCK: "clock fault",
    ErrorScreen.AUTHENTICATION: "authentication failed",
    ErrorScreen.SECURITY_CHECK: "check of the security element failed",
    ErrorScreen.CUSTOMER_NUMBER: "another customer number",
    ErrorScreen.RECHARGE_COUNT: "wrong recharge count",
    ErrorScreen.HOARDING: "purchase above the hoarding limit",
    ErrorScreen.PARAMETER_CARD: "parameter card no longer valid",
    ErrorScreen.KEY_UPDATE: "key update failed",
    ErrorScreen.PROGRAMMING_KEY: "programming key not pressed",
    ErrorScreen.CARD_REMOVED: "card removed too early",
    ErrorScreen.ADDRESS_CARD: "address card exhausted",
    ErrorScreen.KEY_CARD: "key card exhausted",
    ErrorScreen.ACCOUNT_OPEN_OR_VOLTAGE_LOW: "account open already, or voltage too low",
    ErrorScreen.OVERLOAD: "overload",
    ErrorScreen.CURRENT_IMBALANCE: "severe current imbalance",
    ErrorScreen.OVER_VOLTAGE: "over-voltage",
    ErrorScreen.POWER_FACTOR: "power factor below its limit",
    ErrorScreen.DEMAND: "active demand above its limit",
    ErrorScreen.DIRECTION: "power flows backwards",
}
"""In words, for those who cannot see the screen."""


class Errors(NamedTuple):
    """The screens that the meter's state calls for: errors that hold the display, and alarms before the lists."""

    holding: tuple[ErrorScreen, ...] = ()
    alarms: tuple[ErrorScreen, ...] = ()


def errors_of(state: DisplayState) -> Errors:
    """The error screens of `state`, by code."""
    phases, faults = state.phases, state.faults
    holding = {
        ErrorScreen.CONTROL_LOOP: faults.control_loop,
        ErrorScreen.SECURITY_ELEMENT: faults.security_element,
        ErrorScreen.INITIALISATION: faults.not_initialised,
        ErrorScreen.CLOCK_BATTERY_LOW: state.clock_battery_low,
        ErrorScreen.PROGRAM: faults.program,
        ErrorScreen.MEMORY: faults.memory,
        ErrorScreen.METERING: faults.metering,
        ErrorScreen.CLOCK: faults.clock,
    }
    alarms = {
        ErrorScreen.OVERLOAD: any(phase.overload for phase in phases),
        ErrorScreen.CURRENT_IMBALANCE: state.severe_current_imbalance,
        ErrorScreen.OVER_VOLTAGE: any(phase.over_voltage for phase in phases),
        ErrorScreen.POWER_FACTOR: state.power_factor_low,
        ErrorScreen.DEMAND: state.demand_over_limit,
        ErrorScreen.DIRECTION: any(phase.is_reversed for phase in phases),
    }
    return Errors(
        tuple(code for code, is_on in holding.items() if is_on),
        tuple(code for code, is_on in alarms.items() if is_on),
    )
