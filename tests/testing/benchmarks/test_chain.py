"""The chain benchmark: both sides do the same work, and results are compared before a figure is believed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from wattwheel.testing.benchmarks import chain


@pytest.fixture(scope="module")
def given() -> chain.Work:
    return chain.work(2.0)


def test_our_side_meters_the_load(given):
    found = chain.run(given)
    assert found.windows == 10
    assert found.active_power_w == pytest.approx(1920.9, abs=0.1)
    assert found.frequency_hz == pytest.approx(50.003, abs=1e-4)
    assert found.energy_microjoule == pytest.approx(1920.9e6 * 2.0, rel=0.07)  # not the open window
    assert chain.run(given, with_half_cycles=True) == found
    assert chain.measure(given, 0.01) > 0 < chain.measure(given, 0.01, with_half_cycles=True)


def test_results_that_differ_are_seen(given):
    found = chain.run(given)
    same = {"U1_rms": found.voltage_v_rms, "I1_rms": found.current_a_rms, "P1": found.active_power_w}
    assert chain.agree(found, same)
    for name in same:
        assert not chain.agree(found, same | {name: same[name] * 1.001})


def test_the_peers_script_is_fed_and_understood(given, tmp_path, monkeypatch):
    """With a stand-in of the peer's names that computes over everything at once."""
    (tmp_path / "daqopen").mkdir()
    (tmp_path / "pqopen").mkdir()
    (tmp_path / "daqopen" / "channelbuffer.py").write_text(BUFFER)
    (tmp_path / "pqopen" / "powersystem.py").write_text(SYSTEM)
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    monkeypatch.setattr(chain, "PEER_SCRIPT", script + chain.PEER_SCRIPT)
    figure, last = chain.measure_peer(given, Path(sys.executable), 0.01)
    assert figure > 0
    assert last["P1"] == pytest.approx(1920.9, rel=1e-2)


def test_an_absent_peer_is_said(given, monkeypatch):
    def absent(*_: str) -> Path:
        raise chain.PeerUnavailableError("no peer here")

    monkeypatch.setattr(chain, "peer_python", absent)
    monkeypatch.setattr(chain, "work", lambda: given)
    monkeypatch.setattr(chain, "measure", lambda *_, **__: 50e6)
    monkeypatch.setattr("wattwheel.testing.benchmarks.figures.memcpy_gb_s", lambda: 10.0)
    row, rate = chain.measure_chain()
    document = json.loads(json.dumps(row.document()))
    assert document["met"] is None
    assert document["peers"] == {"pqopen-lib 0.10.5": None}
    assert any("no peer here" in note for note in document["notes"])
    assert (rate.name, rate.value, rate.target, rate.met) == ("chain_rate", 50e6, 30e6, True)


BUFFER = """\
import numpy as np
class AcqBuffer:
    def __init__(self, size, scale_gain):
        self.gain, self.parts = scale_gain, []
    def put_data(self, data):
        self.parts.append(data * self.gain)
"""
SYSTEM = """\
from types import SimpleNamespace
import numpy as np
class PowerSystem:
    def __init__(self, zcd_channel, input_samplerate):
        pass
    def add_phase(self, u_channel, i_channel):
        self.u, self.i = u_channel, i_channel
    def process(self):
        u, i = np.concatenate(self.u.parts), np.concatenate(self.i.parts)
        self.output_channels = {"P1": SimpleNamespace(last_sample_value=float(np.mean(u * i)))}
"""
