"""Talking to a running meter through the control socket in its state folder.

One request and one reply, each one line of JSON: `{"ask": "status"}`, `{"ask": "display"}`,
`{"press": "up", "seconds": 0}`, `{"partition": "display", "mode": "COLD_START"}`. The kernel serves the socket; only
the owner of the folder can reach it. A reply with the key `refused` says why not.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import msgspec

from wattwheel.boot.settings import default_state_folder
from wattwheel.model.contacts import PLUG_CONTACTS
from wattwheel.model.display import Lcd
from wattwheel.model.errors import BadInput, NotAnswered, Refused
from wattwheel.model.fee_orders import allowed_instead
from wattwheel.sdk.buttons import NEVER_LET_GO_S

SOCKET_NAME = "control.sock"
REPLY_OCTETS_MAX = 1 << 20
REPLY_TIMEOUT_S = 5.0


def ask_status(state: str | None = None) -> dict[str, Any]:
    """The status document of the meter on the folder `state` (None: the default one). Raises NotAnswered."""
    return ask(state_folder(state), {"ask": "status"})


def press_button(state: str | None, button: str, held_s: float) -> None:
    """Press `button` (program, up, down, both) of the meter on `state`, so long. Raises NotAnswered or Refused.

    Infinity: it is stuck until it is pressed again.
    """
    how = {"stuck": True} if held_s == NEVER_LET_GO_S else {"seconds": held_s}
    ask(state_folder(state), {"press": button, **how})


def ask_display(state: str | None = None) -> Lcd:
    """What stands on the display of the meter on `state`. Raises NotAnswered; also when nothing has been shown yet."""
    folder = state_folder(state)
    shown = ask(folder, {"ask": "display"}).get("display")
    if shown is None:
        raise NotAnswered(f"{folder}: the display of this meter shows nothing yet; try again")
    return msgspec.convert(shown, Lcd)


def set_contact(state: str | None, contact: str, position: str) -> bool:
    """Let `contact` of the meter on `state` be in `position` (`model.contacts`). Raises NotAnswered or Refused.

    False: the meter is without supply, and the board has noted what has happened to the plug of its module.
    """
    from wattwheel.boot.unsupplied import move_unsupplied  # every other command speaks to a meter that runs

    folder = state_folder(state)
    try:
        ask(folder, {"contact": contact, "position": position})
    except NotAnswered:
        if contact in PLUG_CONTACTS and move_unsupplied(folder, position):
            return False
        raise
    return True


def hold_relay(state: str | None, is_held: bool) -> None:
    """Let the simulated relay of the meter on `state` stick where it stands, or set it free. NotAnswered, Refused."""
    ask(state_folder(state), {"relay_sticks": is_held})


def hold_clock(state: str | None, is_held: bool) -> None:
    """Let the clock that the time of the meter on `state` comes from stand still, or run. NotAnswered, Refused."""
    ask(state_folder(state), {"clock_stops": is_held})


def set_sensor(state: str | None, sensor: str, value: float) -> None:
    """Let `sensor` of the meter on `state` show `value`, in volts or degrees Celsius. Raises NotAnswered or Refused."""
    ask(state_folder(state), {"sensor": sensor, "value": value})


def set_partition_mode(state: str | None, partition: str, mode: str) -> None:
    """Let `partition` of the meter on `state` be IDLE, or start: COLD_START, WARM_START. NotAnswered, Refused."""
    ask(state_folder(state), {"partition": partition, "mode": mode})


def commission(state: str | None) -> bool:
    """End the factory mode of the meter on `state`, for good; whether it was in it. Raises NotAnswered or Refused."""
    return ask(state_folder(state), {"commission": True}).get("was_in_factory_mode") is True


def order_fee_control(state: str | None, words: str) -> None:
    """Let fee control of the meter on `state` carry out `words`, such as `recharge 50 1`.

    Raises BadInput for what is no order, NotAnswered, Refused.
    """
    if (allowed := allowed_instead(words)) is not None:
        raise BadInput(f"fee {words}: allowed: {allowed}")
    ask(state_folder(state), {"fee": words})


def ask(folder: Path, request: dict[str, object]) -> dict[str, Any]:
    """The meter's reply to `request`. Raises NotAnswered when none runs on `folder`, Refused when it says no."""
    line = msgspec.json.encode(request) + b"\n"
    try:
        octets = _exchange_again(folder, line) if "ask" in request else _exchange(folder, line)
    except TimeoutError:
        raise NotAnswered(f"{folder}: the meter did not answer within {REPLY_TIMEOUT_S:g} s") from None
    except PermissionError:
        raise BadInput(
            f"{folder}: no right to speak to the meter on this state folder; be the user who runs it"
        ) from None
    except (BlockingIOError, ConnectionResetError, BrokenPipeError):
        raise NotAnswered(f"{folder}: too many ask this meter at once, or it ended just now; try again") from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotAnswered(f"{folder}: no meter runs on this state folder; start one with: wattwheel run") from None
    try:
        reply = msgspec.json.decode(octets, type=dict[str, Any])
    except msgspec.DecodeError:
        raise NotAnswered(f"{folder}: the meter ended before it had answered") from None
    if "refused" in reply:
        raise Refused(1, str(reply["refused"]))
    return reply


def state_folder(state: str | None) -> Path:
    """The state folder that a command means: None for the default one. Raises BadInput for what is none."""
    folder = default_state_folder() if state is None else Path(state)
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"--state {state}: a file; allowed: the folder of a meter's state")
    return folder


def _exchange_again(folder: Path, request: bytes) -> bytes:
    """As `_exchange`, once more when the meter's kernel ended meanwhile: another one takes its place at the socket."""
    try:
        octets = _exchange(folder, request)
    except (ConnectionResetError, BrokenPipeError):
        octets = b""
    return octets or _exchange(folder, request)


def _exchange(folder: Path, request: bytes) -> bytes:
    # The name of a Unix socket is short (108 octets); going by the folder's descriptor allows any folder.
    place = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(REPLY_TIMEOUT_S)
            connection.connect(f"/proc/self/fd/{place}/{SOCKET_NAME}")
            connection.sendall(request)
            reply = b""
            while not reply.endswith(b"\n") and len(reply) < REPLY_OCTETS_MAX:
                part = connection.recv(65_536)
                if not part:
                    break
                reply += part
            return reply
    finally:
        os.close(place)
