"""Which channel of a recording is which quantity of the meter: by the user's map, or by names, units and phases."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.cycles import interpolated
from wattwheel.protocols.recordings.recording import VALUE_MAX, Channel, Recording

QUANTITIES = ("va", "ia", "vb", "ib", "vc", "ic", "in")
"""What a channel can be: v or i of phase a, b, c, or the neutral current."""

LISTED_MAX = 24
"""Channels named in a message before it says how many more there are."""

NAME = re.compile(
    r"(?:^|[^A-Za-z])(?P<quantity>[UVI]|voltage|current)[ _]?"
    r"(?:L?(?P<number>[1234])|(?P<letter>[ABCN]))(?:_[mk]?[VA])?$",
    re.IGNORECASE,
)
"""Names that say it: U1 VL2 Ua I_b IN voltage_a_v current_n_a; not U21 or 3U0."""

PHASES = {"1": "a", "2": "b", "3": "c", "4": "n", "A": "a", "B": "b", "C": "c", "N": "n"}
PHASES |= {"L1": "a", "L2": "b", "L3": "c"}


def parse_map(text: str) -> dict[str, str]:
    """`va=NAME,ia=NAME,...` as a dictionary; RecordingError for anything else. Names cannot hold a comma."""
    mapping: dict[str, str] = {}
    for part in text.split(","):
        quantity, equals, name = part.partition("=")
        quantity = quantity.strip()
        if not equals or not name.strip() or quantity not in QUANTITIES or quantity in mapping:
            raise RecordingError(
                "--map", f"found {part.strip()!r}; allowed: {', '.join(QUANTITIES)} once each, as in va=U1,ia=I1"
            )
        mapping[quantity] = name.strip()
    return mapping


def mapped_channels(recording: Recording, mapping: Mapping[str, str] | None = None) -> dict[str, Channel]:
    """Channel of every quantity, in the order of `QUANTITIES`; RecordingError that lists the channels when unclear."""
    found = _by_user(recording, mapping) if mapping else _by_names(recording)
    return {quantity: found[quantity] for quantity in QUANTITIES if quantity in found}


def _by_user(recording: Recording, mapping: Mapping[str, str]) -> dict[str, Channel]:
    found: dict[str, Channel] = {}
    for quantity, name in mapping.items():
        if quantity not in QUANTITIES:
            raise RecordingError(recording.file, f"map names {quantity!r}; allowed: {', '.join(QUANTITIES)}")
        channel = _channel_named(recording, name)
        if {"v": "A", "i": "V"}[quantity[0]] == channel.unit:
            raise RecordingError(
                recording.file,
                f"channel {channel.name!r} is in {channel.unit}, so it cannot be {quantity}; {_listed(recording)}",
            )
        found[quantity] = channel
    return found


def _channel_named(recording: Recording, name: str) -> Channel:
    """By exact name, by name in any case, or by number from 1 (with or without #)."""
    exact = [c for c in recording.channels if c.name == name]
    loose = exact or [c for c in recording.channels if c.name.casefold() == name.casefold()]
    if len(loose) == 1:
        return loose[0]
    if len(loose) > 1:
        # By identity: channels hold arrays, which do not compare.
        numbers = [str(k + 1) for k, c in enumerate(recording.channels) if any(c is each for each in loose)]
        raise RecordingError(
            recording.file, f"{len(loose)} channels are named {name!r}; use a number: {', '.join(numbers[:LISTED_MAX])}"
        )
    digits = name.removeprefix("#")
    if re.fullmatch(r"[0-9]{1,6}", digits) and 1 <= int(digits) <= len(recording.channels):
        return recording.channels[int(digits) - 1]
    raise RecordingError(recording.file, f"no channel {name[:80]!r}; {_listed(recording)}")


def _by_names(recording: Recording) -> dict[str, Channel]:
    for quantity_of in (_quantity_of_name, _quantity_of_phase):
        found: dict[str, list[Channel]] = {}
        for channel in recording.channels:
            found.setdefault(quantity_of(channel), []).append(channel)
        found.pop("", None)
        if not found:
            continue
        if all(len(channels) == 1 for channels in found.values()):
            return {quantity: channels[0] for quantity, channels in found.items()}
        raise RecordingError(
            recording.file, f"more than one set of phases; {_listed(recording, _first_set(recording, found))}"
        )
    if len(recording.channels) == 1 and recording.channels[0].unit in ("V", "1", ""):
        return {"va": recording.channels[0]}
    raise RecordingError(recording.file, f"the names do not say which channel is what; {_listed(recording)}")


def _quantity_of_name(channel: Channel) -> str:
    match = NAME.search(channel.name)
    if not match:
        return ""
    kind = "i" if match["quantity"][0].upper() in "IC" else "v"
    phase = PHASES[(match["number"] or match["letter"]).upper()]
    return _quantity(kind, phase, channel.unit)


def _quantity_of_phase(channel: Channel) -> str:
    kind = {"V": "v", "A": "i"}.get(channel.unit)
    phase = PHASES.get(channel.phase.upper())
    return _quantity(kind, phase, channel.unit) if kind and phase else ""


def _quantity(kind: str, phase: str, unit: str) -> str:
    """The quantity, or nothing when the unit contradicts or a meter has no such element (voltage of the neutral)."""
    if unit and unit not in ({"v": "V", "i": "A"}[kind], "1"):
        return ""
    return f"{kind}{phase}" if f"{kind}{phase}" in QUANTITIES else ""


def _first_set(recording: Recording, found: Mapping[str, list[Channel]]) -> str:
    """An example map of the first channel of each quantity, by number: names may repeat."""
    numbers = {id(c): k + 1 for k, c in enumerate(recording.channels)}
    return ",".join(f"{q}={numbers[id(found[q][0])]}" for q in QUANTITIES if q in found)


def _listed(recording: Recording, example: str = "") -> str:
    names = [f"{k}: {c.name}" + (f" ({c.unit})" if c.unit else "") for k, c in enumerate(recording.channels, start=1)]
    more = f" and {len(names) - LISTED_MAX} more" if len(names) > LISTED_MAX else ""
    example = example or ("va=1,ia=2" if len(names) > 1 else "va=1")
    return f"choose by name or number, as in --map {example}; channels: {', '.join(names[:LISTED_MAX])}{more}"


def values_of(recording: Recording, channel: Channel, first: int, end: int) -> NDArray[np.float64]:
    """Samples `first` to `end` in `unit`, moved to the common sample times.

    RecordingError when one is missing, or beyond `VALUE_MAX`.
    """
    values = channel.samples(first, end)
    if float(np.nanmax(np.abs(values), initial=0.0)) > VALUE_MAX:
        why = f"channel {channel.name} holds values beyond {VALUE_MAX:g}, which no supply has"
        raise RecordingError(recording.file, f"{why}; allowed: numbers in V and A")
    bad = np.isnan(values)
    if bad.any():
        at = first + int(np.argmax(bad)) + 1
        raise RecordingError(
            recording.file,
            f"channel {channel.name!r} has {int(bad.sum())} missing samples, the first at {at}; map another channel",
        )
    if channel.skew_s == 0 or len(values) < 4:
        return values
    skew = channel.skew_s * recording.fast_run().rate_hz
    return interpolated(values, np.arange(len(values), dtype=np.float64) - skew)
