"""The register table: every row of both editions, every range, every name."""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwheel.model import catalogue, manual, sets_1997
from wattwheel.model.catalogue import find, item_1997, item_2007, item_named
from wattwheel.model.errors import UnknownItem

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
ALL_2007 = list(catalogue.items_2007())
ALL_1997 = list(catalogue.items_1997())


def test_all_rows_are_there():
    own = 63 + 6 + 97  # registers with four decimals; events and freezes of the 2020 profile
    assert len(catalogue.ITEMS_2007) == 660 + own
    assert len(catalogue.ITEMS_1997) == 305
    assert Counter(item.category for item in catalogue.ITEMS_2007) == {
        "energy": 95 + 63,
        "demand": 60,
        "variable": 69,
        "event record": 147 + 6,
        "parameter": 173 + 13,
        "freeze": 95 + 84,
        "load record": 21,
    }


@pytest.mark.parametrize("items", [ALL_2007, ALL_1997], ids=["2007", "1997"])
def test_names_and_identifiers_are_unique_with_all_ranges_expanded(items):
    assert len({item.name for item in items}) == len({item.di for item in items}) == len(items)
    assert all(NAME.fullmatch(item.name) for item in items)


def test_how_many_concrete_items_there_are():
    # 109 quantities and 21 x 63 tariffs over 13 periods and their block, 21 tariff blocks over 13 periods
    energies_and_demands = [item for item in ALL_2007 if item.di >> 24 in (0, 1)]
    assert len(energies_and_demands) == 109 * 14 + 21 * 63 * 14 + 21 * 13 + 4  # and four prepaid values
    assert len([item for item in ALL_2007 if item.di >> 24 == 2]) == 65 - 6 + 6 * 21  # harmonics of six quantities
    assert len([item for item in ALL_1997 if item.parts]) == len(sets_1997.identifiers())


def test_each_register_with_four_decimals_stands_for_one_with_two():
    own = [item for item in ALL_2007 if item.di >> 24 == 0x0D]
    assert len(own) == 63 * 14 + 11 * 62 * 14 - 11  # rows, their tariffs, the periods; no block of blocks
    assert {item.profile for item in own} == {"own"}
    for item in own:
        other = item_2007(item.di & 0xFFFFFF)
        assert item.name == f"precise_{other.name}"
        assert (item.unit, item.signed, item.owner) == (other.unit, other.signed, other.owner)
        assert item.picture == other.picture.replace("XXXXXX.XX", "XXXXXX.XXXX")
        if item.members is not None:
            members = (item.members.first & 0xFFFFFF, item.members.step, item.members.most)
            assert members == (other.members.first, other.members.step, other.members.most)
        assert (item.octets or 0) * 4 == (other.octets or 0) * 5


def test_every_name_finds_its_item():
    for item in ALL_2007:
        assert item_named(item.name).di == item.di
    names_2007 = {item.name for item in ALL_2007}
    for item in ALL_1997:
        if item.name not in names_2007:
            assert item_named(item.name).di == item.di


def test_every_identifier_finds_its_item():
    for item in random.Random(1).sample(ALL_2007, 2000):
        assert find(item.di_text) == item
    for item in ALL_1997:
        assert find(item.di_text.lower()) == item


def test_the_same_thing_has_the_same_name_in_both_editions():
    names_1997 = {item.name: item.di for item in ALL_1997}
    for item in ALL_2007:
        assert item.di_1997 == names_1997.get(item.name), item.name


def test_no_name_reads_as_an_identifier():
    for item in (*ALL_2007, *ALL_1997):
        assert not (len(item.name) in (4, 8) and set(item.name) <= set("0123456789abcdef"))


