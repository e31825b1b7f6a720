"""The standard module: which partitions a meter has, and which ports join them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from wattwheel import __version__
from wattwheel.apex import messages
from wattwheel.apex.bus import FROM_BUS, TO_BUS
from wattwheel.apex.messages import Control
from wattwheel.apex.partition import CLOCK_PORT
from wattwheel.apex.store import MESSAGE_OCTETS_MAX, REPLY_PORT, REQUEST_PORT
from wattwheel.apex.store import PORT_DEPTH as STORE_DEPTH
from wattwheel.boot.identification import name_plate
from wattwheel.boot.settings import Settings
from wattwheel.kernel.config import (
    KERNEL,
    ModuleConfig,
    PartitionConfig,
    PortEnd,
    QueuingChannelConfig,
    SamplingChannelConfig,
)
from wattwheel.model.clock_drift import drift_ppb
from wattwheel.model.ratings import Ratings
from wattwheel.protocols.dlt645.legality import Options

COMMUNICATION_QUOTA = 2048
"""Requests that the communication service may have under way on the bus: it asks for all head-ends together."""
PARTNERS = ("communication", "metering", "platform", "security", "parameters", "energy", "display", "web", KERNEL)
STORE_QUOTAS = {"platform": 65_536, "security": 16_384, "parameters": 262_144, "energy": 4_194_304}
READINGS_OCTETS_MAX, SNAPSHOT_OCTETS_MAX, STATUS_OCTETS_MAX = 4096, 32_768, 32_768
OBSERVED_OCTETS_MAX = 65_536
SMALL_OCTETS_MAX = 1024
DISPLAY_OCTETS_MAX = 2048
PARAMETERS_OCTETS_MAX = 32_768
READINGS_AGE_PUSHES_MAX = 3.5  # older readings are stale, whoever has gone silent

PLATFORM_ITEMS = ("04000101", "04000102", "0400010C")
PROGRAMMING_RECORDS = ("033000", *(f"0330{kind:02X}" for kind in (*range(0x05, 0x0D), 0x0F, 0x10)))
CLOCK_RECORDS, BROADCAST_RECORDS = "033004", "B050"

ENERGY_PREFIXES = ("01", "03", "05", "06", "B0", "B5", *(f"1{family:X}" for family in range(16)))
ENERGY_COMMANDS = (
    *(Control.FREEZE, Control.CLEAR_DEMAND, Control.CLEAR_METER, Control.CLEAR_EVENTS),
    *(Control.RELAY, Control.CONTACT, Control.SENSOR, Control.FEE, Control.REPORTED),
)

STATUS_WORDS_PREFIX, REPORTS_PREFIX, REPORTS_RESET = "040005", "040015", "04001503"

ROUTES: tuple[tuple[int, str, str], ...] = (
    (Control.READ, "00", "energy"),
    (Control.READ, "02", "energy"),
    (Control.READ, "0D", "energy"),
    (Control.READ, "04", "parameters"),
    (Control.READ, STATUS_WORDS_PREFIX, "energy"),
    (Control.READ, REPORTS_PREFIX, "energy"),
    (Control.WRITE, REPORTS_RESET, "energy"),
    *((Control.READ, di, "platform") for di in PLATFORM_ITEMS),
    (Control.WRITE, "04", "parameters"),
    *((Control.WRITE, di, "platform") for di in PLATFORM_ITEMS),
    (Control.READ, "0E0000", "metering"),
    (Control.CONTACT, "0E4000", "metering"),
    (Control.CONTACT, "0E4100", "platform"),
    (Control.READ, "0E300000", "platform"),
    (Control.READ, "020A", "metering"),
    (Control.READ, "020B", "metering"),
    *((Control.READ, prefix, "energy") for prefix in ENERGY_PREFIXES),
    *((Control.READ, prefix, "parameters") for prefix in PROGRAMMING_RECORDS),
    (Control.READ, CLOCK_RECORDS, "platform"),
    (Control.READ, BROADCAST_RECORDS, "platform"),
    *((control, "", "energy") for control in ENERGY_COMMANDS),
    (Control.CLEAR_EVENTS, "0E5100", "parameters"),
    (Control.CLEAR_EVENTS, "0E5200", "platform"),
    (Control.BROADCAST_TIME, "", "platform"),
    (Control.OUTPUT, "", "platform"),
    (Control.OUTPUT, "0E31", "metering"),
    (Control.WRITE_ADDRESS, "", "parameters"),
    (Control.CHANGE_RATE, "", "parameters"),
    (Control.AUTHORIZE, "", "security"),
    (Control.CHANGE_PASSWORD, "", "security"),
    (Control.PRESS, "0E200000", "security"),
    (Control.PRESS, "0E2000", "display"),
    (Control.COMMISSION, "", "security"),
    (Control.PRESS, "0E2001", "energy"),
    (Control.PRESS, "0E200101", "platform"),
)
"""(control, identifier prefix, owner); the longest prefix wins. Whoever answers reads of items also lists them."""

READS = tuple(
    (prefix, owner) for control, prefix, owner in ROUTES if control == Control.READ and not prefix.startswith("0E")
)
"""Prefix and owner of all items that head-ends can read."""


def listed_prefixes(reads: Iterable[tuple[str, str]]) -> list[str]:
    """Of prefixes and owners: for each group DI3 one prefix of each owner, which lists all that it has there."""
    return list({(prefix[:2], owner): prefix for prefix, owner in reads}.values())


RIGHTS: dict[str, tuple[int, ...]] = {
    "communication": (
        *(Control.READ, Control.BROADCAST_TIME),
        *(Control.AUTHORIZE, Control.WRITE, Control.CHANGE_PASSWORD),
        *(Control.FREEZE, Control.CLEAR_DEMAND, Control.CLEAR_METER, Control.CLEAR_EVENTS),
        *(Control.RELAY, Control.OUTPUT, Control.WRITE_ADDRESS, Control.CHANGE_RATE, Control.REPORTED),
    ),
    "platform": (Control.READ, Control.OUTPUT),
    "display": (Control.READ, Control.PRESS),
    "web": (Control.READ, Control.LIST, Control.PRESS),
    KERNEL: (
        *(Control.READ, Control.LIST, Control.PRESS),
        *(Control.CONTACT, Control.SENSOR, Control.FEE, Control.COMMISSION),
    ),
}
"""What each partner may ask of others. Default: nothing."""


DESCRIPTORS = 512
"""What a partition may have open besides the connections it must be able to hold."""

SERVICES = "services."
"""What an entry of the platform's own side begins with."""


