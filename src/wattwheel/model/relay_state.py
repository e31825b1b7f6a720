"""The relay's durable state: the orders of both sources, the state that it should have, and what moves it.

Pure: times are seconds of the meter's local standard time since 2000. `model.relay` says what the orders mean together;
here orders come in, time passes, and the guards say when the relay may be driven.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import msgspec

from wattwheel.model.relay import LocalOrder, Orders, Output, RemoteOrder, output
from wattwheel.model.wallet_limits import Signal

REMIND_S = 1
"""How long a reminder keeps the relay open before closing is allowed."""

AUTO_RETURN_UNIT_S = 300
MISOPERATION_S = 5


class Code(IntEnum):
    """Orders of 1CH (N1)."""

    TRIP = 0x1A
    CLOSE_ALLOWED = 0x1B
    CLOSE = 0x1C
    TRIP_THEN_CLOSE = 0x1D
    TRIP_THEN_CLOSE_ALLOWED = 0x1E
    ALARM_ON = 0x2A
    ALARM_OFF = 0x2B
    PRESERVATION_ON = 0x3A
    PRESERVATION_OFF = 0x3B


TRIPS = (Code.TRIP, Code.TRIP_THEN_CLOSE, Code.TRIP_THEN_CLOSE_ALLOWED)
AUTO_RETURNS = (Code.TRIP_THEN_CLOSE, Code.TRIP_THEN_CLOSE_ALLOWED)
PERMITS = (Code.CLOSE_ALLOWED, Code.CLOSE)


class Relay(msgspec.Struct, frozen=True, array_like=True):
    """Everything about the relay that outlives a restart.

    Attributes:
        remote: the head-end's last order of the kind that opens or closes.
        due: when that order's delay, or its automatic return, is over.
        remote_alarm, is_preserved: its other orders.
        local: the meter's own order; `local_due`: when its reminder is over.
        local_alarm: "please buy".
        newest: number of the last order of either source that closes; `remote_number`, `local_number`: of each.
        is_open: the state that the relay should have now.
        guarded_since: from when on a large current has postponed a trip; None: none has.
        operator: who gave the last remote order.
    """

    remote: Code = Code.CLOSE
    due: int = 0
    remote_alarm: bool = False
    is_preserved: bool = False
    local: LocalOrder = LocalOrder.CLOSE
    local_due: int = 0
    local_alarm: bool = False
    newest: int = 0
    remote_number: int = 0
    local_number: int = 0
    is_open: bool = False
    guarded_since: int | None = None
    operator: bytes = bytes(4)

    @property
    def is_alarming(self) -> bool:
        """Either source wants the alarm."""
        return self.remote_alarm or self.local_alarm


class Guards(NamedTuple):
    """What holds the relay back.

    Attributes:
        is_voltage_low: the relay cannot be driven.
        is_current_large: a built-in relay should not open now.
        guard_s: how long a large current may postpone a trip.
        is_external_switch: the relay is a switch outside the meter.
    """

    is_voltage_low: bool = False
    is_current_large: bool = False
    guard_s: int = 0
    is_external_switch: bool = False


def ordered(relay: Relay, code: Code, now: int, trip_delay_s: int, units: int, operator: bytes) -> Relay | None:
    """The state after a remote order at `now`; None: it is refused.

    `units`: of an automatic return, in 5 min. Trips are refused while the supply is preserved, an automatic return also
    when it has no duration or the relay is tripped already.
    """
    change = msgspec.structs.replace
    if code is Code.ALARM_ON or code is Code.ALARM_OFF:
        return change(relay, remote_alarm=code is Code.ALARM_ON)
    if code is Code.PRESERVATION_OFF:
        return change(relay, is_preserved=False)
    if code is Code.PRESERVATION_ON:
        kept = change(relay, is_preserved=True, operator=operator)
        return _permitted(kept, Code.CLOSE_ALLOWED) if relay.remote in TRIPS else kept
    if code in PERMITS:
        return _permitted(change(relay, operator=operator), code)
    if relay.is_preserved or (code in AUTO_RETURNS and (not units or relay.is_open or relay.remote is Code.TRIP)):
        return None
    if code is Code.TRIP and relay.remote is Code.TRIP:  # repeated: the delay goes on
        return change(relay, operator=operator)
    after_s = trip_delay_s if code is Code.TRIP else units * AUTO_RETURN_UNIT_S
    return change(relay, remote=code, due=now + after_s, operator=operator)


def _permitted(relay: Relay, code: Code) -> Relay:
    number = relay.newest + 1
    return msgspec.structs.replace(relay, remote=code, due=0, newest=number, remote_number=number)


def told(relay: Relay, signal: Signal, now: int) -> Relay:
    """The state after a signal of the meter's own money."""
    change = msgspec.structs.replace
    if signal is Signal.ALARM_ON or signal is Signal.ALARM_OFF:
        return change(relay, local_alarm=signal is Signal.ALARM_ON)
    if signal is Signal.TRIP:
        return change(relay, local=LocalOrder.TRIP)
    if signal is Signal.REMIND:
        return change(relay, local=LocalOrder.PRE_TRIP, local_due=now + REMIND_S)
    if signal is Signal.CLOSE_ALLOWED and relay.local is LocalOrder.CLOSE:  # nothing of its own is open
        return relay
    return _own(relay, LocalOrder.CLOSE if signal is Signal.CLOSE else LocalOrder.CLOSE_ALLOWED)


