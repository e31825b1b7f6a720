"""The frame viewer: every vector says what it means, noise is shown where it is, nonsense is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model.catalogue import item_1997, item_2007
from wattwheel.model.errors import BadInput
from wattwheel.protocols.dlt645 import items
from wattwheel.protocols.dlt645.frame import Frame, encode
from wattwheel.protocols.dlt645.viewer import VIEW_OCTETS_MAX, document

DOCUMENT = json.loads((Path(__file__).parents[2] / "vectors" / "dlt645-vectors.json").read_text(encoding="utf-8"))
SIDES = [
    pytest.param(vector["protocol"], vector[side], vector["decoded_" + side], id=f"{vector['id']}-{side}")
    for vector in DOCUMENT["vectors"] + DOCUMENT["constructed"]
    for side in ("request", "response")
    if vector[side]
]
SAID_AS_IT_IS = (
    "preamble", "address", "control", "direction", "abnormal", "follow", "function", "data", "di", "seq", "err", "pa",
    "password", "operator", "value_raw", "command", "n2", "meter_address", "rate_word",
)  # fmt: skip
KEYS = (
    "protocol", "octets", "preamble", "address", "control", "direction", "abnormal", "follow", "function", "di", "item",
    "seq", "errors", "data", "values",
)  # fmt: skip
WRITTEN_FOR_1997_BUT_2007 = {  # a 1997 meter was asked in the codes of 2007, and kept silent: only the meter knew
    "68999999999999681204000100007D16",
    "FEFEFEFE689999999999996813007916",
}


def one(octets: str | bytes, edition: str | None = None) -> dict:
    text = octets if isinstance(octets, str) else octets.hex()
    shown = document(text, edition)
    assert json.loads(json.dumps(shown)) == shown, "a JSON document"
    assert (len(shown["frames"]), shown["noise"], shown["reason"]) == (1, [], None)
    return shown["frames"][0]


def leaves(rows: list[dict]) -> list[dict]:
    """The single values among value rows."""
    return [leaf for row in rows for leaf in (leaves(row["value"]) if isinstance(row["value"], list) else [row])]


def fields_of_time(text: str) -> list[str]:
    """ "ss mm hh DD MM YY = 25 40 10 05 06 17" as YY MM DD hh mm ss."""
    return text.split("=")[1].split()[::-1]


@pytest.mark.parametrize(("protocol", "octets", "meaning"), SIDES)
def test_a_vector_means_what_it_says(protocol, octets, meaning):
    shown = one(octets, protocol)
    assert [key for key in shown if key in KEYS] == list(KEYS)
    for key in SAID_AS_IT_IS:
        if key in meaning:
            assert shown[key] == meaning[key], key
    assert shown["octets"] == octets.lstrip("FE")
    assert bool(shown["errors"]) == (meaning["abnormal"] or meaning["data"] == "FF")
    assert one(octets)["protocol"] == ("2007" if octets in WRITTEN_FOR_1997_BUT_2007 else protocol)
    for key in ("time", "deadline"):
        if key in meaning:
            assert re.split("[- :]", shown[key][2:]) == fields_of_time(meaning[key])


@pytest.mark.parametrize(
    ("protocol", "octets", "meaning"), [side for side in SIDES if "values" in side.values[2]]
)  # fmt: skip
def test_a_vector_has_the_value_that_it_should(protocol, octets, meaning):
    shown = one(octets)
    item = (item_2007 if protocol == "2007" else item_1997)(int(meaning["di"], 16))
    raw = bytes.fromhex(shown["value_raw"])
    decoded = items.decode(item, raw)
    assert items.encode(item, decoded) == raw
    assert (shown["item"], len(shown["values"])) == (item.name, 1)
    rows = leaves(shown["values"])
    texts = [part.text for part in (decoded.parts or (decoded,))]
    assert len(rows) == len(meaning["values"])
    for row, text, stated in zip(rows, texts, meaning["values"], strict=True):
        if isinstance(stated, dict):  # an absent phase
            assert (row["value"], row["quality"], text) == (None, "invalid", "")
        elif isinstance(row["value"], str):
            assert row["value"] == stated
        else:
            assert (row["value"], row["unit"], row["quality"]) == (float(stated), meaning["unit"], "valid")
            assert text == stated or "." not in stated
    assert all(row["at"] is None for row in rows)


@pytest.mark.parametrize("negative", DOCUMENT["negative"], ids=lambda negative: negative["reject_because"])
def test_where_there_is_no_frame_a_reason_is_given(negative):
    shown = document(negative["frame"])
    assert shown["frames"] == []
    what = negative["reject_because"].split()
    assert shown["reason"].startswith("checksum: " if what[0] == "checksum" else "incomplete: ")
    if what[0] == "checksum":
        assert shown["reason"] == f"checksum: {what[1]}, computed {what[3]}"
    assert "".join(span["octets"] for span in shown["noise"]) == negative["frame"]
    assert shown["reason"] in [span["reason"] for span in shown["noise"]]


GOOD = encode(Frame("123456789012", 0x91, bytes.fromhex("0000010056341200")))


def test_noise_is_shown_where_it_is():
    broken = GOOD[:-2] + bytes([GOOD[-2] ^ 1, 0x16])
    stream = b"\x00\x68\x33" + broken + broken + b"\x01" + b"\xfe" * 5 + GOOD + b"\xfe\xfe" + GOOD[:8]
    shown = document(stream.hex(" "))
    assert [frame["preamble"] for frame in shown["frames"]] == [5]
    spans = [(span["at"], len(span["octets"]) // 2, span["reason"].split(" ")[0]) for span in shown["noise"]]
    size = len(GOOD)
    assert spans == [
        (0, 3, "no"),
        (3, size, "checksum:"),
        (3 + size, size, "checksum:"),
        (3 + 2 * size, 1, "no"),
        (9 + 3 * size, 2, "preamble"),
        (11 + 3 * size, 8, "incomplete:"),
    ]


NOISE = st.one_of(st.binary(max_size=30), st.just(GOOD[:-1]), st.just(b"\xfe\xfe"), st.just(b"\x68" * 9))


@given(st.lists(NOISE | st.just(GOOD), max_size=8))
def test_frames_and_noise_make_up_the_whole(parts):
    octets = b"".join(parts)
    if not octets:
        return
    shown = document(octets.hex())
    pieces = {span["at"]: span["octets"] for span in shown["noise"]}
    frames, at, together = iter(shown["frames"]), 0, ""
    while at < len(octets):
        piece = pieces.get(at)
        if piece is None:
            frame = next(frames)
            piece = "FE" * frame["preamble"] + frame["octets"]
        together += piece
        at += len(piece) // 2
    assert together == octets.hex().upper()
    assert next(frames, None) is None
    assert (shown["reason"] is None) == bool(shown["frames"])
    assert all(span["reason"] for span in shown["noise"])


@given(st.integers(0, 255), st.binary(max_size=60), st.sampled_from([None, "2007", "1997"]))
def test_no_frame_makes_it_raise(control, data, edition):
    shown = one(encode(Frame("123456789012", control, data)), edition)
    assert shown["data"] == data.hex().upper()


@given(
    st.sampled_from([0x91, 0x14, 0x11]), st.sampled_from(["02010100", "0001FF00", "0400010C", "06000000", "0201FF00"])
)
def test_a_value_that_does_not_fit_is_noted(control, di):
    for size in range(40):
        data = bytes.fromhex(di)[::-1] + bytes(size)
        shown = one(encode(Frame("123456789012", control, data)))
        assert shown["di"] == di
        assert shown["values"] or shown["notes"] or not shown.get("value_raw")


@pytest.mark.parametrize(
    ("control", "data", "edition", "function"),
    [
        (0x03, "", "1997", "re-read"),
        (0x03, "FF00000700000000", "2007", "security authentication"),
        (0x83, "109078563412", "1997", "re-read"),
        (0x83, "FF00000711", "2007", "security authentication"),
        (0xA3, "FF00000711", "1997", "re-read"),
        (0xC3, "02", "1997", "re-read"),
        (0xC3, "0400", "2007", "security authentication"),
        (0x08, "000000010126", "2007", "broadcast time"),
        (0x1E, "", "2007", "reserved/vendor"),
        (0x00, "", "2007", "reserved/vendor"),
        (0x51, "00000100", "2007", "reserved/vendor"),
        (0x90, "", "1997", "clear maximum demand"),
        (0xC1, "02", "1997", "read data"),
    ],
)
def test_the_edition_is_told_by_code_and_direction(control, data, edition, function):
    shown = one(encode(Frame("123456789012", control, bytes.fromhex(data))))
    assert (shown["protocol"], shown["function"]) == (edition, function)


def test_error_reasons():
    def reasons(control: int, data: str) -> object:
        return one(encode(Frame("123456789012", control, bytes.fromhex(data))))["errors"]

    assert reasons(0xD1, "02") == ["no requested data"]
    assert reasons(0xC1, "02") == ["identifier error"]
    assert reasons(0xD4, "30") == ["too many year zones", "too many day periods"]
    assert reasons(0xC3, "0800") == ["identity authentication failed"]
    assert reasons(0x8C, "FF") == ["rate refused"]
    assert reasons(0x8C, "10") == []
    assert one(encode(Frame("1" * 12, 0xD1, b"\1\2")))["notes"] == ["abnormal reply with 2 data octets; 1 expected"]


@pytest.mark.parametrize(
    ("control", "data", "keys"),
    [
        (0x18, "050C0004 00000000 04 111111", {"pa": "00", "password": "000000", "new_password": "111111"}),
        (0x1B, "02563412 01000000 FFFFFFFF", {"pa": "02", "operator": "01000000", "di": "FFFFFFFF"}),
        (0x16, "00009999", {"freeze": "99-99 00:00"}),
        (0x1D, "01", {"output": "01"}),
        (0x11, "01000006 01 0000010126", {"di": "06000001", "parameters": "010000010126"}),
        (0x12, "00000100 02", {"di": "00010000", "seq": 2, "item": "import_active_energy"}),
        (0x1C, "98563412 01000000 1A00 000000010126 AABB", {"deadline": "2026-01-01 00:00:00", "rest": "AABB"}),
    ],
)  # fmt: skip
def test_fields_of_requests(control, data, keys):
    shown = one(encode(Frame("123456789012", control, bytes.fromhex(data))))
    assert {key: shown[key] for key in keys} == keys
    assert shown["notes"] == []


def test_notes():
    def notes(control: int, data: bytes) -> object:
        return one(encode(Frame("123456789012", control, data)))["notes"]

    assert notes(0x08, bytes(7)) == ["1 data octets that the function has no place for"]
    assert notes(0x08, bytes(5)) == ["5 data octets: too short for the function"]
    assert notes(0xB1, bytes.fromhex("0000010056341200")) == ["one part of a longer reply: the value is not worked out"]
    assert notes(0x14, bytes.fromhex("0000EE04") + bytes(47)) == ["51 data octets: the limit is 50"]
    body = b"\x68" + bytes(6) + b"\x68\x91\xc9" + bytes(201)
    long = one(body + bytes((sum(body) % 256, 0x16)))
    assert "201 data octets: the limit is 200" in long["notes"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "0 octets"),
        ("  ", "0 octets"),
        ("6", "odd number of digits, 1"),
        ("68 1", "odd number of digits, 3"),
        ("hello", "'h'"),
        ("68 zz", "'z'"),
        ("68\N{FULLWIDTH DIGIT ONE}1", "'１'"),
        ("00" * (VIEW_OCTETS_MAX + 1), f"{VIEW_OCTETS_MAX + 1} octets"),
        (" " * (9 * VIEW_OCTETS_MAX) + "00", "octets"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(text, found):
    with pytest.raises(BadInput, match=re.escape(found)) as refused:
        document(text)
    assert "allowed are" in str(refused.value)


def test_the_edition_can_be_forced_to_one_of_two():
    assert one(GOOD, "1997")["function"] == "reserved/vendor"
    with pytest.raises(BadInput, match="allowed are 2007 and 1997"):
        document(GOOD.hex(), "2011")


@pytest.mark.parametrize("separator", [" ", ":", ", ", "-", "\n", " 0x", ";"])
def test_hex_as_people_paste_it(separator):
    text = separator.join(f"{octet:02x}" for octet in GOOD)
    assert one(text)["octets"] == GOOD.hex().upper()


@given(st.text(max_size=60))
def test_no_text_raises_anything_else(text):
    try:
        document(text)
    except BadInput:
        return
    assert set(text) <= set("0123456789abcdefABCDEFxX:,;- \t\n\r\f\v") | {c for c in text if c.isspace()}


def test_the_longest_hostile_text_is_shown():
    shown = document("68" * VIEW_OCTETS_MAX)
    assert shown["frames"] == []
    assert sum(len(span["octets"]) for span in shown["noise"]) == 2 * VIEW_OCTETS_MAX
