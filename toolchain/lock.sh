#!/bin/sh
# Writes requirements.lock: every Python package of the project at an exact version with its
# checksums, for all supported Python versions, and without the address of any package index.
set -eu
cd "$(dirname -- "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
.venv/bin/python -m pip install --quiet --disable-pip-version-check --target "$tool" uv==0.13.9
"$tool/bin/uv" pip compile pyproject.toml --extra dev --extra examples \
    --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
    --no-emit-index-url --no-emit-find-links --quiet --output-file "$tool/lock"
{
    echo "# Made by \`make lock\` from pyproject.toml; not for editing."
    cat "$tool/lock"
} >requirements.lock
