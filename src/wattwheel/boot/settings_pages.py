"""The settings, written out: the commented default file and the table of the manual. Both derive from the structs."""

from __future__ import annotations

import inspect as python_inspect
import json
import re
from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec
from msgspec import inspect

from wattwheel.boot.settings import Settings
from wattwheel.boot.settings_check import allowed_text, tagged_structs

_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")


def default_toml() -> str:
    """A settings file that holds every key with its default and says what it is for."""
    parts = [
        "# Settings of a wattwheel meter. Every key is shown with its default; leave out what you do not change.\n"
    ]
    for section, kind, default in _sections():
        parts.append(_section_toml(section, kind, default))
    return "\n".join(parts)


def settings_markdown() -> str:
    """The body of `docs/reference/settings.md`: one table a section."""
    parts = []
    for section, kind, _default in _sections():
        parts.append(f"## [{section}]\n\n{attribute_texts(Settings).get(section) or summary(kind)}\n")
        for variant in _variants(kind):
            tag = variant.__struct_config__.tag
            if tag is not None:
                parts.append(f'### {variant.__struct_config__.tag_field} = "{tag}"\n\n{summary(variant)}\n')
            parts.append(_table(variant))
    return "\n".join(parts)


def summary(kind: type) -> str:
    """The docstring of a section ahead of its attributes, as one paragraph."""
    text = python_inspect.cleandoc(kind.__doc__ or "")
    return " ".join(text.partition("Attributes:")[0].split())


def attribute_texts(kind: type) -> dict[str, str]:
    """What the `Attributes:` part of a docstring says of each field."""
    lines = python_inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2].splitlines()
    texts: dict[str, str] = {}
    name = ""
    for line in (line.strip() for line in lines):
        if match := _ATTRIBUTE.match(line):
            name = match.group(1)
            texts[name] = match.group(2)
        elif name and line:
            texts[name] += f" {line}"
    return texts


def _sections() -> Iterator[tuple[str, Any, Any]]:
    hints = get_type_hints(Settings, include_extras=True)
    settings = Settings()
    for name in Settings.__struct_fields__:
        yield name, hints[name], getattr(settings, name)


def _variants(kind: Any) -> list[type[msgspec.Struct]]:
    if structs := tagged_structs(inspect.type_info(kind)):
        return [struct.cls for struct in structs]
    return [kind]


def _section_toml(section: str, kind: Any, default: Any) -> str:
    chosen = type(default)
    lines = [f"# {summary(chosen)}", f"[{section}]"]
    if (tag := chosen.__struct_config__.tag) is not None:
        structs = tagged_structs(inspect.type_info(kind))
        lines.append(f"# one of {', '.join(str(struct.tag) for struct in structs)}")
        lines.append(f"{chosen.__struct_config__.tag_field} = {_toml(tag)}")
    texts = attribute_texts(chosen)
    for field, info in _fields(chosen):
        lines.append(f"# {texts.get(field, '')}".rstrip() + f" Allowed: {allowed_text(info)}.")
        value = getattr(default, field)
        lines.append(f"# {field} =" if value is None else f"{field} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _fields(kind: type) -> Iterator[tuple[str, inspect.Type]]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        yield field.encode_name, field.type


def _table(kind: type) -> str:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    texts = attribute_texts(kind)
    lines = ["| key | default | allowed | what it is |", "|---|---|---|---|"]
    for field in info.fields:
        default = "" if field.required or field.default is None else f"`{_toml(_default_of(field))}`"
        allowed = allowed_text(field.type).replace("|", "\\|")
        lines.append(f"| `{field.encode_name}` | {default} | {allowed} | {texts.get(field.encode_name, '')} |")
    return "\n".join(lines) + "\n"


def _default_of(field: inspect.Field) -> Any:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {_toml(item)}' for key, item in value.items())}}}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return repr(value)