def standard_module(settings: Settings, lines: Sequence[str], listeners: Sequence[str]) -> ModuleConfig:
    """The module of a meter with `settings`; `lines` and `listeners`: devices of the communication service."""
    partners = _partners(settings)
    told = told_by_settings(settings, lines, listeners)
    parts: list[tuple[str, str, tuple[str, ...], int]] = [
        ("bus", "services.bus:start", (), 2),
        ("store", "services.store:start", ("store",), 3),
        ("metering", "services.metering:start", ("core_link",), 0),
        ("platform", "services.platform_management:start", (), 0),
        ("security", "services.security:start", (), 0),
        ("communication", "services.communication:start", (*listeners, *lines), 0),
        ("parameters", "apps.parameters:start", (), 1),
        ("energy", "apps.energy:start", (), 1),
        ("display", "apps.display:start", (), 0),
    ]
    if settings.web.enabled:
        parts.append(("web", "apps.web.partition:start", ("socket:web",), 0))
    own = {
        "bus": _bus_settings(partners),
        "store": {"quotas": STORE_QUOTAS},
        "web": {"listed": listed_prefixes(READS)},
    }
    partitions = [
        PartitionConfig(
            name,
            f"wattwheel.{entry}",
            msgspec.json.encode({**told.get(name, {}), **own.get(name, {})}),
            devices,
            stop_rank,
            identifier=identifier,
            is_system=entry.startswith(SERVICES),
            descriptors_max=DESCRIPTORS + (settings.dlt645.connections_max if name == "communication" else 0),
        )
        for identifier, (name, entry, devices, stop_rank) in enumerate(parts, 1)
    ]
    config = ModuleConfig("meter", tuple(partitions), tuple(_queuing(partners)), tuple(_sampling(partners, settings)))
    config.check()
    return config


