"""What the metering core keeps, over a simulation: remainders, pulses, constants, faults, wiring. And its pulses."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.boot.test_living_outputs import METER, wait_for

from wattwheel.apex.messages import Control
from wattwheel.boot.core_settings import PLUG_NAME
from wattwheel.boot.metering_core import RING_NAME
from wattwheel.boot.minute_core import MinuteCore, MinuteLoad
from wattwheel.boot.minute_pulses import MinutePulses
from wattwheel.boot.settings import Override
from wattwheel.boot.settings import load as load_settings
from wattwheel.boot.simulate import Simulation, simulate
from wattwheel.boot.simulated_state import METERING_FOLDER
from wattwheel.drivers.linux.clock import host_milliseconds
from wattwheel.drivers.linux.storage import FileMemory
from wattwheel.drivers.sim.load_file import LoadRow
from wattwheel.drivers.sim.plug import SimPlug
from wattwheel.drivers.sim.pulses import SimPulses
from wattwheel.hil.pulses import Pulse
from wattwheel.metrology.core_calendar import CoreCalendar, packed_calendar
from wattwheel.metrology.energy import FINE_BITS, Registers
from wattwheel.metrology.plug import PlugWatch
from wattwheel.metrology.pulse_output import PulseCounters, PulseOutput
from wattwheel.metrology.pulses import FINE_PER_KWH
from wattwheel.metrology.ring import RING_OCTETS, RegisterRing
from wattwheel.metrology.saved_state import SavedState
from wattwheel.model.core_records import CoreFault
from wattwheel.model.errors import BadInput, ItemValueError
from wattwheel.model.records import REGISTER_COUNT, REGISTERS
from wattwheel.protocols.dlt645.frame import ADDRESS_ANY, Frame, encode
from wattwheel.testing.living import LivingMeter

SINGLE = '[meter]\nwiring = "1p2w"\nnominal_voltage_v = 230.0\n'
DAY_MICROJOULE = 1440 * 60_000 * 1_100_000
"""What the load `constant` gives in a day."""


def seen_removed(state):
    """A plug that was taken out on the board of the meter in the folder, and a core that has seen it."""
    (state / METERING_FOLDER).mkdir(parents=True)
    watch = PlugWatch(SimPlug(state / METERING_FOLDER / PLUG_NAME))
    watch.plug.move("removed")
    watch.look(lambda at_ms: 830_000_000_000, 7)
    return watch


def kept(state):
    """What lies in the metering core's memory."""
    memory = FileMemory(state / METERING_FOLDER / RING_NAME, RING_OCTETS)
    try:
        return SavedState.from_octets(RegisterRing(memory).state)
    finally:
        memory.close()


def keep(state, saved):
    """Let the metering core have kept `saved`, of whatever format."""
    (state / METERING_FOLDER).mkdir(parents=True, exist_ok=True)
    memory = FileMemory(state / METERING_FOLDER / RING_NAME, RING_OCTETS)
    RegisterRing(memory).write(saved if isinstance(saved, bytes) else saved.to_octets())
    memory.close()


def ledger_of(fine):
    """A state of the registers, in 2**-32 microjoule."""
    return b"".join(each.to_bytes(16, "little") for each in fine)


def a_day(tmp_path, state, text=SINGLE, begin="2026-02-28"):
    settings = tmp_path / "meter.toml"
    settings.write_text(text)
    return simulate(str(settings), begin, 1, "constant", True, None, str(state), print)


FINE = [(7 * DAY_MICROJOULE + place << FINE_BITS) + 12345 * place for place in range(1, 17)] + [0] * 16


def counters(sink=None, constants=(6400, 6400)):
    """Of a core that has been told 1200 and 1600 pulses, and was up to FINE then."""
    made = PulseCounters(*constants, None if sink is None else PulseOutput(sink, 39_600.0))
    made.count_up((FINE[0] + FINE[1], sum(FINE[2:6])))
    made.begin(0)
    made.set((1200, 1600), 80, 0)
    return made


