"""The closed form of a metering core over a load of one row a minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattwheel.boot.minute_core import ROW_MS, MinuteCore, MinuteLoad
from wattwheel.drivers.sim.load_file import LoadRow
from wattwheel.model.records import REGISTER_COUNT

ORIGIN_MS = 5000
POWERS = st.integers(-10_000_000, 10_000_000)
ROWS = st.lists(
    st.builds(LoadRow, POWERS, POWERS, st.just(230_000), st.integers(0, 60_000_000)), min_size=1, max_size=8
)


def summed(rows, repeats, elapsed_ms):
    """The same, a piece of a row after the other."""
    found, minute = [0] * 8, 0
    while elapsed_ms > 0 and (repeats or minute < len(rows)):
        p, q, voltage, current = rows[minute % len(rows)]
        piece = min(ROW_MS, elapsed_ms)
        found[0 if p >= 0 else 1] += abs(p) * piece
        found[{(True, True): 2, (False, True): 3, (False, False): 4, (True, False): 5}[p >= 0, q >= 0]] += (
            abs(q) * piece
        )
        found[6 if p >= 0 else 7] += voltage * current // 10**6 * piece
        elapsed_ms, minute = elapsed_ms - piece, minute + 1
    return tuple(found)


@given(ROWS, st.booleans(), st.integers(0, 20 * ROW_MS))
def test_what_has_flowed_is_the_sum_of_its_pieces(rows, repeats, elapsed_ms):
    assert MinuteLoad(rows, ORIGIN_MS, repeats).flowed(ORIGIN_MS + elapsed_ms) == summed(rows, repeats, elapsed_ms)


@given(ROWS, st.lists(st.integers(0, 20 * ROW_MS), min_size=2, max_size=6))
def test_registers_of_phases_add_up_and_never_fall(rows, instants):
    load = MinuteLoad(rows, ORIGIN_MS, True, 3)
    before = (0,) * REGISTER_COUNT
    for at_ms in sorted(instants):
        now = load.elements(load.flowed(ORIGIN_MS + at_ms))
        assert all(a >= b for a, b in zip(now, before, strict=True))
        assert tuple(map(sum, zip(now[8:16], now[16:24], now[24:], strict=True))) == now[:8]
        before = now


def test_without_repeating_nothing_flows_after_the_end():
    load = MinuteLoad([LoadRow(1000, 0, 230_000, 4)], ORIGIN_MS, False)
    assert load.flowed(ORIGIN_MS + 5 * ROW_MS)[0] == 1000 * ROW_MS
    assert load.momentary(ORIGIN_MS + 5 * ROW_MS).elements[0].active_power_milliwatt == 0
    assert load.momentary(ORIGIN_MS).elements[1].voltage_millivolt == 230_000


def test_off_nothing_is_metered_and_a_cut_forgets_what_came_after_the_sync():
    load = MinuteLoad([LoadRow(1000, 0, 230_000, 4)], 0, True)
    core = MinuteCore(load, (7,) * REGISTER_COUNT)
    core.switch_on(0)
    core.switch_off(10_000)
    core.switch_on(50_000)
    assert core.booked(60_000)[0] == 20_000 * 1000
    core.cut(95_000)
    assert core.booked(99_000)[0] == 50_000 * 1000
    assert core.lost_microjoule[0] == 5000 * 1000
    assert core.registers(99_000)[0] == core.registers(99_000)[8] == 7 + 50_000 * 1000
    assert core.starts == 2


def test_behind_an_open_relay_nothing_flows_and_nothing_is_lost():
    load = MinuteLoad([LoadRow(1000, 300, 230_000, 4)], 0, True)
    core = MinuteCore(load)
    core.switch_on(0)
    core.switch(10_000, True)
    core.switch(10_000, True)
    assert core.momentary(20_000).elements[1].current_microampere == 0
    assert core.momentary(20_000).elements[1].voltage_millivolt == 230_000
    core.switch(25_000, False)
    assert core.momentary(30_000) == load.momentary(30_000)
    assert [core.booked(at)[0] // 1000 for at in (9000, 10_000, 20_000, 25_000, 31_000)] == [
        9000,
        10_000,
        10_000,
        10_000,
        16_000,
    ]
    core.cut(31_000)  # synced at 20 s, while it was open
    assert core.booked(31_000)[0] == 10_000 * 1000
    assert core.lost_microjoule[0] == 6000 * 1000


@given(st.lists(st.tuples(st.integers(0, 90_000), st.booleans()), max_size=100))
def test_switching_never_lets_a_register_fall(switches):
    core = MinuteCore(MinuteLoad([LoadRow(7, -3, 230_000, 4), LoadRow(900, 3, 230_000, 4)], 0, True))
    core.switch_on(0)
    expected, now, before = 0, 0, 0
    for gap_ms, is_open in switches:
        passed = core.load.flowed(now + gap_ms)[0] - core.load.flowed(now)[0]
        expected += 0 if core.is_open else passed
        now += gap_ms
        assert core.booked(now)[0] == expected >= before
        before = expected
        core.switch(now, is_open)
        assert core.booked(now)[0] == expected


@given(POWERS, st.integers(-60_000_000, 60_000_000), st.sampled_from([1, 3]))
def test_the_current_has_the_sign_of_the_power_whatever_the_file_says(power, current, phases):
    load = MinuteLoad([LoadRow(power, 0, 230_000, current)], ORIGIN_MS, True, phases)
    phase = load.momentary(ORIGIN_MS).elements[1]
    magnitude = abs(current) // phases
    assert phase.current_microampere == (magnitude if phase.active_power_milliwatt >= 0 else -magnitude)
