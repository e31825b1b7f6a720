"""What somebody does to the meter with his hands or his money: buttons, contacts, sensors, payments.

The operator's door brings a request; it becomes a message to the partition that it concerns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.model.board_sensors import SENSORS, allowed
from wattwheel.model.contacts import is_state
from wattwheel.model.private_items import CLOCK_DI, RELAY_DI, contact_di
from wattwheel.model.purchases import Refusal
from wattwheel.sdk.buttons import HELD_S, NEVER_LET_GO_S, PRESS_DI, press_data

FEE_REFUSALS = {
    Refusal.REPEATED: "this purchase is booked already",
    Refusal.COUNT_WRONG: "the purchase count must be one more than that of the last purchase",
    Refusal.HOARDING: "the wallet would hold more than it may",
}


def fee_refusal(words: str, reply: Message | None) -> dict[str, Any]:
    """Why a command of fee control was not carried out."""
    if reply is None:
        return {"refused": f"{words[:60]!r}: nobody answered"}
    why = FEE_REFUSALS.get(Refusal(reply.error), "not with this meter's [fee_control] mode, or an amount of nothing")
    return {"refused": f"{words[:60]!r}: {why}"}


class Deed(NamedTuple):
    """A message for the bus, what is answered when it was taken, and what when it was not.

    `told`: what is answered besides `done`, of the reply.
    """

    control: Control
    di: int
    data: bytes
    done: dict[str, Any]
    refusal: Callable[[Message | None], dict[str, Any]]
    told: Callable[[Message], dict[str, Any]] = lambda message: {}


def deed_of(request: dict[str, Any]) -> Deed | None:
    """The deed that `request` wants; None when it wants none."""
    button, contact, sensor, words = (request.get(name) for name in ("press", "contact", "sensor", "fee"))
    sticks, stops = request.get("relay_sticks"), request.get("clock_stops")
    if isinstance(button, str) and button in PRESS_DI:
        seconds = request.get("seconds")
        held_s = float(seconds) if isinstance(seconds, int | float) else HELD_S[bool(request.get("long"))]
        held_s = NEVER_LET_GO_S if request.get("stuck") is True else held_s
        nobody = partial(_nobody, f"button {button}")
        return Deed(Control.PRESS, PRESS_DI[button], press_data(button, held_s), {"pressed": button}, nobody)
    position = request.get("position")
    if isinstance(contact, str) and isinstance(position, str) and is_state(contact, position):
        data = f"{contact} {position}".encode()
        di = contact_di(contact)
        return Deed(Control.CONTACT, di, data, {"contact": contact}, partial(_nobody, f"contact {contact}"))
    if isinstance(sticks, bool):
        return Deed(Control.CONTACT, RELAY_DI, bytes((sticks,)), {"relay_sticks": sticks}, _no_relay)
    if isinstance(stops, bool):
        return Deed(Control.CONTACT, CLOCK_DI, bytes((stops,)), {"clock_stops": stops}, partial(_nobody, "clock"))
    if isinstance(sensor, str) and sensor in SENSORS:
        value = request.get("value")
        data = f"{sensor} {value if isinstance(value, int | float) else 'nothing'}".encode()
        return Deed(Control.SENSOR, 0, data, {"sensor": sensor}, partial(_sensor_refusal, sensor))
    if request.get("commission") is True:
        nobody = partial(_nobody, "commissioning")
        return Deed(Control.COMMISSION, 0, b"", {"commissioned": True}, nobody, _was_in_factory)
    if isinstance(words, str) and words.isascii():
        return Deed(Control.FEE, 0, words.encode(), {"done": words}, partial(fee_refusal, words))
    return None


def _nobody(who: str, reply: Message | None) -> dict[str, Any]:
    return {"refused": f"{who}: nobody took it"}


def _was_in_factory(reply: Message) -> dict[str, Any]:
    return {"was_in_factory_mode": reply.data == b"\x01"}


def _no_relay(reply: Message | None) -> dict[str, Any]:
    return {"refused": "relay: this meter has no simulated one; set [fee_control] mode"}


def _sensor_refusal(sensor: str, reply: Message | None) -> dict[str, Any]:
    if reply is None:
        return _nobody(f"sensor {sensor}", reply)
    return {"refused": f"sensor {sensor}: allowed: {allowed(sensor)}; or this meter has none ([board])"}


def do(deed: Deed, bus: BusPort | None, reply: Callable[[dict[str, Any]], None]) -> None:
    """Pass `deed` on, and answer once its owner has taken or refused it."""

    def replied(message: Message | None) -> None:
        if message is None or message.error:
            reply(deed.refusal(message))
        else:
            reply(deed.done | deed.told(message))

    if bus is None or not bus.ask(deed.control, deed.di, deed.data, replied):
        replied(None)
