"""What a person sets: one TOML file with a default for all of it, checked whole before anything starts.

Each section is a frozen struct; its `Attributes:` lines are the comments of the printed default file and the text of
`docs/reference/settings.md`. Units stand last in the names. Electrical values are those of the meter's own (secondary)
side.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from wattwheel.boot.settings_check import Source, build
from wattwheel.boot.settings_functions import BoardSettings, ClockSettings, FeeControlSettings, PulseOutputSettings
from wattwheel.boot.toml_file import table_of, text_of
from wattwheel.boot.toml_lines import KeyPath, TomlLines
from wattwheel.model.errors import ConfigError
from wattwheel.model.inputs import HouseInput, InputSettings, RecordingInput, checked_input
from wattwheel.model.profile import TARIFFS_MAX_2020
from wattwheel.model.tariff import TARIFFS

BROADCAST_ADDRESS = "999999999999"
OFF = "off"
GAIN_MIN = 0.01

_PORT = r"(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST_PORT = rf"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):{_PORT}"
_DOOR_WORDS = "HOST:PORT such as 127.0.0.1:6450 or [::1]:6450, PORT 0..65535 (0 takes a free one)"

Address = Annotated[str, Meta(pattern=r"^[0-9]{12}\Z", extra={"allowed": "12 decimal digits in quotes"})]
Door = Annotated[str, Meta(pattern=rf"^(?:{_HOST_PORT})\Z", extra={"allowed": _DOOR_WORDS})]
DoorOrOff = Annotated[str, Meta(pattern=rf"^(?:off|{_HOST_PORT})\Z", extra={"allowed": f'{_DOOR_WORDS}, or "off"'})]
LineDevice = Annotated[
    str, Meta(pattern=r"^(?:off|pty|/.+)\Z", extra={"allowed": '"pty", a device such as "/dev/ttyUSB0", or "off"'})
]
Password = Annotated[str, Meta(pattern=r"^(?:[0-9]{6})?\Z", extra={"allowed": '6 decimal digits in quotes, or ""'})]
Baud = Literal[600, 1200, 2400, 4800, 9600, 19200]
Positive = Annotated[float, Meta(gt=0)]
Ratio = Annotated[int, Meta(ge=1, le=999_999)]
DelayMs = Annotated[int, Meta(ge=0, le=500)]
Preamble = Annotated[int, Meta(ge=0, le=4)]
Gain = Annotated[float, Meta(ge=-100, le=100)]
DelayUs = Annotated[float, Meta(ge=-2000, le=2000)]


class MeterSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the name plate says.

    Attributes:
        address: address on the line and number of the meter. An octet 16 in it confuses some head-ends' software.
        wiring: single phase, three-phase 4-wire or three-phase 3-wire.
        nominal_voltage_v: between a phase and neutral (3p3w: between two phases).
        nominal_current_a: of the meter's own inputs.
        maximum_current_a: of the meter's own inputs.
        starting_current_a: from which the meter must register.
        nominal_frequency_hz: of the network.
        current_ratio: of the current transformers, primary over secondary: 50 stands for 250/5 A.
        voltage_ratio: of the voltage transformers.
        active_constant_imp_per_kwh: test pulses per kWh of the meter's own side.
        reactive_constant_imp_per_kvarh: test pulses per kvarh of the meter's own side.
        factory_days: how long a new meter stays in factory mode, once in its life; 0: it never is.
        profile: whose rules it follows where they differ: "2007", or "2020" of later meters.
    """

    address: Address = "202611200001"
    wiring: Literal["1p2w", "3p4w", "3p3w"] = "3p4w"
    nominal_voltage_v: Positive = 347.0
    nominal_current_a: Positive = 5.0
    maximum_current_a: Positive = 6.0
    starting_current_a: Positive = 0.005
    nominal_frequency_hz: Literal[50, 60] = 60
    current_ratio: Ratio = 50
    voltage_ratio: Ratio = 1
    active_constant_imp_per_kwh: Annotated[int, Meta(ge=1, le=1_000_000)] = 6400
    reactive_constant_imp_per_kvarh: Annotated[int, Meta(ge=1, le=1_000_000)] = 6400
    factory_days: Annotated[int, Meta(ge=0, le=31)] = 0
    profile: Literal["2007", "2020"] = "2007"


class CalibrationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Corrections of the sensors, one number an element (3p3w has two); an empty list corrects nothing.

    Attributes:
        voltage_gain: true voltage over measured voltage.
        current_gain: true current over measured current; negative turns a current transformer round.
        voltage_delay_us: how much later than its counts the voltage was.
        current_delay_us: how much later than its counts the current was.
        neutral_gain: true neutral current over measured one.
    """

    voltage_gain: tuple[Gain, ...] = ()
    current_gain: tuple[Gain, ...] = ()
    voltage_delay_us: tuple[DelayUs, ...] = ()
    current_delay_us: tuple[DelayUs, ...] = ()
    neutral_gain: Gain = 1.0


class MeteringSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The metering core.

    Attributes:
        push_seconds: how often running totals and momentary values cross the core link.
        sync_seconds: how often the registers are forced to the medium: what a cut of the supply can cost.
        no_load_share: power below this share of nominal voltage x starting current books no energy.
        interruption_share: a voltage below this share of the nominal one counts as interrupted.
    """

    push_seconds: Annotated[float, Meta(ge=0.2, le=60)] = 1.0
    sync_seconds: Annotated[float, Meta(ge=1, le=3600)] = 20.0
    no_load_share: Annotated[float, Meta(ge=0, le=1)] = 0.45
    interruption_share: Annotated[float, Meta(ge=0.01, le=0.6)] = 0.05


class Dlt645Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The DL/T 645-2007 service: its TCP door, and what the standard leaves open.

    Attributes:
        listen: TCP door; "off" for none.
        connections_max: TCP connections at once; one more is closed as soon as it comes.
        reads: who answers a read: the APP that owns the item, or the snapshot that it published last (its age checked).
        snapshot_age_max_ms: an older snapshot is not used; the owner is asked.
        reply_preamble: octets FE ahead of a reply over TCP.
        reply_delay_ms: pause before a reply over TCP.
        accept_broadcast_reads: answer a read that is addressed to 999999999999.
        accept_single_address_time_sync: obey 08H that is addressed to this meter alone.
        programming_key: writes need the programming button, which opens the meter for 240 minutes.
        password_level_2: six digits with which the meter is cleared, until 18H changes them; empty: nobody can.
        password_level_4: six digits with which parameters are written, until 18H changes them; empty: nobody can.
        unknown_function: what a control code that no meter knows gets.
        unknown_write_di_error: ERR octet for a write of an unknown identifier.
        zero_deadline: what a deadline of all zeros in a control command (1CH) means.
        max_reply_data: longest data field of a reply in octets; the rest follows in further frames.
        follow_timeout_s: how long the rest of a reply is kept for 12H.
        password_tries: wrong passwords in a row that lock their level.
        password_lock_min: length of the lock in minutes.
        time_sync_per_day: broadcasts of the time that are obeyed a day.
        half_frame_timeout_ms: silence after which an unfinished frame is given up.
    """

    listen: DoorOrOff = "127.0.0.1:6450"
    connections_max: Annotated[int, Meta(ge=1, le=4096)] = 256
    reads: Literal["owner", "snapshot"] = "owner"
    snapshot_age_max_ms: Annotated[int, Meta(ge=100, le=60_000)] = 3000
    reply_preamble: Preamble = 4
    reply_delay_ms: DelayMs = 0
    accept_broadcast_reads: bool = False
    accept_single_address_time_sync: bool = False
    programming_key: bool = False
    password_level_2: Password = ""
    password_level_4: Password = ""
    unknown_function: Literal["exception", "silent"] = "exception"
    unknown_write_di_error: Literal["02", "01"] = "02"
    zero_deadline: Literal["expired", "accept"] = "expired"
    max_reply_data: Annotated[int, Meta(ge=16, le=200)] = 200
    follow_timeout_s: Annotated[int, Meta(ge=1, le=3600)] = 60
    password_tries: Annotated[int, Meta(ge=1, le=200)] = 3
    password_lock_min: Annotated[int, Meta(ge=1, le=10_080)] = 1440
    time_sync_per_day: Annotated[int, Meta(ge=0, le=255)] = 1
    half_frame_timeout_ms: Annotated[int, Meta(ge=50, le=5000)] = 500


class SerialSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The serial line that speaks DL/T 645: a real device or a pseudo-terminal.

    Attributes:
        device: "pty" makes a pseudo-terminal and prints its name; "off" for no line.
        baud: bits a second.
        parity: even, none or odd.
        reply_delay_ms: pause between the last octet of a request and the reply.
        reply_preamble: octets FE ahead of a reply.
        rate_change: a rate that 17H has set is kept for good, or for as long as the meter runs.
    """

    device: LineDevice = "pty"
    baud: Baud = 2400
    parity: Literal["E", "N", "O"] = "E"
    reply_delay_ms: DelayMs = 20
    reply_preamble: Preamble = 4
    rate_change: Literal["kept", "session"] = "kept"


class CoreLinkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The link between the metering core and the management core.

    Attributes:
        kind: a pseudo-terminal, a serial line or a TCP connection. With "serial" the metering core at the
            other end of the line is started there; `run` starts none.
        device: the serial line, for kind "serial" only.
        baud: of the serial line.
        listen: the TCP door of the management core, for kind "tcp" only.
    """

    kind: Literal["pty", "serial", "tcp"] = "pty"
    device: str = ""
    baud: Literal[9600, 19200, 38400, 57600, 115200] = 115200
    listen: Door = "127.0.0.1:0"


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The page and its API.

    Attributes:
        enabled: false runs the meter without a page.
        listen: TCP door of the page.
    """

    enabled: bool = True
    listen: Door = "127.0.0.1:8645"


class StateSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What outlives a restart.

    Attributes:
        folder: where it lives; empty for wattwheel under the XDG state folder (~/.local/state).
        commit_seconds: how often changes that nobody was promised go to the medium; promised ones go at once.
    """

    folder: str = ""
    commit_seconds: Annotated[float, Meta(ge=1, le=3600)] = 60.0


class TariffSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tariffs.

    Attributes:
        count: number of tariffs with registers of their own, until another one is written (04000204). Zone and day
            tables say which of them energy goes to; until some are written it is tariff 1.
    """

    count: Annotated[int, Meta(ge=1, le=63)] = TARIFFS


class ModuleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The module configuration: partitions, ports, channels.

    Attributes:
        file: an XML module configuration such as `wattwheel module` prints; empty for the built-in module. A relative
            name counts from the folder of the settings file.
        tap: let `wattwheel bus --tap` show the user who runs the meter what passes through its channels.
    """

    file: str = ""
    tap: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is set. A value that exists is valid.

    Attributes:
        input: Where the samples come from. The key `kind` chooses; the other keys are those of the kind.
    """

    meter: MeterSettings = MeterSettings()
    input: InputSettings = RecordingInput()
    calibration: CalibrationSettings = CalibrationSettings()
    metering: MeteringSettings = MeteringSettings()
    dlt645: Dlt645Settings = Dlt645Settings()
    serial: SerialSettings = SerialSettings()
    core_link: CoreLinkSettings = CoreLinkSettings()
    web: WebSettings = WebSettings()
    state: StateSettings = StateSettings()
    clock: ClockSettings = ClockSettings()
    tariffs: TariffSettings = TariffSettings()
    fee_control: FeeControlSettings = FeeControlSettings()
    pulse_output: PulseOutputSettings = PulseOutputSettings()
    board: BoardSettings = BoardSettings()
    module: ModuleSettings = ModuleSettings()

    @property
    def state_folder(self) -> Path:
        """The folder that holds the meter's state."""
        return Path(self.state.folder).expanduser() if self.state.folder else default_state_folder()


class Override(NamedTuple):
    """A value from the command line: it beats the file.

    Attributes:
        section: such as "web".
        key: such as "listen".
        value: as TOML would give it.
        said_as: how the person said it, such as "--web".
    """

    section: str
    key: str
    value: object
    said_as: str


