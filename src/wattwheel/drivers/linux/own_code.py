"""Finding a partition's own code behind its wall: the folder around it cannot be listed there."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType


class OwnCode:
    """Finds the top-level module or package `name` at `paths`, which are known, without looking around.

    One of the finders of `sys.meta_path`; `importlib.abc`, which has a class for them, costs every body memory.
    """

    def __init__(self, name: str, paths: Sequence[str]) -> None:
        self._name, self._paths = name, list(paths)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder.find_spec`."""
        if fullname != self._name or path is not None:
            return None
        first = self._paths[0]
        if not os.path.isdir(first):
            return spec_from_file_location(fullname, first)
        inside = os.path.join(first, "__init__.py")
        if os.path.exists(inside):
            return spec_from_file_location(fullname, inside, submodule_search_locations=self._paths)
        spec = ModuleSpec(fullname, None, is_package=True)  # a package without a file of its own
        spec.submodule_search_locations = self._paths
        return spec


def find_own_code(entry: str, paths: Sequence[str]) -> None:
    """From now on, import the package or module of `entry` from `paths`, as `sandbox.code_of` found them."""
    if paths:
        sys.meta_path.insert(0, OwnCode(entry.partition(":")[0].partition(".")[0], paths))
