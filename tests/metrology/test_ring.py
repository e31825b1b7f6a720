"""The register ring against kills, cuts of the supply, flipped bits, truncation and failing media."""

from __future__ import annotations

import random
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metrology.world import Cells, KillError

from wattwheel.metrology.ring import (
    PAGE_OCTETS,
    PAGES_MIN,
    RING_OCTETS,
    SLOT_OCTETS,
    STATE_OCTETS_MAX,
    RegisterRing,
    RingStart,
)
from wattwheel.model.errors import StorageError


def state(number: int) -> bytes:
    return b"registers %d " % number + b"." * 900  # so that half a slot is half a state


def number_of(octets: bytes | None) -> int:
    return int(octets.split()[1]) if octets else 0


def test_a_new_memory_is_fresh_and_a_written_one_is_restored() -> None:
    cells = Cells()
    ring = RegisterRing(cells)
    assert (ring.start, ring.state, ring.damaged) == (RingStart.FRESH, None, 0)
    ring.write(state(1))
    again = RegisterRing(cells)
    assert (again.start, again.state, again.damaged) == (RingStart.RESTORED, state(1), 0)


@pytest.mark.parametrize("size", [1, 100, STATE_OCTETS_MAX])
def test_states_of_every_size_come_back(size: int) -> None:
    cells = Cells()
    RegisterRing(cells).write(b"\x5a" * size)
    assert RegisterRing(cells).state == b"\x5a" * size


def test_too_small_a_memory_is_refused() -> None:
    with pytest.raises(StorageError):
        RegisterRing(Cells(PAGES_MIN * PAGE_OCTETS - 1))


def test_the_newest_wins_over_many_laps_and_restarts() -> None:
    cells = Cells()
    chance = random.Random(5)
    ring = RegisterRing(cells)
    for number in range(1, 400):
        ring.write(state(number))
        if chance.random() < 0.1:
            ring.sync()
        if chance.random() < 0.2:
            ring = RegisterRing(cells)
            assert ring.state == state(number)
    assert ring.damaged == 0


def test_a_kill_at_every_write_leaves_the_state_before_or_the_new_one() -> None:
    for kill in count(1):
        cells = Cells()
        cells.kill_at_write = kill
        number = 0
        try:
            ring = RegisterRing(cells)
            for number in range(1, 61):
                ring.write(state(number))
                if number % 20 == 0:
                    ring.sync()
        except KillError:
            again = RegisterRing(cells)
            assert number_of(again.state) in (number - 1, number)
            assert again.start is (RingStart.RESTORED if number > 1 else RingStart.LOST)
        else:
            assert kill == 61
            return


@pytest.mark.parametrize("whole_pages", [False, True], ids=["torn anywhere", "page wrecked"])
@pytest.mark.parametrize("seed", range(40))
def test_a_cut_costs_at_most_what_was_not_synced(seed: int, whole_pages: bool) -> None:
    chance = random.Random(seed)
    cells = Cells()
    ring = RegisterRing(cells)
    number = synced = 0
    for _ in range(60):
        for _ in range(chance.randrange(1, 40)):
            number += 1
            ring.write(state(number))
            if chance.random() < 0.03:
                ring = RegisterRing(cells)  # killed and started again
                synced = number
        if chance.random() < 0.4:
            cells = cells.after_cut(chance, whole_pages)
            ring = RegisterRing(cells)
            assert synced <= number_of(ring.state) <= number, f"seed {seed}"
            assert synced == 0 or ring.start is RingStart.RESTORED
            number = synced = number_of(ring.state)
        else:
            ring.sync()
            synced = number


def test_a_cut_right_after_many_kills_in_a_row_finds_the_last_synced_state() -> None:
    cells = Cells()
    for number in range(1, 50):
        RegisterRing(cells).write(state(number))
    survivor = cells.after_cut(random.Random(1), whole_pages=True)
    assert number_of(RegisterRing(survivor).state) == 48


def test_one_sync_costs_one_page_of_wear() -> None:
    cells = Cells()
    ring = RegisterRing(cells)
    for number in range(1, 201):
        ring.write(state(number))
        if number % 20 == 0:
            ring.sync()
    assert cells.synced_pages == [1] * 10


def written_ring() -> tuple[Cells, int]:
    cells = Cells()
    ring = RegisterRing(cells)
    for number in range(1, 301):
        ring.write(state(number))
        if number % 7 == 0:
            ring.sync()
    return cells, 300