def test_a_simulation_keeps_remainders_constants_and_faults(tmp_path):
    state = tmp_path / "state"
    before = counters()
    watch = seen_removed(state)
    calendar = packed_calendar(5, 1_000_000)
    lost = int(CoreFault.REGISTERS_LOST)
    keep(state, SavedState(lost, 5, 900, ledger_of(FINE), before.to_state(), 1, watch.to_state(), calendar))
    told = "active_constant_imp_per_kwh = 1200\nreactive_constant_imp_per_kvarh = 1600\n"
    assert a_day(tmp_path, state, SINGLE + told)["ok"]
    after = kept(state)
    assert (after.faults, after.starts, after.phases) == (CoreFault.REGISTERS_LOST, 6, 1)
    assert after.plug == watch.to_state()
    known = CoreCalendar(0)
    known.take_up(after.calendar)
    assert abs(known.at(None, host_milliseconds(), 0) - host_milliseconds()) < 100_000  # it went on without a gap
    assert after.sequence > 900
    fine = Registers.from_state(after.ledger).fine()
    rose = [new - old for new, old in zip(fine, FINE, strict=True)]
    assert rose[0] == rose[8] == DAY_MICROJOULE << FINE_BITS  # to the remainder
    assert rose[:16] == rose[:8] * 2
    expected = counters()
    expected.count_up((fine[0] + fine[1], sum(fine[2:6])))
    found = PulseCounters(6400, 6400)
    found.take_up(after.pulses)
    found.count_up((fine[0] + fine[1], sum(fine[2:6])))
    assert found.constants == (1200, 1600)
    assert found.counts == expected.counts > before.counts
    assert after.pulses == expected.to_state() == before.to_state()


def test_constants_that_are_written_in_a_simulation_are_kept_with_the_rest_of_the_last_pulse(tmp_path):
    state = tmp_path / "state"
    settings = load_settings(None, [Override("web", "enabled", False, "test")])
    rows = [LoadRow(1_100_000, 300_000, 230_000, 5_000_000)]
    simulation = Simulation(settings, rows, True, datetime.fromisoformat("2026-02-28"), 1, folder=state)
    machine = simulation.machine
    machine.await_ready()
    machine.advance(10)
    replies, at = [], [machine.core.registers(machine.now_ms)[0]]
    for di, digits in ((0x04000409, "000500"), (0x0400040A, "000700")):
        machine.ask(Control.WRITE, di, bytes(4) + bytes.fromhex(digits)[::-1], replies.append)
        machine.advance(1)
        at.append(machine.core.registers(machine.now_ms)[0])
    assert [reply.error for reply in replies] == [0, 0]
    machine.advance(1)
    assert machine.core.pulses.counters.constants == (500, 700)
    simulation.run()
    after = kept(state)
    registers = Registers.from_state(after.ledger)
    found = PulseCounters(6400, 6400)
    found.take_up(after.pulses)
    found.count_up((registers.fine_active(), registers.fine_reactive()))
    assert found.constants == (500, 700)
    active = registers.snapshot()[0]
    fewest, most = (int((then * 6400 + (active - then) * 500) / 3.6e12) for then in at[:2])
    assert 0 < fewest <= found.counts[0] <= most + 1 <= fewest + 4


