"""The project that the toolchain serves: its folder and its stacks' files.

`python3 -m toolchain.project` prints the names of the stacks as JSON, for a workflow with a job for
each; with `--shared`, without the local one.
"""

import json
import re
import sys
from pathlib import Path
from typing import Final

from toolchain.errors import SlipwayError

ROOT: Final = Path(__file__).resolve().parent.parent
NAME: Final = "slipway"
"""As in `Pulumi.yaml`; a test holds it."""

LOCAL_STACK: Final = "local"
EVERY_STACK: Final = "all"
"""Stands for every stack with a file, where a command takes several."""

_STACK = re.compile(r"[A-Za-z0-9_.-]{1,100}")


def stack_file(stack: str) -> Path:
    """Return the settings file of a stack.

    Raises:
        SlipwayError: The name is not one, or there is no such file.
    """
    if not _STACK.fullmatch(stack):
        raise SlipwayError(f"STACK={stack}: a stack's name has letters, digits, `-`, `_` and `.`")
    path = ROOT / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        known = ", ".join(stacks()) or "none"
        raise SlipwayError(f"STACK={stack}: there is no {path.name}; stacks with a file: {known}")
    return path


def chosen(names: str) -> list[str]:
    """Return the stacks that `STACK=` names.

    Args:
        names: One or more, with commas or spaces between them; `all` is every one with a file.

    Raises:
        SlipwayError: It names none, or one without a file.
    """
    found = stacks() if names == EVERY_STACK else re.split(r"[,\s]+", names.strip(", "))
    for name in found:
        stack_file(name)
    return list(dict.fromkeys(found))


def stacks() -> list[str]:
    """Return the stacks that have a settings file, sorted."""
    names = (path.name for path in ROOT.glob("Pulumi.*.yaml"))
    return sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in names)


if __name__ == "__main__":
    _left_out = [LOCAL_STACK] if sys.argv[1:] == ["--shared"] else []
    sys.stdout.write(json.dumps([name for name in stacks() if name not in _left_out]) + "\n")
