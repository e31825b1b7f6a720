"""A meter whose calendar runs faster than the host's clock: nothing takes that for a clock that was set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.apps.demand_bench import Medium
from tests.apps.test_energy_tariffs import message, readings

from wattwheel.apps.demand import Demand
from wattwheel.apps.energy import Energy
from wattwheel.apps.energy_books import Ledger
from wattwheel.boot.settings import Settings
from wattwheel.boot.standard_module import told_by_settings
from wattwheel.model.demand_windows import turn_seen
from wattwheel.model.ratings import Ratings
from wattwheel.model.records import ElementReading, Momentary

SPEEDS = (1, 10, 60, 1000, 100_000)
FIRST_NS = 31 * 10**15  # a host that has been up for a year
KILOWATT_SECOND = 1_000_000_000
KILOWATT = 5
MEAN_POWER, MAXIMUM = 0x02800003, 0x01010000
VOLTAGE = ElementReading(voltage_millivolt=220_000, current_microampere=5_000_000)
MOMENTARY = Momentary((ElementReading(), VOLTAGE, VOLTAGE, VOLTAGE), frequency_millihertz=50_000)


class Fast:
    """All functions of a partition that gets a push once a second, `speed` seconds apart on its calendar."""

    def __init__(self, speed: int, at: datetime) -> None:
        self.speed, self.at, self.seconds = speed, at, 0
        settings = msgspec.convert({"clock": {"speed": speed}}, Settings)
        told = told_by_settings(settings, (), ())["energy"]
        ledger = Ledger()
        ledger.parameters = lambda: message({})
        ledger.speed = told["speed"]
        self.own = Energy(Medium(), ledger)
        for function in self.own.functions:
            function.rate(msgspec.structs.replace(told["ratings"], nominal_voltage_millivolt=220_000))
        self.push()

    def push(self) -> None:
        reading = readings(self.at, KILOWATT * KILOWATT_SECOND * self.seconds * self.speed)
        at_ns = FIRST_NS + self.seconds * 10**9
        self.own.take(msgspec.structs.replace(reading, at_ns=at_ns, momentary=MOMENTARY))

    def run_to(self, end: datetime) -> None:
        while self.at < end:
            self.at, self.seconds = self.at + timedelta(seconds=self.speed), self.seconds + 1
            self.push()


def fast(speed: int, day: int = 10, hour: int = 8) -> Fast:
    return Fast(speed, datetime(2026, 6, day, hour, 0, 7, tzinfo=UTC))


@pytest.mark.parametrize("speed", SPEEDS)
def test_demand_and_mean_power_are_those_of_the_load(speed):
    own = fast(speed)
    own.run_to(own.at + timedelta(minutes=18))
    own.run_to(own.at + timedelta(seconds=3 * speed))
    assert own.own.look(MEAN_POWER) == KILOWATT * 10_000
    assert own.own.look(MAXIMUM)[:3] == bytes.fromhex("050000")[::-1]
    assert own.own.look(0x02800004) == KILOWATT * 10_000


def test_the_demand_of_a_load_that_changes_is_spread_over_the_time_between_pushes():
    """Of the minutes between two pushes each has the energy of its own length, whatever the pushes' phase."""
    slow, quick = fast(1), fast(60)
    for each in (slow, quick):
        each.run_to(each.at + timedelta(minutes=23))
    maxima = [each.own.look(MAXIMUM) for each in (slow, quick)]
    assert maxima[0] == maxima[1]


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_period_ends_at_its_instant(speed):
    own = Fast(speed, datetime(2026, 6, 30, 23, 50, 7, tzinfo=UTC))
    own.run_to(datetime(2026, 7, 1, 0, 5, tzinfo=UTC))
    (entry,) = own.own.ledger.books.settled.entries
    assert entry.number == 1


@pytest.mark.parametrize("speed", SPEEDS[1:])
def test_a_month_of_voltages_ends(speed):
    own = Fast(speed, datetime(2026, 6, 30, 22, 0, 7, tzinfo=UTC))
    own.run_to(datetime(2026, 7, 1, 2, 5, tzinfo=UTC))
    octets = own.own.look(0x03100001)
    assert octets is not None
    assert own.own.look(0x03100002) is None


@pytest.mark.parametrize("speed", [10, 60, 1000])
def test_each_hour_is_frozen_and_each_quarter_of_an_hour_is_recorded(speed):
    own = fast(speed)
    own.run_to(own.at + timedelta(hours=10))
    frozen = [own.own.look(0x05040000 | back) for back in range(1, 11)]
    assert [octets[::-1].hex() for octets in frozen] == [f"260610{18 - at:02d}00" for at in range(10)]
    records = own.own.look(0x06000002, b"\x30").count(b"\xa0\xa0\x62")
    assert records == 30 if speed < 1000 else records >= 27


@pytest.mark.parametrize("speed", SPEEDS)
def test_what_is_saved_of_an_instant_has_64_bits(speed):
    own = fast(speed)
    seen = turn_seen(own.own.ledger.image)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(seen), type=type(seen)) == seen
    demand = next(each for each in own.own.functions if isinstance(each, Demand))
    assert demand.changes() is not None


def test_pushes_of_the_metering_core_are_so_far_apart_in_the_meters_own_time():
    settings = msgspec.convert({"clock": {"speed": 60}, "metering": {"push_seconds": 0.5}}, Settings)
    ratings = told_by_settings(settings, (), ())["energy"]["ratings"]
    assert isinstance(ratings, Ratings)
    assert ratings.push_milliseconds == 30_000