@pytest.mark.parametrize(
    ("di", "name", "picture", "unit", "octets", "di_1997"),
    [
        (0x00000000, "combined_active_energy", "XXXXXX.XX", "kWh", 4, None),
        (0x00010000, "import_active_energy", "XXXXXX.XX", "kWh", 4, 0x9010),
        (0x00010002, "import_active_energy_settlement_2", "XXXXXX.XX", "kWh", 4, 0x9810),
        (0x00010003, "import_active_energy_settlement_3", "XXXXXX.XX", "kWh", 4, None),
        (0x00010E01, "import_active_energy_tariff_14_settlement_1", "XXXXXX.XX", "kWh", 4, 0x941E),
        (0x00020F00, "export_active_energy_tariff_15", "XXXXXX.XX", "kWh", 4, None),
        (0x0001FF00, "import_active_energy_block", "(1+k)*XXXXXX.XX", "kWh", None, 0x901F),
        (0x000103FF, "import_active_energy_tariff_3_settlement_block", "s*XXXXXX.XX", "kWh", None, None),
        (0x00080000, "reactive_q4_energy", "XXXXXX.XX", "kvarh", 4, 0x9140),
        (0x00060000, "reactive_q2_energy", "XXXXXX.XX", "kvarh", 4, 0x9150),
        (0x00290005, "import_active_energy_b_settlement_5", "XXXXXX.XX", "kWh", 4, None),
        (0x0101003F, None, "", "", None, None),
        (0x010100FF, "import_active_maximum_demand_settlement_block", "s*(XX.XXXX+YYMMDDhhmm)", "kW", None, None),
        (0x02010100, "voltage_a", "XXX.X", "V", 2, 0xB611),
        (0x02020200, "current_b", "XXX.XXX", "A", 3, 0xB622),
        (0x02030000, "active_power", "XX.XXXX", "kW", 3, 0xB630),
        (0x02040300, "reactive_power_c", "XX.XXXX", "kvar", 3, 0xB643),
        (0x02060100, "power_factor_a", "X.XXX", "", 2, 0xB651),
        (0x02800001, "neutral_current", "XXX.XXX", "A", 3, None),
        (0x02800002, "frequency", "XX.XX", "Hz", 2, 0xB660),
        (0x020A0115, "voltage_harmonic_a_21", "XX.XX", "%", 2, None),
        (0x03010203, "voltage_loss_b_record_3", None, "", 131, None),
        (0x0310020C, "voltage_qualification_b_month_12", None, "", 27, None),
        (0x04000101, "date_and_weekday", "YYMMDDWW", "", 4, 0xC010),
        (0x0403000D, "holiday_13", "YYMMDDNN", "", 4, 0xC41D),
        (0x0403000E, "holiday_14", "YYMMDDNN", "", 4, None),
        (0x0405013F, "set_1_price_tariff_63", "NNNN.NNNN", "yuan/kWh", 4, None),
        (0x040501FF, "set_1_price_block", "k*NNNN.NNNN", "yuan/kWh", None, None),
        (0x0506063E, "daily_freeze_reactive_q2_energy_62", "(1+k)*XXXXXX.XX", "kvarh", None, None),
        (0x050402FE, "hourly_freeze_export_active_energy_254", "XXXXXX.XX", "kWh", 4, None),
        (0x13020002, "phase_failure_b_minutes", "XXXXXX", "min", 3, 0xB322),
    ],
)
def test_facts(di, name, picture, unit, octets, di_1997):
    if name is None:
        with pytest.raises(UnknownItem):
            item_2007(di)
        return
    item = item_2007(di)
    assert (item.name, item.unit, item.octets, item.di_1997) == (name, unit, octets, di_1997)
    assert picture in (None, item.picture)


@pytest.mark.parametrize(
    ("di", "name", "picture", "unit"),
    [
        (0x9010, "import_active_energy", "XXXXXX.XX", "kWh"),
        (0x941E, "import_active_energy_tariff_14_settlement_1", "XXXXXX.XX", "kWh"),
        (0x9160, "reactive_q3_energy", "XXXXXX.XX", "kvarh"),
        (0xA010, "import_active_maximum_demand", "XX.XXXX", "kW"),
        (0xB611, "voltage_a", "XXX", "V"),
        (0xC119, "initial_active_energy", "NNNNNN.N", "kWh"),
        (0xC33F, "day_table_1_period_block", "k*hhmmNN", ""),
        (0xC3AA, "day_table_8_period_10", "hhmmNN", ""),
        (0x90FF, "active_energy_set", "set of blocks, AA after each", "kWh"),
        (0x90F0, "active_energy_set", "set of blocks, AA after each", "kWh"),
        (0x9FFF, "energy_set_all_periods", "set of blocks, AA after each", "kWh,kvarh"),
    ],
)
def test_facts_1997(di, name, picture, unit):
    item = item_1997(di)
    assert (item.name, item.picture, item.unit) == (name, picture, unit)


def test_sets_of_1997():
    assert item_1997(0x90FF).parts == (0x901F, 0x902F)
    assert item_1997(0x91FF).parts == (0x911F, 0x912F, 0x913F, 0x914F, 0x915F, 0x916F)
    assert item_1997(0x9C1F).parts == (0x901F, 0x941F, 0x981F)
    assert item_1997(0x931F).parts == (0x901F, 0x911F)
    assert len(item_1997(0xAFFF).parts) == 24
    assert item_1997(0xB4FF).parts == (0xB41F, 0xB42F)


@pytest.mark.parametrize(
    "di", [0x0001FFFF, 0x00014000, 0x0001000D, 0x00150100, 0x020A0100, 0x020A0116, 0x0301010B, 0x04000100, 0x2A000000]
)
def test_what_is_not_there_2007(di):
    with pytest.raises(UnknownItem, match=f"{di:08X}"):
        item_2007(di)


@pytest.mark.parametrize(
    "di", [0x9000, 0x9017 + 0x60, 0x901F + 0x70, 0x933F, 0x92FF, 0xB3FF, 0xB7FF, 0xC33B, 0xC330, 0]
)
def test_what_is_not_there_1997(di):
    with pytest.raises(UnknownItem):
        item_1997(di)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("voltage_e", "did you mean voltage_"),
        ("0001000", "8 hex digits"),
        ("", "a name of the register table"),
        ("import_active_energy_tariff_64", "did you mean import_active_energy_tariff_"),
        ("import_active_energy_tariff_01", "did you mean"),
        ("import_active_energy_settlement_0", "did you mean"),
        ("x" * 100_000, "a name of the register table"),
    ],
)
def test_a_wrong_name_gets_a_hint(text, hint):
    with pytest.raises(UnknownItem, match=hint) as caught:
        find(text)
    assert len(str(caught.value)) < 400


