#!/bin/sh
# Makes .venv from the lock: with uv where it is there or can be installed, else with venv and pip
# from the hashed lists in requirements/, which are exported from the same lock.
#
#   tools/environment.sh run|dev       SETUP=uv or SETUP=pip allows one way only.
set -eu

what=${1:?run or dev}
cd "$(dirname "$0")/.."
setup=${SETUP:-any}
python=${PYTHON:-python3}
venv=.venv
private=.uv # uv's own environment where the machine has none

say() { printf '%s\n' "environment: $*" >&2; }
fail() {
    say "$*"
    exit 2
}

check_python() {
    command -v "$python" >/dev/null 2>&1 || fail "no $python here; on Debian: apt-get install python3 python3-venv make"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" --version) is too old; Python 3.11 or newer is needed (PYTHON=/path/to/python3 names another)"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module; on Debian: apt-get install python3-venv"
}

find_uv() {
    if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
        uv=uv
    elif [ -x "$private/bin/uv" ]; then
        uv="$private/bin/uv"
    else
        check_python
        say "no uv on the machine; trying to install one into $private"
        "$python" -m venv "$private" &&
            "$private/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
                --require-hashes -r requirements/uv.txt >&2 || return 1
        uv="$private/bin/uv"
    fi
}

with_uv() {
    find_uv || return 1
    say "$what environment from uv.lock with $("$uv" --version)"
    if [ "$what" = run ]; then
        "$uv" sync --frozen --inexact --no-default-groups --quiet
    else
        "$uv" sync --frozen --inexact --quiet
    fi
}

with_pip() {
    check_python
    say "$what environment from requirements/$what.txt with venv and pip"
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$what.txt"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
}

case $setup in
uv) with_uv || fail "uv is not here and cannot be installed" ;;
pip) with_pip ;;
any) with_uv || {
    say "uv cannot be had; going on without it"
    with_pip
} ;;
*) fail "SETUP=$setup: allowed are uv and pip" ;;
esac
