"""The bus benchmark routes what it says it routes: a short run, whose partitions check every reply and every count."""

from wattwheel.testing.benchmarks import bus
from wattwheel.testing.benchmarks.bus import Figure, measure_bare, measure_ours


def test_a_short_run_of_both_sides():
    for figure in (measure_ours(50, 640), measure_bare(50, 640)):
        assert 0 < figure.p50_us <= figure.p99_us
        assert figure.messages_per_s > 0


def test_ratio_and_peers_come_from_interleaved_rounds(monkeypatch):
    ours = iter([Figure(40, 90, 300e3), Figure(60, 90, 200e3), Figure(50, 90, 100e3)])
    bare = iter([Figure(20, 30, 100e3), Figure(40, 50, 100e3), Figure(50, 60, 100e3)])
    monkeypatch.setattr(bus, "measure_ours", lambda: next(ours))
    monkeypatch.setattr(bus, "measure_bare", lambda: next(bare))
    monkeypatch.setattr(bus.scripts, "BROKERS", {})
    round_trip, one_way = bus.measure(rounds=3)
    assert (round_trip.value, round_trip.ratio, round_trip.met) == (50, 1.5, True)
    assert (one_way.value, one_way.ratio, one_way.met) == (200e3, 2.0, True)