@given(st.text(max_size=80))
def test_find_raises_nothing_else(text):
    try:
        item = find(text)
    except UnknownItem:
        return
    assert item.di_text.lower() == text.strip().lower() or item.name == text.strip().lower().replace("-", "_")


@given(st.integers(0, 2**32 - 1))
def test_any_identifier_is_an_item_or_unknown(di):
    with contextlib.suppress(UnknownItem):
        assert item_2007(di).di == di
    with contextlib.suppress(UnknownItem):
        assert item_1997(di & 0xFFFF).di == di & 0xFFFF


def test_no_row_has_two_blocks():
    for edition in ("2007", "1997"):
        for row in catalogue._table(edition).rows:
            assert sum(each.block for each in row.ranges) <= 1
            assert row.derive(row.item.di) == row.item


def test_passwords_are_not_readable_and_readings_not_writable():
    assert not any(item.read for item in ALL_2007 if item.di >> 8 == 0x04000C)
    assert not item_1997(0xC212).read
    assert not any(item.write for item in ALL_2007 if item.di >> 24 != 4)
    assert sum(item.write for item in catalogue.ITEMS_2007) == 161 + 13
    assert all(item.read or item.write for item in (*ALL_2007, *ALL_1997))


def test_owners():
    owners = {item.owner for item in (*ALL_2007, *ALL_1997)}
    assert owners == {
        *("energy", "demand", "tariff", "clock", "freezing", "recording", "load_record", "fee_control", "display"),
        *("platform", "communication", "metering", "security"),
    }
    prices = {0x0280000B, 0x02800020, 0x02800021}
    for item in ALL_2007:
        if item.di >> 24 in (0, 2):
            is_money = item.di >> 16 == 0x0090 or item.di in prices
            is_demand = 0x02800004 <= item.di <= 0x02800006
            assert item.owner == ("fee_control" if is_money else "demand" if is_demand else "energy")


def test_members_of_blocks_exist_and_share_the_owner_and_access():
    for item in (*catalogue.ITEMS_2007, *catalogue.ITEMS_1997):
        members = [item.members.di(index) for index in range(item.members.most)] if item.members else []
        for di in (*members, *item.parts):
            member = catalogue.item_of(item.edition, di)
            assert (member.read, member.write, member.owner) == (item.read, item.write, item.owner)
            assert member.unit == item.unit or item.parts


def test_titles_count_too():
    assert item_2007(0x00010300).title == "current tariff 3 forward active energy"
    assert item_2007(0x00010300).base_di == 0x00010100
    assert item_2007(0x00010302).title == "tariff 3 forward active energy, settlement period 2 back"
    assert item_2007(0x00010302).name_zh == "(上2结算日)费率3正向有功电能"
    assert item_2007(0x03010105).name_zh == "(上5次)A相失压记录"


def test_listing_has_the_keys_that_outside_programs_read():
    listed = catalogue.listing()
    keys = {
        "di",
        "di_1997",
        "name",
        "name_zh",
        "picture",
        "unit",
        "signed",
        "octets",
        "read",
        "write",
        "category",
        "owner",
    }
    assert all(keys <= row.keys() for row in listed)
    assert [row["di"] for row in listed[: len(catalogue.ITEMS_2007)]] == [item.di_text for item in catalogue.ITEMS_2007]
    by_name = {row["name"]: row for row in listed}
    assert len(by_name) == len(listed)
    assert by_name["import_active_energy"]["di_1997"] == "9010"
    assert by_name["import_reactive_energy"]["di"] is None
    assert by_name["import_reactive_energy"]["di_1997"] == "9110"
    assert len(catalogue.listing(concrete=True)) > 24_000


def test_the_caches_are_bounded():
    for di in range(0x00010000, 0x00013F00 + 13, 7):
        try:
            item_2007(di)
        except UnknownItem:
            continue
    assert item_2007.cache_info().maxsize == catalogue.CONCRETE_ITEMS_CACHED_MAX
    assert item_1997.cache_info().maxsize == catalogue.CONCRETE_ITEMS_CACHED_MAX


def test_importing_the_catalogue_reads_no_table():
    code = "import wattwheel.model.catalogue as c; assert c._table.cache_info().currsize == 0; c.find('voltage_a')"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_module_has_no_other_late_attributes():
    with pytest.raises(AttributeError):
        _ = catalogue.ITEMS_1984


@pytest.fixture(scope="module")
def committed_page(request):
    return (request.config.rootpath / "docs/reference/data-items.md").read_text(encoding="utf-8")


def test_the_committed_manual_page_is_the_generated_one(committed_page):
    assert committed_page == manual.page(), "python -m wattwheel.model.manual > docs/reference/data-items.md"


def test_every_row_is_in_the_manual(committed_page):
    for item in (*catalogue.ITEMS_2007, *catalogue.ITEMS_1997):
        assert f"| `{item.di_text}` |" in committed_page
        assert f"`{item.name}`" in committed_page
