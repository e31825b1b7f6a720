"""Columns for people."""

from wattwheel.cli.output import print_columns, print_value_rows
from wattwheel.model.records import Quality, ValueRow


def test_columns_of_numbers_stand_to_the_right(capsys):
    print_columns([("00010000", 1.5, "kWh"), ("00020000", -20, None)], ("di", "value", "unit"))
    assert capsys.readouterr().out == "di        value  unit\n00010000    1.5  kWh\n00020000    -20  -\n"


def test_chinese_characters_take_two_columns(capsys):
    print_columns([("电压", "V"), ("ab", "V")])
    assert capsys.readouterr().out == "电压  V\nab    V\n"


def test_long_cells_are_cut(capsys):
    print_columns([("x" * 100,)])
    assert capsys.readouterr().out == "x" * 57 + "...\n"


def test_nothing_prints_nothing(capsys):
    print_columns([])
    assert capsys.readouterr().out == ""


def test_values_have_the_decimals_of_their_picture(capsys):
    values = {"00010000": 0.0, "02010100": 346.0, "02800002": 59.98, "04000101": "26112106", "FFFFFFFF": 1.5}
    rows = [ValueRow(di=di, name="n", value=value, unit="", quality=Quality.VALID) for di, value in values.items()]
    print_value_rows(rows)
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == [
        "0.00", "346.0", "59.98", "26112106", "1.5",
    ]  # fmt: skip


def test_blocks_primary_values_and_quality(capsys):
    inner = ValueRow(
        di="02010100", name="voltage_a", value=230.1, unit="V", quality=Quality.STALE, value_primary=2301.0
    )
    block = ValueRow(di="0201FF00", name="voltage_block", value=[inner], unit="", quality=Quality.VALID)
    print_value_rows([block])
    assert capsys.readouterr().out == (
        "0201FF00    voltage_block\n  02010100  voltage_a      230.1  V  primary 2301 V  stale\n"
    )
