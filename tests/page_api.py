"""The page's API as a program of a stranger asks it: plain HTTP on loopback, every wait bounded."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

TIMEOUT_S = 10.0


class PageApi:
    """Asks one meter's page. Keeps its connection."""

    def __init__(self, host: str, port: int) -> None:
        self._door = host, port
        self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def get(self, path: str) -> Any:
        """The JSON document at `path`."""
        try:
            response = self._answer(path)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._connection.close()  # it had been idle for longer than the page keeps one
            response = self._answer(path)
        octets = response.read()
        assert response.status == 200, f"{path}: {response.status} {octets!r}"
        return json.loads(octets)

    def _answer(self, path: str) -> http.client.HTTPResponse:
        self._connection.request("GET", path)
        return self._connection.getresponse()

    def value(self, di: int) -> Any:
        """The value of one item."""
        return self.get(f"/api/items/{di:08X}")["value"]

    def pushes(self, count: int) -> Iterator[dict[str, Any]]:
        """The next `count` pushes of live values, about one a second: name to value."""
        connection = http.client.HTTPConnection(*self._door, timeout=TIMEOUT_S)
        try:
            connection.request("GET", "/api/live")
            response = connection.getresponse()
            while count:
                line = response.readline()
                assert line, "the live stream ended"
                if line.startswith(b"data:"):
                    count -= 1
                    rows = json.loads(line[5:])
                    yield {row["name"]: row["value"] for row in rows}
        finally:
            connection.close()

    def close(self) -> None:
        self._connection.close()
