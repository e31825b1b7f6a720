"""The house's own rules: what is not run is told, and set-up says in one sentence what it lacks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

INNER = """
import pytest

@pytest.mark.needs("no_such_module_anywhere")
def test_needs_something():
    raise AssertionError("must not run")

def test_runs():
    pass
"""


def inner_run(folder, text, **environment):
    shutil.copy(PROJECT / "tests/conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = needs(what): a part that needs something\n")
    (folder / "test_inner.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "."],
        cwd=folder, capture_output=True, text=True, timeout=60,
        env={key: value for key, value in os.environ.items() if key != "CI"}
        | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        | environment,
    )  # fmt: skip


def test_a_part_that_cannot_run_says_why(tmp_path):
    done = inner_run(tmp_path, INNER)
    assert done.returncode == 0
    assert "test_needs_something: not run: no Python module no_such_module_anywhere" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("text", [INNER, "import pytest\npytest.importorskip('no_such_module_anywhere')"])
def test_with_ci_it_counts_as_failed(tmp_path, text):
    done = inner_run(tmp_path, text, CI="true")
    assert done.returncode != 0
    assert "everything must run" in done.stdout


def environment_script(path, **environment):
    return subprocess.run(
        ["/bin/sh", PROJECT / "tools/environment.sh", "run"],
        capture_output=True, text=True, timeout=60, env={"PATH": str(path), **environment},
    )  # fmt: skip


@pytest.fixture
def bare_path(tmp_path):
    """A PATH with the tools of every Unix and nothing else."""
    for tool in ("dirname", "sh"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    return tmp_path


def test_set_up_without_python_names_the_packages(bare_path):
    done = environment_script(bare_path, SETUP="pip")
    assert (done.returncode, done.stdout) == (2, "")
    assert "apt-get install python3 python3-venv make" in done.stderr


def test_set_up_with_a_python_that_is_too_old(bare_path):
    old = bare_path / "python3"
    old.write_text('#!/bin/sh\nif [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi\n')
    old.chmod(0o755)
    done = environment_script(bare_path, SETUP="pip")
    assert done.returncode == 2
    assert "Python 3.9.2 is too old" in done.stderr


def test_set_up_by_an_unknown_way(bare_path):
    done = environment_script(bare_path, SETUP="conda")
    assert done.returncode == 2
    assert "allowed are uv and pip" in done.stderr
