"""COMTRADE: what is written comes back, what is odd is understood, what is broken is refused with line and reason."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.comtrade import read_comtrade, split_cff
from wattwheel.protocols.recordings.comtrade_cfg import decode_text
from wattwheel.protocols.recordings.recording import Recording, Section

DATA = Path(__file__).parents[2] / "data"
LINES = ("1,UA,A,,V,0.5,1.0,0,-32767,32767,100,1,S", "2,IA,A,,A,0.25,0.0,0,-32767,32767,50,1,P")


def cfg(
    *,
    head: str = "station,device,1999",
    analog: tuple[str, ...] = LINES,
    digital: int = 0,
    rates: tuple[str, ...] = ("1", "1000,4"),
    start: str = "01/02/2024,00:00:00.000000",
    form: str = "ASCII",
    tail: tuple[str, ...] = ("1",),
) -> str:
    return "\r\n".join(
        (
            head,
            f"{len(analog) + digital},{len(analog)}A,{digital}D",
            *analog,
            *(f"{k + 1},s{k},,,0" for k in range(digital)),
            "50",
            *rates,
            start,
            start,
            form,
            *tail,
        )
    )


ROWS = "1,0,2,4\n2,1000,-2,8\n3,2000,0,0\n4,3000,6,-4\n"


def read(configuration: str, rows: str | bytes = ROWS) -> Recording:
    dat = rows if isinstance(rows, bytes) else rows.encode()
    return read_comtrade("x.cfg", configuration.encode("utf-8"), "x.dat", dat)


def test_ascii_values_units_and_sides():
    recording = read(cfg())
    voltage, current = recording.channels
    assert voltage.samples().tolist() == [2.0, 0.0, 1.0, 4.0]
    assert current.samples().tolist() == [1.0, 2.0, 0.0, -1.0]
    assert (voltage.unit, voltage.side, voltage.ratio) == ("V", "secondary", 100.0)
    assert (current.unit, current.side, current.ratio) == ("A", "primary", 50.0)
    assert recording.sections == (Section(0, 4, 1000.0),)
    assert recording.times_s.tolist() == pytest.approx([0, 0.001, 0.002, 0.003])
    assert (recording.nominal_hz, recording.kind) == (50.0, "COMTRADE 1999 ASCII")


def test_edition_1991_has_ten_fields_and_no_multiplier():
    lines = tuple(",".join(line.split(",")[:10]) for line in LINES)
    recording = read(cfg(head="station,device", analog=lines, tail=()))
    assert recording.kind == "COMTRADE 1991 ASCII"
    assert recording.channels[0].side is None
    assert recording.channels[1].samples()[1] == 2.0


def test_kilovolt_is_turned_into_volt():
    recording = read(cfg(analog=("1,UA,A,,kV,0.5,1.0,0,-9,9,1,1,S", LINES[1])))
    assert recording.channels[0].unit == "V"
    assert recording.channels[0].samples()[0] == 2000.0


def test_empty_stamps_blank_lines_sub_and_status_columns():
    recording = read(cfg(digital=2), "1,,2,4,0,1\n\n2,,-2,8,0,1\n3,,0,0,1,1\n4,,6,-4,1,0\n\x1a")
    assert recording.channels[0].samples().tolist() == [2.0, 0.0, 1.0, 4.0]


@pytest.mark.parametrize(
    ("form", "code", "dtype"), [("BINARY", "h", "<i2"), ("BINARY32", "i", "<i4"), ("float32", "f", "<f4")]
)
def test_binary_formats_are_little_endian_with_whole_status_words(form: str, code: str, dtype: str):
    rows = b"".join(
        struct.pack(f"<II2{code}2H", k + 1, 0xFFFFFFFF, v, i, 1, 0)
        for k, (v, i) in enumerate([(2, 4), (-2, 8), (0, 0), (6, -4)])
    )
    recording = read(cfg(form=form, digital=17), rows)
    assert recording.channels[0].raw.dtype == np.dtype(dtype)
    assert recording.channels[0].samples().tolist() == [2.0, 0.0, 1.0, 4.0]
    assert recording.channels[1].samples().tolist() == [1.0, 2.0, 0.0, -1.0]


def test_several_rates_make_sections_and_the_step_after_a_sample_is_its_own_sections():
    recording = read(cfg(rates=("2", "1000,2", "100,4")))
    assert recording.sections == (Section(0, 2, 1000.0), Section(2, 4, 100.0))
    assert recording.times_s.tolist() == pytest.approx([0, 0.001, 0.002, 0.012])
    assert recording.fast_run() == Section(0, 2, 1000.0)


@pytest.mark.parametrize(
    ("start", "multiplier", "step"), [("00:00:00.000000", "2", 0.002), ("00:00:00.000000000", "1", 1e-6)]
)
def test_without_a_rate_the_stamps_rule(start: str, multiplier: str, step: float):
    recording = read(cfg(rates=("0", "0,4"), start=f"01/02/2024,{start}", tail=(multiplier,)))
    assert recording.times_s.tolist() == pytest.approx([0, step, 2 * step, 3 * step])
    assert recording.sections[0].rate_hz == pytest.approx(1 / step)


def test_rounded_stamps_are_straightened_and_jumps_cut():
    stamps = [round(k * 312.5) for k in range(40)] + [100_000 + round(k * 312.5) for k in range(20)]
    rows = "".join(f"{k + 1},{stamp},0,0\n" for k, stamp in enumerate(stamps))
    recording = read(cfg(rates=("0", "0,60")), rows)
    assert [(s.first, s.end) for s in recording.sections] == [(0, 40), (40, 60)]
    assert np.diff(recording.times_s[:40]) == pytest.approx(np.full(39, 312.5e-6), rel=1e-3)
    assert np.ptp(np.diff(recording.times_s[:40])) < 1e-12
    assert (recording.fast_run().first, recording.fast_run().end) == (0, 40)


def test_missing_samples_are_nan_only_where_the_channel_says_they_cannot_be_values():
    rows = b"".join(struct.pack("<IIhh", k + 1, 0, -32768, -32768) for k in range(4))
    analog = (LINES[0], "2,IA,A,,A,1,0,0,-32768,32767,1,1,S")
    recording = read(cfg(form="BINARY", analog=analog), rows)
    assert np.isnan(recording.channels[0].samples()).all()
    assert recording.channels[1].samples().tolist() == [-32768.0] * 4
    ascii_recording = read(cfg(), ROWS.replace("-2,8", ",99999"))
    assert np.isnan(ascii_recording.channels[0].samples()[1])
    assert np.isnan(ascii_recording.channels[1].samples()[1])


def test_skew_is_kept_in_seconds():
    recording = read(cfg(analog=(LINES[0].replace(",1.0,0,", ",1.0,-25,"), LINES[1])))
    assert recording.channels[0].skew_s == pytest.approx(-25e-6)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("терминал версия, Реле Отказ, ЗМН-1 пуск", "cp1251"),
        ("реле пуск", "cp1251"),  # GB 18030 could read these octets, too
        ("220kV录波器,220kVxgx_214开关_Ua,线路电压", "gb18030"),
        ("Ölgerät µA", "utf-8"),
    ],
)
def test_text_in_three_encodings(text: str, encoding: str):
    assert decode_text(text.encode(encoding)) == text


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_single_file_form(ending: str):
    configuration = cfg(tail=("1", "0,0", "0,0"))
    parts = f"--- file type: CFG ---{ending}{configuration}{ending}--- file type: HDR ---{ending}words{ending}"
    octets = f"{parts}--- file type: DAT ASCII: 40 ---{ending}{ROWS}".encode()
    cfg_part, rows = split_cff("x.cff", octets)
    assert read_comtrade("x.cff", cfg_part, "x.cff", rows).channels[0].samples()[3] == 4.0
    with pytest.raises(RecordingError, match="no section '--- file type: DAT"):
        split_cff("x.cff", parts.encode())


@pytest.mark.parametrize(
    ("configuration", "rows", "says"),
    [
        ("", ROWS, "line 1: no station"),
        (cfg(head="s,d,next year"), ROWS, "line 1: edition is 'next year'; allowed"),
        (cfg().replace("2,2A,0D", "9999999,9999998A,1D"), ROWS, "line 2: 9999999 channels announced, but only"),
        (cfg().replace("2,2A,0D", "2,2X,0D"), ROWS, "line 2: channel count '2X'; allowed"),
        (cfg().replace("2,2A,0D", "2,0A,2D"), ROWS, "no analogue channel"),
        (cfg().replace("0.5", "nan"), ROWS, "line 3: factor a is 'nan'; allowed: a finite number"),
        (cfg().replace("0.5", "1e999"), ROWS, "line 3: factor a is '1e999'"),
        (cfg(analog=("1,UA", LINES[1])), ROWS, "line 3: 2 fields in an analogue channel; allowed: 10 or 13"),
        (cfg(rates=("900000", "1000,4")), ROWS, "900000 sampling rates announced, but only"),
        (cfg(rates=("1", "0.0.1,4")), ROWS, "line 7: sampling rate is '0.0.1'"),
        (cfg(rates=("1", "-5,4")), ROWS, "line 7: sampling rate -5 Hz; allowed: 1e-06 to"),
        (cfg(rates=("2", "1000,4", "50,3")), ROWS, "line 8: last sample 3 of this rate; allowed: more than 4"),
        (cfg(form="BINARY64"), ROWS, "data format is 'BINARY64'; allowed: ASCII, BINARY, BINARY32, FLOAT32"),
        (cfg()[:60], ROWS, "ends before|fields in an analogue channel|only 1 lines follow"),
        (cfg(), "", "x.dat: holds no samples"),
        (cfg(), ROWS[:20], "x.dat: ends after sample 2 of the 4 that x.cfg announces; the file is cut"),
        (cfg(), ROWS.replace("-2,8", "-2"), "x.dat: line 2: 3 fields; allowed: 4"),
        (cfg(), ROWS.replace("-2,8", "-2,8,9"), "x.dat: line 2: 5 fields; allowed: 4"),
        (cfg(), ROWS.replace("-2,8", "-2,inf"), "x.dat: line 2, field 4: found 'inf'; allowed: a number or nothing"),
        (cfg(), ROWS.replace("-2,8", "-2,many"), "x.dat: line 2, field 4: found 'many'"),
        (cfg(form="BINARY"), b"\0" * 11, "11 octets, less than one record of 12"),
        (cfg(rates=("1", "1000,99999999999"), form="BINARY"), b"\0" * 24, "ends after sample 2 of the 99999999999"),
        (cfg(rates=("0", "0,4")), ROWS.replace("2,1000", "2,"), "no time stamp at sample 2"),
        (cfg(rates=("0", "0,4")), ROWS.replace("2,1000", "2,2000"), "time does not rise from sample 2 to sample 3"),
    ],
)
def test_broken_recordings_say_where_and_why(configuration: str, rows: str | bytes, says: str):
    with pytest.raises(RecordingError, match=says):
        read(configuration, rows)


GOOD = (cfg(digital=3).encode(), b"".join(struct.pack("<II2hH", k, k * 1000, 2, 4, 0) for k in range(4)))


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from([b"ASCII", b"BINARY", b"BINARY32", b"FLOAT32"]),
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=0, max_size=6), st.integers(0, 8)), max_size=6),
    rows=st.binary(max_size=200) | st.just(GOOD[1]),
)
def test_no_octets_raise_anything_but_the_documented_error(
    form: bytes, edits: list[tuple[int, bytes, int]], rows: bytes
):
    octets = bytearray(GOOD[0].replace(b"ASCII", form))
    for place, inserted, removed in edits:
        at = place % (len(octets) + 1)
        octets[at : at + removed] = inserted
    try:
        recording = read_comtrade("x.cfg", bytes(octets), "x.dat", rows)
    except RecordingError:
        return
    assert recording.fast_run().end <= len(recording)
    with np.errstate(all="ignore"):
        assert all(len(channel.samples()) == len(recording) for channel in recording.channels)


def test_recorder_that_follows_the_mains_is_one_run():
    folder = DATA / "comtrade-relays"
    recording = read_comtrade("1.cfg", (folder / "1.cfg").read_bytes(), "1.dat", (folder / "1.dat").read_bytes())
    assert len(recording.sections) == 83
    run = recording.fast_run()
    assert (run.first, run.end) == (0, 5316)
    stamp_of_the_last_row_s = 2.209084
    assert recording.times_s[-1] == pytest.approx(stamp_of_the_last_row_s, abs=5e-3)
    assert [channel.name for channel in recording.channels] == ["UA", "UB", "UC", "3U0"]
