"""The frame viewer: from hex digits to a document that says what each frame means and what was noise.

Which edition a frame follows is not written in it. The rule, by control code and direction:

- function codes of one edition only decide (01, 02, 04, 0A, 0C, 0F, 10: 1997; 11 to 1D: 2007);
- 03 is the re-read of 1997 as a request without data, a reply with follow-up, an abnormal reply of one octet, or a
  normal reply whose fourth octet is not 07H; else it is the security authentication of 2007;
- 08 is laid out alike in both, and a code of neither edition belongs to nobody: both count as 2007.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from wattwheel.model.catalogue import Item, item_1997, item_2007
from wattwheel.model.errors import BadInput, ItemValueError, UnknownItem
from wattwheel.model.records import Quality
from wattwheel.protocols.dlt645 import items
from wattwheel.protocols.dlt645.frame import (
    DATA_OCTETS_MAX,
    WAKE_UP,
    WRITE_DATA_OCTETS_MAX,
    Frame,
    FrameReader,
    Sighting,
)
from wattwheel.protocols.dlt645.functions import (
    ABNORMAL,
    FOLLOW_UP,
    FUNCTION,
    FUNCTIONS,
    FUNCTIONS_1997,
    FUNCTIONS_2007,
    RESPONSE,
    UNKNOWN_FUNCTION,
    Function1997,
    Function2007,
    error_reasons,
    security_error_reasons,
)
from wattwheel.protocols.dlt645.layouts import LAYOUTS, lay_out

VIEW_OCTETS_MAX: Final = 65_536
"""Most octets that are looked at in one document."""
EDITIONS: Final = ("2007", "1997")
"""What `edition` may be."""

_SEPARATORS = re.compile(r"0[xX]|[\s:,;-]+")
_DI3_AUTHENTICATION = 0x07
_RATE_REFUSED = "FF"
_NO_FRAME = "no 68H that starts a frame"
_ONLY_PREAMBLE = "preamble without a frame"


def octets_of_hex(text: str) -> bytes:
    """The octets that `text` spells: hex digits in pairs; blanks, colons, commas, dashes and 0x between them are free.

    Raises BadInput for anything else, for no octets at all and for more than VIEW_OCTETS_MAX.
    """
    digits = _SEPARATORS.sub("", text[: 8 * VIEW_OCTETS_MAX])
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        wrong = re.search(r"[^0-9A-Fa-f]", digits)
        found = f"{wrong.group()!r}" if wrong else f"an odd number of digits, {len(digits)}"
        raise BadInput(
            f"frame: found {found}; allowed are hex digits in pairs, such as 68 AA AA AA AA AA AA 68"
        ) from None
    if not 0 < len(octets) <= VIEW_OCTETS_MAX or len(text) > 8 * VIEW_OCTETS_MAX:
        raise BadInput(f"frame: found {len(octets)} octets; allowed are 1 to {VIEW_OCTETS_MAX}")
    return octets


def document(hex_text: str, edition: str | None = None) -> dict[str, object]:
    """The document of `frame decode`: every frame and all noise in `hex_text`.

    Keys as in docs/reference/json.md; besides `reason` (why there is no frame, None if there is one), and in each frame
    `notes`, `err` and the fields of its data where it has such (`pa`, `password`, `operator`, `value_raw`, `time` and
    more, see `layouts`). `edition` forces one of EDITIONS instead of the rule of this module.

    Raises BadInput for text that is not hex digits, and nothing else.
    """
    if edition not in (None, *EDITIONS):
        raise BadInput(f"edition {edition!r}: allowed are {' and '.join(EDITIONS)}")
    octets = octets_of_hex(hex_text)
    reader = FrameReader(keep_trace=True)
    reader.feed(octets)
    reader.expire()
    sightings = reader.trace or []
    frames = [describe(one.frame, one.octets, edition) for one in sightings if one.frame is not None]
    noise = _noise(octets, sightings)
    damaged = (span["reason"] for span in noise if not str(span["reason"]).startswith((_NO_FRAME, _ONLY_PREAMBLE)))
    return {"frames": frames, "noise": noise, "reason": None if frames else next(damaged, _NO_FRAME)}


def edition_of(frame: Frame) -> str:
    """The edition that `frame` follows, "2007" or "1997", by the rule of this module."""
    control, data = frame.control, frame.data
    code = control & FUNCTION
    if code == Function1997.READ_AGAIN:
        if not control & RESPONSE:
            return "2007" if data else "1997"
        if control & ABNORMAL:
            return "2007" if len(data) == 2 else "1997"
        is_authentication = len(data) >= 4 and data[3] == _DI3_AUTHENTICATION
        return "2007" if is_authentication and not control & FOLLOW_UP else "1997"
    return "1997" if code in FUNCTIONS_1997 and code not in FUNCTIONS_2007 else "2007"


def describe(frame: Frame, octets: bytes, edition: str | None = None) -> dict[str, object]:
    """What one frame says; `octets` are those of the frame without preamble."""
    edition = edition or edition_of(frame)
    control = frame.control
    is_response = bool(control & RESPONSE)
    is_abnormal = is_response and bool(control & ABNORMAL)
    code = control & FUNCTION if is_response else control
    row = FUNCTIONS[edition].get(code)
    shown: dict[str, object] = {
        "protocol": edition,
        "octets": octets.hex().upper(),
        "preamble": frame.preamble,
        "address": frame.address,
        "control": f"{control:02X}",
        "direction": "response" if is_response else "request",
        "abnormal": is_abnormal,
        "follow": is_response and bool(control & FOLLOW_UP),
        "function": row.name if row else UNKNOWN_FUNCTION,
        "di": None,
        "item": None,
        "seq": None,
        "errors": [],
        "data": frame.data.hex().upper(),
        "values": [],
        "notes": [],
    }
    if is_abnormal:
        shown.update(_abnormal(frame, edition))
    elif row is not None:
        shown.update(_meaning(frame, edition))
    return shown


def _abnormal(frame: Frame, edition: str) -> dict[str, object]:
    """ERR and what it says."""
    data = frame.data
    width = 2 if edition == "2007" and frame.control & FUNCTION == Function2007.AUTHENTICATE else 1
    if len(data) != width:
        return {"notes": [f"abnormal reply with {len(data)} data octets; {width} expected"]}
    error = int.from_bytes(data, "little")
    reasons = security_error_reasons(error) if width == 2 else error_reasons(error, edition)
    return {"err": f"{error:0{2 * width}X}", "errors": reasons}


def _meaning(frame: Frame, edition: str) -> dict[str, object]:
    """The fields of the data, the item and its value."""
    is_response = bool(frame.control & RESPONSE)
    layout = LAYOUTS[edition].get(frame.control & ~FOLLOW_UP if is_response else frame.control, ())
    fields, value, left = lay_out(frame.data, layout)
    notes: list[str] = []
    if len(fields) < sum(field.octets > 0 for field in layout):
        notes.append(f"{len(frame.data)} data octets: too short for the function")
    elif left:
        notes.append(f"{len(left)} data octets that the function has no place for")
    limit = DATA_OCTETS_MAX if is_response or "value_raw" not in fields else WRITE_DATA_OCTETS_MAX
    if len(frame.data) > limit:
        notes.append(f"{len(frame.data)} data octets: the limit is {limit}")
    shown: dict[str, object] = {**fields, "notes": notes}
    if edition == "1997" and is_response and fields.get("rate_word") == _RATE_REFUSED:
        shown["errors"] = ["rate refused"]
    di = fields.get("di")
    item = _item(str(di), edition) if di is not None else None
    if item is not None:
        shown["item"] = item.name
        is_part = bool(is_response and frame.control & FOLLOW_UP) or fields.get("seq") is not None
        if is_part and is_response:
            notes.append("one part of a longer reply: the value is not worked out")
        elif value:
            shown["values"] = _values(item, value, notes)
    return shown


def _item(di: str, edition: str) -> Item | None:
    try:
        return item_2007(int(di, 16)) if edition == "2007" else item_1997(int(di, 16))
    except UnknownItem:
        return None


def _values(item: Item, octets: bytes, notes: list[str]) -> list[object]:
    """The value rows of `octets`; none, and a note, when they do not fit the item."""
    try:
        return [msgspec.to_builtins(items.rows(item, octets, None, Quality.VALID))]
    except ItemValueError as error:
        notes.append(str(error))
        return []


def _noise(octets: bytes, sightings: list[Sighting]) -> list[dict[str, object]]:
    """The spans between the frames, cut where a damaged frame begins and where it should have ended."""
    spans: list[dict[str, object]] = []
    damaged = [one for one in sightings if one.frame is None and len(one.octets) > 1]
    damaged.reverse()
    at = 0
    for one in [*(one for one in sightings if one.frame is not None), None]:
        gap = len(octets) if one is None or one.frame is None else one.at - one.frame.preamble
        while damaged and damaged[-1].at < gap:
            bad = damaged.pop()
            if bad.at < at:  # within a frame that was damaged itself
                continue
            if bad.at > at:
                spans.append(_span(octets, at, bad.at, ""))
            at = min(bad.at + len(bad.octets), gap)
            spans.append(_span(octets, bad.at, at, bad.reason))
        if gap > at:
            spans.append(_span(octets, at, gap, ""))
        at = gap if one is None else one.at + len(one.octets)
    return spans


def _span(octets: bytes, begin: int, end: int, reason: str) -> dict[str, object]:
    span = octets[begin:end]
    if not reason:
        is_preamble = not span.strip(bytes((WAKE_UP,)))
        reason = _ONLY_PREAMBLE if is_preamble else f"{_NO_FRAME} in {len(span)} octets"
    return {"at": begin, "octets": span.hex().upper(), "reason": reason}
