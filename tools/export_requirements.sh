#!/bin/sh
# Locks what pyproject.toml asks for and exports the lists that pip uses on machines without uv.
# tests/test_requirements.py fails as long as the lists and the lock differ.
set -eu
cd "$(dirname "$0")/.."

export_list() { # file, then the groups
    file=$1
    shift
    uv export --quiet --frozen --no-default-groups "$@" --no-emit-project --no-annotate --no-header \
        --format requirements-txt --output-file "requirements/$file" >/dev/null
}

uv lock --quiet
export_list run.txt --group build
export_list dev.txt --group build --group dev
export_list uv.txt --only-group uv
