"""The page's files: a fixed table, read once at start, so that no request ever opens a file."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import msgspec

KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
"""Media type by suffix."""

NAMES = (
    "page.css",
    "page.js",
    "live.js",
    "numbers.js",
    "lcd.js",
    "lcd_symbols.js",
    "scope.js",
    "phasor.js",
    "load.js",
    "disc.js",
    "running.js",
    "wheel.svg",
    "vendor/uplot/uPlot.iife.min.js",
    "vendor/uplot/uPlot.min.css",
)
"""Everything that may be asked for below /static/."""


class Asset(msgspec.Struct, frozen=True):
    """One file as it is sent: octets, media type and entity tag."""

    octets: bytes
    kind: str
    etag: str


def load() -> dict[str, Asset]:
    """All assets by name."""
    folder = files("wattwheel.apps.web").joinpath("static")
    return {name: _asset(name, folder.joinpath(name).read_bytes()) for name in NAMES}


def page_template() -> str:
    """The text of the page's template."""
    return files("wattwheel.apps.web").joinpath("templates/page.html").read_text(encoding="utf-8")


def _asset(name: str, octets: bytes) -> Asset:
    return Asset(octets, KINDS["." + name.rpartition(".")[2]], f'"{hashlib.sha256(octets).hexdigest()[:20]}"')
