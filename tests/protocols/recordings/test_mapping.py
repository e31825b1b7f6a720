"""Which channel is which: by map, by name, by phase; never a guess between two."""

from __future__ import annotations

import numpy as np
import pytest

from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.mapping import mapped_channels, parse_map, values_of
from wattwheel.protocols.recordings.recording import Channel, Recording, Section, uniform_times


def recording(*channels: tuple[str, str, str], raw: np.ndarray | None = None, skew_s: float = 0.0) -> Recording:
    samples = np.arange(8.0) if raw is None else raw
    made = tuple(Channel(name, unit, phase, samples, skew_s=skew_s) for name, unit, phase in channels)
    return Recording("x.cfg", "test", made, uniform_times(len(samples), 1000.0), (Section(0, len(samples), 1000.0),))


def names(found: dict[str, Channel]) -> dict[str, str]:
    return {quantity: channel.name for quantity, channel in found.items()}


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ([("I1", "A", "V1"), ("I4", "A", ""), ("U1", "V", ""), ("U4", "V", "")], {"va": "U1", "ia": "I1", "in": "I4"}),
        ([("UA", "V", ""), ("UB", "V", ""), ("UC", "V", ""), ("3U0", "V", "")], {"va": "UA", "vb": "UB", "vc": "UC"}),
        ([(" Ia", "A", "1"), ("Ua", "V", "1"), ("Un", "V", "1")], {"va": "Ua", "ia": " Ia"}),
        ([("voltage_b_v", "V", "B"), ("current_n_a", "A", "N")], {"vb": "voltage_b_v", "in": "current_n_a"}),
        ([("220kV开关_Ua", "V", "A"), ("220kV开关_Ia", "A", "A")], {"va": "220kV开关_Ua", "ia": "220kV开关_Ia"}),
        ([("VL2", "V", ""), ("I_L2", "A", "")], {"vb": "VL2", "ib": "I_L2"}),
        ([("mains", "V", "A"), ("load", "A", "A")], {"va": "mains", "ia": "load"}),
        ([("anything", "1", "")], {"va": "anything"}),
    ],
)
def test_names_units_and_phases_say_it(channels: list[tuple[str, str, str]], expected: dict[str, str]):
    assert names(mapped_channels(recording(*channels))) == expected


@pytest.mark.parametrize(
    ("channels", "says"),
    [
        (
            [("U21", "V", ""), ("U32", "V", "")],
            r"names do not say .* --map va=1,ia=2; channels: 1: U21 \(V\), 2: U32 \(V\)",
        ),
        ([("x Ua", "V", ""), ("y Ua", "V", ""), ("x Ia", "A", "")], r"more than one set of phases; .*--map va=1,ia=3"),
        ([("1", "1", ""), ("2", "1", "")], "names do not say"),
        ([("load", "A", "")], "names do not say"),
    ],
)
def test_unclear_recordings_list_their_channels(channels: list[tuple[str, str, str]], says: str):
    with pytest.raises(RecordingError, match=says):
        mapped_channels(recording(*channels))


def test_long_lists_are_cut():
    with pytest.raises(RecordingError, match=r"24: c23 \(V\) and 76 more"):
        mapped_channels(recording(*((f"c{k}", "V", "") for k in range(100))))


def test_map_by_name_any_case_and_number():
    source = recording(("U21", "V", ""), ("I1", "A", ""), ("2", "V", ""))
    assert names(mapped_channels(source, {"ia": "i1", "va": "#1", "vb": "2"})) == {"va": "U21", "ia": "I1", "vb": "2"}


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ({"va": "U9"}, "no channel 'U9'; choose by name or number"),
        ({"va": "9"}, "no channel '9'"),
        ({"vd": "U"}, "map names 'vd'; allowed: va, ia"),
        ({"va": "I"}, "channel 'I' is in A, so it cannot be va"),
        ({"ia": "U"}, "channel 'U' is in V, so it cannot be ia"),
        ({"va": "twice"}, "2 channels are named 'twice'; use a number: 3, 4"),
    ],
)
def test_wrong_maps_say_what_is_allowed(mapping: dict[str, str], says: str):
    with pytest.raises(RecordingError, match=says):
        mapped_channels(recording(("U", "V", ""), ("I", "A", ""), ("twice", "V", ""), ("twice", "V", "")), mapping)


def test_map_text():
    assert parse_map("va=U 1, ia=I1") == {"va": "U 1", "ia": "I1"}


@pytest.mark.parametrize("text", ["", "va", "va=", "vx=U1", "va=U1,va=U2", "va=U1,"])
def test_wrong_map_text(text: str):
    with pytest.raises(RecordingError, match="--map: found"):
        parse_map(text)


def test_lost_samples_in_a_mapped_channel_are_refused():
    source = recording(("U", "V", ""), raw=np.array([0, 1, np.nan, np.inf, 2.0]))
    with pytest.raises(RecordingError, match="'U' has 2 missing samples, the first at 3"):
        values_of(source, source.channels[0], 0, 5)
    assert values_of(source, source.channels[0], 0, 2).tolist() == [0, 1]


def test_skewed_channel_is_moved_to_the_sample_times():
    count, skew_s = 200, 130e-6
    source = recording(("U", "V", ""), raw=np.sin(2 * np.pi * 50 * (np.arange(count) / 1000 + skew_s)), skew_s=skew_s)
    moved = values_of(source, source.channels[0], 0, count)
    assert moved[2:-2] == pytest.approx(np.sin(2 * np.pi * 50 * np.arange(count) / 1000)[2:-2], abs=1e-3)
