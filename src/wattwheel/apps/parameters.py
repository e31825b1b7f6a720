"""Parameters: the APP that owns the plain parameter items 04xxxxxx, keeps what is written, and tells all the others.

An item that was never written has the default of this table, or is answered with "no requested data". Whoever needs
parameters reads the sampling port `parameters`: a MessagePack map from identifier to octets as on the wire, whole, and
new after each write. A sampling port always holds the newest message, so neither side's restart loses a change.

Each write is recorded in the transaction that makes it durable (`apps.programming_records`). The address (15H) and the
rate of the line (17H) are parameters too, which two more commands may set.

Not here: the clock (platform), passwords (security), and what the metering core alone may change. Meter constants and
pulse width are here: the metering service tells the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import msgspec

from wattwheel.apps.programming_records import (
    State,
    Wrote,
    following,
    key_released,
    passwords_changed,
    recorded,
    saved_state,
)
from wattwheel.apps.set_keeping import SetKeeping
from wattwheel.model import display_lists
from wattwheel.model.catalogue import item_2007
from wattwheel.model.communication_parameters import (
    ADDRESS,
    LINE_RATE,
    METER_NUMBER,
    RATES,
    WORDS,
    address_octets,
    address_of,
)
from wattwheel.model.demand import PERIOD, PERIODS_MIN, SLIP, SLIPS_MIN, are_allowed
from wattwheel.model.errors import UnknownItem
from wattwheel.model.event_clears import Clears
from wattwheel.model.event_thresholds import default_thresholds
from wattwheel.model.further_freezes import DEFAULTS_2020, is_own_parameter
from wattwheel.model.limits_2020 import error_2020
from wattwheel.model.panel_state import PANEL_PORT, PasswordChange, panel_state_of
from wattwheel.model.prices import (
    PRICES_SWITCH,
    STEP_COUNT,
    STEP_LIMITS,
    STEP_PRICES,
    STEP_PRICES_MAX,
    STEP_SETTLEMENTS,
    STEPS_SWITCH,
    TARIFF_PRICES,
)
from wattwheel.model.pulse_parameters import (
    ACTIVE_CONSTANT,
    CONSTANTS,
    DEFAULT_WIDTH_MS,
    PULSE_ITEMS,
    PULSE_WIDTH,
    REACTIVE_CONSTANT,
    WIDTHS_MS,
)
from wattwheel.model.ratings import Ratings
from wattwheel.model.reporting import DEFAULT_MODE, MODE_DI
from wattwheel.model.settled_books import SETTLEMENT_DAYS
from wattwheel.model.tariff import (
    DAY_TABLES_MAX,
    HOLIDAYS_MAX,
    SLOTS_MAX,
    STEP_LIMITS_MAX,
    TARIFFS,
    TARIFFS_MAX,
    ZONES_MAX,
)
from wattwheel.model.tariff_parameters import (
    DAY_TABLE_COUNT,
    HOLIDAY_COUNT,
    REST_TABLE,
    SLOT_COUNT,
    TARIFF_COUNT,
    ZONE_COUNT,
)
from wattwheel.model.tariff_tables import (
    ERROR_OTHER,
    ERROR_SLOTS,
    ERROR_TARIFFS,
    ERROR_ZONES,
    is_table,
    is_time,
    table_error,
    time_error,
)
from wattwheel.sdk import App, Command, Function, Meter
from wattwheel.sdk.writing import number_of, written_items

app = App("parameters", version="0.1.0")
start = app.start

PARAMETERS_PORT, CLEARS_PORT = "parameters", "clears"
ERROR_NO_DATA = 0x02

HARMONIC_ORDERS = 0x04000206
LOAD_START, HOURLY_START, DAILY_TIME = 0x04000A01, 0x04001201, 0x04001203
NO_SETTLEMENT = "9999"
OTHERS = frozenset({"clock", "communication", "metering", "security"})
"""Owners, in the register table, of parameters that are not plain."""

_LEAP_YEAR_BEFORE = {LOAD_START: "00", HOURLY_START: "", DAILY_TIME: "000101"}
"""Times, and what makes YYMMDDhhmm of them."""


class Numbers(NamedTuple):
    """What a number may be, and the ERR octet for others."""

    allowed: range | tuple[int, ...]
    error: int = ERROR_OTHER


NUMBERS = {
    PERIOD: Numbers(PERIODS_MIN),
    SLIP: Numbers((*SLIPS_MIN, *PERIODS_MIN)),  # of which only the period itself, for blocks
    ZONE_COUNT: Numbers(range(1, ZONES_MAX + 1), ERROR_ZONES),
    DAY_TABLE_COUNT: Numbers(range(1, DAY_TABLES_MAX + 1)),
    SLOT_COUNT: Numbers(range(1, SLOTS_MAX + 1), ERROR_SLOTS),
    TARIFF_COUNT: Numbers(range(TARIFFS_MAX + 1), ERROR_TARIFFS),  # 0: a meter of a single tariff
    HOLIDAY_COUNT: Numbers(range(HOLIDAYS_MAX + 1)),
    HARMONIC_ORDERS: Numbers(range(1, 22)),
    0x04000301: Numbers(range(1, 100)),
    0x04000302: Numbers(range(5, 21)),
    0x04000303: Numbers(range(5)),
    0x04000304: Numbers(range(5)),
    0x04000305: Numbers(range(1, 100)),
    display_lists.TEST_SECONDS: Numbers(range(31)),
    REST_TABLE: Numbers(range(DAY_TABLES_MAX + 1)),  # 0: every day is a work day
    STEP_COUNT: Numbers(range(STEP_LIMITS_MAX + 1)),
    ACTIVE_CONSTANT: Numbers(CONSTANTS),
    REACTIVE_CONSTANT: Numbers(CONSTANTS),
    PULSE_WIDTH: Numbers(WIDTHS_MS),
}

DEFAULTS = {
    PERIOD: "15",
    SLIP: "01",
    ZONE_COUNT: "01",
    DAY_TABLE_COUNT: "01",
    SLOT_COUNT: "01",
    TARIFF_COUNT: f"{TARIFFS:02d}",
    HARMONIC_ORDERS: "21",
    HOLIDAY_COUNT: "0000",
    PULSE_WIDTH: f"{DEFAULT_WIDTH_MS:04d}",
    0x04000601: "05",
    0x04000602: "41",
    0x04000603: "14",
    0x04000901: "3F",  # load record: mode word, start (all 0: from the beginning), interval of each class
    0x04000A01: "00000000",
    **{0x04000A02 + number: "0015" for number in range(6)},
    0x04000902: "FF",  # freezing: content words of timed, instantaneous, agreed, periodic, daily; times
    0x04000903: "FF",
    0x04000904: "FF",
    0x04000905: "03",
    0x04000906: "FF",
    HOURLY_START: "0001010000",
    0x04001202: "60",
    DAILY_TIME: "0000",
    SETTLEMENT_DAYS[0]: "0100",
    SETTLEMENT_DAYS[1]: NO_SETTLEMENT,
    SETTLEMENT_DAYS[2]: NO_SETTLEMENT,
    PRICES_SWITCH: "0000000000",
    STEPS_SWITCH: "0000000000",
    STEP_COUNT: f"{STEP_LIMITS_MAX:02d}",
    **dict.fromkeys(range(0x04000F01, 0x04000F05), "00000000"),
    0x04001001: "00010000",
    0x04001002: "00005000",
    0x04001003: "00000000",
    0x04001004: "99999999",
    0x04001005: "00000000",
    0x04001401: "0000",
    0x04001402: "030000",
    0x04001403: "1440",
    **{base + tariff: "00000000" for base in TARIFF_PRICES for tariff in range(1, TARIFFS_MAX + 1)},
    **{base + step: "00000000" for base in STEP_LIMITS for step in range(1, STEP_LIMITS_MAX + 1)},
    **{base + step: "00000000" for base in STEP_PRICES for step in range(1, STEP_PRICES_MAX + 1)},
    **{base + at: "990100" if at == 1 else "999999" for base in STEP_SETTLEMENTS for at in range(1, 5)},
    MODE_DI: DEFAULT_MODE,
    **display_lists.DEFAULTS,
}
"""Digits as the picture prints them, the highest first."""


class Settings(msgspec.Struct, frozen=True):
    """Settings of the partition.

    Attributes:
        address: the meter's address and number, 12 digits, until others are written.
        line_rate: bits a second of the serial line, until another is set; 0: there is no line.
        name_plate: octets as on the wire, in hex digits, by identifier.
        ratings: what the meter is made for; default thresholds depend on it.
        utc_offset_minutes: meter standard time minus UTC.
        tariffs: how many there are, until another number is written.
        profile: "2007" or "2020": whose rules the meter follows.
    """

    address: str = ""
    line_rate: int = 0
    name_plate: dict[int, str] = {}
    ratings: Ratings = Ratings()
    utc_offset_minutes: int = 0
    tariffs: int = TARIFFS
    profile: str = "2007"

    def items(self) -> dict[int, bytes]:
        """The parameters that the settings say."""
        items = {di: bytes.fromhex(digits) for di, digits in self.name_plate.items()}
        items[TARIFF_COUNT] = bytes.fromhex(f"{self.tariffs:02d}")
        if self.address:
            items |= dict.fromkeys((ADDRESS, METER_NUMBER), address_octets(self.address))
        return items | ({LINE_RATE: bytes((WORDS[self.line_rate],))} if self.line_rate in WORDS else {})


def default_items(settings: Settings = Settings()) -> dict[int, bytes]:  # noqa: B008 (frozen)
    """Identifier to octets of what a meter knows to which nothing has been written."""
    digits = DEFAULTS | default_thresholds(settings.ratings) | (DEFAULTS_2020 if settings.profile == "2020" else {})
    return {di: bytes.fromhex(each)[::-1] for di, each in digits.items()} | settings.items()


def is_plain(di: int) -> bool:
    """Whether this APP owns the parameter `di`."""
    try:
        item = item_2007(di)
    except UnknownItem:
        return False
    return di >> 24 == 0x04 and (item.owner not in OTHERS or di == LINE_RATE or di in PULSE_ITEMS)


def refusal(values: Mapping[int, bytes], di: int, octets: bytes) -> int:
    """Pure: ERR octet for writing `octets`, which fit the item's picture, beside the present `values`; 0: it may be."""
    if not is_plain(di):
        return ERROR_NO_DATA
    numbers = NUMBERS.get(di)
    if numbers is not None and number_of(di, octets) not in numbers.allowed:
        return numbers.error
    if di in (PERIOD, SLIP):
        beside = {**values, di: octets}
        period, slip = (int(beside[each].hex()) for each in (PERIOD, SLIP))
        return 0 if are_allowed(period, slip) else ERROR_OTHER
    if di == ADDRESS:
        return 0 if address_of(octets) else ERROR_OTHER
    if di == LINE_RATE:  # a meter without a line has no such item
        return ERROR_NO_DATA if di not in values else 0 if octets[0] in RATES else ERROR_OTHER
    if di in _LEAP_YEAR_BEFORE:
        return 0 if _is_instant(_LEAP_YEAR_BEFORE[di] + octets[::-1].hex()) else ERROR_OTHER
    if di in SETTLEMENT_DAYS:
        return 0 if _is_settlement(octets[::-1].hex()) else ERROR_OTHER
    if display_lists.is_entry(di):
        return 0 if display_lists.entry_of(octets) is not None else ERROR_OTHER
    if is_table(di):
        return table_error(di, octets)
    return time_error(di, octets) if is_time(di) else 0