@given(
    rows=st.lists(st.integers(-9_000_000, 9_000_000), min_size=1, max_size=4),
    fine=st.lists(st.integers(0, 2**80), min_size=REGISTER_COUNT, max_size=REGISTER_COUNT),
    settings=st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 999_999)), max_size=5),
    cut_ms=st.integers(0, 100_000),
)
def test_pulses_of_a_simulated_core_are_those_that_a_core_counts(rows, fine, settings, cut_ms):
    core = MinuteCore(
        MinuteLoad([LoadRow(power, power // 3, 230_000, 5) for power in rows], 0, True),
        [each >> FINE_BITS for each in fine],
    )
    core.pulses = pulses = MinutePulses((6400, 6400), b"", fine)

    def fine_of(microjoule):
        rests = [each & (1 << FINE_BITS) - 1 for each in fine]
        own = [value << FINE_BITS | rest for value, rest in zip(microjoule, rests, strict=True)]
        return own[0] + own[1], sum(own[2:6])

    core.switch_on(0)
    now = 0
    told = []
    for gap_ms, constant in settings:
        now += gap_ms
        pulses.set(now, core.registers(now), (constant, constant))
        told.append((now, core.registers(now), constant))
    now += cut_ms
    core.cut(now)
    synced = now - now % 20_000
    own = PulseCounters(6400, 6400)
    own.count_up((sum(fine[:2]), sum(fine[2:6])))
    for at, microjoule, constant in told:
        if at <= synced:
            own.count_up(fine_of(microjoule))
            own.set((constant, constant), 80, 0)
    registers = core.registers(now)
    own.count_up(fine_of(registers))
    assert pulses.counts(registers) == own.counts
    assert pulses.to_state(registers) == own.to_state()


OWED = 3


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize("written", [0, 2, OWED])
def test_pulses_of_a_simulation_are_given_by_nobody_and_those_owed_before_it_are(remembers, written):
    """`written`: of those that were owed, how many the core after it gives before it dies."""
    sink = SimPulses(remembers)
    pulse = FINE_PER_KWH // 1200
    before = counters(sink)
    first = before.counts[0]
    sink.give([Pulse("active", 0, 1, first)])
    before.output.mark()
    before.output.give()
    state = before.to_state()  # and it dies while it owes some
    owing = FINE[0] + FINE[1] + OWED * pulse
    reactive = sum(FINE[2:6])
    simulated = PulseCounters(6400, 6400)
    for days in (1, 2):  # one simulation after the other
        simulated.take_up(state)
        simulated.count_up((owing + (days - 1) * 1000 * pulse, reactive))
        since = simulated.counts
        assert since[0] == first + OWED + (days - 1) * 1000
        simulated.count_up((owing + days * 1000 * pulse, reactive))
        state = simulated.to_state_unheard(since)
    for is_last in (False, True):
        after = PulseCounters(6400, 6400, PulseOutput(sink, 39_600.0))
        after.take_up(state)
        after.count_up((owing + 2000 * pulse, reactive))
        after.begin(10**9)
        after.set((1200, 1600), 80, 10**9)
        if is_last:
            break
        after.output.mark()
        if remembers:
            state = after.to_state()
            sink.give([Pulse("active", 0, 1, number) for number in range(first + 1, first + 1 + written)])
        # a sink that does not remember: it dies before its marks are on the medium, and had given nothing
    after.start_samples(0, 1.0)
    after.book((owing + 2002 * pulse, reactive), 10**9, 3 * 10**9)
    after.output.mark()
    after.output.give()
    found = [each.number for each in sink.of("active")]
    owed = list(range(first + 1, first + OWED + 1))
    assert found == [first, *owed, first + OWED + 2001, first + OWED + 2002]
    assert after.counts[0] == found[-1]
    state = after.to_state()
    for more in (2003, 2004):  # one that was owed at a death, one later
        after = PulseCounters(6400, 6400, PulseOutput(sink, 39_600.0))
        after.take_up(state)
        after.count_up((owing + more * pulse, reactive))
        after.begin(10**10)
        after.set((1200, 1600), 80, 10**10)
        after.output.mark()
        after.output.give()
        assert [each.number for each in sink.of("active")][-3:] == [
            first + OWED + at for at in range(more - 2, more + 1)
        ]
        state = after.to_state()


def test_a_wiring_is_judged_by_what_was_saved_and_not_by_where_energy_flowed(tmp_path):
    three = '[meter]\nwiring = "3p4w"\nnominal_voltage_v = 230.0\n'
    only_a = [5 << 70] * 1 + [0] * 7 + [5 << 70] + [0] * 7 + [0] * 16
    assert len(only_a) == 4 * len(REGISTERS)
    for phases, text in ((3, three), (0, three), (0, SINGLE), (1, SINGLE)):
        state = tmp_path / f"state {phases} {len(text)}"
        keep(state, SavedState(0, 5, 900, ledger_of(only_a), b"", phases))
        assert a_day(tmp_path, state, text)["ok"]
        assert kept(state).phases == (3 if text == three else 1)
    for phases, text in ((1, three), (3, SINGLE), (2, three)):
        state = tmp_path / f"other {phases}"
        keep(state, SavedState(0, 5, 900, ledger_of([0] * 32), b"", phases))
        with pytest.raises(BadInput, match=f"a meter of {phases} element.*allowed: a folder of the same wiring"):
            a_day(tmp_path, state, text)


@pytest.mark.parametrize("pulses", [b"", b"\1" * 7])
def test_what_a_version_before_has_saved_is_taken_up(tmp_path, pulses):
    own = pulses or counters().to_state()
    head = bytes((2, 4)) + (5).to_bytes(4, "little") + (900).to_bytes(8, "little")
    octets = head + bytes((len(own),)) + own + ledger_of(FINE)
    assert SavedState.from_octets(octets) == SavedState(4, 5, 900, ledger_of(FINE), own)
    first = b"\1" + head[1:] + ledger_of(FINE)
    assert SavedState.from_octets(first) == SavedState(4, 5, 900, ledger_of(FINE))
    keep(tmp_path / "state", octets)
    if pulses:
        with pytest.raises(BadInput, match="state of the pulses"):
            a_day(tmp_path, tmp_path / "state")
    else:
        assert a_day(tmp_path, tmp_path / "state")["ok"]


@given(st.binary(max_size=60))
def test_octets_that_are_no_state_are_refused(octets):
    state = SavedState(4, 5, 900, b"ledger", b"pulses", 3)
    assert SavedState.from_octets(state.to_octets()) == state
    for form in (0, 3, 4):
        try:
            SavedState.from_octets(bytes((form,)) + octets)
        except ItemValueError:
            continue
        assert form == 3
    for end in range(14, len(state.to_octets())):
        cut = state.to_octets()[:end]
        with contextlib.suppress(ItemValueError):
            whole = (state._replace(phases=0), SavedState(4, 5, 900, b"ledger"), SavedState(4, 5, 900, b""))
            assert SavedState.from_octets(cut) in whole


def test_plug_records_are_answered_in_a_simulation(tmp_path):
    state = tmp_path / "state"
    watch = seen_removed(state)
    keep(state, SavedState(0, 5, 900, ledger_of(FINE), b"", 1, watch.to_state()))
    settings, script = tmp_path / "meter.toml", tmp_path / "script.toml"
    settings.write_text(SINGLE)
    asked = encode(Frame(ADDRESS_ANY, 0x11, bytes.fromhex("000052B0"))).hex()
    script.write_text(
        f'[[step]]\nat = "2026-02-28T10:00:00"\nsend = "{asked}"\n'
        'expect = "68 .. .. .. .. .. .. 68 91 07 33 33 85 E3 34 33 33 .. 16"\n'
    )
    document = simulate(str(settings), "2026-02-28", 1, "constant", True, str(script), str(state), print)
    assert document["ok"], document["steps"]


def test_a_meter_that_runs_goes_on_with_its_pulses_after_a_simulation(tmp_path):
    path, state = tmp_path / "pulses", tmp_path / "state"
    text = METER + f'[pulse_output]\nfile = "{path}"\n'

    def numbers():
        lines = path.read_text().splitlines() if path.exists() else []
        return [each["number"] for each in map(json.loads, lines) if each["kind"] == "active"]

    with LivingMeter(text, state=state) as meter:
        wait_for(meter, lambda: len(numbers()) > 5, "no pulses")
        assert meter.stop() == 0, meter.output
    before = numbers()
    assert kept(state).phases == 1
    document = a_day(tmp_path, state, text)
    assert numbers() == before
    with LivingMeter(text, state=state) as meter:
        wait_for(meter, lambda: len(numbers()) > len(before) + 5, "no pulses after the simulation")
        assert meter.stop() == 0, meter.output
    ended = document["energy_microjoule"]["import_active"] * 6400 // 3_600_000_000_000
    assert before == list(range(1, len(before) + 1))
    assert numbers() == before + list(range(ended + 1, ended + 1 + len(numbers()) - len(before)))
