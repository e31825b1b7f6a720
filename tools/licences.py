"""The licences of everything in the lock, read from what is installed, against the list that goes with Apache-2.0."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).parents[1]

ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0",
    "Python-2.0", "Unlicense", "Zlib",
}  # fmt: skip
"""Licences under which a dependency may stand beside an Apache-2.0 project: permissive ones, and MPL-2.0."""

_SPELLED = {
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd": "BSD-3-Clause",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mozilla public license 2.0": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}
"""Older packages write their licence in words."""


def locked() -> dict[str, str]:
    """Every third-party package of the lock that is installed on Linux: its name, and "run" or "development"."""
    packages = tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
    by_name: dict[str, list[dict]] = {}
    for package in packages:
        by_name.setdefault(package["name"], []).append(package)
    root = by_name["wattwheel"][0]
    groups = root.get("dev-dependencies", {}).get("dev", [])
    purposes: dict[str, str] = {}
    for purpose, edges in (("run", root["dependencies"]), ("development", groups)):
        waiting = list(edges)
        while waiting:
            edge = waiting.pop()
            if "win32" in edge.get("marker", "") or edge["name"] in purposes:
                continue
            purposes[edge["name"]] = purpose
            for package in by_name[edge["name"]]:
                waiting += package.get("dependencies", [])
                for extra in edge.get("extra", ()):
                    waiting += package["optional-dependencies"][extra]
    return dict(sorted(purposes.items()))


def licence_of(name: str) -> str | None:
    """The licence that the installed package `name` states, as an SPDX expression; None when it is not installed."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    if expression := about.get("License-Expression"):
        return str(expression)
    words = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith("License :: ")]
    words = [word for word in words if word != "OSI Approved"] or [str(about.get("License") or "unknown").strip()]
    return " AND ".join(_SPELLED.get(word.lower(), word) for word in words)


def is_allowed(expression: str) -> bool:
    """True when every part joined by AND is allowed, or one of those joined by OR."""
    bare = expression.replace("(", " ").replace(")", " ")
    return all(
        any(term.strip() in ALLOWED for term in re.split(r"\bOR\b", part)) for part in re.split(r"\bAND\b", bare)
    )


def dependency_table() -> str:
    """One row a package of the lock, without versions: those are in the lock."""
    rows = ["| package | licence | needed for |", "|---|---|---|"]
    for name, purpose in locked().items():
        if licence := licence_of(name):
            rows.append(f"| {name} | {licence} | {purpose} |")
    return "\n".join(rows) + "\n"