def slots_by_age(cells: Cells) -> list[int]:
    """Slot indices, newest first."""
    found = []
    for index in range(cells.size // SLOT_OCTETS):
        octets = cells.written[index * SLOT_OCTETS : (index + 1) * SLOT_OCTETS]
        found.append((int.from_bytes(octets[8:16], "little"), index))
    return [index for _, index in sorted(found, reverse=True)]


@given(
    flips=st.lists(st.integers(0, SLOT_OCTETS * 8 - 1), min_size=1, max_size=3, unique=True), hurt=st.integers(1, 31)
)
def test_flipped_bits_fall_back_to_the_newest_slot_that_is_whole(flips: list[int], hurt: int) -> None:
    cells, newest = written_ring()
    order = slots_by_age(cells)
    expected = number_of(RegisterRing(_without(cells, order[:hurt])).state)
    for index in order[:hurt]:
        for bit in flips:
            cells.written[index * SLOT_OCTETS + bit // 8] ^= 1 << bit % 8
    ring = RegisterRing(cells)
    assert ring.start is RingStart.RESTORED
    assert ring.damaged == hurt
    assert number_of(ring.state) == expected < newest
    ring.write(state(1000))
    assert RegisterRing(cells).state == state(1000)


def _without(cells: Cells, slots: list[int]) -> Cells:
    copy = Cells()
    copy.written[:] = cells.written
    for index in slots:
        copy.written[index * SLOT_OCTETS : (index + 1) * SLOT_OCTETS] = bytes(SLOT_OCTETS)
    return copy


def test_every_bit_of_the_newest_slot_is_guarded() -> None:
    cells, _ = written_ring()
    at = slots_by_age(cells)[0] * SLOT_OCTETS
    for bit in range(0, SLOT_OCTETS * 8, 5):
        cells.written[at + bit // 8] ^= 1 << bit % 8
        assert RegisterRing(cells).state == state(299), f"bit {bit}"
        cells.written[at + bit // 8] ^= 1 << bit % 8
    assert RegisterRing(cells).state == state(300)


def test_all_slots_damaged_is_a_loss_and_never_a_new_meter() -> None:
    cells, _ = written_ring()
    for index in range(cells.size // SLOT_OCTETS):
        cells.written[index * SLOT_OCTETS + 100] ^= 1
    ring = RegisterRing(cells)
    assert (ring.start, ring.state, ring.damaged) == (RingStart.LOST, None, 32)


def test_a_memory_that_was_replaced_by_a_blank_one_is_a_loss() -> None:
    assert RegisterRing(Cells(), was_written=True).start is RingStart.LOST


@pytest.mark.parametrize("octets", [0, 1, PAGE_OCTETS, 3 * PAGE_OCTETS + 77, RING_OCTETS - 1])
def test_truncation_falls_back_or_is_a_loss(octets: int) -> None:
    cells, newest = written_ring()
    lost = list(range(octets // SLOT_OCTETS, cells.size // SLOT_OCTETS))
    expected = number_of(RegisterRing(_without(cells, lost)).state)
    del cells.written[octets:]
    ring = RegisterRing(cells)
    assert ring.start is (RingStart.RESTORED if expected else RingStart.LOST)
    assert number_of(ring.state) == expected <= newest
    assert ring.faults >= len(lost)


def test_slots_that_could_not_be_read_for_a_while_never_outrank_newer_ones() -> None:
    cells, _ = written_ring()
    order = slots_by_age(cells)
    hidden = {i: bytes(cells.written[i * SLOT_OCTETS : (i + 1) * SLOT_OCTETS]) for i in order[:3]}
    for index in hidden:
        cells.written[index * SLOT_OCTETS] ^= 0xFF
    ring = RegisterRing(cells)
    ring.write(state(500))
    used = slots_by_age(cells)[0]
    for index, octets in hidden.items():
        if index != used:
            cells.written[index * SLOT_OCTETS : (index + 1) * SLOT_OCTETS] = octets
    assert RegisterRing(cells).state == state(500)


def test_failing_writes_and_syncs_are_raised_counted_and_got_over() -> None:
    cells = Cells()
    ring = RegisterRing(cells)
    ring.write(state(1))
    cells.failing = {"write", "sync"}
    with pytest.raises(StorageError):
        ring.write(state(2))
    with pytest.raises(StorageError):
        ring.sync()
    assert ring.faults == 2
    assert RegisterRing(cells).state == state(1)
    cells.failing = set()
    ring.write(state(3))
    ring.sync()
    assert RegisterRing(cells).state == state(3)


def test_a_memory_that_cannot_be_read_at_all_is_a_loss() -> None:
    cells, _ = written_ring()
    cells.failing = {"read"}
    ring = RegisterRing(cells)
    assert (ring.start, ring.damaged, ring.faults) == (RingStart.LOST, 32, 32)
