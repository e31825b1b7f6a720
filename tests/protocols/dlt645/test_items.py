"""Every item of both editions, octets to values and back; limits, bad octets, blocks, records, vectors."""

from __future__ import annotations

import json
import random
import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model import catalogue
from wattwheel.model.catalogue import find, item_1997, item_2007
from wattwheel.model.errors import ItemValueError
from wattwheel.model.records import Quality
from wattwheel.protocols.dlt645 import blocks, items, pictures
from wattwheel.protocols.dlt645.items import Decoded, decode, decode_int, encode, encode_int

ALL = [*catalogue.items_2007(), *catalogue.items_1997()]
ROWS = [*catalogue.ITEMS_2007, *catalogue.ITEMS_1997]
SPECIAL = (items.LOAD_RECORD, items.VENDOR_DEFINED)
PLAIN = [item for item in ROWS if item.picture not in SPECIAL and not item.parts]


def picture_of(item):
    return pictures.parse(item.picture, item.signed, item.kind, catalogue.fields(item.layout))


def leaves(decoded):
    return [decoded] if decoded.parts is None else [leaf for part in decoded.parts for leaf in leaves(part)]


def field_value(field, chance):
    """A legal value of one field, the extremes as likely as all others together."""
    if isinstance(field, pictures.NumberField):
        number = chance.choice([field.least, field.most, 0, chance.randint(field.least, field.most)])
        return field.scaled(number)
    if isinstance(field, pictures.TextField):
        return "".join(chance.choices("AZ az09.,/()~ ", k=chance.randint(0, field.size)))
    if isinstance(field, pictures.TimeField):
        pairs = (field.picture[at : at + 2] for at in range(0, len(field.picture), 2))
        most = {"YY": 99, "MM": 12, "DD": 31, "WW": 6, "hh": 23, "mm": 59, "ss": 59, "NN": 99}
        return "".join(f"{chance.choice([0, most[pair], 99, chance.randint(0, most[pair])]):02d}" for pair in pairs)
    digits = "0123456789" if isinstance(field, pictures.DigitsField) else "0123456789ABCDEF"
    return "".join(chance.choices(digits, k=2 * field.size))


def value_of(item, chance):
    """A legal value of any item but load records."""
    if item.picture == items.VENDOR_DEFINED:
        return chance.randbytes(chance.randint(0, 200)).hex().upper()
    if item.parts:
        return [value_of(catalogue.item_of(item.edition, part), chance) for part in item.parts]
    picture = picture_of(item)
    if item.members is not None:
        most = item.members.most
        count = chance.choice([1, most, chance.randint(1, most)]) if picture.group else most
        return [value_of(catalogue.item_of(item.edition, item.members.di(at)), chance) for at in range(count)]
    head = [field_value(field, chance) for field in picture.head]
    if not picture.group:
        return head if len(head) > 1 else head[0]
    entries = []
    for _ in range(chance.choice([1, picture.repeats_max])):
        entry = [field_value(field, chance) for field in picture.group]
        entries.append(entry if len(entry) > 1 else entry[0])
    return head + entries


def load_value(chance, item):
    records = []
    for _ in range(chance.randint(0, 3)):
        record = ["2611201530"]
        for members in blocks.LOAD_CLASSES:
            record.append([value_of(item_2007(di), chance) for di in members] if chance.random() < 0.6 else [])
        records.append(record)
    return records


def test_every_concrete_item_goes_round():
    chance = random.Random(645)
    for item in ALL:
        value = load_value(chance, item) if item.picture == items.LOAD_RECORD else value_of(item, chance)
        octets = encode(item, value)
        decoded = decode(item, octets)
        assert decoded.plain() == value, item.name
        assert encode(item, decoded) == octets, item.name
        assert item.octets in (None, len(octets)), item.name
        assert all(leaf.is_valid for leaf in leaves(decoded)), item.name
        assert decoded.di == item.di_text
        assert decoded.name == item.name
        assert decoded.raw == octets


@pytest.mark.parametrize("item", PLAIN, ids=lambda item: f"{item.edition}-{item.di_text}")
def test_width_of_every_row(item):
    """One octet less or more is refused, unless the picture repeats by the octet, or a screen has a part."""
    octets = encode(item, value_of(item, random.Random(item.di)))
    picture = picture_of(item)
    if picture.octets is not None:
        assert picture.octets == item.octets == len(octets)
    else:
        assert (len(octets) - picture.head_size) % picture.group_size == 0
    longer = octets + bytes(2 if item.kind == items.SCREEN else 1)
    for wrong in (octets[:-1], longer, b""):
        with pytest.raises(ItemValueError, match=item.name):
            decode(item, wrong)


