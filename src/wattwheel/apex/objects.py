"""Tables of what a partition has created: by number and by name, never more than their bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from wattwheel.apex.codes import ReturnCode
from wattwheel.apex.limits import NAME_LENGTH_MAX

_T = TypeVar("_T")


class Objects(Generic[_T]):
    """Objects of one kind. Identifiers count from 1; names are the same in upper and lower case."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._objects: list[_T] = []
        self._identifiers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[_T]:
        return iter(self._objects)

    def create(self, name: str, make: Callable[[int], _T | ReturnCode]) -> tuple[int, ReturnCode]:
        """Keep what `make` gives for the new identifier, and its NO_ERROR; or nothing, and why not.

        NO_ACTION, with the old identifier: the name exists. INVALID_CONFIG: no room for one more. INVALID_PARAM: the
        name is empty or too long. Or the code that `make` gives instead of an object.
        """
        if not 1 <= len(name) <= NAME_LENGTH_MAX:
            return 0, ReturnCode.INVALID_PARAM
        key = name.upper()
        if key in self._identifiers:
            return self._identifiers[key], ReturnCode.NO_ACTION
        if len(self._objects) >= self._count_max:
            return 0, ReturnCode.INVALID_CONFIG
        made = make(len(self._objects) + 1)
        if isinstance(made, ReturnCode):
            return 0, made
        self._objects.append(made)
        self._identifiers[key] = len(self._objects)
        return len(self._objects), ReturnCode.NO_ERROR

    def find(self, identifier: int) -> _T | None:
        """The object of that identifier."""
        return self._objects[identifier - 1] if 1 <= identifier <= len(self._objects) else None

    def identifier_of(self, name: str) -> tuple[int, ReturnCode]:
        """The identifier of that name. INVALID_CONFIG: there is none."""
        identifier = self._identifiers.get(name.upper(), 0)
        return identifier, ReturnCode.NO_ERROR if identifier else ReturnCode.INVALID_CONFIG