def default_state_folder() -> Path:
    """`wattwheel` under the XDG state folder."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "wattwheel"


def load(path: str | Path | None = None, overrides: Sequence[Override] = ()) -> Settings:
    """The settings of the file `path` (None: the defaults), changed by `overrides`.

    Raises BadInput when the file cannot be read and ConfigError, with the line, for anything in it that cannot be.
    """
    text = text_of(Path(path)) if path is not None else ""
    table = table_of(text, str(path))
    said_as: dict[KeyPath, str] = {}
    for section, key, value, words in overrides:
        part = table.setdefault(section, {})
        if isinstance(part, dict):
            part[key] = value
            said_as[(section, key)] = words
    source = Source(str(path) if path is not None else None, TomlLines(text), said_as)
    settings: Settings = build(Settings, table, source)
    _check_together(settings, source)
    return settings if path is None else _found_from(Path(path).parent, settings)


def _found_from(folder: Path, settings: Settings) -> Settings:
    """`settings` whose relative names of files count from `folder`."""
    module, output = (
        msgspec.structs.replace(own, file=str(folder / Path(own.file).expanduser())) if own.file else own
        for own in (settings.module, settings.pulse_output)
    )
    return msgspec.structs.replace(settings, module=module, pulse_output=output)


def _check_together(settings: Settings, source: Source) -> None:
    """What one value alone cannot show."""
    meter, link = settings.meter, settings.core_link
    if meter.address == BROADCAST_ADDRESS:
        raise source.refusal(("meter", "address"), meter.address, "any address but the broadcast address")
    if meter.maximum_current_a < meter.nominal_current_a:
        allowed = f"at least nominal_current_a = {meter.nominal_current_a:g}"
        raise source.refusal(("meter", "maximum_current_a"), meter.maximum_current_a, allowed)
    if meter.starting_current_a >= meter.nominal_current_a:
        allowed = f"below nominal_current_a = {meter.nominal_current_a:g}"
        raise source.refusal(("meter", "starting_current_a"), meter.starting_current_a, allowed)
    if meter.profile == "2020" and settings.tariffs.count > TARIFFS_MAX_2020:
        raise source.refusal(("tariffs", "count"), settings.tariffs.count, f"at most {TARIFFS_MAX_2020} (profile 2020)")
    _check_calibration(settings, source)
    try:
        checked_input(settings.input)
    except ConfigError as error:
        raise source.refusal(("input", error.where.removeprefix("[input] ")), error.found, error.allowed) from None
    if isinstance(settings.input, HouseInput) and settings.input.phases == 1 and meter.wiring == "3p4w":
        allowed = f'3 with [meter] wiring = "{meter.wiring}", or wiring = "1p2w"'
        raise source.refusal(("input", "phases"), settings.input.phases, allowed)
    if link.kind == "serial" and not link.device.startswith("/"):
        raise source.refusal(("core_link", "device"), link.device, 'a device such as "/dev/ttyS1" (kind is "serial")')
    if link.kind == "serial" and link.device == settings.serial.device:
        raise source.refusal(("core_link", "device"), link.device, "another line than [serial] device")
    web = settings.web.listen
    if settings.web.enabled and web == settings.dlt645.listen and not web.endswith(":0"):
        raise source.refusal(("web", "listen"), web, "another port than [dlt645] listen")


def _check_calibration(settings: Settings, source: Source) -> None:
    elements = {"1p2w": 1, "3p4w": 3, "3p3w": 2}[settings.meter.wiring]
    for name in CalibrationSettings.__struct_fields__:
        value = getattr(settings.calibration, name)
        values = value if isinstance(value, tuple) else (value,)
        if isinstance(value, tuple) and value and len(value) != elements:
            allowed = f"an empty list or one number an element, here {elements} (wiring {settings.meter.wiring})"
            raise source.refusal(("calibration", name), list(value), allowed)
        if name.endswith("_gain") and any(abs(gain) < GAIN_MIN for gain in values):
            raise source.refusal(
                ("calibration", name), value, f"factors of at least {GAIN_MIN}, negative to turn round"
            )
