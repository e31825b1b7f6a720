"""pyproject.toml, uv.lock and the lists for pip say the same. In plain Python: no uv is needed to find out."""

import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
LOCK = tomllib.loads((PROJECT / "uv.lock").read_text())
ROOT = next(package for package in LOCK["package"] if package["name"] == "wattwheel")
LISTS = {"run.txt": ("run", "build"), "dev.txt": ("run", "build", "dev"), "uv.txt": ("uv",)}


def name_and_bound(requirement):
    name, bound = re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", requirement).groups()
    return name.lower(), bound


def listed(file):
    """Name and version of each entry of a list, with its checksums."""
    text = (PROJECT / "requirements" / file).read_text().replace("\\\n", " ")
    entries = {}
    for line in text.splitlines():
        name, version = re.match(r"([a-z0-9-]+)==([^ ;]+)", line).groups()
        entries[(name, version)] = set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", line))
    return entries


def wanted(groups):
    """The same from the lock: everything that the groups reach."""
    edges = []
    for group in groups:
        edges += ROOT["dependencies"] if group == "run" else ROOT["dev-dependencies"][group]
    reached = {}
    while edges:
        edge = edges.pop()
        for package in LOCK["package"]:
            key = (package["name"], package["version"])
            if package["name"] != edge["name"] or edge.get("version", package["version"]) != package["version"]:
                continue
            for extra in edge.get("extra", ()):
                edges += package["optional-dependencies"][extra]
            if key not in reached:
                files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
                reached[key] = {file["hash"] for file in files}
                edges += package.get("dependencies", [])
    return reached


@pytest.mark.parametrize(("file", "groups"), LISTS.items(), ids=LISTS)
def test_a_list_is_what_the_lock_says(file, groups):
    assert listed(file) == wanted(groups), "make requirements exports the lists anew"


def test_the_lock_is_what_the_project_asks_for():
    project, about = PYPROJECT["project"], ROOT["metadata"]
    asked = {"run": project["dependencies"], **PYPROJECT["dependency-groups"]}
    stated = {"run": [entry for entry in about["requires-dist"] if "marker" not in entry], **about["requires-dev"]}
    for extra, requirements in project["optional-dependencies"].items():
        asked[extra] = requirements
        stated[extra] = [entry for entry in about["requires-dist"] if entry.get("marker") == f"extra == '{extra}'"]
    assert set(asked) == set(stated)
    for group, requirements in asked.items():
        said = {(entry["name"], entry.get("specifier", "")) for entry in stated[group]}
        assert {name_and_bound(each) for each in requirements} == said, f"{group}: make requirements locks anew"
    assert LOCK["requires-python"] == PYPROJECT["project"]["requires-python"]


def test_the_build_backend_is_the_locked_one():
    backend = PYPROJECT["build-system"]["requires"]
    assert backend == PYPROJECT["dependency-groups"]["build"]
    pinned = PYPROJECT["tool"]["uv"]["build-constraint-dependencies"]
    assert [f"{name}=={version}" for name, version in listed("run.txt") if name == "hatchling"] == pinned


def test_a_difference_is_seen():
    entries = listed("run.txt")
    entries.popitem()
    assert entries != wanted(LISTS["run.txt"])
