"""Virtual ports over a serial line: what it loses and damages costs time, and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.two_modules import SPLIT, TwoModulesOnALine

from wattwheel.drivers.sim.octets import QUIET, WireFaults

ROUGH = WireFaults(lost=0.02, garbled=0.02, split=0.3, delayed=0.02, delay_ns_max=50_000_000)


def test_messages_pass_both_ways_over_a_line():
    two = TwoModulesOnALine()
    two.east.sender.send(300)
    two.west.sender.send(100)
    two.settle()
    two.check()
    assert two.east.counters().get("link_closed", 0) <= 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 20), kills=st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=4))
def test_nothing_is_lost_or_doubled_on_a_rough_line(seed, kills):
    two = TwoModulesOnALine(seed, ROUGH)
    two.east.sender.send(150)
    two.west.sender.send(150)
    for is_east, operations in kills:
        two.run(0.5)
        body = (two.east if is_east else two.west).bench.host.bodies.get("network")
        if body is not None:
            body.kill_within(operations)
    two.run(5.0)
    two.wire.faults = QUIET
    two.settle(120.0)
    two.check()


def test_a_far_end_that_comes_late_is_found():
    two = TwoModulesOnALine(3, SPLIT)
    two.west.bench.host.bodies["network"].pause()
    two.east.sender.send(20)
    two.run(20.0)
    two.west.bench.host.bodies["network"].resume()
    two.settle()
    two.check()
