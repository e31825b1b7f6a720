"""From a parsed TOML table to frozen structs, one clear sentence for whatever does not fit.

Everything is derived from the structs: their fields are the keys, their types and `msgspec.Meta` limits are what is
allowed, their defaults apply where a key is absent. `Meta(extra={"allowed": "..."})` words what a pattern hides.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from wattwheel.boot.toml_lines import KeyPath, TomlLines
from wattwheel.model.errors import ConfigError

FOUND_LENGTH_MAX = 80


class Source(NamedTuple):
    """Where a table came from, so that an error can say so.

    Attributes:
        file: name of the TOML file, None when there is none.
        lines: line numbers of that file.
        said_as: how the command line names a key, such as ("web", "listen") -> "--web".
    """

    file: str | None = None
    lines: TomlLines | None = None
    said_as: Mapping[KeyPath, str] = {}

    def refusal(self, path: KeyPath, found: object, allowed: str) -> ConfigError:
        """The error for what stands at `path`."""
        if path in self.said_as:
            return ConfigError(self.said_as[path], found, allowed)
        line = self.lines.line_of(path) if self.lines else None
        where = f"line {line}, {key_text(path)}" if line else key_text(path)
        return ConfigError(where, found, allowed, self.file if line else None)


def key_text(path: KeyPath) -> str:
    """`path` as a reader of the file would say it: `[meter] address`, `[input] channels[2].name`."""
    section, rest = str(path[0]), path[1:]
    text = ""
    for key in rest:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return f"[{section}] {text.lstrip('.')}".rstrip()


def build(kind: type, table: object, source: Source, path: KeyPath = ()) -> Any:
    """A `kind` (a msgspec struct class) with the values of `table`. Raises ConfigError."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    if not isinstance(table, Mapping):
        raise source.refusal(
            path, _short(table), f"a section with the keys {_listed(f.encode_name for f in info.fields)}"
        )
    fields = {field.encode_name: field for field in info.fields}
    for key in table:
        if key not in fields and key != info.tag_field:
            raise source.refusal((*path, key), key, _suggestion(key, fields, "key" if path else "section"))
    hints = get_type_hints(kind, include_extras=True)
    values = {}
    for key, field in fields.items():
        if key in table:
            values[field.name] = _value(hints[field.name], table[key], source, (*path, key))
        elif field.required:
            raise source.refusal(path, "nothing", f"{key} = {allowed_text(field.type)}; it has no default")
    return kind(**values)


def _value(hint: Any, value: Any, source: Source, path: KeyPath) -> Any:
    info = inspect.type_info(hint)
    bare = info.type if isinstance(info, inspect.Metadata) else info
    if isinstance(bare, inspect.StructType):
        return build(bare.cls, value, source, path)
    if structs := tagged_structs(bare):
        return _one_of(structs, value, source, path)
    if isinstance(bare, inspect.VarTupleType) and isinstance(value, list):
        return tuple(_value(_arguments(hint)[0], item, source, (*path, place)) for place, item in enumerate(value))
    if isinstance(bare, inspect.DictType) and isinstance(value, Mapping):
        return {
            _value(_arguments(hint)[0], key, source, (*path, key)): _value(
                _arguments(hint)[1], item, source, (*path, key)
            )
            for key, item in value.items()
        }
    try:
        made = msgspec.convert(value, hint)
    except (msgspec.ValidationError, OverflowError):
        raise source.refusal(path, _short(value), allowed_text(info)) from None
    if isinstance(made, float) and not math.isfinite(made):
        raise source.refusal(path, _short(value), allowed_text(info))
    return made


def _arguments(hint: Any) -> tuple[Any, ...]:
    """The arguments of a generic annotation, limits in `Annotated` left aside."""
    return get_args(get_args(hint)[0]) if get_origin(hint) is Annotated else get_args(hint)


def _one_of(structs: list[inspect.StructType], value: Any, source: Source, path: KeyPath) -> Any:
    tag_field = structs[0].tag_field
    assert tag_field is not None
    by_tag = {str(struct.tag): struct for struct in structs}
    if not isinstance(value, Mapping):
        raise source.refusal(path, _short(value), f"a section with the key {tag_field}")
    if tag_field not in value:
        raise source.refusal(path, "nothing", f"{tag_field} = {_alternatives(by_tag)}")
    tag = value[tag_field]
    if not isinstance(tag, str) or tag not in by_tag:
        raise source.refusal((*path, tag_field), _short(tag), _alternatives(by_tag))
    return build(by_tag[tag].cls, value, source, path)


def tagged_structs(info: inspect.Type) -> list[inspect.StructType]:
    """The members of a union that a tag tells apart; empty for any other type."""
    if not isinstance(info, inspect.UnionType):
        return []
    return [member for member in info.types if isinstance(member, inspect.StructType) and member.tag_field]


def allowed_text(info: inspect.Type) -> str:
    """What may stand there, in words."""
    if isinstance(info, inspect.Metadata):
        return str((info.extra or {}).get("allowed") or allowed_text(info.type))
    if isinstance(info, inspect.LiteralType | inspect.EnumType):
        members = info.values if isinstance(info, inspect.LiteralType) else [member.value for member in info.cls]
        return _alternatives(members)
    if isinstance(info, inspect.UnionType):
        if structs := tagged_structs(info):
            return _alternatives(str(struct.tag) for struct in structs)
        return " or ".join(allowed_text(member) for member in info.types if not isinstance(member, inspect.NoneType))
    if isinstance(info, inspect.BoolType):
        return "true or false"
    if isinstance(info, inspect.IntType | inspect.FloatType):
        return ("a whole number" if isinstance(info, inspect.IntType) else "a number") + _limits_text(info)
    if isinstance(info, inspect.TupleType):
        return f"a list of {len(info.item_types)}, each {allowed_text(info.item_types[0])}"
    if isinstance(info, inspect.VarTupleType | inspect.ListType):
        return f"a list, each {allowed_text(info.item_type)}"
    if isinstance(info, inspect.DictType):
        return f"a section with the keys {allowed_text(info.key_type)}, each {allowed_text(info.value_type)}"
    return "a text in quotes" if isinstance(info, inspect.StrType) else "a section"


def _limits_text(info: inspect.IntType | inspect.FloatType) -> str:
    if info.ge is not None and info.le is not None:
        return (
            f" from {info.ge:g} to {info.le:g}"
            if isinstance(info, inspect.FloatType)
            else f" from {info.ge} to {info.le}"
        )
    parts = []
    for word, limit in (("above", info.gt), ("from", info.ge), ("below", info.lt), ("up to", info.le)):
        if limit is not None:
            parts.append(f" {word} {limit:g}" if isinstance(limit, float) else f" {word} {limit}")
    return " and".join(parts)


def _suggestion(key: str, known: Iterable[str], noun: str) -> str:
    names = list(known)
    near = difflib.get_close_matches(key.lower(), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{noun}s {_listed(names)}.{hint}"


def _alternatives(members: Iterable[object]) -> str:
    quoted = [f'"{member}"' if isinstance(member, str) else str(member) for member in members]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _short(value: object) -> object:
    """`value`, cut when it would flood the screen."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except ValueError:  # an integer with more digits than the interpreter prints
        return "a number with thousands of digits"
    return value if len(text) <= FOUND_LENGTH_MAX else text[:FOUND_LENGTH_MAX] + "..."