def numbers_and_limits():
    for item in ROWS:
        try:
            yield item, *items.limits(item)
        except ItemValueError:
            continue


@pytest.mark.parametrize(
    ("item", "least", "most"), list(numbers_and_limits()), ids=lambda part: getattr(part, "di_text", None) or ""
)
def test_limits_of_every_number(item, least, most):
    """Both ends go round to the last digit; one beyond is refused with what is allowed."""
    digits = sum(re.split(r"[*+]", item.picture)[-1].count(digit) for digit in "XN")
    assert most == (8 if item.signed else 10) * 10 ** (digits - 1) - 1
    assert least == (-most if item.signed else 0)
    picture = picture_of(item)
    if len(picture.head) != 1 or picture.group:
        numbers = [least, most] * 20
        octets = items.encode_ints(item, numbers[: len(picture.head) or 10])
        assert [leaf.number for leaf in leaves(decode(item, octets))] == numbers[: len(picture.head) or 10]
        with pytest.raises(ItemValueError, match="a number"):
            encode_int(item, 0)
        return
    step = Decimal(1).scaleb(-items.decimals(item))
    for number in (least, most):
        octets = encode_int(item, number)
        assert len(octets) == item.octets
        assert decode_int(item, octets) == number
        assert Decimal(decode(item, octets).text) == number * step
        assert encode(item, number * step) == encode(item, str(number * step)) == octets
    for number in (least - 1, most + 1):
        with pytest.raises(ItemValueError, match=r"to .* in steps of"):
            encode_int(item, number)
        with pytest.raises(ItemValueError, match=r"to .* in steps of"):
            encode(item, number * step)


@pytest.mark.parametrize(
    ("octets", "text"), [("00000100", "00010000"), ("0000010102", "0101000002"), ("0101000099", "0000010199")]
)
def test_a_screen_is_an_identifier_with_or_without_a_part(octets, text):
    screen = catalogue.item_2007(0x04040103)
    assert decode(screen, bytes.fromhex(octets)).value == text
    assert encode(screen, text).hex() == octets


@pytest.mark.parametrize("text", ["010100000", "01010000020", "01010000 2", "01010000zz"])
def test_what_is_no_screen(text):
    with pytest.raises(ItemValueError, match="auto_scroll_screen_3"):
        encode(catalogue.item_2007(0x04040103), text)


def test_every_row_is_tested_somewhere():
    profile_2020 = 6 + 97
    assert len(ROWS) == 950 + 63 + 15 + profile_2020
    assert len(PLAIN) == len(ROWS) - 21 - 2 - 8 - 12
    assert len(list(numbers_and_limits())) > 550


@pytest.mark.parametrize("item", PLAIN, ids=lambda item: f"{item.edition}-{item.di_text}")
def test_ff_is_not_available(item):
    picture = picture_of(item)
    octets = b"\xff" * (item.octets or picture.head_size + picture.group_size)
    decoded = decode(item, octets)
    for leaf in leaves(decoded):
        if leaf.value is not None:
            assert set(leaf.value) == {"F"}  # bit words, identifiers and operators have no octets that are none
    assert encode(item, decoded) == octets
    assert encode(item, decoded.plain()) == octets


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("import_active_energy", "0a000000"),
        ("import_active_energy", "000000a0"),
        ("current_a", "ffffff"),
        ("current_a", "0a0080"),
        ("B611", "0010"),  # 1000 V in a picture of three digits
        ("C119", "00000010"),
        ("communication_address", "aaaaaaaaaaaa"),
        ("date_and_weekday", "07011326"),
        ("time", "000024"),
        ("settlement_day_1", "0032"),
        ("rated_voltage", "0056003230" + "32"),
        ("rated_voltage", "800000000000"),
        ("rated_voltage", "323032560000"),  # NUL at the wrong end
    ],
)
def test_what_is_no_value(name, octets):
    raw = bytes.fromhex(octets)
    decoded = decode(find(name), raw)
    assert (decoded.value, decoded.number, decoded.raw, decoded.is_valid) == (None, None, raw, False)
    row = decoded.row("2026-11-20T12:00:00Z")
    assert (row.value, row.quality) == (None, Quality.INVALID)
    assert encode(find(name), decoded) == raw


