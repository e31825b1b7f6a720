"""Played recordings meter like the recording, repeat without a seam, and do not depend on how they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wattwheel.boot.measure import measure
from wattwheel.drivers.inputs import open_source
from wattwheel.drivers.sim.recordings import BUNDLED
from wattwheel.hil.sampling import SampleBlock, SampleSource
from wattwheel.model.errors import RecordingError
from wattwheel.model.inputs import RecordingInput

DATA = Path(__file__).parents[2] / "data"


def joined(source: SampleSource, instants_ns: list[int]) -> SampleBlock:
    """Everything that is due at the instants, as one block without a gap."""
    blocks = [block for now in instants_ns for block in source.read(now)]
    expected = 0
    for block in blocks:
        assert block.first == expected
        assert len(block.voltage) == len(block.current) <= source.format.rate_hz
        expected += len(block.voltage)
    neutral = (
        None if blocks[0].neutral is None else np.concatenate([b.neutral for b in blocks if b.neutral is not None])
    )
    return SampleBlock(
        0, np.concatenate([b.voltage for b in blocks]), np.concatenate([b.current for b in blocks]), neutral
    )


def second(count: int) -> list[int]:
    return [k * 10**9 for k in range(count + 1)]


@pytest.mark.parametrize(("bits", "tolerance"), [(16, 5e-6), (24, 1e-7)])
def test_secondary_side_of_the_bundled_recording(bits: int, tolerance: float):
    source = open_source(RecordingInput(bits=bits), origin_ns=0, voltage_ratio=2, current_ratio=50)
    block, form = joined(source, second(2)), source.format
    assert (form.bits, len(form.voltage_v_per_count)) == (bits, 3)
    assert form.rate_hz == 30707.244140625
    assert block.voltage.dtype == (np.int16 if bits == 16 else np.int32)
    volts = block.voltage[:2048] * np.array(form.voltage_v_per_count) * 2
    amperes = block.current[:2048] * np.array(form.current_a_per_count) * 50
    expected = measure(BUNDLED, periodic=True)["phases"]
    for k, phase in enumerate("abc"):
        assert np.sqrt(np.mean(volts[:, k] ** 2)) == pytest.approx(expected[phase]["voltage_v_rms"], rel=tolerance)
        assert np.sqrt(np.mean(amperes[:, k] ** 2)) == pytest.approx(expected[phase]["current_a_rms"], rel=tolerance)
        assert np.mean(volts[:, k] * amperes[:, k]) == pytest.approx(expected[phase]["active_power_w"], rel=tolerance)
    assert block.neutral is not None
    assert form.neutral_a_per_count is not None
    neutral = block.neutral[:2048] * form.neutral_a_per_count * 50
    assert np.sqrt(np.mean(neutral**2)) == pytest.approx(expected["n"]["current_a_rms"], rel=1e-3)
    assert 0.7 < np.max(np.abs(block.voltage)) / 2 ** (bits - 1) < 0.9, "headroom"


def test_period_repeats_without_a_seam():
    source = open_source(RecordingInput(), origin_ns=0)
    block = joined(source, [k * 333_333_333 for k in range(10)])
    assert len(block.voltage) > 40 * 2048
    periods = block.voltage[: 40 * 2048].reshape(40, 2048, 3)
    assert (periods == periods[0]).all()


@pytest.mark.parametrize("play", ["period", "once", "cycles"])
def test_what_is_read_does_not_depend_on_the_blocks(play: str):
    settings = RecordingInput(play=play)
    slow = open_source(settings, origin_ns=7)
    fast = open_source(settings, origin_ns=7)
    ragged = np.cumsum(np.random.default_rng(1).integers(1, 40_000_000, 200)).tolist()
    one = joined(slow, [7 + int(now) for now in ragged])
    other = joined(fast, [7 + int(ragged[-1])])
    assert np.array_equal(one.voltage, other.voltage)
    assert np.array_equal(one.current, other.current)


def test_speed_makes_more_due():
    source = open_source(RecordingInput(), origin_ns=0, speed=20)
    assert len(joined(source, [10**9]).voltage) == int(20 * 30707.244140625) + 1
    assert all(not block.voltage.flags.writeable for block in source.read(2 * 10**9))


def test_once_ends():
    source = open_source(RecordingInput(play="once"), origin_ns=0)
    assert not source.is_finished
    assert len(joined(source, [0, 10**8]).voltage) == 2048
    assert source.is_finished
    assert source.read(10**10) == []
    source.close()


def test_whole_cycles_of_a_ragged_recording_have_no_seam(tmp_path: Path):
    rate, frequency = 3200.0, 49.7
    angle = 2 * np.pi * (frequency * np.arange(1000) / rate + 0.3)
    rows = "".join(
        f"{v!r},{i!r}\n" for v, i in zip((325 * np.sin(angle)).tolist(), np.sin(angle - 1).tolist(), strict=True)
    )
    (tmp_path / "x.csv").write_text(f"voltage_a_v,current_a_a\n{rows}")
    source = open_source(RecordingInput(path=str(tmp_path / "x.csv"), rate_hz=rate), origin_ns=0)
    block, form = joined(source, second(3)), source.format
    volts = block.voltage[:, 0] * form.voltage_v_per_count[0]
    passed = 2 * np.pi * frequency * np.arange(len(volts)) / form.rate_hz
    assert volts == pytest.approx(325 * np.sin(passed), abs=0.8), "the sine goes on over every seam"
    assert block.voltage.shape == (len(volts), 1)
    assert form.neutral_a_per_count is None


def test_secondary_recording_is_not_divided_and_missing_currents_are_zero():
    settings = RecordingInput(path=str(DATA / "comtrade-relays" / "1.cfg"), play="once")
    source = open_source(settings, origin_ns=0, voltage_ratio=100, current_ratio=100)
    block = joined(source, second(3))
    assert np.max(block.voltage) * source.format.voltage_v_per_count[0] > 75
    assert not block.current.any()
    forced = open_source(
        RecordingInput(path=settings.path, play="once", side="primary"),
        origin_ns=0,
        voltage_ratio=100,
        current_ratio=100,
    )
    assert np.max(joined(forced, second(3)).voltage) * forced.format.voltage_v_per_count[0] < 1.2


def test_map_and_wav(tmp_path: Path):
    settings = RecordingInput(path=str(DATA / "enf-whu-mains" / "092_ref.wav"), channels={"va": "1"})
    source = open_source(settings, origin_ns=0)
    block = joined(source, second(3))
    assert block.voltage.shape == (1201, 1)
    assert source.format.rate_hz == pytest.approx(400, rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (RecordingInput(path="/nowhere/x.cfg"), "no such file"),
        (RecordingInput(path=str(DATA / "comtrade-cn-220kv" / "ygz.cfg")), "more than one set of phases"),
        (RecordingInput(channels={"va": "U7"}), "no channel 'U7'"),
    ],
)
def test_bad_recordings_are_refused_at_the_start(settings: RecordingInput, says: str):
    with pytest.raises(RecordingError, match=says):
        open_source(settings, origin_ns=0)
