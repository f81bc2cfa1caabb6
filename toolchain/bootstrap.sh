#!/bin/sh
# Makes .venv from requirements.lock, every file checked against its checksum. It does nothing
# when the one that is there was made from this very lock by this very Python.
#
#   bootstrap.sh [--clouds | --stack <stack>]
#
# adds the SDKs of the clouds, of requirements-clouds.lock: always, or where the stack is on one.
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
has_clouds() {
    [ -z "$clouds" ] || [ "$(cat .venv/slipway-clouds-stamp 2>/dev/null)" = "$clouds_stamp" ]
}
# Lines that pip reads from its configuration, an index above all, stay in force.
install() {
    lock=$1
    shift
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --quiet "$@" \
        --require-hashes --requirement "$lock" ||
        fail "pip cannot install $lock: its lines above say why; run the command again"
}

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

clouds=
case ${1:-} in
--clouds) clouds=yes ;;
--stack)
    # One or several, or `all`. What a stack file says otherwise than in these words, the program
    # still finds and names.
    for name in $(echo "$2" | tr ',' ' '); do
        if [ "$name" = all ]; then name='*'; fi
        if grep -Eqs "kind: *[\"']?(aks|eks|gke)([^a-z]|$)" Pulumi.$name.yaml; then clouds=yes; fi
    done
    ;;
esac

stamp=$({
    cat requirements.lock
    "$python" -c 'import sys; print(sys.version, sys.base_prefix)'
    pwd
} | sha256sum | cut -d ' ' -f 1)
clouds_stamp=
if [ -n "$clouds" ]; then
    clouds_stamp=$(sha256sum requirements-clouds.lock | cut -d ' ' -f 1)
fi
if is_done && has_clouds; then
    exit 0
fi

# One run at a time: a second one waits here, and then finds it done.
mkdir -p .state && chmod 700 .state
exec 9>.state/bootstrap.lock
flock 9

has_venv() { "$python" -c 'import venv, ensurepip' 2>/dev/null; }
make_venv() {
    if ! has_venv && can_install; then
        install_venv
    fi
    has_venv ||
        fail "$python lacks venv and ensurepip: install them (Debian: its package python3-venv), or" \
            "name another Python in SLIPWAY_PYTHON"
    say "setting up .venv with $("$python" --version): about a minute"
    rm -f .venv/slipway-stamp
    # One of another Python is made anew, and so is one whose making was interrupted before it had
    # pip.
    if ! .venv/bin/python -c 'import sys; sys.exit(sys.argv[1] != sys.base_prefix)' \
        "$("$python" -c 'import sys; print(sys.base_prefix)')" 2>/dev/null ||
        ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        rm -rf .venv
        "$python" -m venv .venv
    fi
    install requirements.lock
    echo "$stamp" >.venv/slipway-stamp
}
is_done || make_venv

if ! has_clouds; then
    say "adding the SDKs of the clouds to .venv: about 10 seconds, 410 MB"
    rm -f .venv/slipway-clouds-stamp
    # Python compiles what is imported, a few of their 11,000 files.
    install requirements-clouds.lock --no-compile
    echo "$clouds_stamp" >.venv/slipway-clouds-stamp
fi
