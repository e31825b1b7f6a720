"""CSV: delimiters, time column or rate, and a sentence with the line for everything else."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.csv_table import read_csv


def test_comma_table_with_time():
    recording = read_csv("x.csv", b"time_s,voltage_a_v,current_a_ma\n0,1,2\n0.001,3,4\n0.002,5,6\n")
    voltage, current = recording.channels
    assert voltage.samples().tolist() == [1, 3, 5]
    assert current.samples().tolist() == pytest.approx([0.002, 0.004, 0.006])
    assert (voltage.unit, voltage.phase, current.unit) == ("V", "A", "A")
    assert recording.sections[0].rate_hz == pytest.approx(1000)


@pytest.mark.parametrize(
    "text", ["time_s;voltage_a_v\n0;1,5\n0,25;2,5\n", "# note\ntime_s\tvoltage_a_v\n\n0\t1.5\n0.25\t2.5\n"]
)
def test_semicolon_with_decimal_comma_and_tab(text: str):
    recording = read_csv("x.csv", text.encode())
    assert recording.channels[0].samples().tolist() == [1.5, 2.5]
    assert recording.sections[0].rate_hz == pytest.approx(4)


def test_rate_stands_in_for_the_time_column_and_overrides_it():
    assert read_csv("x.csv", b"u\n1\n2\n", 50.0).times_s.tolist() == [0, 0.02]
    recording = read_csv("x.csv", b"time_s,u\n0,1\n9,2\n", 50.0)
    assert [channel.name for channel in recording.channels] == ["u"]
    assert recording.sections[0].rate_hz == 50.0


def test_times_rounded_to_a_microsecond_are_straight_again():
    rows = "".join(f"{k / 6400:.6f},{k}\n" for k in range(640))
    recording = read_csv("x.csv", f"time_s,u\n{rows}".encode())
    assert recording.sections[0].rate_hz == pytest.approx(6400, rel=1e-5)
    assert len(recording.sections) == 1


def test_empty_field_is_a_lost_sample():
    assert math.isnan(read_csv("x.csv", b"time_s,u,w\n0,1,1\n1,,1\n").channels[0].samples()[1])


@pytest.mark.parametrize(
    ("octets", "rate", "says"),
    [
        (b"", None, "is empty"),
        (b"\n\n", None, "is empty"),
        (b"1,2\n3,4\n", None, "line 1: numbers where the header row"),
        (b"time_s\n1\n", None, "no column beside time_s"),
        (b"u,w\n1,2\n", None, "no column time_s among u, w; add it or give --rate HZ"),
        (b"time_s,u\n", None, "no row of numbers under the header row"),
        (b"time_s,u\n0,1\n1\n", None, "line 3: 1 fields; allowed: 2"),
        (b"time_s,u\n0,1\n1,x\n", None, "line 3, column 2: found 'x'; allowed: a finite number"),
        (b"time_s,u\n0,1\n1,nan\n", None, "line 3, column 2: found 'nan'"),
        (b"time_s,u\n0,1\n0,2\n", None, "time does not rise from sample 1 to sample 2"),
        (b"time_s,u\n0,1\n,2\n", None, "no time_s at sample 2"),
        (b"time_s,u\n0,1\n", None, "one sample only"),
        (b"u\n1\n", 0.0, "--rate: sampling rate 0 Hz; allowed: 1e-06 to"),
        (b"u\n1\n", math.nan, "--rate: sampling rate nan Hz"),
    ],
)
def test_broken_tables_say_where_and_why(octets: bytes, rate: float | None, says: str):
    with pytest.raises(RecordingError, match=says):
        read_csv("x.csv", octets, rate)


@settings(max_examples=100, deadline=None)
@given(octets=st.binary(max_size=80), head=st.sampled_from([b"", b"time_s,u\n", b"time_s;u\n0;1\n"]))
def test_no_octets_raise_anything_but_the_documented_error(octets: bytes, head: bytes):
    try:
        recording = read_csv("x.csv", head + octets)
    except RecordingError:
        return
    assert len(recording) > 0
