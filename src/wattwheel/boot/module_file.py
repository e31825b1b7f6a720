"""The module that a meter boots: the built-in one, or that of an XML file, checked against what the settings open.

The meter's settings stay the one place for what they tell. A partition of the standard module that stands in a file is
told what the settings say, and the file's own JSON beats that key by key; a printed module leaves those keys out.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from wattwheel.boot.added_apps import AddedApp, with_apps
from wattwheel.boot.settings import OFF, Settings
from wattwheel.boot.standard_module import standard_module, told_by_settings
from wattwheel.kernel.config import ModuleConfig, PartitionConfig
from wattwheel.model.errors import BadInput, ConfigError

LISTENER, LINE, PAGE_SOCKET, CORE_LINK, STORE = "listener:tcp", "line:serial", "socket:web", "core_link", "store"
NETWORK = "network"
TTY = "tty:"
"""A serial device or pseudo-terminal that a partition is granted by its path, for a link to another module."""
LINK_BAUD = 115_200
FILE = "file:"
"""A file that a partition may read, by its path."""
KERNEL_PORTS = {"readings": "DESTINATION"}
"""What the kernel cannot do without: whether a meter is ready shows in its readings."""


def lines_of(settings: Settings) -> tuple[str, ...]:
    """Devices of the serial lines that `settings` open."""
    return (LINE,) if settings.serial.device != OFF else ()


def listeners_of(settings: Settings) -> tuple[str, ...]:
    """Devices of the TCP doors of DL/T 645 that `settings` open."""
    return (LISTENER,) if settings.dlt645.listen != OFF else ()


def ttys_of(config: ModuleConfig) -> tuple[str, ...]:
    """Devices of serial lines that partitions of `config` name by their paths."""
    return tuple(device for own in config.partitions for device in own.devices if device.startswith(TTY))


def module_of(
    settings: Settings, lines: Sequence[str] | None = None, listeners: Sequence[str] | None = None
) -> ModuleConfig:
    """The module of a meter with `settings`. Raises BadInput or ConfigError for a file that cannot be had or kept.

    Args:
        lines: devices of serial lines; None: what `settings` open.
        listeners: devices of TCP doors, likewise.
    """
    lines = lines_of(settings) if lines is None else lines
    listeners = listeners_of(settings) if listeners is None else listeners
    if not settings.module.file:
        return standard_module(settings, lines, listeners)
    from wattwheel.kernel.module_xml import Offer, read_module  # only who has a file pays for reading it

    page = (PAGE_SOCKET,) if settings.web.enabled else ()
    offer = Offer((*listeners, *lines, *page, CORE_LINK, STORE), KERNEL_PORTS, (NETWORK,), (TTY, FILE))
    config = read_module(_octets_of(Path(settings.module.file)), settings.module.file, offer)
    return _with_settings(config, settings, lines, listeners)


def _octets_of(path: Path) -> bytes:
    from wattwheel.kernel.xml_tree import DOCUMENT_OCTETS_MAX

    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            return file.read(DOCUMENT_OCTETS_MAX + 1) or b""  # one more tells the reader that it is too long
    except OSError as error:
        raise BadInput(
            f"{path}: cannot read the module configuration: {error.strerror}; give [module] file an XML file or none"
        ) from None


def _open_without_waiting(path: str, flags: int) -> int:
    """A FIFO that nobody writes to must not hold up the start."""
    return os.open(path, flags | os.O_NONBLOCK)


def _with_settings(
    config: ModuleConfig, settings: Settings, lines: Sequence[str], listeners: Sequence[str]
) -> ModuleConfig:
    """`config`, its partitions of the standard module told what the settings say."""
    standard = {own.name: own for own in standard_module(settings, lines, listeners).partitions}

    def told(own: PartitionConfig) -> PartitionConfig:
        built_in = standard.get(own.name)
        if built_in is None or built_in.entry != own.entry:
            return own
        given = msgspec.json.decode(own.settings)
        if not isinstance(given, dict):
            where = f"Partition {own.name} ww:Settings"
            raise ConfigError(where, type(given).__name__, "a JSON object of settings by name", settings.module.file)
        merged = {**msgspec.json.decode(built_in.settings), **given}
        return msgspec.structs.replace(own, settings=msgspec.json.encode(merged))

    return msgspec.structs.replace(config, partitions=tuple(map(told, config.partitions)))


def module_document(settings: Settings, apps: Sequence[AddedApp] = ()) -> bytes:
    """The module of a meter with `settings`, and `apps` in it, as XML, without what the settings tell it anyway."""
    from wattwheel.kernel.module_xml_write import write_module

    lines, listeners = lines_of(settings), listeners_of(settings)
    config = module_of(settings)
    if apps:
        config = with_apps(config, apps)
    known = told_by_settings(settings, lines, listeners)
    standard = {own.name: own.entry for own in standard_module(settings, lines, listeners).partitions}

    def own_only(own: PartitionConfig) -> PartitionConfig:
        if standard.get(own.name) != own.entry:
            return own
        told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(known.get(own.name, {})))
        kept = {
            key: value
            for key, value in msgspec.json.decode(own.settings).items()
            if key not in told or told[key] != value
        }
        return msgspec.structs.replace(own, settings=msgspec.json.encode(kept))

    return write_module(msgspec.structs.replace(config, partitions=tuple(map(own_only, config.partitions))))


def write_schema(folder: str) -> list[str]:
    """Write the files of the XML schema into `folder`. Returns their paths. Raises BadInput."""
    from wattwheel.kernel.module_xml import schema_octets

    written = []
    for name, octets in schema_octets().items():
        path = Path(folder) / name
        try:
            path.write_bytes(octets)
        except OSError as error:
            raise BadInput(f"{path}: cannot write the schema: {error.strerror}; give a folder that is there") from None
        written.append(str(path))
    return written
