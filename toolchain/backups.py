"""Copies of a stack's state, made before each update and kept on this machine.

They are what `pulumi stack export` gives: secrets in them are as encrypted as in the state.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from toolchain.errors import SlipwayError

KEPT: Final = 20
"""Backups of a stack that are kept; the oldest go."""


class Backups:
    """The backups of one stack.

    Args:
        folder: Where those of all stacks are.
        stack: Name of the stack.
    """

    def __init__(self, folder: Path, stack: str) -> None:
        self._folder = folder / stack
        self._stack = stack

    def all(self) -> list[Path]:
        """Return their files, oldest first."""
        return sorted(self._folder.glob("*.json"))

    def add(self, exported: Mapping[str, Any]) -> Path | None:
        """Keep a state, and let go of the oldest ones.

        Args:
            exported: What `pulumi stack export` gives.

        Returns:
            Its file; `None` for a state without resources, or like that of the newest backup.
        """
        if not _resources(exported):
            return None
        kept = self.all()
        if kept and _resources(_read(kept[-1])) == _resources(exported):
            return None
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%fZ}.json"
        partial = path.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(exported))
        partial.replace(path)
        for old in self.all()[:-KEPT]:
            old.unlink()
        return path

    def find(self, name: str | None) -> Path:
        """Return a backup's file.

        Args:
            name: Its name as `make state` lists it; the newest by default.

        Raises:
            SlipwayError: There is none, or none of that name.
        """
        kept = self.all()
        if not kept:
            raise SlipwayError(f"there is no backup of the stack {self._stack} in {self._folder}")
        if name is None:
            return kept[-1]
        found = [path for path in kept if name in (path.name, path.stem)]
        if not found:
            raise SlipwayError(
                f"BACKUP={name}: there is none of that name; the newest is {kept[-1].stem}"
            )
        return found[0]


def read(path: Path) -> tuple[datetime, int]:
    """Return when a backup was made, and how many resources it has."""
    made = datetime.strptime(path.stem, "%Y-%m-%dT%H-%M-%S.%fZ").replace(tzinfo=UTC)
    return made, len(_resources(_read(path)))


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise SlipwayError(f"{path} is no backup of a state: delete it") from error
    return dict(found)


def _resources(exported: Mapping[str, Any]) -> list[Any]:
    return list((exported.get("deployment") or {}).get("resources") or [])
