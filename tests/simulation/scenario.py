"""One story for two hosts: what a metering core tells, who is killed when, and what a head-end reads."""

from __future__ import annotations

from typing import Protocol

from wattwheel.boot.sim_core import quadrant_register
from wattwheel.model.records import REGISTER_COUNT, ElementReading, Momentary
from wattwheel.protocols.corelink import Kind, Message, Side, pack
from wattwheel.protocols.corelink_bodies import WITH_MOMENTARY, Totals, encode_momentary, encode_totals

MICROJOULE_PER_UNIT = 36_000_000_000
WAITS_MAX = 2000
ENERGY, TARIFF_COUNT = 0x00010000, 0x04000204
ITEMS = (
    ENERGY, 0x00000000, 0x00020000, 0x00030000, 0x00040000, 0x00050000, 0x00060000, 0x00070000, 0x00080000,
    0x0001FF00, 0x00150000, 0x00290000, 0x003D0000, 0x00010100, 0x00010200, 0x00010001, 0x0001FF01,
    0x02010100, 0x02010200, 0x0201FF00, 0x02020300, 0x02030000, 0x0203FF00, 0x02040000, 0x02050000, 0x02060000,
    0x02070100, 0x02800001, 0x02800002, 0x02800007, 0x02990000, 0x04000401, 0x04000402, 0x04000403, 0x03300000,
    0x0E000001, 0x11111111, 0xFFFFFFFF,
)  # fmt: skip

PHASE = ElementReading(220_040, 5_123_499, 1_127_345, -12_050, 1_127_400, 999_950, 359_961, 240_000, 1230, 4560)
TOTAL = ElementReading(None, None, 3_382_035, -36_150, 3_382_200, 999_950)
MOMENTARY = Momentary((TOTAL, PHASE, PHASE, PHASE), 49_987, 1_500)

Read = tuple[int | None, str]


class MeterUnderTest(Protocol):
    """What the story does to a meter, on whichever host it lives."""

    def push(self, octets: bytes) -> None:
        """The metering core tells something."""

    def kill(self, name: str) -> None:
        """kill -9 of a partition; returns when it is NORMAL again."""

    def read(self, di: int) -> Read:
        """ERR (None when good) and item octets in hex, by a head-end."""

    def wait(self) -> None:
        """Let some milliseconds pass."""


def octets_of_push(number: int) -> bytes:
    """A push with totals that grow with its number, different in every register."""
    registers = tuple(number * (place + 1) * 1000 * MICROJOULE_PER_UNIT + place for place in range(REGISTER_COUNT))
    totals = Totals(WITH_MOMENTARY, 1, (number, 2 * number), registers)
    return pack(Side.CORE, Message(Kind.TOTALS, number, encode_totals(totals))) + pack(
        Side.CORE, Message(Kind.MOMENTARY, number, encode_momentary(MOMENTARY))
    )


def units_of_push(number: int) -> str:
    """What ENERGY shows after it, as octets on the wire in hex."""
    return bytes.fromhex(f"{number * 1000:08d}")[::-1].hex()


def tell(meter: MeterUnderTest) -> list[object]:
    """The whole story; what was read, in order."""
    assert quadrant_register(1, 1) == "reactive_q1"
    told: list[object] = []
    await_parameters(meter)
    for number in (1, 2, 2, 1, 3):  # once, again, doubled, late, and on
        meter.push(octets_of_push(number))
    await_energy(meter, 3)
    told.append([meter.read(di) for di in ITEMS])
    for number, name in enumerate(("energy", "bus", "metering", "communication", "store", "platform", "display"), 4):
        meter.kill(name)
        meter.push(octets_of_push(number))
        await_energy(meter, number)
        told.append((name, [meter.read(di) for di in ITEMS[:9]]))
    meter.push(octets_of_push(5))  # a replay from long ago
    meter.push(octets_of_push(11)[:100])  # and half a push
    meter.push(octets_of_push(12))
    await_energy(meter, 12)
    told.append([meter.read(di) for di in ITEMS])
    return told


def await_parameters(meter: MeterUnderTest) -> None:
    """Until the APP that owns them is there: before, nobody knows how many tariffs a register has."""
    for _ in range(WAITS_MAX):
        if meter.read(TARIFF_COUNT)[0] is None:
            return
        meter.wait()
    raise AssertionError("the parameters are not there")


def await_energy(meter: MeterUnderTest, number: int) -> None:
    """Until a head-end reads the energy of that push."""
    for _ in range(WAITS_MAX):
        if meter.read(ENERGY) == (None, units_of_push(number)):
            return
        meter.wait()
    raise AssertionError(f"push {number} never showed: {meter.read(ENERGY)}, expected {units_of_push(number)}")
