"""The time machine: a meter under virtual time that plays what nothing changes a minute at a time.

Theory of operation. The partitions are those of the real meter, on the simulated host; the metering service and the
core behind it are replaced by a `MinuteCore`, which knows the registers of any instant. There are two ways through
time. *In seconds* a push comes each second, all timers run, and whatever a head-end or a person does can happen. *In
minutes* only the pushes that find a new minute of the meter's clock are made; they go straight to the APP `energy`,
and nothing else of the meter runs, as on a machine that stands still. The pushes of the second way are some of those
of the first, and by the rules of the APPs the ones between change nothing that is kept: the energy of a push belongs to
the tariff in force at the push before, and the image of a minute is that of the first push at or after its turn. Only a
relay moves with the push that finds a reason for it: in minutes, at the turn of one.

Everything is saved once a day (`FLUSH_MINUTES`), and before anything else happens: between two of these instants nobody
can cut the supply.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from wattwheel.apex.bus import TO_BUS, BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.meter_clock import ClockSetting, MeterClock
from wattwheel.apex.partition import StartContext
from wattwheel.apps import energy
from wattwheel.apps.fee_control import FeeControl
from wattwheel.boot.minute_core import MILLISECOND_NS, MinuteCore
from wattwheel.boot.minute_pulses import MinutePulses
from wattwheel.boot.module_file import CORE_LINK, LISTENER, STORE, module_of
from wattwheel.boot.settings import Settings
from wattwheel.boot.sim_board import SimBoard
from wattwheel.drivers.sim.clock import SimClock
from wattwheel.drivers.sim.loop import SimLoop
from wattwheel.drivers.sim.octets import SimDoor
from wattwheel.drivers.sim.process import Device
from wattwheel.kernel.config import KERNEL, ModuleConfig, PartitionConfig
from wattwheel.model.clock_drift import drifted_us, elapsed_until_us
from wattwheel.model.errors import NotAnswered
from wattwheel.model.pulse_parameters import pulses_of
from wattwheel.model.purchases import Account
from wattwheel.model.records import EnergyTotals, Quality, Readings
from wattwheel.model.register_image import RegisterImage
from wattwheel.model.settled_books import Entry
from wattwheel.protocols.dlt645.frame import Frame, FrameReader, encode
from wattwheel.sdk import Meter
from wattwheel.services.clock_rules import DATE_TIME_DI
from wattwheel.services.metering import (
    PARAMETERS_BIT,
    PARAMETERS_PORT,
    READINGS_PORT,
    RELAY_BIT,
    RELAY_PORT,
    RelayWish,
)

SECOND_NS, MICROSECOND_NS = 1_000_000_000, 1000
MINUTE_US = 60_000_000
ROUNDING_US = 500
"""A push tells the calendar in whole milliseconds: so much before its turn it tells the new minute already."""
FLUSH_MINUTES = 1440
READY_S_MAX, SAVED_S_MAX, STOPPED_S_MAX = 30.0, 2.0, 10.0
REPLY_S_MAX = 2.0
ERR_NO_DATA = 0x02
SNAPSHOT = "snapshot"
_EPOCH, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class _Calendar:
    """The meter's calendar of instants to come, as `MeterClock` will show it while nobody sets it; `now_ns`: now."""

    def __init__(self, clock: MeterClock, now_ns: int) -> None:
        setting = clock.setting
        host_us = (clock.host_calendar() - _EPOCH) // _MICROSECOND
        self._ppb = 0 if setting.held is not None else setting.drift_ppb
        # Drift counts from an instant on: there the host's clock and what has drifted are both known.
        drifts_from_us = round(setting.since_s * 1_000_000) if self._ppb else host_us
        self._begin_us = now_ns // MICROSECOND_NS - (host_us - drifts_from_us)
        shown_us = (clock.calendar() - _EPOCH) // _MICROSECOND
        self._shown_us = shown_us - self._since_begin(now_ns // MICROSECOND_NS)

    def _since_begin(self, instant_us: int) -> int:
        elapsed_us = instant_us - self._begin_us
        return elapsed_us + drifted_us(elapsed_us, self._ppb)

    def at_us(self, instant_ns: int) -> int:
        """Microseconds since 2000, UTC, at `instant_ns`."""
        return self._shown_us + self._since_begin(instant_ns // MICROSECOND_NS)

    def instant_ns(self, shown_us: int) -> int:
        """The first instant at which the calendar has come to `shown_us`."""
        return (self._begin_us + elapsed_until_us(shown_us - self._shown_us, self._ppb)) * MICROSECOND_NS


class _NoLink:
    """The device `core_link` where there is no core behind it."""

    def open(self, loop: SimLoop) -> object:
        """Nothing that anybody uses."""
        return self


class TimeMachine(SimBoard):
    """A meter that is made with its power on; `await_ready` lets it start.

    Attributes:
        core: the metering core, closed form.
        door: where head-ends connect.
        pushes: how many were made.
    """

    def __init__(
        self,
        settings: Settings,
        core: MinuteCore,
        store: Device,
        calendar: datetime,
        seed: int = 0,
        adapt: Callable[[ModuleConfig], ModuleConfig] | None = None,
    ) -> None:
        """`store`: the medium; `calendar`: UTC of the beginning, a whole second."""
        chance = random.Random(seed)
        clock = SimClock(calendar, chance)
        self.core, self.settings = core, settings
        self.door = SimDoor(clock, chance, name=LISTENER)
        self.pushes = 0
        self._start_ns = clock.now_ns()
        self._energy: Meter | None = None
        self._publish: Callable[[bytes], None] | None = None
        self._offset = timedelta(minutes=settings.clock.utc_offset_minutes)
        meter = settings.meter
        if core.pulses is None:
            core.pulses = MinutePulses((meter.active_constant_imp_per_kwh, meter.reactive_constant_imp_per_kvarh))
        self._pulses = core.pulses
        self._has_relay = settings.fee_control.mode != "none"
        config = _coarse(module_of(settings, (), (LISTENER,)))
        devices: Mapping[str, Device] = {LISTENER: self.door, CORE_LINK: _NoLink(), STORE: store}
        entries = {"energy": self._start_energy, "metering": self._start_metering}
        super().__init__(clock, chance, adapt(config) if adapt is not None else config, devices, entries)
        self.power_up()

    # -- life

    def power_up(self) -> None:
        """The supply comes back."""
        self.core.switch_on(self.now_ms)
        super().power_up()

    def lose_power(self) -> None:
        """The supply is cut in the middle of whatever happens."""
        self.core.cut(self.now_ms)
        self._forget()
        super().lose_power()

    def switch_off(self) -> None:
        """An orderly end: everything is kept. Raises NotAnswered when the meter does not stop."""
        stopped: list[bool] = []
        self.stop(lambda: stopped.append(True))
        if not self.clock.advance_until(lambda: bool(stopped), STOPPED_S_MAX):
            raise NotAnswered(f"the meter did not stop within {STOPPED_S_MAX:g} s")
        self.core.switch_off(self.now_ms)
        self._forget()
        super().lose_power()

    def _forget(self) -> None:
        self._energy = self._publish = None

    def await_ready(self) -> None:
        """Let time pass, in seconds, until the meter has started. Raises NotAnswered."""
        if not self.advance_until(lambda: self.is_ready, READY_S_MAX):
            raise NotAnswered(f"the meter did not start within {READY_S_MAX:g} s; it said: {self.log[-3:]}")

    @property
    def is_ready(self) -> bool:
        """Every partition is NORMAL, and energy has heard readings and parameters."""
        return self.is_normal and self.is_metering

    @property
    def is_metering(self) -> bool:
        """Energy has taken a push, and heard the parameters."""
        own = self._energy.memory if self._energy is not None else None
        return own is not None and own.ledger.image is not None and own.ledger.running.tariffs is not None

    def _start_energy(self, context: StartContext) -> None:
        self._energy = energy.app.begin(context)

    def _start_metering(self, context: StartContext) -> None:
        """Entry of the partition that stands in for `metering`: it says what the machine lets it say."""
        self._clock_of_meter = context.clock
        self._publish = context.sampling_source(READINGS_PORT).write
        if context.has_port(TO_BUS):
            bus = BusPort(context)
            bus.on_request(lambda request: bus.reply(request, error=ERR_NO_DATA))
        if self._has_relay and context.has_port(RELAY_PORT):
            relay = context.sampling_destination(RELAY_PORT)
            context.wheel.task(RELAY_BIT, lambda: self._hear_relay(relay.read()[0]))
            relay.on_message(context.wheel.poster(RELAY_BIT))
            context.wheel.post(RELAY_BIT)
        if context.has_port(PARAMETERS_PORT):
            parameters = context.sampling_destination(PARAMETERS_PORT)
            context.wheel.task(PARAMETERS_BIT, lambda: self._hear_parameters(parameters.read()[0]))
            parameters.on_message(context.wheel.poster(PARAMETERS_BIT))
            context.wheel.post(PARAMETERS_BIT)

    def _hear_relay(self, message: bytes | None) -> None:
        if message is not None:
            self.core.switch(self.now_ms, msgspec.json.decode(message, type=RelayWish).is_open)

    def _hear_parameters(self, message: bytes | None) -> None:
        told = None if message is None else pulses_of(msgspec.msgpack.decode(message, type=dict[int, bytes]))
        if told is not None:
            self._pulses.set(self.now_ms, self.core.registers(self.now_ms), told[:2])

    # -- time

    @property
    def now_ms(self) -> int:
        """Milliseconds on the machine's monotonic clock."""
        return self.clock.now_ns() // MILLISECOND_NS

    @property
    def local(self) -> datetime:
        """The meter's own standard time, marked as UTC."""
        return _EPOCH + (self._clock_of_meter.calendar() - _EPOCH) + self._offset

    @property
    def image(self) -> RegisterImage:
        """The registers as the APP `energy` has booked them, after its last push."""
        image = self._own().ledger.image
        assert image is not None, "the meter is not ready"
        return image

    @property
    def account(self) -> Account:
        """The wallet and its purchases, as fee control has charged them, after the last push."""
        fees = next(each for each in self._own().functions if isinstance(each, FeeControl))
        return fees.charging.money.account

    @property
    def settled(self) -> tuple[Entry, ...]:
        """The settlement periods that the APP `energy` keeps."""
        books = self._own().ledger.books
        return books.settled.entries if books is not None else ()

    def _own(self) -> energy.Energy:
        assert self._energy is not None, "the meter is not ready"
        own: energy.Energy = self._energy.memory
        return own

    def _calendar_us(self) -> int:
        """Microseconds of the meter's calendar since 2000, UTC."""
        return (self._clock_of_meter.calendar() - _EPOCH) // _MICROSECOND

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass, in seconds."""
        self.advance_until(lambda: False, seconds)

    def advance_until(self, condition: Callable[[], bool], seconds_max: float) -> bool:
        """Let time pass, in seconds, until `condition` holds. False: it did not within `seconds_max`."""
        end = self.clock.now_ns() + round(seconds_max * 1e9)
        while (now := self.clock.now_ns()) < end:
            due = self._on_grid(now + 1)
            if self.clock.advance_until(condition, (min(due, end) - now) / 1e9):
                return True
            if due <= end and self._publish is not None and self._clock_of_meter.is_known:
                self._push_to_port(self._readings(self._calendar_us()))
        return condition()

    def play_to(self, instant_ns: int, makes_every_push: bool = False) -> None:
        """Let time pass until `instant_ns`, in minutes as far as that goes; the rest of the last minute in seconds.

        `makes_every_push`: the pushes between the turns are made as well, for comparison.
        """
        own = self._own()
        clock, take, flush = self.clock, own.take, FLUSH_MINUTES
        own.keeps_by_itself = False
        calendar = _Calendar(self._clock_of_meter, clock.now_ns())
        setting = self._clock_of_meter.setting
        fees = next((each for each in own.functions if isinstance(each, FeeControl)), None) if self._has_relay else None
        while True:
            last_push_ns = clock.now_ns() - (clock.now_ns() - self._start_ns) % SECOND_NS  # saving takes a moment
            turn_us = ((calendar.at_us(last_push_ns) + ROUNDING_US) // MINUTE_US + 1) * MINUTE_US
            next_ns = clock.now_ns() + 1
            if not makes_every_push:
                next_ns = max(next_ns, calendar.instant_ns(turn_us - ROUNDING_US))
            # A clock that was set has its turns between the rows of the load: what changes then is an input, too.
            changes_ms = self.core.load.next_change_ms(clock.now_ns() // MILLISECOND_NS)
            due = self._on_grid(min(next_ns, changes_ms * MILLISECOND_NS))
            if due > instant_ns:
                break
            clock.skip_to(due)
            readings = self._readings(calendar.at_us(due), setting)
            take(readings)
            if fees is not None:
                self.core.switch(due // MILLISECOND_NS, fees.control.books.relay.is_open)
            flush -= 1
            if flush <= 0 or own.saves_under_way:
                flush = FLUSH_MINUTES
                self._let_save(own, readings)
        self._let_save(own, self._readings(self._calendar_us()))
        own.keeps_by_itself = True
        if clock.now_ns() < instant_ns:
            self.advance((instant_ns - clock.now_ns()) / 1e9)

    def _let_save(self, own: energy.Energy, readings: Readings) -> None:
        """Let the meter run until everything that it has to keep is on the medium."""
        own.keep(at_once=True)
        self._push_to_port(readings)  # a second time: to whoever else reads it, and so that nobody finds an old one
        if not self.clock.advance_until(lambda: not own.saves_under_way, SAVED_S_MAX):
            raise NotAnswered(f"the meter did not save its state within {SAVED_S_MAX:g} s; it said: {self.log[-3:]}")

    def _on_grid(self, instant_ns: int) -> int:
        """The first instant of a push from `instant_ns` on."""
        return self._start_ns + -(-(instant_ns - self._start_ns) // SECOND_NS) * SECOND_NS

    # -- pushes

    def _readings(self, calendar_us: int, setting: ClockSetting | None = None) -> Readings:
        core, now_ms = self.core, self.clock.now_ns() // MILLISECOND_NS
        setting = setting or self._clock_of_meter.setting
        core.sequence += 1
        self.pushes += 1
        registers = core.registers(now_ms)
        return Readings(
            now_ms * MILLISECOND_NS,
            round(calendar_us / 1000) / 1000,
            Quality.VALID,
            EnergyTotals(core.sequence, registers),
            core.momentary(now_ms),
            self._pulses.counts(registers),
            setting.changes,
            core.is_open if self._has_relay else None,
            setting.held is not None,
            core.faults,
            core.plug,
            is_clock_doubtful=setting.is_doubtful,
        )

    def _push_to_port(self, readings: Readings) -> None:
        if self._publish is not None:
            self._publish(msgspec.msgpack.encode(readings))

    # -- what happens to the meter

    def exchange(self, octets: bytes, seconds_max: float = REPLY_S_MAX) -> bytes:
        """Send `octets` to the TCP door on a connection of its own; the first frame that comes back, b"" for none."""
        channel, reader = self.door.connect(), FrameReader()
        found: list[Frame] = []

        def hear() -> None:
            found.extend(reader.feed(channel.read()))

        channel.on_arrival(hear)
        channel.write(octets)
        self.advance_until(lambda: bool(found), seconds_max)
        channel.close()
        return encode(found[0]) if found else b""

    def set_clock(self, local: datetime, on_reply: Callable[[bool], None]) -> None:
        """Set the meter's clock as a write of 0400010C does, to the meter's standard time `local`."""
        weekday = f"{local.isoweekday() % 7:02d}"
        octets = bytes.fromhex(f"{local:%y%m%d}{weekday}{local:%H%M%S}")[::-1]

        def replied(message: Message | None) -> None:
            on_reply(message is not None and not message.error)

        self.ask(Control.WRITE, DATE_TIME_DI, bytes(4) + octets, replied)


def _coarse(config: ModuleConfig) -> ModuleConfig:
    """`config` without the snapshot that nobody reads, with a kernel that may set the clock, and at any time."""

    def told(own: PartitionConfig) -> PartitionConfig:
        settings = msgspec.json.decode(own.settings)
        if own.name == "bus":
            settings["rights"][KERNEL] = [*settings["rights"].get(KERNEL, ()), Control.WRITE]
        elif own.name == "platform":
            settings["earliest"] = _EPOCH
        return msgspec.structs.replace(own, settings=msgspec.json.encode(settings))

    partitions = tuple(map(told, config.partitions))
    channels = tuple(own for own in config.sampling_channels if own.name != SNAPSHOT)
    return msgspec.structs.replace(config, partitions=partitions, sampling_channels=channels)
