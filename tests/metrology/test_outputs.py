"""Requests for a core's outputs: what there is, what is not, and what was seen before."""

from __future__ import annotations

import pytest

from wattwheel.drivers.sim.pulses import SimPulses
from wattwheel.drivers.sim.relay import SimRelay
from wattwheel.metrology.outputs import REQUESTS, CoreOutputs, OutputFigures
from wattwheel.metrology.pulse_output import PulseCounters, PulseOutput
from wattwheel.model.errors import RemoteProtocolError
from wattwheel.protocols.corelink import Kind
from wattwheel.protocols.corelink_bodies import Result
from wattwheel.protocols.corelink_outputs import encode_flag, encode_pulses, encode_signal

NUMBER = (7).to_bytes(8, "little")
BODIES = {
    Kind.SET_RELAY: NUMBER + encode_flag(True),
    Kind.HOLD_RELAY: encode_flag(True),
    Kind.SET_PULSES: NUMBER + encode_pulses(400, 800, 80),
    Kind.GIVE_SIGNAL: encode_signal(7, 1),
}


def all_of_them(sink: SimPulses, relay: SimRelay) -> CoreOutputs:
    outputs = CoreOutputs(relay, PulseCounters(6400, 6400, PulseOutput(sink, 1000.0)))
    outputs.begin(0)
    return outputs


def test_a_core_without_outputs_has_nothing_to_order():
    outputs = CoreOutputs()
    assert [outputs.answer(kind, body, 0) for kind, body in BODIES.items()] == [Result.NOT_AVAILABLE] * len(REQUESTS)
    assert outputs.figures() == OutputFigures(False, None, 0, 0)
    assert not outputs.mark(is_synced=True)
    assert outputs.to_state() == b""


def test_a_core_with_outputs_obeys():
    sink, relay = SimPulses(), SimRelay()
    outputs = all_of_them(sink, relay)
    assert [outputs.answer(kind, body, 5) for kind, body in BODIES.items()] == [Result.GOOD] * len(REQUESTS)
    assert (relay.is_open, relay.is_held) == (True, True)
    assert outputs.figures() == OutputFigures(True, False, 1, 0)
    assert [(pulse.kind, pulse.start_ns, pulse.width_ns) for pulse in sink.pulses] == [("demand_period", 5, 80_000_000)]


@pytest.mark.parametrize("kind", REQUESTS)
def test_bodies_that_are_none_change_nothing(kind):
    sink, relay = SimPulses(), SimRelay()
    outputs = all_of_them(sink, relay)
    for body in (b"", BODIES[Kind(kind)] + b"\0", BODIES[Kind(kind)][:-1]):
        with pytest.raises(RemoteProtocolError):
            outputs.answer(kind, body, 0)
    assert (relay.is_open, relay.is_held, relay.drives, sink.pulses) == (False, False, 0, [])


def test_a_signal_that_is_asked_for_again_is_given_once():
    sink = SimPulses()
    outputs = all_of_them(sink, SimRelay())
    for number in (7, 7, 8, 6, 8, 7 + (1 << 40), 9):
        assert outputs.answer(Kind.GIVE_SIGNAL, encode_signal(number, 0), 0) is Result.GOOD
    assert [pulse.number for pulse in sink.pulses] == [1, 2, 3, 4]  # the last sender began anew


def test_a_real_relay_is_not_held():
    class RealRelay(SimRelay):
        def hold(self, is_held: bool) -> bool:
            return False

    assert CoreOutputs(RealRelay()).answer(Kind.HOLD_RELAY, encode_flag(True), 0) is Result.REFUSED
