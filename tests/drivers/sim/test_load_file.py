"""Loads of one row a minute: both forms of files, profiles by name, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wattwheel.drivers.sim.load_file import LoadRow, load_rows
from wattwheel.model.errors import BadInput, RecordingError

UCI = Path(__file__).parents[2] / "data" / "uci-household" / "2007-02-01_02.csv"
HEAD = "time,active_power_kw,reactive_power_kvar,voltage_v,current_a\n"


def made(tmp_path, text):
    path = tmp_path / "load.csv"
    path.write_text(text)
    return str(path)


def test_the_household_file_as_it_is_published():
    rows = load_rows(str(UCI))
    assert len(rows) == 2880
    assert rows[0] == LoadRow(326_000, 128_000, 243_150, 1_400_000)
    assert abs(sum(row.active_milliwatt for row in rows) / 60e6 - 58.2083) < 5e-5
    assert abs(sum(row.reactive_millivar for row in rows) / 60e6 - 4.8301) < 5e-5
    assert load_rows(str(UCI), 7) == rows[:7]


def test_the_plain_form_with_columns_in_any_order_and_others_beside(tmp_path):
    text = (
        "voltage_v,time,note,current_a,reactive_power_kvar,active_power_kw\n229.5,2026-01-01T00:59,x,5.25,-0.125,-1.5\n"
    )
    text += "230,2026-01-01T01:00,y,1,0,0.25\n"
    assert load_rows(made(tmp_path, text)) == [
        LoadRow(-1_500_000, -125_000, 229_500, 5_250_000),
        LoadRow(250_000, 0, 230_000, 1_000_000),
    ]


def test_what_is_missing_in_a_row_is_as_the_row_before(tmp_path):
    text = HEAD + "2026-01-01T00:00,1,0,230,5\n2026-01-01T00:01,?,?,?,?\n2026-01-01T00:02,2,0,230,9\n"
    rows = load_rows(made(tmp_path, text))
    assert rows[1] == rows[0] != rows[2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2\n", "line 1"),
        ("", "line 1"),
        (HEAD, "no rows"),
        (HEAD + "2026-01-01T00:00,?,0,230,5\n", "line 2"),
        (HEAD + "2026-01-01T00:00,1e9,0,230,5\n", "line 2"),
        (HEAD + "2026-01-01T00:00,nan,0,230,5\n", "line 2"),
        (HEAD + "2026-01-01T00:00,1,0,50000,50000\n", "line 2"),
        (HEAD + "2026-01-01T00:00,1,0,-230,5\n", "a voltage that is not negative"),
        (HEAD + "2026-01-01T00:00,1,0,230\n", "line 2"),
        (HEAD + "yesterday,1,0,230,5\n", "line 2"),
        (HEAD + "2026-01-01T00:00,1,0,230,5\n2026-01-01T00:02,1,0,230,5\n", "expected 2026-01-01T00:01:00"),
    ],
)
def test_what_is_no_load_is_refused_with_its_line(tmp_path, text, why):
    with pytest.raises(RecordingError, match=why):
        load_rows(made(tmp_path, text))


def test_what_is_no_plain_file_is_called_so(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for where in (str(pipe), "/dev/null", str(tmp_path)):
        with pytest.raises(BadInput, match="no plain file"):
            load_rows(where)


def test_profiles_by_name():
    house = load_rows("house")
    assert len(house) == 1440
    assert house[0][:3] == LoadRow(326_000, 128_000, 243_150, 0)[:3]
    assert len(load_rows("constant")) == 1
    with pytest.raises(BadInput, match="house, constant"):
        load_rows("castle")
