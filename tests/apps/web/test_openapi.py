from __future__ import annotations

import re
from typing import Any

from starlette.routing import Route
from tests.apps.web.fake_face import FakeFace

from wattwheel.apps.web.openapi import document
from wattwheel.apps.web.site import app

DOCUMENT = document("0.1.0")


def walk(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, dict):
        return [node, *(found for part in node.values() for found in walk(part))]
    return [found for part in node for found in walk(part)] if isinstance(node, list) else []


def test_every_route_of_the_api_is_described_and_nothing_else() -> None:
    routes = {
        (route.path, method.lower())
        for route in app(FakeFace()).routes
        if isinstance(route, Route) and route.path.startswith("/api")
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert routes == {(path, method) for path, operations in DOCUMENT["paths"].items() for method in operations}


def test_every_reference_leads_to_a_schema() -> None:
    found = {node["$ref"] for node in walk(DOCUMENT) if "$ref" in node}
    assert found == {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}


def test_operations_are_whole() -> None:
    names = set()
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            assert {"operationId", "summary", "responses"} <= operation.keys()
            assert all(answer["description"] for answer in operation["responses"].values())
            in_path = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path))
            names.add(operation["operationId"])
    assert len(names) == len(DOCUMENT["paths"])


def test_a_value_row_is_described_as_it_is_sent() -> None:
    row = DOCUMENT["components"]["schemas"]["ValueRow"]
    assert set(row["required"]) == {"di", "name", "value", "unit", "quality"}
    assert set(row["properties"]) == {"di", "name", "value", "unit", "quality", "at", "value_primary"}
