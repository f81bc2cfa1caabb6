"""What the doctor says."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor.

    Attributes:
        level: `missing` is what stops `make up`; `note` is worth knowing.
        text: What was found, with the way out where something is missing.
    """

    level: Level
    text: str


def unchecked(what: str, reason: str) -> Finding:
    """Return the line for what could not be checked.

    Args:
        what: What that is.
        reason: Why not.
    """
    return Finding("note", f"not checked: {what}: {reason}")
