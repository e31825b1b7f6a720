"""Bits of the status words that no event and no relay sets: the demand's method, programming, the core's memory."""

from __future__ import annotations

import msgspec
import pytest
from tests.apps.demand_bench import bench
from tests.apps.turns import Clockwork
from tests.services.test_security import LEVEL_4, meter

from wattwheel.apps.cells import Cells
from wattwheel.apps.status_words import fed, programming_bit
from wattwheel.apps.told_bits import memory_bit
from wattwheel.model.core_records import CoreFault

PERIOD, SLIP = 0x04000103, 0x04000104
STATUS_WORD_1, STATUS_WORD_3, STATUS_BLOCK = 0x04000501, 0x04000503, 0x040005FF
BLOCK_METHOD, PROGRAMMING, MEMORY_FAULT = 1 << 1, 1 << 3, 1 << 13


def test_programming_is_shown_as_long_as_the_key_is_active_and_blocks_as_long_as_the_demand_is_found_so():
    world = meter()

    def word(di: int) -> int:
        return int.from_bytes(world.ask(di).check(), "little")

    assert [word(STATUS_WORD_1), word(STATUS_WORD_3)] == [0, 0]
    assert world.press("program")
    assert word(STATUS_WORD_3) == PROGRAMMING
    assert world.write(SLIP, bytes.fromhex("15"), 4, LEVEL_4)[0] == 0x94
    world.advance(2)
    assert word(STATUS_WORD_1) == BLOCK_METHOD
    words = world.ask(STATUS_BLOCK).check()
    assert words[:2] + words[4:6] == bytes((BLOCK_METHOD, 0, PROGRAMMING, 0))
    assert world.write(SLIP, bytes.fromhex("05"), 4, LEVEL_4)[0] == 0x94
    world.advance(2)
    assert word(STATUS_WORD_1) == 0
    world.advance(240 * 60)
    assert word(STATUS_WORD_3) == 0


@pytest.mark.parametrize(("period", "slip", "bits"), [("05", "05", BLOCK_METHOD), ("30", "05", 0), ("15", "01", 0)])
def test_a_slip_that_equals_the_period_is_the_block_method(period, slip, bits):
    made = bench({PERIOD: period, SLIP: slip})
    assert made.energy.look(STATUS_WORD_1) == bits.to_bytes(2, "little")
    assert [made.demand.status_bits(number) for number in range(2, 8)] == [0] * 6


@pytest.mark.parametrize("fault", CoreFault)
def test_a_fault_of_the_register_memory_is_a_memory_fault(fault):
    works = Clockwork(Cells())
    works.push("2026-03-01 10:00")
    turn = works.turn
    works.function.push(turn._replace(readings=msgspec.structs.replace(turn.readings, core_faults=int(fault))))
    is_memory = fault in (CoreFault.MEMORY_WRITE, CoreFault.REGISTERS_LOST)
    assert works.function.status_bits(1) == (MEMORY_FAULT if is_memory else 0)
    assert works.function.status_bits(3) == 0
    works.function.push(turn)
    assert works.function.status_bits(1) == 0


def test_before_the_security_service_has_told_nothing_is_allowed():
    assert programming_bit(3, None) == 0
    assert programming_bit(3, b'{"programming_key":true,"more":1}') == PROGRAMMING
    assert programming_bit(1, b'{"programming_key":true}') == 0


@pytest.mark.parametrize("fault", ["store_write", "store_damaged"])
def test_a_store_that_fails_is_a_memory_fault_as_long_as_the_kernel_says_so(fault):
    world = meter()

    def told(*faults: str) -> int:
        condition = msgspec.json.encode({"faults": faults, "frames": 3})
        world.meter.host.sampling_source("condition").write(condition)
        return int.from_bytes(world.ask(STATUS_WORD_1).check(), "little")

    assert int.from_bytes(world.ask(STATUS_WORD_1).check(), "little") == 0
    assert told("samples_lost", fault) == MEMORY_FAULT
    assert world.ask(STATUS_BLOCK).check() == bytes((0, MEMORY_FAULT >> 8)) + bytes(12)
    assert told("samples_lost") == 0


def test_other_words_tell_nothing_of_the_memory():
    condition = msgspec.json.encode({"faults": ["store_write"]})
    assert [memory_bit(number, condition) for number in range(1, 8)] == [MEMORY_FAULT] + [0] * 6
    assert memory_bit(1, None) == 0


@pytest.mark.parametrize("others", [0, 0xFFF9])
@pytest.mark.parametrize(("told", "feeds"), [(0, 0), (1, 0), (2, 2), (3, 1)])
def test_an_auxiliary_supply_feeds_without_mains_and_a_battery_without_both(told, feeds, others):
    assert fed(3, others | told << 1) == others | feeds << 1
    assert [fed(number, others | told << 1) for number in (1, 2, 4, 5, 6, 7)] == [others | told << 1] * 6
