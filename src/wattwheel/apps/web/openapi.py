"""The OpenAPI 3.1 document of the API, from a table of the routes and the types that travel."""

from __future__ import annotations

from typing import Any

import msgspec

from wattwheel.apps.web.api import Press, Pressed
from wattwheel.apps.web.face import Waveform
from wattwheel.apps.web.live import EXTRAS
from wattwheel.apps.web.load import LoadPoint
from wattwheel.model.display import Lcd
from wattwheel.model.records import ValueRow

VERSION = "3.1.0"
"""Version of the OpenAPI specification."""


class Fault(msgspec.Struct, frozen=True):
    """One sentence: what is wrong and what to do. `error_octet` is the meter's ERR where the meter itself refused."""

    error: str
    error_octet: int | msgspec.UnsetType = msgspec.UNSET


STATUS_SCHEMA: dict[str, Any] = {
    "title": "Status",
    "description": "The document of `wattwheel status --json`; keys may be added.",
    "type": "object",
    "properties": {
        "ready": {"type": "boolean"},
        "version": {"type": "string"},
        "address": {"type": ["string", "null"], "description": "12 digits"},
        "dlt645": {"type": ["string", "null"]},
        "serial": {"type": ["string", "null"]},
        "web": {"type": ["string", "null"]},
        "isolation": {"type": ["string", "null"]},
        "link": {"enum": ["up", "stale", "down"], "description": "the link to the metering core"},
        "clock": {"type": ["string", "null"], "format": "date-time"},
        "factory_mode": {"type": ["boolean", "null"]},
        "pids": {"type": "object"},
        "energy_microjoule": {"type": "object", "additionalProperties": {"type": "integer"}},
        "pulses": {"type": ["object", "null"], "additionalProperties": {"type": "integer"}},
        "relay_open": {"type": ["boolean", "null"], "description": "how the relay's contact stands; null: no relay"},
        "counters": {"type": "object"},
    },
    "additionalProperties": True,
}
"""Schema of GET /api/status."""

_COUNT = {"type": ["integer", "null"]}
PARTITION_SCHEMA: dict[str, Any] = {
    "title": "Partition",
    "description": "A row of `wattwheel ps --json`; keys may be added.",
    "type": "object",
    "properties": {
        "partition": {"type": "string"},
        "identifier": {"type": "integer"},
        "pid": _COUNT,
        "mode": {"enum": ["IDLE", "COLD_START", "WARM_START", "NORMAL"]},
        "user": {"type": "string"},
        "is_system": {"type": "boolean"},
        "restarts": {"type": "integer"},
        "processor_s": {"type": ["number", "null"]},
        "memory_kib": {**_COUNT, "description": "that it has to itself"},
        "windows": {"type": ["object", "null"]},
        "last_report": {"type": "string"},
    },
    "additionalProperties": True,
}
"""Schema of the rows of GET /api/partitions."""

CHANNEL_SCHEMA: dict[str, Any] = {
    "title": "Channel",
    "description": "A row of `wattwheel bus --json`; keys may be added.",
    "type": "object",
    "properties": {
        "channel": {"type": "string"},
        "kind": {"enum": ["queuing", "sampling"]},
        "source": {"type": "string"},
        "destinations": {"type": "array", "items": {"type": "string"}},
        "max_message_size": {"type": "integer"},
        "depth": _COUNT,
        "waiting": _COUNT,
        "waiting_highest": _COUNT,
        "stalls": {**_COUNT, "description": "how often the source found it full and had to wait"},
        "messages": {"type": "integer"},
        "messages_per_s": {"type": "number"},
    },
    "additionalProperties": True,
}
"""Schema of the rows of GET /api/bus."""


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _faults(*statuses: int) -> dict[str, Any]:
    words = {
        400: "The question cannot be understood.",
        403: "A page of another site asked.",
        404: "There is no such item, or the meter does not have it.",
        408: "The body did not come in time.",
        413: "The body is too long.",
        415: "The body is not declared as JSON.",
        502: "The meter refused.",
        503: "Too many live streams are open.",
        504: "The meter did not answer in time.",
    }
    return {str(status): _json(_ref("Fault"), words[status]) for status in statuses}


def _text(name: str, place: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "description": description,
        "required": place == "path",
        "schema": {"type": "string", **schema},
    }


def _get(name: str, summary: str, good: dict[str, Any], faults: dict[str, Any], *parameters: Any) -> dict[str, Any]:
    operation = {"operationId": name, "summary": summary, "responses": {"200": good, **faults}}
    return {"get": {**operation, "parameters": list(parameters)} if parameters else operation}


def _paths() -> dict[str, Any]:
    rows = {"type": "array", "items": _ref("ValueRow")}
    load = {"type": "array", "items": _ref("LoadPoint")}
    partitions = {"type": "array", "items": _ref("Partition")}
    channels = {"type": "array", "items": _ref("Channel")}
    events = (
        "Events `values` (data: a list of value rows) once a second; when asked for: "
        + ", ".join(f"`{name}`" for name in EXTRAS)
        + "."
    )
    stream = {"description": events, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    press = {
        "operationId": "press",
        "summary": "Press a button of the meter",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Press")}}},
        "responses": {
            "200": _json(_ref("Pressed"), "Pressed; what the display shows now."),
            **_faults(400, 403, 408, 413, 415, 502, 504),
        },
    }
    item = _text("item", "path", "8 hex digits, or the item's name", examples=["02010100", "voltage_a"])
    prefix = _text("prefix", "query", "0 to 8 leading hex digits of the identifier", pattern="^[0-9A-Fa-f]{0,8}$")
    extras = _text("with", "query", f"extra events, separated by commas: {', '.join(EXTRAS)}")
    nothing = {"oneOf": [_ref("Lcd"), {"type": "null"}]}
    no_wave = {"oneOf": [_ref("Waveform"), {"type": "null"}]}
    return {
        "/api/items": _get("items", "The items' newest values", _json(rows, "Rows."), _faults(400, 504), prefix),
        "/api/items/{item}": _get(
            "item", "One item's value", _json(_ref("ValueRow"), "A row."), _faults(404, 502, 504), item
        ),
        "/api/status": _get("status", "The meter's state", _json(_ref("Status"), "The state."), {}),
        "/api/partitions": _get("partitions", "What runs", _json(partitions, "A row each."), {}),
        "/api/bus": _get("bus", "The channels, and what passes", _json(channels, "A row each."), {}),
        "/api/display": _get("display", "What the display shows", _json(nothing, "The display."), {}),
        "/api/load": _get("load", "Total active power of the last minute", _json(load, "Oldest first."), {}),
        "/api/waveform": _get("waveform", "One cycle of each phase", _json(no_wave, "The cycle."), _faults(504)),
        "/api/live": _get("live", "Values once a second", stream, _faults(400, 503), extras),
        "/api/press": {"post": press},
    }


def document(version: str) -> dict[str, Any]:
    """The whole document, for the meter software of that version."""
    types = (ValueRow, Lcd, LoadPoint, Waveform, Press, Pressed, Fault)
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return {
        "openapi": VERSION,
        "info": {
            "title": "wattwheel",
            "summary": "A smart meter's values, display and state",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {
            "schemas": {
                **schemas,
                "Status": STATUS_SCHEMA,
                "Partition": PARTITION_SCHEMA,
                "Channel": CHANNEL_SCHEMA,
            }
        },
    }