def left_to_remote(relay: Relay) -> Relay:
    """The state in a meter that takes remote orders alone: a trip of its own, which nobody would withdraw, permits
    closing, to the user or by the next order; its alarm is off."""
    relay = msgspec.structs.replace(relay, local_alarm=False)
    return _own(relay, LocalOrder.CLOSE_ALLOWED) if relay.local in (LocalOrder.TRIP, LocalOrder.PRE_TRIP) else relay


def _own(relay: Relay, order: LocalOrder) -> Relay:
    number = relay.newest + 1
    return msgspec.structs.replace(relay, local=order, newest=number, local_number=number)


def aged(relay: Relay, now: int) -> Relay:
    """The state at `now`: reminders and automatic returns that are over have become permits."""
    if relay.local is LocalOrder.PRE_TRIP and now >= relay.local_due:
        relay = _own(relay, LocalOrder.CLOSE_ALLOWED)
    if relay.remote in AUTO_RETURNS and now >= relay.due:
        over = Code.CLOSE if relay.remote is Code.TRIP_THEN_CLOSE else Code.CLOSE_ALLOWED
        relay = _permitted(relay, over)
    return relay


def wanted(relay: Relay, now: int, is_external_switch: bool = False) -> Output:
    """What both sources want at `now`."""
    if relay.remote is Code.TRIP:
        remote = RemoteOrder.TRIP if now >= relay.due else RemoteOrder.TRIP_DELAYED
    elif relay.remote in AUTO_RETURNS:
        remote = RemoteOrder.AUTO_RETURN
    else:
        remote = RemoteOrder.CLOSE if relay.remote is Code.CLOSE else RemoteOrder.CLOSE_ALLOWED
    is_local_newer = relay.local_number > relay.remote_number
    return output(Orders(relay.local, remote, is_local_newer, relay.is_preserved, is_external_switch))


def driven(relay: Relay, now: int, guards: Guards, has_key: bool = False, is_power_up: bool = False) -> Relay:
    """The state after the relay has been driven at `now` as far as the guards allow; `has_key`: held long enough.

    At power-up a built-in relay that may only close by a key is opened first, so that the user closes it.
    """
    relay = aged(relay, now)
    wish = wanted(relay, now, guards.is_external_switch)
    is_left_to_user = is_power_up and wish is Output.CONDITIONAL and not guards.is_external_switch
    opens = (wish is Output.TRIP or is_left_to_user) and not relay.is_open
    closes = relay.is_open and (wish is Output.CLOSE or (wish is Output.CONDITIONAL and has_key))
    since = relay.guarded_since
    if opens and guards.is_current_large and not guards.is_external_switch:
        since = now if since is None else since
        opens = now - since >= guards.guard_s
    else:
        since = None
    if guards.is_voltage_low:
        opens = closes = False
    is_open = (relay.is_open or opens) and not closes
    return msgspec.structs.replace(relay, is_open=is_open, guarded_since=None if opens else since)


def is_pending(relay: Relay, now: int, is_external_switch: bool = False) -> bool:
    """A trip is on its way: its delay runs, or a guard holds it back."""
    wish = wanted(relay, now, is_external_switch)
    is_delayed = relay.remote is Code.TRIP and now < relay.due and not relay.is_preserved
    return not relay.is_open and (is_delayed or wish is Output.TRIP)


def next_due(relay: Relay, now: int, guards: Guards) -> int | None:
    """When time alone moves it next; None: never."""
    times = [relay.local_due] if relay.local is LocalOrder.PRE_TRIP else []
    if relay.remote in TRIPS and relay.due > now:
        times.append(relay.due)
    if relay.guarded_since is not None:
        times.append(relay.guarded_since + guards.guard_s)
    return min(times, default=None)


def moved(relay: Relay, seconds: int) -> Relay:
    """The state after the clock was set forward by `seconds`: what was to last still lasts as long."""
    since = relay.guarded_since
    return msgspec.structs.replace(
        relay,
        due=relay.due + seconds,
        local_due=relay.local_due + seconds,
        guarded_since=None if since is None else since + seconds,
    )