def told_by_settings(settings: Settings, lines: Sequence[str], listeners: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the meter's settings, and no module configuration, tell the partitions of the standard module, by name."""
    told = {
        "store": {"group_ns": round(settings.state.commit_seconds * 1e9)},
        "metering": _metering_settings(settings),
        "platform": _platform_settings(settings),
        "security": _security_settings(settings),
        "communication": _communication_settings(settings, lines, listeners),
        "parameters": _parameters_settings(settings, lines),
        "energy": _energy_settings(settings),
        "display": _display_settings(settings),
    }
    return told | ({"web": _web_settings(settings)} if settings.web.enabled else {})


def _ratings(settings: Settings) -> Ratings:
    meter = settings.meter
    return Ratings(
        meter.wiring,
        round(1000 * meter.nominal_voltage_v),
        round(1e6 * meter.nominal_current_a),
        round(1e6 * meter.maximum_current_a),
        round(1000 * settings.metering.push_seconds * settings.clock.speed),
    )


def _partners(settings: Settings) -> list[str]:
    return [name for name in PARTNERS if name != "web" or settings.web.enabled]


def _queuing(partners: Iterable[str]) -> Iterable[QueuingChannelConfig]:
    size, depth = messages.PORT_MESSAGE_OCTETS_MAX, messages.PORT_DEPTH
    for name in partners:
        yield QueuingChannelConfig(f"{name}>bus", PortEnd(name, TO_BUS), (PortEnd("bus", f"from_{name}"),), size, depth)
        yield QueuingChannelConfig(f"bus>{name}", PortEnd("bus", f"to_{name}"), (PortEnd(name, FROM_BUS),), size, depth)
    for name in STORE_QUOTAS:
        asking, answering = PortEnd(name, REQUEST_PORT), PortEnd(name, REPLY_PORT)
        yield QueuingChannelConfig(
            f"{name}>store", asking, (PortEnd("store", f"from_{name}"),), MESSAGE_OCTETS_MAX, STORE_DEPTH
        )
        yield QueuingChannelConfig(
            f"store>{name}", PortEnd("store", f"to_{name}"), (answering,), MESSAGE_OCTETS_MAX, STORE_DEPTH
        )


def _sampling(partners: Sequence[str], settings: Settings) -> Iterable[SamplingChannelConfig]:
    has_web = "web" in partners
    web = ("web",) if has_web else ()

    refresh_ns = round(READINGS_AGE_PUSHES_MAX * settings.metering.push_seconds * 1e9)

    def cell(name: str, source: str, readers: Sequence[str], size: int, calls: tuple[str, ...] = ()) -> Any:
        ends = tuple(PortEnd(reader, name, refresh_ns) for reader in readers)
        return SamplingChannelConfig(name, PortEnd(source, name), ends, size, calls)

    yield cell("readings", "metering", ("energy", "display", KERNEL, *web), READINGS_OCTETS_MAX, ("energy", *web))
    yield cell("snapshot", "energy", ("communication",), SNAPSHOT_OCTETS_MAX)
    clocks = ("metering", "security", "parameters", "energy", "display", "communication", KERNEL, *web)
    yield cell(CLOCK_PORT, "platform", clocks, SMALL_OCTETS_MAX, ("metering",))
    following = ("metering", "platform", "communication", "display")
    heard_at_once = ("metering", "communication")
    yield cell("parameters", "parameters", ("energy", *following, KERNEL), PARAMETERS_OCTETS_MAX, heard_at_once)
    yield cell("panel", "security", ("display", "parameters", "energy", KERNEL), SMALL_OCTETS_MAX, ("parameters",))
    yield cell("clears", "energy", ("parameters", "platform"), SMALL_OCTETS_MAX, ("parameters", "platform"))
    if settings.meter.profile == "2020":
        yield cell("switch_overs", "energy", ("parameters",), SMALL_OCTETS_MAX, ("parameters",))
    yield cell("relay", "energy", ("metering", "display", KERNEL, *web), SMALL_OCTETS_MAX, ("metering",))
    yield cell("display", "display", (KERNEL, *web), DISPLAY_OCTETS_MAX)
    yield cell("condition", KERNEL, ("display", "energy"), SMALL_OCTETS_MAX)
    if has_web:
        yield cell("status", KERNEL, web, STATUS_OCTETS_MAX)
        yield cell("observed", KERNEL, web, OBSERVED_OCTETS_MAX)


def _bus_settings(partners: Sequence[str]) -> dict[str, Any]:
    routes = [
        {"control": control, "prefix": prefix, "owner": owner}
        for control, prefix, owner in (*ROUTES, *((Control.LIST, *read) for read in READS))
        if owner in partners
    ]
    return {
        "partners": partners,
        "routes": routes,
        "rights": {name: RIGHTS.get(name, ()) for name in partners},
        "quotas": {"communication": COMMUNICATION_QUOTA},
    }


def _energy_settings(settings: Settings) -> dict[str, Any]:
    fee_control = {
        "mode": settings.fee_control.mode,
        "switch": settings.fee_control.switch,
        "zero_deadline": settings.dlt645.zero_deadline,
        "nominal_millivolt": round(1000 * settings.meter.nominal_voltage_v),
    }
    return {
        "utc_offset_minutes": settings.clock.utc_offset_minutes,
        "speed": settings.clock.speed,
        "ratings": _ratings(settings),
        "functions": {
            "fee_control": fee_control,
            "cells": _cells(settings),
            "contacts": {
                "has_auxiliary_supply": settings.board.auxiliary_supply,
                "watches_clock": settings.meter.profile == "2020",
            },
        },
    }


def _cells(settings: Settings) -> dict[str, int | None]:
    """What the board measures of itself, in units of the items' last digits; None: not fitted."""
    own = settings.board
    return {
        "clock-battery": round(100 * own.clock_battery_v),
        "reading-battery": round(100 * own.reading_battery_v) or None,
        "temperature": round(10 * own.ambient_c) if own.thermometer else None,
    }


def _metering_settings(settings: Settings) -> dict[str, Any]:
    return {"meter_address": settings.meter.address, "push_ns": round(settings.metering.push_seconds * 1e9)}


def _parameters_settings(settings: Settings, lines: Sequence[str]) -> dict[str, Any]:
    return {
        "address": settings.meter.address,
        "line_rate": settings.serial.baud if lines else 0,
        "ratings": _ratings(settings),
        "name_plate": {str(di): octets.hex() for di, octets in name_plate(settings).items()},
        "tariffs": settings.tariffs.count,
        "profile": settings.meter.profile,
        "utc_offset_minutes": settings.clock.utc_offset_minutes,
    }


def _platform_settings(settings: Settings) -> dict[str, Any]:
    return {
        "utc_offset_minutes": settings.clock.utc_offset_minutes,
        "time_sync_per_day": settings.dlt645.time_sync_per_day,
        "drift_ppb": drift_ppb(settings.clock.drift_ppm),
        "speed": settings.clock.speed,
        "profile": settings.meter.profile,
        "gives_signals": bool(settings.pulse_output.file),
    }


def _security_settings(settings: Settings) -> dict[str, Any]:
    own = settings.dlt645
    passwords = {"2": own.password_level_2, "4": own.password_level_4}
    return {
        "passwords": {level: digits for level, digits in passwords.items() if digits},
        "programming_key": own.programming_key,
        "factory_days": settings.meter.factory_days,
        "tries": own.password_tries,
        "lock_min": own.password_lock_min,
        "utc_offset_minutes": settings.clock.utc_offset_minutes,
    }


def _communication_settings(settings: Settings, lines: Sequence[str], listeners: Sequence[str]) -> dict[str, Any]:
    own, serial = settings.dlt645, settings.serial
    return {
        "address": settings.meter.address,
        "listeners": listeners,
        "lines": lines,
        "tcp": {"reply_delay_ns": own.reply_delay_ms * 1_000_000, "reply_preamble": own.reply_preamble},
        "serial": {"reply_delay_ns": serial.reply_delay_ms * 1_000_000, "reply_preamble": serial.reply_preamble},
        "options": Options(
            accept_broadcast_reads=own.accept_broadcast_reads,
            accept_single_address_time_sync=own.accept_single_address_time_sync,
            unknown_function=own.unknown_function,
        ),
        "line_baud": serial.baud,
        "line_parity": serial.parity,
        "rate_change": serial.rate_change,
        "asks_under_way": COMMUNICATION_QUOTA,
        "reads": own.reads,
        "unknown_write_error": int(own.unknown_write_di_error, 16),
        "connections_max": own.connections_max,
        "snapshot_age_max_ns": own.snapshot_age_max_ms * 1_000_000,
        "max_reply_data": own.max_reply_data,
        "follow_timeout_ns": own.follow_timeout_s * 1_000_000_000,
        "half_frame_timeout_ns": own.half_frame_timeout_ms * 1_000_000,
    }


def _display_settings(settings: Settings) -> dict[str, Any]:
    meter = settings.meter
    return {
        "interrupted_millivolt": round(1000 * meter.nominal_voltage_v * settings.metering.interruption_share),
        "starting_microampere": round(1e6 * meter.starting_current_a),
        "nominal_millivolt": round(1000 * meter.nominal_voltage_v),
        "utc_offset_minutes": settings.clock.utc_offset_minutes,
        "version": __version__,
    }


def _web_settings(settings: Settings) -> dict[str, Any]:
    host = settings.web.listen.rsplit(":", 1)[0].strip("[]")
    return {
        "names": [host],
        "ratios": {"current": settings.meter.current_ratio, "voltage": settings.meter.voltage_ratio},
    }
