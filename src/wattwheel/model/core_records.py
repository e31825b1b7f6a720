"""What the metering core tells about itself: identity, status, one cycle of waveform, dips and swells.

The bus carries these as msgpack under the private identifiers below.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import msgspec

from wattwheel.model.records import Quality

WAVEFORM_DI = 0x0E000001
"""Private data identifier: `Waveform` of the newest whole cycle, fetched from the core when asked."""

CORE_REPORT_DI = 0x0E000002
"""Private data identifier: `CoreReport`, the service's newest knowledge of the core and of the link."""

HALF_CYCLES_DI = 0x0E000003
"""Private data identifier: list of `HalfCycleEvent`, the newest dips, swells and interruptions, oldest first."""

WAVEFORM_POINTS = 64
"""Points of each curve of a `Waveform`, evenly over one cycle."""


class CoreFault(IntFlag):
    """Fault bits of the metering core. Metering goes on with every one of them."""

    MEMORY_WRITE = 0x01  # the newest write or sync of the register memory failed; registers live in memory only
    MEMORY_DAMAGED = 0x02  # damaged slots were found at the start; an older good one may have been taken
    REGISTERS_LOST = 0x04  # the memory had been written, yet no slot was readable: registers began at zero
    SAMPLES_LOST = 0x08  # samples are missing since the start of the core
    SOURCE_FINISHED = 0x10  # the sample source will never give a sample again
    SOURCE_ERROR = 0x20  # the newest read of the sample source failed
    TOTALS_BEHIND = 0x100  # never said by a core: its registers stand below what it has told before


CHIP_FAULTS = int(
    CoreFault.MEMORY_WRITE
    | CoreFault.REGISTERS_LOST
    | CoreFault.SOURCE_FINISHED
    | CoreFault.SOURCE_ERROR
    | CoreFault.TOTALS_BEHIND
)
"""Faults with which the metering chip counts as faulty; the others heal themselves, or tell of what has been."""


MEMORY_FAULTS = int(CoreFault.MEMORY_WRITE | CoreFault.REGISTERS_LOST)
"""Faults of the register memory itself."""


def lost_counter(register: str) -> str:
    """Name of the counter of the partition `energy` that tells how much of `register` the core has lost, all told."""
    return f"registers_lost_{register}_microjoule"


class Disturbance(IntEnum):
    """What a half-cycle event was."""

    DIP = 1
    SWELL = 2
    INTERRUPTION = 3


class CoreStatus(msgspec.Struct, frozen=True, array_like=True):
    """State of the metering core at a push.

    Attributes:
        faults: `CoreFault` bits.
        no_load: one bit an element (total, a, b, c): set where the power stands below the no-load threshold.
        lost_samples: samples missing in the source since the start.
        uptime_ms: since the start of the core, milliseconds.
        starts: starts of the core in its life, kept in its own memory.
        memory_faults: failed writes, syncs and reads of the register memory since the start.
        damaged_slots: damaged slots found at the start.
        unknown_messages: messages of the link that this core does not know or could not read.
        has_outputs: the core has a relay or gives pulses; without, the rest stays as it is here.
        relay_open: how the relay's contact stands, debounced; None: there is no relay.
        pulses_given, pulses_dropped: flashes and signals since the start, and those that nobody took.
        plug_epoch, plug_count: of its `model.plug_records.PlugRecords`; 0: it has recorded nothing.
    """

    faults: int = 0
    no_load: int = 0
    lost_samples: int = 0
    uptime_ms: int = 0
    starts: int = 0
    memory_faults: int = 0
    damaged_slots: int = 0
    unknown_messages: int = 0
    has_outputs: bool = False
    relay_open: bool | None = None
    pulses_given: int = 0
    pulses_dropped: int = 0
    plug_epoch: int = 0
    plug_count: int = 0

    def pulse_figures(self) -> dict[str, int]:
        """What the pulse output did, by the names of its counters; nothing before it did anything."""
        if not (self.pulses_given or self.pulses_dropped):
            return {}
        return {"pulses_given": self.pulses_given, "pulses_dropped": self.pulses_dropped}


class CoreIdentity(msgspec.Struct, frozen=True, array_like=True):
    """Which metering core this is.

    Attributes:
        software: version of the sealed software, at most 16 ASCII characters.
        checksum: SHA-256 over the sealed folder, 64 hex digits, "" when it could not be read.
        phases: 1 or 3.
        rate_millihertz: samples a second and channel, thousandths.
        meter_address: the 12 digits the core was told, "" before that.
    """

    software: str
    checksum: str
    phases: int
    rate_millihertz: int
    meter_address: str = ""


class PhaseWave(msgspec.Struct, frozen=True, array_like=True):
    """Voltage and current of one phase over one cycle, secondary side: points of 16 bits and what one step of them is.

    Attributes:
        voltage_step_microvolt, current_step_nanoampere: physical value = point x step.
        voltage, current: WAVEFORM_POINTS points each, -32767..32767.
    """

    voltage_step_microvolt: int
    current_step_nanoampere: int
    voltage: tuple[int, ...]
    current: tuple[int, ...]

    def voltage_v(self) -> list[float]:
        """The voltage curve in volts."""
        return [point * self.voltage_step_microvolt / 1e6 for point in self.voltage]

    def current_a(self) -> list[float]:
        """The current curve in amperes."""
        return [point * self.current_step_nanoampere / 1e9 for point in self.current]


class Waveform(msgspec.Struct, frozen=True, array_like=True):
    """One cycle of every phase from the rising zero crossing of the first voltage on.

    Attributes:
        frequency_millihertz: of that cycle.
        phases: one or three.
    """

    frequency_millihertz: int
    phases: tuple[PhaseWave, ...]


class HalfCycleEvent(msgspec.Struct, frozen=True, array_like=True):
    """A dip, swell or interruption of one phase, seen in the RMS renewed every half cycle.

    Attributes:
        number: +1 each since the start of the core.
        phase: 0, 1 or 2.
        kind: see `Disturbance`.
        first_sample: absolute number of the sample at which it began.
        half_cycles: how long it lasted; 0 while it still lasts.
        extreme_millivolt: lowest (dip, interruption) or highest (swell) RMS.
    """

    number: int
    phase: int
    kind: int
    first_sample: int
    half_cycles: int
    extreme_millivolt: int


class CoreReport(msgspec.Struct, frozen=True, array_like=True):
    """What the metering service knows of the core.

    Attributes:
        quality: VALID while pushes arrive, STALE after three missed ones, INVALID before the first.
        identity: None until the core has answered.
        status: of the newest push that carried one.
        sequence: of the newest push.
        behind_microjoule: largest amount by which a register of the core stands below the last good value kept here;
            0 when the core agrees.
        counters: faults and traffic of the link by name.
    """

    quality: Quality
    identity: CoreIdentity | None
    status: CoreStatus | None
    sequence: int
    behind_microjoule: int
    counters: dict[str, int]
