#!/bin/sh
# Makes .venv from requirements.lock, every file checked against its checksum. It does nothing
# when the one that is there was made from this very lock by this very Python.
set -eu
cd "$(dirname -- "$0")/.."

say() { echo "slipway: $*" >&2; }
fail() {
    echo "error: $*" >&2
    exit 1
}

install_venv() {
    say "installing Debian's python3-venv"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get install --yes --quiet --no-install-recommends python3-venv ||
        { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends \
            python3-venv; }; } >/dev/null || fail "apt-get cannot install python3-venv"
}
can_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; }
is_done() { [ -x .venv/bin/python ] && [ "$(cat .venv/slipway-stamp 2>/dev/null)" = "$stamp" ]; }

# A virtual environment that is active must not become the parent of the project's own.
python=${SLIPWAY_PYTHON:-}
if [ -z "$python" ]; then
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
fi
if [ -z "$python" ] && can_install; then
    install_venv
    python=python3
fi
[ -n "$python" ] || fail "no Python 3.11 or newer on PATH: install one, or name it in SLIPWAY_PYTHON"
command -v "$python" >/dev/null 2>&1 ||
    fail "there is no program $python: correct SLIPWAY_PYTHON"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than Python 3.11: install a newer one, or name it in SLIPWAY_PYTHON"

stamp=$({
    cat requirements.lock
    "$python" -c 'import sys; print(sys.version, sys.base_prefix)'
    pwd
} | sha256sum | cut -d ' ' -f 1)
if is_done; then
    exit 0
fi

# One run at a time: a second one waits here, and then finds it done.
mkdir -p .state && chmod 700 .state
exec 9>.state/bootstrap.lock
flock 9
if is_done; then
    exit 0
fi

has_venv() { "$python" -c 'import venv, ensurepip' 2>/dev/null; }
if ! has_venv && can_install; then
    install_venv
fi
has_venv ||
    fail "$python lacks venv and ensurepip: install them (Debian: its package python3-venv), or" \
        "name another Python in SLIPWAY_PYTHON"
say "setting up .venv with $("$python" --version): about a minute"
rm -f .venv/slipway-stamp
# One of another Python is made anew, and so is one whose making was interrupted before it had pip.
if ! .venv/bin/python -c 'import sys; sys.exit(sys.argv[1] != sys.base_prefix)' \
    "$("$python" -c 'import sys; print(sys.base_prefix)')" 2>/dev/null ||
    ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    "$python" -m venv .venv
fi
# Lines that pip reads from its configuration, an index above all, stay in force.
.venv/bin/python -m pip install --disable-pip-version-check --no-input --quiet \
    --require-hashes --requirement requirements.lock ||
    fail "pip cannot install requirements.lock: its lines above say why; run the command again"
echo "$stamp" >.venv/slipway-stamp
