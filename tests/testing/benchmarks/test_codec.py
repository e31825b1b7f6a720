"""The codec benchmark: its frames are distinct, its three ways agree, and the peer's script does the same work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wattwheel.protocols.dlt645.frame import decode
from wattwheel.testing.benchmarks import codec


def test_the_frames_are_distinct_random_and_of_the_catalogue():
    work = codec.pairs(1)
    assert len({pair.address for pair in work}) == len({pair.reply for pair in work}) == codec.PAIRS >= 1000
    assert len({pair.di for pair in work}) > 300
    assert {pair.preamble for pair in work} == {0, 1, 2, 3, 4}
    assert codec.pairs(1) == work != codec.pairs(2)
    for pair in work:
        frame = decode(pair.reply)
        assert (frame.address, frame.control, frame.data[:4]) == (pair.address, 0x91, pair.di)


def test_all_ways_of_measuring_do_the_same_work():
    work = codec.pairs(7, 50)
    general, bound = codec.measure(work, 0.001), codec.measure_bound(work, 0.001)
    assert general.digest == bound.digest
    assert general.pairs_per_cpu_s > 0 < bound.pairs_per_cpu_s


def test_the_peers_script_is_fed_and_understood(tmp_path, monkeypatch):
    """With a stand-in of the peer's names on our codec: what is printed, and that equal results are insisted on."""
    package = tmp_path / "dlt645" / "protocol"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "protocol.py").write_text(STAND_IN)
    script = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(Path(codec.__file__).parents[3])!r}]\n"
    monkeypatch.setattr(codec, "PEER_SCRIPT", script + codec.PEER_SCRIPT)
    compared = codec.compare(Path(sys.executable), repeats=1, seconds=0.01)
    assert compared.ratio == compared.ratio_min == compared.ours[0] / compared.peer[0]
    (package / "protocol.py").write_text(STAND_IN.replace("data=frame.data", "data=frame.data[:-1]"))
    with pytest.raises(AssertionError, match="differ"):
        codec.compare(Path(sys.executable), repeats=1, seconds=0.01)


STAND_IN = """
from types import SimpleNamespace
from wattwheel.protocols.dlt645.frame import Frame, decode, encode

class DLT645Protocol:
    @staticmethod
    def build_frame(addr, control, data, preamble):
        return encode(Frame(addr[::-1].hex(), control, data), preamble)

    @staticmethod
    def deserialize(octets):
        frame = decode(octets)
        return SimpleNamespace(
            addr=bytes.fromhex(frame.address)[::-1], ctrl_code=frame.control, preamble=bytes(frame.preamble),
            data=frame.data,
        )
"""


def test_ratios():
    compared = codec.Comparison((10.0, 12.0), (2.0, 3.0))
    assert (compared.ratio, compared.ratio_min) == (4.0, 4.0)
    compared = codec.Comparison((10.0, 12.0), (5.0, 2.0))
    assert (compared.ratio, compared.ratio_min) == (2.4, 2.0)
