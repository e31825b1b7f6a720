"""The relay: two sources of orders, one output (DL/T 645-2007 control code 1CH, local fee control).

Pure: the state of both orders in, what the relay does out.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class LocalOrder(StrEnum):
    """What the meter's own money wants. A pre-trip whose window is over has become CLOSE_ALLOWED."""

    CLOSE = "close"
    CLOSE_ALLOWED = "close-allowed"
    PRE_TRIP = "pre-trip-window"
    TRIP = "trip"


class RemoteOrder(StrEnum):
    """What the head-end wants. An automatic return that has run out has become CLOSE or CLOSE_ALLOWED."""

    CLOSE = "close"
    CLOSE_ALLOWED = "close-allowed"
    TRIP_DELAYED = "trip-delay-running"
    TRIP = "trip-due"
    AUTO_RETURN = "auto-running"


class Output(StrEnum):
    """What the relay does. CONDITIONAL: it closes when the user holds a key or inserts a card."""

    CLOSE = "CLOSE"
    CONDITIONAL = "CONDITIONAL"
    TRIP = "TRIP"
    NO_CHANGE = "NO-CHANGE"


class Orders(NamedTuple):
    """Everything the output depends on. `is_local_newer`: of the two last orders of the kind that closes."""

    local: LocalOrder
    remote: RemoteOrder
    is_local_newer: bool
    is_preserved: bool = False
    is_external_switch: bool = False


def output(orders: Orders) -> Output:
    """The output for `orders`."""
    local, remote = orders.local, orders.remote
    if orders.is_preserved:
        both_close = local is LocalOrder.CLOSE and remote is RemoteOrder.CLOSE
        return Output.CLOSE if orders.is_external_switch or both_close else Output.CONDITIONAL
    if local in (LocalOrder.TRIP, LocalOrder.PRE_TRIP) or remote in (RemoteOrder.TRIP, RemoteOrder.AUTO_RETURN):
        return Output.TRIP
    if remote is RemoteOrder.TRIP_DELAYED:
        return Output.NO_CHANGE
    if local is LocalOrder.CLOSE and remote is RemoteOrder.CLOSE:
        return Output.CLOSE
    if local is LocalOrder.CLOSE:
        return Output.CLOSE if orders.is_local_newer else Output.CONDITIONAL
    if remote is RemoteOrder.CLOSE:
        return Output.CONDITIONAL if orders.is_local_newer else Output.CLOSE
    return Output.CONDITIONAL
