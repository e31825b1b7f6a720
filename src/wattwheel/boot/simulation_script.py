"""What happens in a simulation, and when: a TOML list of steps, checked whole before anything starts."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from wattwheel.model.board_sensors import SENSORS, value_of
from wattwheel.model.contacts import Contact, is_state
from wattwheel.model.contacts import allowed as states_of
from wattwheel.model.errors import BadInput, ConfigError
from wattwheel.model.fee_orders import allowed_instead
from wattwheel.protocols.dlt645.frame import WAKE_UP

SCRIPT_OCTETS_MAX = 1 << 20
STEPS_MAX = 10_000
ACTIONS = ("send", "press", "supply", "clock", "sensor", "contact", "fee")
BUTTONS = ("program", "up", "down", "both", "infrared")
CLOCK_WORDS = ("clock stopped", "clock running")
WILD = ".."
CALENDAR_BEGIN, CALENDAR_END = datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2100-01-01")
"""YY says no other year; the second instant is the first that is none."""
CALENDAR_WORDS = "2000-01-01T00:00:00 to 2099-12-31T23:59:59"
TIME_WORDS = 'a date or time such as "2026-02-28T23:59:00", whole seconds, no zone'


class Step(NamedTuple):
    """One step, `line` telling where it stands among the steps, from 1 on.

    Attributes:
        at: time of the simulation, which goes on whatever the meter's clock is set to; no time zone.
        action: one of `ACTIONS`.
        value: octets to send, name of a button, "on" or "off", the time to set, what a sensor shows, what a contact
            says, or an order to fee control in words.
        expect: octets of the reply in pairs of hex digits, `WILD` for any; empty: silence; None: whatever comes.
        is_long: the button is held.
    """

    line: int
    at: datetime
    action: str
    value: Any
    expect: tuple[str, ...] | None = None
    is_long: bool = False


def read_script(path: str) -> list[Step]:
    """The steps of the file `path` in order of time. Raises BadInput, ConfigError."""
    try:
        octets = Path(path).read_bytes()[: SCRIPT_OCTETS_MAX + 1]
        table = tomllib.loads(octets.decode("utf-8-sig"))
    except OSError as fault:
        raise BadInput(f"--script {path}: {fault.strerror}; give a TOML file") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as fault:
        raise BadInput(f"--script {path}: {fault}; expected TOML") from None
    steps = table.get("step")
    if len(octets) > SCRIPT_OCTETS_MAX or set(table) != {"step"} or not isinstance(steps, list):
        raise ConfigError("whole file", ", ".join(table)[:80], "a list of tables [[step]] and nothing else", path)
    if len(steps) > STEPS_MAX:
        raise ConfigError("steps", len(steps), f"at most {STEPS_MAX}", path)
    return sorted((_step(path, line, step) for line, step in enumerate(steps, 1)), key=lambda step: step.at)


def _step(path: str, line: int, table: Any) -> Step:
    where = f"step {line}"
    actions = [key for key in ACTIONS if isinstance(table, dict) and key in table]
    if len(actions) != 1:
        raise ConfigError(where, ", ".join(actions) or "no action", f"exactly one of {', '.join(ACTIONS)}", path)
    action = actions[0]
    allowed = {"at", action} | ({"expect"} if action == "send" else {"long"} if action == "press" else set())
    if strange := set(table) - allowed:
        raise ConfigError(where, ", ".join(sorted(strange)), ", ".join(sorted(allowed)), path)
    at = _time(path, f"{where} at", table.get("at"))
    value, is_long = table[action], table.get("long", False)
    if not isinstance(is_long, bool):
        raise ConfigError(f"{where} long", is_long, "true or false", path)
    if action == "clock":
        return Step(line, at, action, _clock_time(path, f"{where} clock", value))
    if action == "fee":
        if (instead := allowed_instead(value)) is not None:
            raise ConfigError(f"{where} fee", value, instead, path)
        return Step(line, at, action, value)
    if action == "send":
        expect = table.get("expect")
        pairs = None if expect is None else _pairs(path, f"{where} expect", expect, is_wild=True)
        octets = bytes.fromhex("".join(_pairs(path, f"{where} send", value)))
        if not octets:
            raise ConfigError(f"{where} send", value, "at least one pair of hex digits", path)
        return Step(line, at, action, octets, pairs)
    if action == "sensor":
        name, _, number = str(value).partition(" ")
        if name not in SENSORS or value_of(SENSORS[name], number) is None:
            names = f"{', '.join(SENSORS)}, a space, and volts or degrees that it can show"
            raise ConfigError(f"{where} sensor", value, names, path)
        return Step(line, at, action, value)
    if action == "contact":
        name, _, state = str(value).partition(" ")
        if not is_state(name, state) and value not in CLOCK_WORDS:
            names = "; ".join((*(f"{each} {states_of(each)}" for each in Contact), " or ".join(CLOCK_WORDS)))
            raise ConfigError(f"{where} contact", value, names, path)
        return Step(line, at, action, value)
    words = BUTTONS if action == "press" else ("on", "off")
    if value not in words:
        raise ConfigError(f"{where} {action}", value, ", ".join(words), path)
    return Step(line, at, action, value, is_long=is_long)


def _time(path: str, where: str, text: object) -> datetime:
    """A whole second without a zone: an ISO text, or a time as TOML writes it. Raises ConfigError."""
    time = whole_second(text)
    if time is None:
        raise ConfigError(where, text, TIME_WORDS, path)
    return time


def _clock_time(path: str, where: str, text: object) -> datetime:
    """A time that the meter's clock can be set to. Raises ConfigError."""
    time = _time(path, where, text)
    if not CALENDAR_BEGIN <= time < CALENDAR_END:
        raise ConfigError(where, text, CALENDAR_WORDS, path)
    return time


def whole_second(text: object) -> datetime | None:
    """The time that `text` says, None where it is none, has a zone or parts of a second."""
    try:
        time = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo is None and not time.microsecond else None


def _pairs(path: str, where: str, text: object, is_wild: bool = False) -> tuple[str, ...]:
    squeezed = "".join(text.split()).upper() if isinstance(text, str) else "?"
    pairs = tuple(squeezed[at : at + 2] for at in range(0, len(squeezed), 2))
    if not all(
        (is_wild and pair == WILD) or (len(pair) == 2 and set(pair) <= set("0123456789ABCDEF")) for pair in pairs
    ):
        raise ConfigError(where, text, f"pairs of hex digits{f', {WILD} for any octet' if is_wild else ''}", path)
    return pairs


def is_expected(octets: bytes, expect: tuple[str, ...] | None) -> bool:
    """Whether a reply is what was expected; octets FE ahead of either do not count."""
    if expect is None:
        return True
    wanted = list(expect)
    while wanted and wanted[0] == f"{WAKE_UP:02X}":
        del wanted[0]
    found = [f"{octet:02X}" for octet in octets.lstrip(bytes((WAKE_UP,)))]
    return len(found) == len(wanted) and all(w in (WILD, f) for f, w in zip(found, wanted, strict=True))