@pytest.mark.parametrize(
    ("name", "octets", "value"),
    [
        ("import_active_energy", "78563412", 123456.78),
        ("combined_active_energy", "01000080", -0.01),
        ("combined_active_energy", "000000f9", -790000.0),
        ("combined_active_energy", "999999ff", None),
        ("current_a", "999979", 799.999),
        ("current_a", "9999f9", -799.999),
        ("current_a", "000080", 0.0),
        ("active_power", "122580", -0.2512),
        ("power_factor", "0105", 0.501),
        ("power_factor", "0090", -1.0),
        ("frequency", "0260", 60.02),
        ("internal_temperature", "5580", -5.5),
        ("B611", "2302", 223),
        ("C119", "56341200", 12345.6),
        ("programming_count", "270000", 27),
        ("meter_number", "185560060000", "000006605518"),
        ("rated_voltage", "000056303232", "220V"),
        ("asset_management_code", "00" * 32, ""),
        ("date_and_weekday", "06291218", "18122906"),
        ("time", "555321", "215355"),
        ("settlement_day_3", "9999", "9999"),
        ("holiday_7", "02011026", "26100102"),
        ("daily_freeze_time_1", "0000091015", "1510090000"),
        ("run_status_word_3", "1800", "0018"),
        ("active_reporting_mode_word", "0102030405060708", "0807060504030201"),
        ("auto_scroll_screen_1", "0000ff01", "01FF0000"),
        ("level_4_password", "04563412", "04563412"),
        ("D110", "00aa16", "00AA16"),
    ],
)
def test_one_value(name, octets, value):
    item = find(name)
    decoded = decode(item, bytes.fromhex(octets))
    assert decoded.value == value
    assert type(decoded.value) is type(value)
    if value is not None and octets not in ("000080",):
        assert encode(item, value).hex() == octets


def test_a_float_has_exactly_the_digits_of_the_picture():
    item = find("import_active_energy")
    for number in range(0, 100_000_000, 999_983):
        row = items.rows(item, encode_int(item, number))
        assert repr(row.value) == repr(float(f"{number // 100}.{number % 100:02d}"))
        assert decode(item, encode_int(item, number)).text == f"{number // 100}.{number % 100:02d}"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("voltage_a", 1000, "0.0 to 999.9 in steps of 0.1, or None"),
        ("voltage_a", -0.1, "0.0 to 999.9"),
        ("voltage_a", 220.15, "in steps of 0.1"),
        ("voltage_a", "much", "0.0 to 999.9"),
        ("voltage_a", float("nan"), "0.0 to 999.9"),
        ("voltage_a", float("inf"), "0.0 to 999.9"),
        ("voltage_a", "1e999999999", "0.0 to 999.9"),
        ("voltage_a", True, "0.0 to 999.9"),
        ("voltage_a", [1], "0.0 to 999.9"),
        ("current_a", -800, "-799.999 to 799.999"),
        ("programming_count", 1_000_000, "0 to 999999 in steps of 1"),
        ("communication_address", "12345", "12 digits"),
        ("communication_address", "12345678901x", "12 digits"),
        ("communication_address", "１２３４５６７８９０１２", "12 digits"),
        ("communication_address", 123456789012, "12 digits"),
        ("run_status_word_1", "00G0", "4 hex digits"),
        ("run_status_word_1", "0 00", "4 hex digits"),
        ("run_status_word_1", 3, "4 hex digits"),
        ("time", "246060", "hh <= 23, mm <= 59, ss <= 59"),
        ("time", "12:30", "digits as in hhmmss"),
        ("date_and_weekday", "26130101", "MM <= 12"),
        ("rated_voltage", "220.0 V", "at most 6 printable ASCII"),
        ("rated_voltage", "220\0V", "at most 6 printable ASCII"),
        ("rated_voltage", "Ω", "at most 6 printable ASCII"),
        ("rated_voltage", 220, "at most 6 printable ASCII"),
        ("voltage_block", [1, 2], "3 values"),
        ("voltage_block", 220, "3 values"),
        ("import_active_energy_block", [], "1 to 64 values"),
        ("import_active_energy_block", [0] * 65, "1 to 64 values"),
        ("import_active_maximum_demand", [1], "2 to 2 values"),
        ("set_1_zone_table", ["010101"] * 15, "1 to 14 values"),
        ("timed_freeze_block_1", [None], "12 values"),
        ("active_energy_set", [None], "2 values"),
        ("load_record_all_latest", [["2601010000"]], "7 values"),
        ("load_record_all_latest", [["2601010000", [1], [], [], [], [], []]], "none or 7 values"),
        ("load_record_all_latest", 5, "a sequence of values"),
        ("D110", "0", "200 octets in hex"),
        ("D110", "00" * 201, "200 octets in hex"),
        ("D110", None, "200 octets in hex"),
    ],
)
def test_what_cannot_be_encoded(name, value, allowed):
    item = find(name)
    with pytest.raises(ItemValueError) as caught:
        encode(item, value)
    assert allowed in str(caught.value)


