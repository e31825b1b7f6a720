"""A living meter on each kind of input: what a head-end reads is what was put in, to the digit where it is constant."""

import math
import os
import select
import threading

import pytest
from tests.head_end import HeadEnd
from tests.page_api import PageApi

from wattwheel.testing.living import LivingMeter

METER = """
[meter]
wiring = "{wiring}"
nominal_voltage_v = 220
nominal_frequency_hz = 50
current_ratio = 1
"""
CONSTANT = (
    METER.format(wiring="3p4w")
    + """
[input]
kind = "constant"
voltage_v = [230.0, 231.0, 229.0]
active_power_w = [500.0, -300.0, 1000.0]
reactive_power_var = [200.0, 100.0, -400.0]
noise_lsb = 0.0
bits = 24
"""
)
HOUSE = METER.format(wiring="1p2w") + '\n[input]\nkind = "house"\nload = 2.0\n'
RATE_HZ, FREQUENCY_HZ = 6400, 50
VOLTAGE_STEP_V, CURRENT_STEP_A = 0.02, 0.0005
STREAM = METER.format(wiring="1p2w") + (
    '\n[input]\nkind = "stream"\nsource = "{source}"\nphases = 1\n'
    f"rate_hz = {RATE_HZ}\nvoltage_v_per_count = {VOLTAGE_STEP_V}\ncurrent_a_per_count = {CURRENT_STEP_A}\n"
)


@pytest.fixture
def living(request):
    """Boots a meter on settings; it is stopped, in order, when the test is over."""
    meters, head_ends = [], []

    def boot(settings, *arguments):
        meter = LivingMeter(settings, *arguments)
        meters.append(meter)
        meter.__enter__()
        head_ends.append(HeadEnd(meter.door("dlt645")))
        return meter, head_ends[-1]

    yield boot
    for head_end in head_ends:
        head_end.close()
    codes = [meter.stop() for meter in meters]
    for meter in meters:
        meter.__exit__(None, None, None)
    assert codes == [0] * len(meters)


def test_constant_powers_to_the_digit(living):
    meter, head_end = living(CONSTANT)
    expected = {
        0x02010100: 230.0, 0x02010200: 231.0, 0x02010300: 229.0,
        0x02030000: 1.2, 0x02030100: 0.5, 0x02030200: -0.3, 0x02030300: 1.0,
        0x02040000: -0.1, 0x02040100: 0.2, 0x02040200: 0.1, 0x02040300: -0.4,
        0x02060100: round(500 / math.hypot(500, 200), 3), 0x02060200: round(-300 / math.hypot(300, 100), 3),
        0x02800002: 50.0,
    }  # fmt: skip
    assert {di: head_end.read_when_back(di) for di in expected} == expected
    assert head_end.read(0x02020100) == round(math.hypot(500, 200) / 230, 3)
    energy = meter.status()["energy_microjoule"]
    assert energy["export_active"] == 0  # the phases together import


def test_a_simulated_house(living):
    meter, head_end = living(HOUSE, "--speed", "600")
    assert 200 < head_end.read_when_back(0x02010100) < 240
    assert 49.5 < head_end.read(0x02800002) < 50.5
    seen = set()
    page = PageApi(*meter.door("web"))
    for values in page.pushes(3):
        seen.add(values["active_power"])
        assert values["active_power"] == values["active_power_a"] > 0
    assert len(seen) > 1  # the day goes on: ten minutes a push
    assert head_end.read_when_back(0x00010000, lambda value: value > 0)
    page.close()


class Writer:
    """Feeds a FIFO with sines until told to stop: one phase, current lagging by `lag`."""

    def __init__(self, path, volt, ampere, lag):
        self._path, self._curves = path, (volt, ampere, lag)
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    def _feed(self):
        import numpy as np

        volt, ampere, lag = self._curves
        step = np.arange(RATE_HZ // FREQUENCY_HZ * 5) / RATE_HZ * 2 * np.pi * FREQUENCY_HZ
        samples = np.empty((len(step), 2), "<i2")
        samples[:, 0] = np.rint(volt * math.sqrt(2) / VOLTAGE_STEP_V * np.sin(step))
        samples[:, 1] = np.rint(ampere * math.sqrt(2) / CURRENT_STEP_A * np.sin(step - lag))
        octets = samples.tobytes()
        end = os.open(self._path, os.O_WRONLY)
        try:
            while not select.select([self._stop], [], [], 0.02)[0]:
                os.write(end, octets)
        finally:
            os.close(end)

    def close(self):
        os.write(self._stopped, b".")
        self._thread.join()
        os.close(self._stop)
        os.close(self._stopped)


def test_a_raw_stream_on_a_pipe(living, tmp_path):
    fifo = tmp_path / "samples"
    os.mkfifo(fifo)
    writer = Writer(fifo, 230.0, 4.0, math.radians(30))
    try:
        _, head_end = living(STREAM.format(source=fifo))
        assert head_end.read_when_back(0x02010100) == pytest.approx(230.0, abs=0.1)
        assert head_end.read(0x02020100) == pytest.approx(4.0, abs=0.001)
        assert head_end.read(0x02030000) == pytest.approx(0.23 * 4 * math.cos(math.radians(30)), abs=0.0002)
        assert head_end.read(0x02040000) == pytest.approx(0.23 * 4 * math.sin(math.radians(30)), abs=0.0002)
        assert head_end.read(0x02800002) == 50.0
    finally:
        writer.close()


def test_a_pipe_without_a_writer(living, tmp_path):
    """The meter boots, answers for itself and says that there are no values, and stops in order."""
    fifo = tmp_path / "samples"
    os.mkfifo(fifo)
    meter, head_end = living(STREAM.format(source=fifo))
    assert meter.status()["ready"] is True
    assert head_end.read_when_back(0x04000401) == "202611200001"
    assert meter.status()["energy_microjoule"]["import_active"] in (0, None)
