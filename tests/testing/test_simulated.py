"""A simulated meter as the writer of an APP sees it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wattwheel.model.errors import ConfigError, Refused
from wattwheel.sdk import App
from wattwheel.testing.simulated import simulated_meter


def counting_app() -> App:
    """Counts readings above 7 kW, over its restarts, under an identifier of its own."""
    app = App("peak-guard", version="1.0.0")

    @app.on_start
    def begin(meter):
        meter.memory = int(meter.saved.get("peaks", b"0"))

    @app.on_readings
    def guard(meter, readings):
        if readings.momentary and readings.momentary.elements[0].active_power_milliwatt > 7_000_000:
            meter.memory += 1
            meter.save({"peaks": b"%d" % meter.memory}, promised=True)
        meter.show({0x03300E00: meter.memory})

    return app


def test_an_app_in_a_simulated_meter():
    app = counting_app()
    with simulated_meter(app, owns=[("03300E", app)]) as meter:
        meter.active_power_w = 6000
        meter.advance(5)
        assert meter.ask(0x03300E00).data == bytes(3)
        meter.active_power_w = 8000
        assert meter.active_power_w == pytest.approx(8000, abs=0.01)
        meter.advance(10)
        peaks = int(meter.ask(0x03300E00).data[::-1].hex())
        assert 9 <= peaks <= 11
        meter.active_power_w = 0
        meter.advance(1.5)
        meter.kill("peak-guard")
        meter.advance(1.5)
        assert int(meter.ask(0x03300E00).data[::-1].hex()) in (peaks, peaks + 1)
        assert meter.restarts()["peak-guard"] == 1
        with pytest.raises(Refused):
            meter.read(0x03300E01)


def test_energy_of_a_minute():
    with simulated_meter() as meter:
        before = meter.read("import_active_energy")
        meter.active_power_w = 60_000
        meter.advance(60)
        assert meter.read("import_active_energy") - before in (98, 99, 100)


def test_two_meters_share_nothing():
    app = counting_app()
    with simulated_meter(app, owns=[("03300E", app)]) as one, simulated_meter(app, owns=[("0330", app)]) as other:
        one.active_power_w = 8000
        one.advance(5)
        other.advance(5)
        assert one.ask(0x03300E00).data != other.ask(0x03300E00).data == bytes(3)


def test_an_app_that_crashes_fails_the_test():
    app = App("broken", version="1.0.0")

    @app.on_readings
    def fail(meter, readings):
        raise ZeroDivisionError

    with pytest.raises(AssertionError, match="broken: ZeroDivisionError"), simulated_meter(app) as meter:
        meter.advance(2)


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(ConfigError, match="partition name: found 'energy'"):
        simulated_meter(App("energy", version="2.0.0")).__enter__()


def test_the_example_of_the_manual():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "test-an-app.md").read_text()
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    exec(compile(example, "test-an-app.md", "exec"), {})


def test_what_a_function_shows_is_made_when_somebody_reads_and_once():
    app = App("lazy", version="1.0.0")
    made = []

    @app.on_readings
    def show(meter, readings):
        def items():
            made.append(readings.totals.sequence)
            return {0x03300E00: readings.totals.sequence % 100}

        meter.show(items)

    with simulated_meter(app, owns=[("03300E", app)]) as meter:
        meter.advance(5)
        assert not made
        answers = {meter.ask(0x03300E00).data for _ in range(3)}
        assert answers == {bytes.fromhex(f"{made[0]:02d}0000")}
        assert len(made) == 1
        meter.advance(1)
        assert meter.ask(0x03300E00).data not in answers
        assert len(made) == 2
