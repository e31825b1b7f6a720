"""The display: eight digits and the symbols around them, which walk through the meter's values or follow its keys.

The rules are those of `model.display_walk`; this APP feeds them: parameters, readings, run status words, programming
key and faults come in, and what stands on the glass goes out as one value. An item is asked of its owner when its
screen comes up, and again only while somebody looks at it or the time is on the glass.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from wattwheel.apps.display_face import Face, face_of
from wattwheel.model.board_sensors import READING_BATTERY_FLAT, SENSORS
from wattwheel.model.catalogue import item_2007
from wattwheel.model.condition import CONDITION_PORT, NOTHING_TOLD, condition_told
from wattwheel.model.display import BLANK, EVERY_SEGMENT, Lcd
from wattwheel.model.display_digits import error_text, version_text
from wattwheel.model.display_errors import ERROR_TITLES, errors_of
from wattwheel.model.display_lists import (
    DEFAULT_AUTO_LIST,
    PREPAID_AUTO_LIST,
    TIME,
    Entry,
    parameters_of,
    source_of,
)
from wattwheel.model.display_state import (
    DisplayState,
    Faults,
    Limits,
    Relay,
    Supply,
    is_any_voltage_there,
    supply_of,
    with_readings,
    with_words,
    words_of,
)
from wattwheel.model.display_symbols import symbols_of
from wattwheel.model.display_walk import Action, Kind, Screen, Walk
from wattwheel.model.panel_state import PANEL_PORT, panel_state_of
from wattwheel.model.private_items import STEP_DI
from wattwheel.model.records import Quality, Readings
from wattwheel.model.tariff import TariffPlan, resolve
from wattwheel.model.tariff_parameters import FIRST_SETS, RunningSets, plan_of, switched
from wattwheel.sdk import App, Decoded, Meter
from wattwheel.sdk.buttons import HELD_DI, INFRARED, NEVER_LET_GO_S

app = App("display", version="0.2.0")
start = app.start

DISPLAY_PORT, PARAMETERS_PORT = "display", "parameters"
RELAY_PORT = "relay"
STATUS_WORDS_DI = 0x040005FF
READING_BATTERY_DI = SENSORS["reading-battery"].di

LOOK_AGAIN_S = 5.0
"""A screen that stays is asked for again."""

WORDS_S, WORDS_REFUSED_S = 5.0, 60.0
"""How often the run status words are asked for, and how often after nobody had any."""

METERING_PATIENCE_S = 10.0
"""So long without valid readings is a fault of the metering."""

MEMORY_FAULTS = frozenset({"memory_write", "registers_lost", "store_write", "store_damaged"})
METERING_FAULTS = frozenset({"source_error"})
"""Names of standing faults, as the status document has them."""

LOSS_PERCENT, CRITICAL_PERCENT = 78, 60
"""Of the nominal voltage."""


class DisplaySettings(msgspec.Struct, frozen=True):
    """What the display knows of its meter.

    Attributes:
        interrupted_millivolt: no voltage below it.
        starting_microampere: no current below it.
        nominal_millivolt: of a phase.
        utc_offset_minutes: meter standard time minus UTC.
        version: of the software, for the screen behind the full-screen test.
    """

    interrupted_millivolt: int = 0
    starting_microampere: int = 0
    nominal_millivolt: int = 0
    utc_offset_minutes: int = 0
    version: str = ""

    @property
    def limits(self) -> Limits:
        """From where on a phase counts."""
        loss, critical = (self.nominal_millivolt * percent // 100 for percent in (LOSS_PERCENT, CRITICAL_PERCENT))
        return Limits(self.interrupted_millivolt, self.starting_microampere, loss, critical)


class RelayState(msgspec.Struct, frozen=True):
    """What fee control tells of itself and the relay, where it is there; what else it tells is passed over."""

    mode: str = "none"
    is_open: bool = False
    is_pending: bool = False
    is_alarming: bool = False
    is_misoperating: bool = False

    @property
    def relay(self) -> Relay:
        """As the symbol shows it."""
        return Relay.OPEN if self.is_open else Relay.PENDING if self.is_pending else Relay.CLOSED


@app.on_start
def begin(meter: Meter) -> None:
    """Take the ports."""
    meter.memory = _Panel(meter)


@app.on_press
def press(meter: Meter, button: str, held_s: float) -> None:
    """Follow a button."""
    if meter.memory is not None:
        meter.memory.press(button, held_s)


@app.every(seconds=1)
def tick(meter: Meter) -> None:
    """Walk on and draw."""
    meter.memory.tick()


class _Panel:
    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._settings = meter.settings(DisplaySettings)
        self._limits = self._settings.limits
        self._publish = meter.publish(DISPLAY_PORT)
        self._panel = meter.sampled(PANEL_PORT)
        self._told_parameters = meter.sampled(PARAMETERS_PORT)
        self._told_condition = meter.sampled(CONDITION_PORT)
        self._told_relay = meter.sampled(RELAY_PORT) if meter.has_port(RELAY_PORT) else _nothing
        self._condition_heard: bytes | None = None
        self._condition = NOTHING_TOLD
        self._has_traffic = False
        self._newest_readings = meter.readings()
        self._parameters_heard: bytes | None = None
        self._parameters: Mapping[int, bytes] = {}
        self._display = parameters_of(self._parameters)
        self._readings: Readings | None = None
        self._valid_at = self._now()
        self._words: tuple[int, ...] | None = None
        self._words_due = self._now()
        self._supply = Supply.MAINS
        self._stuck: set[str] = set()
        self._is_dark = False
        self._tariff = _Tariff()
        self._walk = Walk(self._now(), self._display)
        self._asked: Entry | None = None
        self._asked_at = 0.0
        self._face: tuple[Entry, Face] | None = None
        self._last = b""

    def _now(self) -> float:
        return self._meter.clock.now_ns() / 1e9

    def press(self, button: str, held_s: float) -> None:
        """Follow a button. One that is stuck was pressed, and is found down again and again without supply."""
        if button == INFRARED:
            self._walk.infrared(self._now())
            self.draw()
            return
        if held_s == NEVER_LET_GO_S:
            self._stuck.add(button)
            held_s = 0.0
        else:
            self._stuck.discard(button)
        action = self._walk.press(self._now(), button, held_s)
        if action is Action.CLOSE_RELAY:
            self._meter.counters.add("relay_closings_wanted")
            self._meter.pass_press(HELD_DI, button, held_s)
        elif action is Action.STEP_OUTPUT:
            self._meter.counters.add("output_steps_wanted")
            self._meter.pass_press(STEP_DI, button, held_s)
        self.draw()

    def tick(self) -> None:
        """A second has passed: take what is new, and draw."""
        self._hear_parameters()
        self._hear_condition()
        self._readings = self._newest_readings()
        if self._readings is not None and self._readings.quality is Quality.VALID:
            self._valid_at = self._now()
        if self._now() >= self._words_due:
            self._words_due = self._now() + WORDS_REFUSED_S
            self._meter.ask_value(STATUS_WORDS_DI, self._hear_words)
        if self._is_dark:
            for button in self._stuck:
                self._walk.hold(self._now(), button)
        self.draw()

    def _hear_parameters(self) -> None:
        message = self._told_parameters()
        if message is not None and message != self._parameters_heard:
            self._parameters_heard = message
            self._parameters = msgspec.msgpack.decode(message, type=dict[int, bytes])
            self._display = parameters_of(self._parameters)
            self._tariff = _Tariff()
            self._face = self._asked = None

    def _hear_condition(self) -> None:
        """Frames that have come since the last second turn the light on."""
        message = self._told_condition()
        self._has_traffic = False
        if message is not None and message != self._condition_heard:
            condition = condition_told(message)
            self._has_traffic = self._condition_heard is not None and condition.frames > self._condition.frames
            self._condition_heard, self._condition = message, condition
        if self._has_traffic:
            self._walk.traffic(self._now())

    def _hear_words(self, value: Decoded | None) -> None:
        self._words = None if value is None else words_of(value.raw)
        if self._words is not None:
            self._words_due = self._now() + WORDS_S
            self._supply = supply_of(self._words)
            if self._supply is Supply.BATTERY:
                self._meter.ask_value(READING_BATTERY_DI, self._hear_battery)

    def _hear_battery(self, value: Decoded | None) -> None:
        """A meter without a reading battery tells no voltage of it."""
        centivolt = None if value is None else value.number
        self._walk.take_reading_battery(centivolt is not None and centivolt >= READING_BATTERY_FLAT)

    def draw(self) -> None:
        """Put on the glass what belongs there now; a screen that has come up is asked of its owner first."""
        now = self._now()
        state = self._state(now)
        self._walk.take_supply(now, state.supply)
        self._walk.take_errors(now, errors_of(state))
        is_prepaid = state.is_prepaid and self._display.auto == DEFAULT_AUTO_LIST
        self._walk.take_parameters(now, self._display._replace(auto=PREPAID_AUTO_LIST) if is_prepaid else self._display)
        screen = self._walk.screen(now)
        self._is_dark = screen.kind is Kind.DARK
        if screen.entry is not None and self._is_due(screen, screen.entry, now):
            self._asked, self._asked_at = screen.entry, now
            self._ask(screen.entry)
        if screen.entry is None or (self._face is not None and self._face[0] == screen.entry):
            self._show(self._glass(screen, state, now))

    def _is_due(self, screen: Screen, entry: Entry, now: float) -> bool:
        is_watched = screen.is_key or entry.di == TIME
        return entry != self._asked or is_watched or now - self._asked_at >= LOOK_AGAIN_S

    def _ask(self, entry: Entry) -> None:
        def answered(value: Decoded | None) -> None:
            self._face = entry, face_of(item_2007(entry.di), entry, value, self._display)
            now = self._now()
            screen = self._walk.screen(now)
            if screen.entry == entry:
                self._show(self._glass(screen, self._state(now), now))

        self._meter.ask_value(source_of(entry.di, self._display), answered)

    def _state(self, now: float) -> DisplayState:
        """Everything but the value, as far as somebody tells it."""
        told = panel_state_of(self._panel())
        names = self._condition.faults
        relay = msgspec.json.decode(self._told_relay() or b"{}", type=RelayState)
        is_silent = now - self._valid_at >= METERING_PATIENCE_S
        state = DisplayState(
            programming=told.programming_key,
            traffic=self._has_traffic,
            suspended=told.is_suspended,
            relay=relay.relay,
            alarm=relay.is_alarming,
            is_prepaid=relay.mode == "local",
            faults=Faults(
                control_loop=relay.is_misoperating,
                memory=bool(names & MEMORY_FAULTS),
                metering=is_silent or bool(names & METERING_FAULTS),
            ),
        )
        state = with_readings(state, self._readings, self._limits)._replace(supply=self._supply)
        if self._words is not None:
            state = with_words(state, self._words)
        return state._replace(tariff=self._tariff.at(self._meter, self._settings, self._parameters, self._words))

    def _glass(self, screen: Screen, state: DisplayState, now: float) -> Lcd:
        if screen.kind is Kind.DARK:
            return BLANK
        is_lit = self._walk.is_lit(now, is_any_voltage_there(self._readings, self._limits))
        if screen.kind is Kind.TEST:
            return msgspec.structs.replace(EVERY_SEGMENT, lit=is_lit)
        symbols = symbols_of(state)
        digits, di, index, unit, title = self._line(screen)
        return Lcd(
            digits=digits,
            di=di,
            index=index,
            unit=unit,
            symbols=symbols.on,
            blinking=symbols.blinking,
            tariff=symbols.tariff,
            step=symbols.step,
            lit=is_lit,
            title=title,
        )

    def _line(self, screen: Screen) -> tuple[str, str, str, str, str]:
        """Value line, identifier, index, unit and words."""
        if screen.error is not None:
            return error_text(screen.error), "", "", "", f"error {screen.error:02d}: {ERROR_TITLES[screen.error]}"
        if screen.kind is Kind.VERSION or screen.entry is None or self._face is None:
            return version_text(self._settings.version), "", "", "", f"software version {self._settings.version}"
        face = self._face[1]
        item = item_2007(screen.entry.di)
        return face.digits, item.di_text, f"{screen.place:02d}", face.unit, f"{item.title}: {face.words}"

    def _show(self, glass: Lcd) -> None:
        drawn = msgspec.json.encode(glass)
        if drawn != self._last:
            self._last = drawn
            self._publish(drawn)


def _nothing() -> None:
    """What a port tells that this meter does not have."""


class _Tariff:
    """The tariff in force, found anew at each minute."""

    def __init__(self) -> None:
        self._minute: tuple[object, ...] = ()
        self._number = 0
        self._sets: RunningSets | None = None
        self._plan: TariffPlan | None = None

    def at(
        self,
        meter: Meter,
        settings: DisplaySettings,
        parameters: Mapping[int, bytes],
        words: tuple[int, ...] | None,
    ) -> int:
        """Its number now; 0 before the parameters were heard. Run status word 3 says which sets are running."""
        if not parameters:
            return 0
        local = meter.now() + timedelta(minutes=settings.utc_offset_minutes)
        minute = (local.date(), local.hour, local.minute, words and words[2])
        if minute != self._minute:
            self._minute = minute
            told = None if words is None else RunningSets(words[2] >> 5 & 1, words[2] & 1)
            sets = switched(FIRST_SETS, parameters, local) if told is None else told
            if self._plan is None or sets != self._sets:
                self._sets, self._plan = sets, plan_of(parameters, sets)
            self._number = resolve(self._plan, local).tariff
        return self._number