def test_blocks_are_rows_of_their_own_items():
    row = items.rows(find("import_active_energy_block"), bytes.fromhex("8903000000000000000000008903000000000000"))
    assert [(each.di, each.name, each.value) for each in row.value] == [
        ("00010000", "import_active_energy", 3.89),
        ("00010100", "import_active_energy_tariff_1", 0.0),
        ("00010200", "import_active_energy_tariff_2", 0.0),
        ("00010300", "import_active_energy_tariff_3", 3.89),
        ("00010400", "import_active_energy_tariff_4", 0.0),
    ]
    assert (row.di, row.unit, row.quality) == ("0001FF00", "kWh", Quality.VALID)


@pytest.mark.parametrize(
    ("asked", "octets", "members"),
    [
        ("0201FF00", "5622ffffffff", ["02010100", "02010200", "02010300"]),
        ("0203FF00", "00" * 12, ["02030000", "02030100", "02030200", "02030300"]),
        ("000102FF", "00" * 12, ["00010200", "00010201", "00010202"]),
        ("0001FF03", "00" * 8, ["00010003", "00010103"]),
        ("020A02FF", "00" * 4, ["020A0201", "020A0202"]),
        ("040005FF", "00" * 14, [f"0400050{word}" for word in range(1, 8)]),
        ("040602FF", "00" * 8, ["04060201", "04060202"]),
        ("901F", "00" * 8, ["9010", "9011"]),
        ("C35F", "00" * 6, ["C351", "C352"]),
    ],
)
def test_members_of_blocks(asked, octets, members):
    row = items.rows(find(asked), bytes.fromhex(octets))
    assert [each.di for each in row.value] == members


def test_an_absent_phase_is_invalid_and_the_block_is_not():
    row = items.rows(find("voltage_block"), bytes.fromhex("5622ffffffff"), "2026-11-20T12:00:00Z", Quality.STALE)
    assert [each.quality for each in row.value] == [Quality.STALE, Quality.INVALID, Quality.INVALID]
    assert row.quality == Quality.STALE
    assert json.loads(msgspec.json.encode(row))["value"][0] == {
        "di": "02010100",
        "name": "voltage_a",
        "value": 225.6,
        "unit": "V",
        "quality": "stale",
        "at": "2026-11-20T12:00:00Z",
    }


def test_a_demand_is_a_value_and_a_time():
    item = find("import_active_maximum_demand")
    row = items.rows(item, bytes.fromhex("563412" + "3015201126"))
    assert [(each.name, each.value, each.unit) for each in row.value] == [
        ("import_active_maximum_demand", 12.3456, "kW"),
        ("import_active_maximum_demand_time", "2611201530", ""),
    ]
    assert encode(item, [12.3456, "2611201530"]).hex() == "5634123015201126"


def test_a_record_names_its_fields():
    item = find("all_phase_voltage_loss_record_1")
    row = items.rows(item, bytes.fromhex("000015201126" + "050080" + "301015201126"))
    assert [(each.name.removeprefix(f"{item.name}_"), each.value, each.unit) for each in row.value] == [
        ("start", "261120150000", ""),
        ("current", -0.005, "A"),
        ("end", "261120151030", ""),
    ]
    programming = find("programming_record_1")
    octets = bytes.fromhex("000015201126" + "01020304" + "01010004" + "ff" * 36)
    values = decode(programming, octets).plain()
    assert values[:4] == ["261120150000", "01020304", "04000101", "FFFFFFFF"]
    assert len(values) == 12
    assert encode(programming, values) == octets


@pytest.mark.parametrize("layout", sorted({item.layout for item in ROWS if item.layout}))
def test_layouts_fit_their_records(layout):
    for item in (item for item in ROWS if item.layout == layout):
        picture = picture_of(item)
        fields = catalogue.fields(layout)
        assert len(fields) == len(picture.head or picture.group)
        assert len({field.label for field in fields}) == len(fields)


