"""The project that the toolchain serves: its folder and its stacks' files."""

import re
from pathlib import Path
from typing import Final

from toolchain.errors import SlipwayError

ROOT: Final = Path(__file__).resolve().parent.parent
NAME: Final = "slipway"
"""As in `Pulumi.yaml`; a test holds it."""

LOCAL_STACK: Final = "local"

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


def stacks() -> list[str]:
    """Return the stacks that have a settings file, sorted."""
    names = (path.name for path in ROOT.glob("Pulumi.*.yaml"))
    return sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in names)
