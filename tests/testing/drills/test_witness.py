"""The witness of the drill `kills`: what it lets pass and what it objects to."""

import pytest

from wattwheel.testing.drills.witness import LATE_S, MICROJOULE_PER_UNIT, WINDOW_S, EnergyWitness

POWER_W, SPEED = 2800.0, 20.0
RATE = POWER_W * SPEED * 1e6  # microjoule a second
S = 1_000_000_000


@pytest.fixture
def witness():
    """A witness that has seen ten seconds of a meter whose first sample came half a second after its launch."""
    witness = EnergyWitness(POWER_W, SPEED, 0)
    for tenth in range(110):
        at = tenth / 10
        push = int(at)
        assert witness.heard_status(int(at * S), int(at * S) + 1000, total(push), push) == []
    return witness


def total(second):
    return max(0, int((second - 0.6) * RATE))


def test_a_total_may_stay_and_grow(witness):
    assert witness.heard_status(11 * S, 11 * S, total(10), 10) == []
    assert witness.heard_status(11 * S, 11 * S, total(11), 11) == []


def test_a_total_that_falls_by_one_microjoule(witness):
    assert "after" in witness.heard_status(11 * S, 11 * S, total(10) - 1, 11)[0]


def test_a_push_interval_booked_twice(witness):
    found = witness.heard_status(int(11.1 * S), int(11.1 * S), total(11) + int(RATE), 11)
    assert len(found) == 1
    assert "too much" in found[0]


def test_what_was_forgotten_makes_no_room_for_more(witness):
    witness.disturbed()
    lost = int(RATE)  # a second of metering lost by a kill
    for tenth in range(120, 160):
        at = tenth / 10
        assert witness.heard_status(int(at * S), int(at * S), total(int(at)) - lost, int(at)) == []
    assert witness.heard_status(16 * S, 16 * S, total(16) - lost, 16) == []
    assert witness.heard_status(int(16.1 * S), int(16.1 * S), total(17) - lost + int(RATE), 17)


def test_nothing_before_the_launch():
    witness = EnergyWitness(POWER_W, SPEED, 100 * S)
    windows = 2 * WINDOW_S * POWER_W * 1e6
    assert witness.heard_status(101 * S, 101 * S, int(RATE + 0.9 * windows), 1) == []
    assert witness.heard_status(101 * S, 101 * S, int(RATE * 1.001 + windows), 2)


def test_a_register_is_held_to_all_that_was_answered_before(witness):
    units = total(10) // MICROJOULE_PER_UNIT
    assert witness.heard_register("tcp", 11 * S, units) == []
    assert witness.heard_register("line", 11 * S, units) == []
    assert "1 lost" in witness.heard_register("api", 11 * S, units - 1)[0]


def test_a_register_above_the_truth(witness):
    most = int(witness.bound_microjoule(11 * S)) // MICROJOULE_PER_UNIT
    assert witness.heard_register("tcp", 11 * S, most) == []
    assert "too much" in witness.heard_register("tcp", 11 * S, most + 1)[0]


def test_an_old_push_makes_no_anchor():
    witness = EnergyWitness(POWER_W, SPEED, 0)
    witness.heard_status(5 * S, 5 * S, total(5), 5)
    bound = witness.bound_microjoule(10 * S)
    witness.disturbed()
    witness.heard_status(6 * S, 6 * S, total(5), 6)  # what was restored: nothing new in it
    witness.heard_status(8 * S, 8 * S, total(6), 7)  # first seen long after the push before
    assert witness.bound_microjoule(10 * S) == bound
    witness.heard_status(int(8.1 * S), int(8.1 * S), total(7), 8)
    assert witness.bound_microjoule(10 * S) == pytest.approx(
        total(7) + (10 - 8 + LATE_S) * RATE * 1.0002 + 2 * WINDOW_S * POWER_W * 1e6
    )


def test_agreement_is_one_push_wide(witness):
    low, high = total(8) // MICROJOULE_PER_UNIT, total(10) // MICROJOULE_PER_UNIT
    assert witness.agrees(9, low, 10)
    assert witness.agrees(9, high, 10)
    assert not witness.agrees(9, low - 1, 10)
    assert not witness.agrees(9, high + 1, 10)


def test_lost_metering_time_is_told(witness):
    before = witness.take_behind_s()
    for second in range(11, 15):
        witness.heard_status(second * S, second * S, total(second) - int(2 * RATE), second)
    assert witness.take_behind_s() - before == pytest.approx(2.0, abs=0.01)
    assert witness.take_behind_s() is None


def test_a_copy_is_held_to_its_own_past(witness):
    assert witness.heard_copy(11 * S, total(9), total(9)) == []
    assert witness.heard_copy(11 * S, total(8), total(9))
