"""The page as a partition: `MeterFace` over the SDK, served in an asyncio loop of its own."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import msgspec

from wattwheel.apps.web.face import PhaseTrace, Waveform
from wattwheel.apps.web.load import LoadHistory, LoadPoint
from wattwheel.apps.web.server import WebServer
from wattwheel.model import core_records
from wattwheel.model.display import Lcd
from wattwheel.model.energy_items import PRECISE_DI3
from wattwheel.model.errors import NotAnswered, Refused, UnknownItem
from wattwheel.model.records import Quality, Readings, ValueRow
from wattwheel.model.transformer import Ratios, with_primary
from wattwheel.sdk import App, Meter
from wattwheel.sdk.asking import item_named_or_numbered, reason_of
from wattwheel.sdk.buttons import PRESS_DI, press_data

app = App("web", version="0.1.0")
start = app.start

SOCKET_DEVICE, STATUS_PORT, DISPLAY_PORT, OBSERVED_PORT = "socket:web", "status", "display", "observed"
LIVE_PATIENCE_S = 5.0

ASKED_FOR_ONLY = (f"{PRECISE_DI3:02X}",)
"""Groups that are left out where all items are wanted: another view of registers that are there."""


class WebSettings(msgspec.Struct, frozen=True):
    """Settings of the partition.

    Attributes:
        names: that the page may be called by, besides its address.
        listed: identifier prefixes, for each group DI3 one of each owner that answers reads of it.
        ratios: of the transformers.
    """

    names: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    ratios: Ratios = Ratios()


class BusFace:
    """`MeterFace` that asks the same bus as every head-end."""

    def __init__(self, meter: Meter, ratios: Ratios, listed: tuple[str, ...]) -> None:
        self._meter = meter
        self._listed = listed
        self._ratios = ratios
        self._status = meter.sampled(STATUS_PORT)
        self._display = meter.sampled(DISPLAY_PORT)
        self._observed = meter.sampled(OBSERVED_PORT) if meter.has_port(OBSERVED_PORT) else None
        self._pushed = asyncio.Event()
        self._readings: Readings | None = None
        self._load = LoadHistory()
        self._factor = ratios.factor("kW") or 1
        meter.watch_readings(self._take)

    def _take(self, meter: Meter, readings: Readings) -> None:
        self._readings = readings
        self._load.add(readings.at_ns, self._kilowatt(readings))
        self._pushed.set()

    def _kilowatt(self, readings: Readings) -> float | None:
        if readings.quality is not Quality.VALID or readings.momentary is None:
            return None
        milliwatt = readings.momentary.elements[0].active_power_milliwatt
        return None if milliwatt is None else round(milliwatt * self._factor / 1e6, 6)

    async def rows(self, prefix: str) -> list[ValueRow]:
        """See `MeterFace.rows`."""
        hidden = () if prefix else ASKED_FOR_ONLY
        groups = [own for own in self._listed if own[:2].startswith(prefix[:2]) and own[:2] not in hidden]
        identifiers = [
            di
            for di in await self._meter.identifiers(groups)
            if f"{di:08X}".startswith(prefix) and 0xFF not in di.to_bytes(4, "big")[2:]
        ]
        found = await asyncio.gather(*(self._row(di) for di in identifiers))
        return [row for row in found if row is not None]

    async def _row(self, di: int) -> ValueRow | None:
        try:
            return await self.row(f"{di:08X}")
        except Refused:  # it has vanished since the list was made
            return None

    async def row(self, item: str) -> ValueRow:
        """See `MeterFace.row`."""
        return with_primary(await self._meter.read(item_named_or_numbered(item)), self._ratios)

    async def live(self) -> list[ValueRow]:
        """See `MeterFace.live`."""
        self._pushed.clear()
        try:
            await asyncio.wait_for(self._pushed.wait(), LIVE_PATIENCE_S)
        except TimeoutError:
            raise NotAnswered("no readings have come") from None
        await asyncio.sleep(0.02)  # the owner of the items books the same readings at this moment
        return await self.rows("")

    def status(self) -> dict[str, Any]:
        """See `MeterFace.status`."""
        message = self._status()
        document: dict[str, Any] = {} if message is None else msgspec.json.decode(message)
        document["clock"] = self._meter.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        return document

    def partitions(self) -> list[dict[str, Any]]:
        """See `MeterFace.partitions`."""
        return self._rows_of("partitions")

    def channels(self) -> list[dict[str, Any]]:
        """See `MeterFace.channels`."""
        return self._rows_of("channels")

    def _rows_of(self, table: str) -> list[dict[str, Any]]:
        message = self._observed() if self._observed is not None else None
        return [] if message is None else msgspec.json.decode(message, type=dict[str, list[dict[str, Any]]])[table]

    async def waveform(self) -> Waveform | None:
        """See `MeterFace.waveform`."""
        reply = await self._meter.ask(0x11, core_records.WAVEFORM_DI)
        if reply.error:
            return None
        wave = msgspec.msgpack.decode(reply.data, type=core_records.Waveform)
        names = "abc" if len(wave.phases) > 1 else "a"
        traces = {
            name: self._trace(number, phase)
            for number, (name, phase) in enumerate(zip(names, wave.phases, strict=True), 1)
        }
        return Waveform(frequency_hz=wave.frequency_millihertz / 1000 or None, phases=traces)

    def _trace(self, element: int, phase: core_records.PhaseWave) -> PhaseTrace:
        momentary = self._readings.momentary if self._readings is not None else None
        reading = momentary.elements[element] if momentary is not None else None
        current = reading.current_microampere if reading is not None else None
        angle = _scaled(reading.voltage_angle_millidegree, 1000) if reading is not None else None
        behind = _scaled(reading.phase_angle_millidegree, 1000) if reading is not None else None
        return PhaseTrace(
            voltage_v=tuple(phase.voltage_v()),
            current_a=tuple(phase.current_a()),
            voltage_v_rms=_scaled(reading.voltage_millivolt, 1000) if reading is not None else None,
            current_a_rms=abs(current) / 1_000_000 if current is not None else None,
            voltage_angle_deg=angle,
            current_angle_deg=angle - behind if angle is not None and behind is not None else None,
        )

    def load(self) -> list[LoadPoint]:
        """See `MeterFace.load`."""
        return self._load.points(self._meter.clock.now_ns())

    def display(self) -> Lcd | None:
        """See `MeterFace.display`."""
        message = self._display()
        return None if message is None else msgspec.json.decode(message, type=Lcd)

    async def press(self, button: str, held_s: float = 0.0) -> None:
        """See `MeterFace.press`."""
        if button not in PRESS_DI:
            raise UnknownItem(button, f"buttons: {', '.join(PRESS_DI)}")
        reply = await self._meter.ask(0x40, PRESS_DI[button], press_data(button, held_s))
        if reply.error:
            raise Refused(reply.error, reason_of(reply.error))


def _scaled(number: int | None, divisor: int) -> float | None:
    return None if number is None else number / divisor


@app.main
async def serve(meter: Meter) -> None:
    """Serve the page until the partition is stopped."""
    settings = meter.settings(WebSettings)
    server = WebServer(BusFace(meter, settings.ratios, settings.listed), settings.names)
    await server.start(socket.socket(fileno=meter.descriptor(SOCKET_DEVICE)))
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()
