"""The real chain through the ring: saved at every window, killed at every write, restored, continued (case E05)."""

from __future__ import annotations

import numpy as np
import pytest
from tests.metrology.world import Cells, KillError

from wattwheel.hil.sampling import SampleBlock, SampleFormat
from wattwheel.metrology.calibration import Calibration
from wattwheel.metrology.ledger import EnergyLedger
from wattwheel.metrology.measure import Chain
from wattwheel.metrology.meter import ChainMeter
from wattwheel.metrology.ring import RegisterRing, RingStart
from wattwheel.metrology.wiring import Rating, Wiring
from wattwheel.model.core_records import WAVEFORM_POINTS, Disturbance
from wattwheel.model.errors import ItemValueError
from wattwheel.protocols.corelink_bodies import (
    decode_momentary,
    decode_waveform,
    encode_momentary,
    encode_waveform,
)

RATE_HZ = 6400.0
FORM = SampleFormat(RATE_HZ, (0.01,) * 3, (0.001,) * 3)
RATING = Rating(nominal_hz=50.0, reference_voltage_v=220.0)


def block(seconds: float, voltage_v: float = 220.0, first: int = 0) -> SampleBlock:
    count = round(seconds * RATE_HZ)
    angle = 2 * np.pi * 50.0 * (first + np.arange(count)) / RATE_HZ
    turns = np.array([0, -2 * np.pi / 3, 2 * np.pi / 3])
    voltage = voltage_v * np.sqrt(2) / 0.01 * np.sin(angle[:, None] + turns)
    current = 5 * np.sqrt(2) / 0.001 * np.sin(angle[:, None] + turns - np.pi / 3) * np.array([1.0, 0.5, -1.0])
    return SampleBlock(first, np.rint(voltage).astype(np.int16), np.rint(current).astype(np.int16))


def chain() -> Chain:
    return Chain(FORM, Wiring.FOUR_WIRE, RATING, Calibration())


def test_killed_at_every_write_restored_and_continued_equals_the_uninterrupted_run() -> None:
    windows = chain().feed(block(6))
    uninterrupted = EnergyLedger(6400, 6400)
    for window in windows:
        uninterrupted.book(window)
    assert min(uninterrupted.registers()[0], uninterrupted.registers()[25]) > 0
    for kill in range(1, len(windows) + 1):
        cells = Cells()
        cells.kill_at_write = kill
        ring, ledger = RegisterRing(cells), EnergyLedger(6400, 6400)
        at = 0
        while at < len(windows):
            ledger.book(windows[at])
            try:
                ring.write(at.to_bytes(2, "little") + ledger.to_state())
                at += 1
            except KillError:
                ring, ledger = RegisterRing(cells), EnergyLedger(6400, 6400)
                if ring.state is None:
                    assert kill == 1
                    assert ring.start is not RingStart.RESTORED
                    at = 0
                else:
                    at = int.from_bytes(ring.state[:2], "little") + 1
                    ledger.from_state(ring.state[2:])
        assert ledger.registers() == uninterrupted.registers(), f"kill {kill}"
        assert ledger.to_state() == uninterrupted.to_state()
        assert ledger.pulses() == uninterrupted.pulses()


def test_pulses_beyond_all_bounds_are_counted_without_a_list_of_them() -> None:
    form = SampleFormat(RATE_HZ, (1e6,) * 3, (1e6,) * 3)
    ledger = EnergyLedger(1_000_000, 1_000_000)
    meter = ChainMeter(ledger, form, Wiring.FOUR_WIRE, RATING, Calibration())
    meter.feed(block(1))
    assert min(ledger.pulses()) > 10**9


def test_pulses_go_on_where_they_were() -> None:
    ledger, again = EnergyLedger(10_000, 20_000), EnergyLedger(10_000, 20_000)
    for window in chain().feed(block(4)):
        ledger.book(window)
    again.from_state(ledger.to_state())
    assert again.pulses() == ledger.pulses() > (0, 0)


@pytest.mark.parametrize("octets", [0, 1, 383, 385])
def test_a_state_of_the_wrong_size_is_refused_and_changes_nothing(octets: int) -> None:
    ledger = EnergyLedger(6400, 6400)
    for window in chain().feed(block(1)):
        ledger.book(window)
    before = ledger.registers()
    with pytest.raises(ItemValueError):
        ledger.from_state(bytes(octets))
    assert ledger.registers() == before


def test_what_the_chain_shows_passes_the_core_link_unchanged() -> None:
    meter = ChainMeter(EnergyLedger(6400, 6400), FORM, Wiring.FOUR_WIRE, RATING, Calibration())
    assert meter.momentary() is meter.waveform() is None
    meter.feed(block(1))
    momentary, waveform = meter.momentary(), meter.waveform()
    assert momentary is not None
    assert waveform is not None
    assert decode_momentary(encode_momentary(momentary)) == momentary
    assert decode_waveform(encode_waveform(waveform)) == waveform
    assert waveform.frequency_millihertz == 50_000
    assert len(waveform.phases) == 3
    assert len(waveform.phases[0].voltage) == WAVEFORM_POINTS
    for wave, share in zip(waveform.phases, (1.0, 0.5, 1.0), strict=True):
        assert max(wave.voltage_v()) == pytest.approx(311.1, rel=0.002)
        assert max(wave.current_a()) == pytest.approx(7.07 * share, rel=0.003)


def test_no_load_bits_follow_the_elements() -> None:
    meter = ChainMeter(EnergyLedger(6400, 6400), FORM, Wiring.FOUR_WIRE, RATING, Calibration())
    assert meter.no_load() == 0
    quiet = block(1)
    quiet.current[:, 1] = 0
    meter.feed(quiet)
    assert meter.no_load() == 0b0101  # a and c of opposite sign cancel: the total has no load either


def test_a_dip_becomes_a_numbered_event() -> None:
    meter = ChainMeter(EnergyLedger(6400, 6400), FORM, Wiring.FOUR_WIRE, RATING, Calibration())
    first = 0
    for seconds, voltage_v in ((1, 220.0), (0.1, 100.0), (2, 220.0)):
        piece = block(seconds, voltage_v, first)
        meter.feed(piece)
        first += len(piece.voltage)
    events = meter.events(0)
    assert [(event.number, event.phase, event.kind) for event in events] == [
        (number, phase, Disturbance.DIP) for number, phase in enumerate((0, 1, 2), 1)
    ]
    assert all(abs(event.extreme_millivolt - 100_000) < 5000 for event in events)  # how exact: test_halfcycle
    assert all(abs(event.first_sample - 6400) < 200 for event in events)
    assert [event.number for event in meter.events(2)] == [3]


def test_an_orderly_end_books_what_is_left() -> None:
    ledger = EnergyLedger(6400, 6400)
    meter = ChainMeter(ledger, FORM, Wiring.FOUR_WIRE, RATING, Calibration())
    meter.feed(block(1.0))
    before = ledger.registers()[0]
    meter.finish()
    assert ledger.registers()[8] > before
