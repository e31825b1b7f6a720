"""The manual, read by the tests: links, generated parts, examples, completeness."""

import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
from tools.write_docs import PARTS, commands, error_classes, renewed

from wattwheel.boot.settings import Settings, load
from wattwheel.boot.settings_pages import default_toml

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGES = [*sorted(PROJECT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
OUR_PAGES = [page for page in PAGES if page.name not in ("data-items.md",)]

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
RUNS_ALONE = ("frame decode", "items", "measure", "run --print-settings", "--version")
PAGE_IDS = [str(page.relative_to(PROJECT)) for page in PAGES]


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def anchors(page):
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_links_lead_somewhere(page):
    for link in filter(None, (one or other for one, other in LINK.findall(without_code(page.read_text())))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} of {page.name}"
        assert target.is_relative_to(PROJECT), f"{link} of {page.name} leaves the project"
        assert not anchor or anchor in anchors(target), f"{link} of {page.name}"


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_a_page_has_one_title(page):
    heads = re.findall(r"^# .+$", FENCE.sub("", page.read_text()), re.MULTILINE)
    assert len(heads) == 1
    assert page.read_text().startswith("# ")


def test_every_page_can_be_found():
    index = (DOCS / "index.md").read_text()
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name == "index.md" or f"]({name})" in index, f"{name} is in no folder of the manual"


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_generated_parts_are_fresh(page):
    text = page.read_text()
    # Which packages are installed depends on the interpreter's version; test_licences reads that part.
    without_dependencies = re.sub(r"<!-- generated: dependencies -->.*?<!-- end -->", "", text, flags=re.DOTALL)
    assert renewed(without_dependencies) == without_dependencies, "make docs writes it anew"


def test_every_part_has_its_place():
    text = "".join(page.read_text() for page in PAGES)
    for name in PARTS:
        assert text.count(f"<!-- generated: {name} -->") == 1


def test_every_command_and_option_is_in_the_manual():
    text = (DOCS / "reference/cli.md").read_text()
    for name, command in commands():
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert section, name
        for option in command.params:
            if isinstance(option, click.Option):
                assert f"`{option.opts[-1]}" in section, f"{option.opts} of {name}"


def test_every_setting_is_in_the_manual():
    text = (DOCS / "reference/settings.md").read_text()
    for section, keys in tomllib.loads(default_toml()).items():
        part = text.partition(f"## [{section}]\n")[2].partition("\n## ")[0]
        for key in keys:
            assert f"`{key}`" in part or f"### {key} =" in part, f"[{section}] {key}"
    assert set(Settings.__struct_fields__) == set(re.findall(r"^## \[(\w+)\]$", text, re.MULTILINE))


def test_every_error_is_in_the_manual():
    text = (DOCS / "reference/errors.md").read_text()
    for kind in error_classes():
        assert f"| `{kind.__name__}` |" in text


def blocks(*kinds):
    return list(_blocks(kinds))


def _blocks(kinds):
    for page in OUR_PAGES:
        for number, (kind, text) in enumerate(FENCE.findall(page.read_text()), 1):
            if kind in kinds:
                yield pytest.param(text, id=f"{page.relative_to(PROJECT)} block {number}")


@pytest.mark.parametrize("text", blocks("console"))
def test_examples_print_what_the_manual_shows(text):
    command, *expected = text.removeprefix("$ ").splitlines()
    program, *arguments = shlex.split(command)
    assert program == "wattwheel"
    assert " ".join(arguments).startswith(RUNS_ALONE), "only commands that need no meter can be shown with their output"
    done = subprocess.run(
        [sys.executable, "-m", "wattwheel", *arguments], capture_output=True, text=True, cwd=PROJECT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert fnmatchcase(done.stdout.rstrip("\n"), "\n".join(_pattern(line) for line in expected)), done.stdout


def _pattern(line):
    return "*" if line == "..." else re.sub(r"([\[\]*?])", r"[\1]", line)


@pytest.mark.parametrize("text", blocks("sh"))
def test_commands_of_the_manual_exist(text):
    known = dict(commands())
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.partition("|")[0], comments=True)
        if words[:1] != ["wattwheel"]:
            continue
        name = words[1]
        assert name in known or any(full.startswith(f"{name} ") for full in known), line
        if name in known:
            options = [option for parameter in known[name].params for option in parameter.opts]
            for word in words[2:]:
                assert not word.startswith("--") or word in (*options, "--help"), line


@pytest.mark.parametrize("text", blocks("toml"))
def test_settings_of_the_manual_are_valid(tmp_path, text):
    (tmp_path / "meter.toml").write_text(text)
    load(tmp_path / "meter.toml")
