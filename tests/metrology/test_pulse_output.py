"""Energy pulses on their way out: each once, over deaths and cuts at any write, constants that change, any width."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metrology.world import IDENTITY, Cells, KillError, WorldClock, line

from wattwheel.boot.sim_core import Load, LoadBooks, LoadSource
from wattwheel.drivers.sim.pulses import SimPulses
from wattwheel.drivers.sim.synthesis import ConstantSource
from wattwheel.hil.pulses import Pulse
from wattwheel.metrology.calibration import Calibration
from wattwheel.metrology.crossing import TICKS_PER_SAMPLE
from wattwheel.metrology.device import CoreTiming, MeteringCore
from wattwheel.metrology.energy import FINE_BITS
from wattwheel.metrology.ledger import EnergyLedger
from wattwheel.metrology.meter import ChainMeter
from wattwheel.metrology.outputs import CoreOutputs
from wattwheel.metrology.pulse_output import OWED_MAX, PulseCounters, PulseOutput
from wattwheel.metrology.pulses import FINE_PER_KWH, Pulses
from wattwheel.metrology.wiring import Rating, Wiring
from wattwheel.model.errors import ConfigError, ItemValueError
from wattwheel.model.inputs import ConstantInput
from wattwheel.protocols.corelink import Kind, Message, Side, pack
from wattwheel.protocols.corelink_outputs import encode_pulses

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "signal-output.json").read_text())
KW = 1_000_000  # in milliwatt
MS_NS = 1_000_000
FINE_PER_WS = 1_000_000 << FINE_BITS
SYNC_NS = 20_000_000_000


class Bench:
    """A core with an exact load, its memory and whoever counts its flashes; the core can die and come back."""

    def __init__(self, remembers: bool = True, sync_ns: int = SYNC_NS, has_sink: bool = True) -> None:
        self.clock = WorldClock()
        self.near, self.far = line(self.clock)
        self.cells = Cells()
        self.load = Load(self.clock)
        self.sink = SimPulses(remembers) if has_sink else None
        self.timing = CoreTiming(sync_ns=sync_ns)
        self.core: MeteringCore | None = None
        self.number = 100
        self.start()

    def start(self) -> None:
        self.books = LoadBooks(self.load, self.sink)
        outputs = CoreOutputs(None, self.books.counters)
        self.core = MeteringCore(
            self.clock, self.cells, self.near, self.books, IDENTITY, self.timing, was_written=True, outputs=outputs
        )
        self.core.start()
        self.core.measure(LoadSource(self.load), self.books)

    def die(self) -> None:
        """kill -9: what was written stays."""
        assert self.core is not None
        self.core._is_stopped = True
        self.near.on_arrival(lambda: None)

    def cut(self, chance: random.Random) -> None:
        """The supply is cut: what was not synced may be lost."""
        self.die()
        self.cells = self.cells.after_cut(chance)

    def set(self, active: int, reactive: int, width_ms: int = 80) -> None:
        self.number += 1
        body = self.number.to_bytes(8, "little") + encode_pulses(active, reactive, width_ms)
        self.far.write(pack(Side.MANAGEMENT, Message(Kind.SET_PULSES, self.number, body)))
        self.clock.advance(0.001)

    def run(self, seconds: float) -> None:
        """Let time pass; a death in the middle of a write is survived."""
        end = self.clock.now_ns() + round(seconds * 1e9)
        while self.clock.now_ns() < end:
            try:
                self.clock.advance((end - self.clock.now_ns()) / 1e9)
            except KillError:
                self.die()
                self.clock.advance(0.1)
                self.start()

    @property
    def numbers(self) -> list[int]:
        assert self.sink is not None
        return [pulse.number for pulse in self.sink.of("active")]


# -- S-01


def steady(power_w: float, constant: int, seconds: float) -> list[Pulse]:
    """Flashes of the whole chain under constant power."""
    sink = SimPulses()
    output = PulseOutput(sink, 13_200.0)
    ledger = EnergyLedger(constant, constant, output)
    source = ConstantSource(ConstantInput(active_power_w=(power_w,), rate_hz=1600.0), 0, 1.0)
    meter = ChainMeter(ledger, source.format, Wiring.SINGLE_PHASE, Rating(50.0, 220.0), Calibration())
    ledger.counters.start_samples(0, 1e9 / source.format.rate_hz / TICKS_PER_SAMPLE)
    ledger.counters.begin(0)
    now_ns = 0
    while now_ns < seconds * 1e9:
        now_ns += 1_000_000_000
        for block in source.read(now_ns):
            meter.feed(block)
    output.mark()
    output.give()
    assert len(sink.of("active")) == ledger.pulses()[0]
    return sink.of("active")


@pytest.mark.parametrize("vector", VECTORS["pulse"], ids=lambda vector: f"{vector['constant_imp_per_kwh']}")
def test_the_interval_at_constant_load_is_that_of_theory_within_a_millisecond(vector):
    """S-01. What one phase cannot carry is made up for by the constant: the interval is the same."""
    expected_s = float(vector["pulse_interval_s"])
    power_w = min(1000 * float(vector["power_kw"]), 13_200.0)
    constant = round(vector["constant_imp_per_kwh"] * 1000 * float(vector["power_kw"]) / power_w)
    flashes = steady(power_w, constant, min(90.0, max(20.0, 4 * expected_s)))
    gaps = [(after.start_ns - before.start_ns) / 1e9 for before, after in pairwise(flashes)]
    assert len(gaps) >= 2
    assert all(abs(gap - expected_s) < 0.001 for gap in gaps)


# -- identity: N pulses = register increment, in every load, over restarts


@pytest.mark.parametrize("remembers", [True, False])
def test_pulses_are_those_of_the_register_after_an_orderly_end(remembers):
    bench = Bench(remembers)
    for kilowatt in (1, -3, 0, 7):
        bench.load.set((kilowatt * KW, 0, 0), (KW, 0, 0))
        bench.run(33.3)
    bench.core.stop()
    assert bench.numbers == list(range(1, bench.books.pulses()[0] + 1))
    assert len(bench.sink.of("reactive")) == bench.books.pulses()[1] > 100


def test_a_pulse_waits_until_its_register_is_written_and_no_longer():
    bench = Bench()
    bench.load.set((KW, 0, 0))
    bench.run(10.05)
    assert bench.books.pulses()[0] - len(bench.numbers) <= 1
    before = len(bench.numbers)
    bench.cells.failing.add("write")
    bench.run(10)
    assert len(bench.numbers) == before
    bench.cells.failing.clear()
    bench.run(1)
    assert bench.numbers == list(range(1, len(bench.numbers) + 1))
    assert bench.books.pulses()[0] - len(bench.numbers) <= 1


def test_for_a_pipe_a_pulse_waits_until_its_register_is_on_the_medium():
    bench = Bench(remembers=False)
    bench.load.set((KW, 0, 0))
    bench.run(19.5)
    assert bench.numbers == []
    bench.run(1)
    assert len(bench.numbers) == 35  # 6400 a kWh: one in 0.5625 s
    assert bench.sink.pulses[0].start_ns < 6_000_000_000 + 600 * MS_NS  # with its own instant


@pytest.mark.parametrize("kill", range(1, 60, 3))
def test_a_death_at_any_write_neither_loses_nor_repeats_a_pulse(kill):
    bench = Bench()
    bench.load.set((20 * KW, 0, 0))
    bench.cells.kill_at_write = kill
    bench.run(90)
    bench.core.stop()
    assert bench.numbers == list(range(1, bench.books.pulses()[0] + 1))


@pytest.mark.parametrize("kill", range(1, 60, 3))
def test_on_a_pipe_a_death_repeats_no_pulse_and_loses_at_most_the_batch_that_it_met(kill):
    bench = Bench(remembers=False)
    bench.load.set((20 * KW, 0, 0))
    bench.cells.kill_at_write = kill
    bench.run(90)
    bench.core.stop()
    numbers = bench.numbers
    assert numbers == sorted(set(numbers))
    missing = sorted({*range(1, bench.books.pulses()[0] + 1)} - {*numbers})
    assert missing in ([], list(range(missing[0], missing[-1] + 1)) if missing else [])
    if kill % 20 != 2:  # any but the write that says "these are about to be given"
        assert not missing


@pytest.mark.parametrize("seed", range(12))
def test_a_cut_of_the_supply_repeats_no_pulse(seed):
    chance = random.Random(seed)
    bench = Bench(remembers=bool(seed % 2))
    bench.load.set((20 * KW, 0, 0))
    for _ in range(6):
        bench.run(chance.random() * 40)
        bench.cut(chance)
        bench.clock.advance(chance.random() * 5)
        bench.start()
    bench.run(45)
    bench.core.stop()
    numbers = bench.numbers
    assert numbers == list(range(1, bench.books.pulses()[0] + 1))


def test_pulses_that_were_due_before_a_death_follow_at_once():
    bench = Bench()
    bench.load.set((20 * KW, 0, 0))
    bench.run(10.5)
    bench.core._sequence += 1
    bench.core._read_samples()
    bench.core._save(bench.clock.now_ns())  # written; it dies before they are given
    owed = bench.books.pulses()[0] - len(bench.numbers)
    assert owed > 5
    bench.die()
    bench.load.set((0, 0, 0))
    bench.clock.advance(30)
    bench.start()
    back_ns = bench.clock.now_ns()
    bench.run(2)
    assert bench.numbers == list(range(1, bench.books.pulses()[0] + 1))
    assert [pulse.start_ns >= back_ns for pulse in bench.sink.pulses[-owed:]] == [True] * owed


def test_an_output_that_is_switched_on_later_begins_then():
    bench = Bench(has_sink=False)
    bench.load.set((20 * KW, 0, 0))
    bench.run(30)
    bench.core.stop()
    before = bench.books.pulses()[0]
    bench.sink = SimPulses()
    bench.start()
    bench.run(10)
    bench.core.stop()
    assert bench.numbers == list(range(before + 1, bench.books.pulses()[0] + 1))


def test_a_sink_of_another_life_is_not_believed():
    sink = SimPulses()
    output = PulseOutput(sink, 1000.0)
    output.shape((6400, 6400), 80)
    output.begin((3 * OWED_MAX, 5), (2 * OWED_MAX - 10, 4), 0)
    output.mark()
    output.give()
    assert output.told(0) == 3 * OWED_MAX
    assert [(pulse.kind, pulse.number) for pulse in sink.pulses] == [("reactive", 5)]


def test_the_device_costs_nothing_without_an_output():
    bench = Bench(has_sink=False)
    bench.load.set((20 * KW, 0, 0))
    bench.run(5)
    assert bench.books.counters.to_state() == b""
    assert bench.core.status().has_outputs is False


# -- S-02


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from((1, 400, 1600, 6400, 999_999))), min_size=1, max_size=20)
)
def test_energy_is_kept_over_changes_of_the_constant(steps):
    """Each pulse stands for the energy of its own constant; what remains is less than one pulse."""
    pulses, energy, worth = Pulses(6400), 0, 0.0
    before = 0
    for joule, constant in steps:
        energy += joule * FINE_PER_WS
        pulses.count_up(energy)
        worth += (pulses.count - before) / pulses.constant
        before = pulses.count
        pulses.set_constant(constant)
        worth += (pulses.count - before) / pulses.constant
        before = pulses.count
    rest = energy / FINE_PER_KWH - worth
    assert -1e-9 <= rest < 1 / pulses.constant + 1e-9
    again = Pulses(1)
    again.take_up(pulses.to_state())
    again.count_up(energy)
    assert (again.count, again.constant) == (pulses.count, pulses.constant)
    again.count_up(energy + 10**15)
    pulses.count_up(energy + 10**15)
    assert again.count == pulses.count


def test_another_constant_takes_effect_at_once_and_outlives_the_core():
    bench = Bench()
    bench.load.set((KW, 0, 0))
    bench.run(36)
    register = bench.books.registers()[0]
    assert bench.books.pulses()[0] == 64
    bench.set(1600, 400)
    assert bench.books.counters.constants == (1600, 400)
    bench.run(90)
    assert bench.books.registers()[0] - register == KW * 90_000
    assert bench.books.pulses()[0] == 64 + 40
    bench.run(1)
    bench.die()
    bench.start()
    assert bench.books.counters.constants == (1600, 400)
    starts = [pulse.start_ns for pulse in bench.sink.of("active")]
    gaps = [after - before for before, after in pairwise(starts)]
    assert {*gaps[:63]} <= {562_500_000, 562_499_999, 562_500_001}
    assert all(abs(gap - 2_250_000_000) < 10 for gap in gaps[64:])
    bench.run(40)
    assert bench.numbers == list(range(1, len(bench.numbers) + 1))


def test_what_has_flowed_up_to_an_order_is_counted_before_it():
    bench = Bench()
    bench.load.set((KW, 0, 0))
    bench.run(36.1)
    bench.set(1600, 400)
    assert bench.books.registers()[0] == KW * 36_100
    bench.die()
    assert bench.books.pulses()[0] == 64


def test_a_late_order_of_constants_is_passed_over():
    bench = Bench()
    bench.set(1600, 400)
    bench.number -= 3
    bench.set(20_000, 20_000)
    assert bench.books.counters.constants == (1600, 400)


@pytest.mark.parametrize("body", [bytes(20), b"", encode_pulses(0, 1, 80), encode_pulses(1, 1_000_001, 80)])
def test_impossible_constants_are_refused(body):
    bench = Bench()
    octets = (7).to_bytes(8, "little") + body
    bench.far.write(pack(Side.MANAGEMENT, Message(Kind.SET_PULSES, 7, octets)))
    bench.clock.advance(1)
    assert bench.books.counters.constants == (6400, 6400)
    with pytest.raises(ConfigError):
        Pulses(6400).set_constant(0)


@pytest.mark.parametrize("octets", [b"x", bytes(80), bytes(96), bytes(97)])
def test_saved_octets_that_are_none_are_refused(octets):
    with pytest.raises(ItemValueError):
        PulseCounters(1, 1).take_up(octets)


# -- width


@pytest.mark.parametrize(
    ("constant", "maximum_w", "width_ms", "expected_ms"),
    [(1200, 13_200.0, 80, 80), (6400, 39_600.0, 80, 7.102), (1200, 13_200.0, 40, 40), (400, 13_200.0, 200, 200)],
)
def test_a_pulse_is_as_wide_as_it_is_told_unless_there_is_no_room(constant, maximum_w, width_ms, expected_ms):
    sink = SimPulses()
    output = PulseOutput(sink, maximum_w)
    output.shape((constant, constant), width_ms)
    output.begin((0, 0), None, 0)
    output.take(0, [1000], 1)
    output.mark()
    output.give()
    assert sink.pulses[0].width_ns / MS_NS == pytest.approx(expected_ms, abs=0.001)
