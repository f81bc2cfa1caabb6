#!/bin/sh
# Writes requirements.lock: every Python package of the project at an exact version with its
# checksums, for all supported Python versions, and without the address of any package index. And
# requirements-clouds.lock, in the same form: the SDKs of the clouds with all that they need, at the
# versions of requirements.lock.
set -eu
cd "$(dirname -- "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
.venv/bin/python -m pip install --quiet --disable-pip-version-check --target "$tool" uv==0.13.9

# Arguments: the lock file, then which of the project's packages are in it.
lock() {
    name=$1
    shift
    "$tool/bin/uv" pip compile pyproject.toml "$@" \
        --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
        --no-emit-index-url --no-emit-find-links --quiet --output-file "$tool/lock"
    {
        echo "# Made by \`make lock\` from pyproject.toml; not for editing."
        cat "$tool/lock"
    } >"$name"
    rm "$tool/lock"
}
lock requirements.lock --extra dev --extra examples
lock requirements-clouds.lock --extra clouds --constraints requirements.lock
