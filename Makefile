# wattwheel: every command does its own set-up. Needed beforehand: make and python3 (3.11 or newer) with venv.
#
#   make run     boot a meter            ARGS="examples/house.toml --web 0.0.0.0:8645" adds arguments
#   make test    every check and test    ARGS="tests/protocols -k frame" runs a part of the tests
#   make lint    the checks without the tests
#   make docs    write the generated tables of the manual anew and check every page
#   make clean   take away everything that was made

PYTHON ?= python3
SETUP ?= any
ARGS ?=
BIN := .venv/bin
SOURCES := uv.lock pyproject.toml requirements/run.txt requirements/dev.txt tools/environment.sh
export PYTHON SETUP

.DEFAULT_GOAL := help
.PHONY: help run test lint docs requirements clean

help:
	@sed -n '/^#   make/s/^#   //p' Makefile

# A development environment can run the meter too, so its stamp serves for both.
.venv/.ready-run: $(SOURCES)
	@tools/environment.sh run
	@touch $@

.venv/.ready-dev: $(SOURCES)
	@tools/environment.sh dev
	@touch .venv/.ready-run $@

run: .venv/.ready-run
	@exec $(BIN)/wattwheel run $(ARGS)

lint: .venv/.ready-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

# pytest comes last: its closing line says what was run, and what was not.
test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

docs: .venv/.ready-dev
	$(BIN)/python -m tools.write_docs
	$(BIN)/python -m pytest tests/docs $(ARGS)

# After a change of pyproject.toml: lock anew, then export the lists for machines without uv. Needs uv.
requirements:
	tools/export_requirements.sh

clean:
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist site
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