def test_units_within_records():
    parts = decode(find("timed_freeze_variables_1"), bytes(24)).parts
    assert [part.unit for part in parts] == ["kW"] * 4 + ["kvar"] * 4
    assert [part.unit for part in decode(find("voltage_loss_count_and_minutes"), bytes(18)).parts] == [
        "times",
        "min",
    ] * 3


def test_a_freeze_block_with_items_switched_off():
    item = find("timed_freeze_block_2")
    octets = bytes.fromhex("3015201126aa" + "7856341200000000aa" + "aa" * 10)
    decoded = decode(item, octets)
    assert [part.di for part in decoded.parts][:3] == ["05000002", "05000102", "05000202"]
    assert decoded.parts[0].value == "2611201530"
    assert decoded.parts[1].plain() == [123456.78, 0.0]
    assert not any(part.is_valid for part in decoded.parts[2:])
    assert encode(item, decoded) == encode(item, decoded.plain()) == octets
    assert decode(find("hourly_freeze_block_1"), bytes.fromhex("3015201126aa00000000aa00000000aa")).plain() == [
        "2611201530",
        0.0,
        0.0,
    ]


@pytest.mark.parametrize("octets", ["", "aa", "aa" * 11, "aa" * 13, "aa" * 12 + "00", "00" * 50])
def test_a_freeze_block_that_cannot_be_cut_is_invalid(octets):
    decoded = decode(find("timed_freeze_block_1"), bytes.fromhex(octets))
    assert not decoded.is_valid
    assert decoded.raw.hex() == octets


def test_a_damaged_member_keeps_its_octets():
    item = find("timed_freeze_block_1")
    octets = bytes.fromhex("3015201126aa" + "785634aa" + "aa" * 10)
    decoded = decode(item, octets)
    assert (decoded.parts[1].value, decoded.parts[1].raw.hex()) == (None, "785634")
    assert encode(item, decoded) == octets


def test_a_1997_set():
    item = item_1997(0x90FF)
    octets = bytes.fromhex("3900000003000000aaaa")
    decoded = decode(item, octets)
    assert decoded.parts[0].plain() == [0.39, 0.03]
    assert not decoded.parts[1].is_valid
    assert encode(item, [[0.39, 0.03], None]) == octets


def load_record(classes):
    body = bytes.fromhex("3015201126" + classes)
    head = b"\xa0\xa0" + bytes((len(body),)) + body
    return head + bytes((sum(head) % 256, 0xE5))


def test_a_load_record():
    item = find("load_record_all_latest")
    octets = load_record("012201220022" + "100000" * 3 + "9949" + "aa" + "aa" * 5)
    (record,) = decode(item, octets).parts
    assert record.parts[0].value == "2611201530"
    assert [part.name for part in record.parts[1].parts] == [
        *("voltage_a", "voltage_b", "voltage_c", "current_a", "current_b", "current_c", "frequency"),
    ]
    assert record.parts[1].plain() == [220.1, 220.1, 220.0, 0.01, 0.01, 0.01, 49.99]
    assert [part.plain() for part in record.parts[2:]] == [[]] * 5
    assert encode(item, decode(item, octets)) == encode(item, decode(item, octets).plain()) == octets
    twice = decode(item, octets * 2)
    assert [part.name for part in twice.parts] == ["load_record_all_latest_1", "load_record_all_latest_2"]
    assert decode(item, b"").plain() == []
    assert encode(item, []) == b""


@pytest.mark.parametrize("at", [0, 1, 2, 3, 8, -1, -2, -3])
def test_a_damaged_load_record_is_invalid(at):
    item = find("load_record_all_latest")
    octets = bytearray(load_record("aa" * 6))
    octets[at] ^= 0x01
    assert not decode(item, bytes(octets)).is_valid
    assert not decode(item, bytes(octets[:-1])).is_valid
    assert items.rows(item, bytes(octets)).quality == Quality.INVALID


def test_a_load_class_of_the_wrong_width_is_invalid():
    assert not decode(find("load_record_all_latest"), load_record("00aa" + "aa" * 5)).is_valid


def test_integers_of_blocks():
    item = find("voltage_block")
    assert items.encode_ints(item, [2256, None, 0]).hex() == "5622ffff0000"
    with pytest.raises(ItemValueError, match="6 octets"):
        items.encode_ints(item, [2256])
    energy = find("import_active_energy_block")
    assert decode(energy, items.encode_ints(energy, range(5))).plain() == [0.0, 0.01, 0.02, 0.03, 0.04]
    with pytest.raises(ItemValueError, match="1 to 64 entries"):
        items.encode_ints(energy, [0] * 65)
    assert items.decimals(energy) == 2