def _is_settlement(digits: str) -> bool:
    return digits == NO_SETTLEMENT or (1 <= int(digits[:2]) <= 28 and int(digits[2:]) < 24)


def _is_instant(digits: str) -> bool:
    """Whether YYMMDDhhmm is a time, or MMDDhhmm all 0."""
    try:
        datetime.strptime(digits, "%y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return digits[2:] == "00000000"
    return True


class Parameters:
    """What is written, and the records of it."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._settings = meter.settings(Settings)
        self._values = default_items(self._settings) | written_items(meter.saved)
        self._records = self._next = saved_state(meter.saved)
        self._sets = SetKeeping(meter, self._values, self._settings.profile == "2020")
        self._publish = meter.publish(PARAMETERS_PORT)
        self._tell()
        meter.show_beside(self._records.items())
        self._writes = meter.accept_writes(self._refusal, self._written, self._record)
        self._key_is_active = False
        if meter.has_port(PANEL_PORT):
            meter.on_sampled(PANEL_PORT, self._look_at_key)
        if meter.has_port(CLEARS_PORT):
            meter.on_sampled(CLEARS_PORT, self._follow_clears)
            self._newest_clears = meter.sampled(CLEARS_PORT)
            meter.accept(Function.CLEAR_EVENTS, self._follow_now)
        self._sets.follow(self._writes, self._tell)
        meter.accept(Function.WRITE_ADDRESS, self._write_address)
        meter.accept(Function.CHANGE_RATE, self._change_rate)

    def _local(self) -> datetime:
        return self._meter.now() + timedelta(minutes=self._settings.utc_offset_minutes)

    def _refusal(self, di: int, octets: bytes) -> int:
        is_2020 = self._settings.profile == "2020"
        if not is_2020 and is_own_parameter(di):
            return ERROR_NO_DATA
        error = refusal(self._values, di, octets)
        return error or (error_2020(di, octets) if is_2020 else 0)

    def _tell(self) -> None:
        self._meter.show(self._values)
        self._publish(msgspec.msgpack.encode({**self._values, **self._records.counts(), **self._sets.told()}))

    # -- writes

    def _record(self, di: int, octets: bytes, operator: bytes) -> Mapping[str, bytes | None]:
        """The record of a write, to be saved with it."""
        wrote = Wrote(di, operator, self._local(), self._key_is_active, self._values)
        changes, self._next = recorded(self._records, wrote)
        return changes

    def _written(self, di: int, octets: bytes) -> None:
        self._values[di] = octets
        self._take(self._next)
        self._tell()

    def _take(self, records: State) -> None:
        if records is not self._records:
            self._records = records
            self._meter.show_beside(records.items())

    # -- what ends a session, and what empties the records

    def _look_at_key(self, meter: Meter, panel: bytes) -> None:
        told = panel_state_of(panel)
        self._key_is_active = told.programming_key
        if told.password_changes:
            self._writes.between(partial(self._record_passwords, told.password_changes))
        if not self._key_is_active:
            self._writes.between(self._end_session)

    def _record_passwords(self, told: tuple[PasswordChange, ...]) -> None:
        self._change(*passwords_changed(self._records, told, self._key_is_active))

    def _end_session(self) -> None:
        self._change(*key_released(self._records))

    def _follow_clears(self, meter: Meter, clears: bytes) -> None:
        published = msgspec.msgpack.decode(clears, type=Clears)
        self._writes.between(lambda: self._change(*following(self._records, published)))

    def _follow_now(self, meter: Meter, command: Command) -> None:
        """A clear is about to be answered: by then these records have followed it."""
        if (clears := self._newest_clears()) is not None:
            self._follow_clears(meter, clears)
        self._writes.between(command.done)

    def _change(self, changes: Mapping[str, bytes | None], records: State) -> None:
        if changes:
            self._meter.save(changes, promised=True)
            self._take(records)
            self._tell()

    # -- 15H and 17H

    def _write_address(self, meter: Meter, command: Command) -> None:
        """15H: whoever asks has looked whether the programming key is active."""
        self._set(command, ADDRESS)

    def _change_rate(self, meter: Meter, command: Command) -> None:
        """17H: for as long as nobody says otherwise."""
        self._set(command, LINE_RATE)

    def _set(self, command: Command, di: int) -> None:
        """What a command without an operator sets, as a write of the parameter would."""
        self._writes.put(di, command.data, b"", lambda error: command.refuse(ERROR_OTHER) if error else command.done())


@app.on_start
def begin(meter: Meter) -> None:
    """Take up what was written, show it, and let it be written."""
    meter.memory = Parameters(meter)