@pytest.mark.parametrize(
    "name",
    ["time", "rated_voltage", "run_status_word_1", "import_active_maximum_demand", "load_record_all_latest", "D110"],
)
def test_integers_are_for_numbers_only(name):
    for asked in (lambda item: encode_int(item, 1), lambda item: decode_int(item, b"\0"), items.decimals, items.limits):
        with pytest.raises(ItemValueError, match="a number"):
            asked(find(name))


def test_an_integer_of_the_wrong_width():
    with pytest.raises(ItemValueError, match="2 octets"):
        decode_int(find("voltage_a"), b"\0")


@given(st.sampled_from(ALL), st.binary(max_size=300))
def test_any_octets_of_any_item(item, octets):
    """Nothing but ItemValueError, and what was decoded keeps its octets."""
    try:
        decoded = decode(item, octets)
    except ItemValueError:
        return
    assert isinstance(decoded, Decoded)
    assert decoded.raw == octets
    msgspec.json.encode(decoded.row())
    assert decode(item, encode(item, decoded)).plain() == decoded.plain()


@given(st.sampled_from(PLAIN), st.data())
def test_any_octets_of_the_right_width(item, data):
    picture = picture_of(item)
    width = picture.head_size + picture.group_size * data.draw(st.integers(1, 3) if picture.group else st.just(0))
    octets = data.draw(st.binary(min_size=width, max_size=width))
    decoded = decode(item, octets)
    assert b"".join(leaf.raw for leaf in leaves(decoded)) == octets
    for leaf in leaves(decoded):
        assert leaf.is_valid or leaf.number is None


SINGLE_NUMBERS = [part for part in numbers_and_limits() if len(picture_of(part[0]).head) == 1]


@given(st.sampled_from(SINGLE_NUMBERS), st.data())
def test_any_number(part, data):
    item, least, most = part
    number = data.draw(st.integers(least, most))
    octets = encode_int(item, number)
    assert decode_int(item, octets) == number
    decoded = decode(item, octets)
    assert decoded.number == number
    assert encode(item, decoded.value) == octets
    assert encode(item, decoded.text) == octets


VECTORS = "tests/vectors/dlt645-vectors.json"


def test_vectors_decode_to_their_stated_values(request):
    document = json.loads((request.config.rootpath / VECTORS).read_text(encoding="utf-8"))
    seen = 0
    for vector in (*document["vectors"], *document["constructed"]):
        for frame in (vector.get("decoded_request"), vector.get("decoded_response")):
            if not frame or "values" not in frame:
                continue
            seen += 1
            item = find(frame["di"])
            octets = bytes.fromhex(frame["data"])[len(frame["di"]) // 2 :]
            assert catalogue.item_of(item.edition, item.base_di).title == frame["item"]
            assert item.unit == frame["unit"]
            decoded = decode(item, octets)
            for leaf, stated in zip(leaves(decoded), frame["values"], strict=True):
                if isinstance(stated, dict):
                    assert (leaf.value, leaf.raw.hex()) == (None, stated["raw"])
                elif leaf.number is None:
                    assert leaf.value == stated
                else:
                    assert Decimal(leaf.text) == Decimal(stated)
            assert encode(item, decoded) == encode(item, decoded.plain()) == octets
    assert seen == 60


@pytest.mark.parametrize(
    ("di", "octets", "widths"),
    [
        (0x0201FF00, 6, [2, 2, 2]),
        (0x0000FF00, 20, [4] * 5),
        (0x02010100, 2, []),
        (0x0201FF00, 5, []),
        (0xFFFFFFFF, 8, []),
    ],
)
def test_elements_of_a_long_answer(di, octets, widths):
    assert items.element_widths(di.to_bytes(4, "little"), bytes(octets)) == widths


def test_elements_of_blocks_with_separators_hold_their_separators():
    freeze = bytes(5) + b"\xaa" + bytes(4) + b"\xaa" * 2
    assert items.element_widths(bytes.fromhex("01ff0405"), freeze) == [6, 5, 1]
    load = bytes.fromhex("a0a00b3014050324aaaaaaaaaaaab7e5")
    assert items.element_widths(bytes.fromhex("00000006"), load * 2) == [16, 16]
