"""What a stack's models were when they were last checked, so that none is woken for nothing."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infra.settings import ModelSettings

FILE: Final = ".state/checked.json"
"""Where that is kept, below the project."""

_CODE: Final = "apps/serving"
_SUFFIXES: Final = frozenset({".py", ".lock"})


class Checked:
    """The models of one stack that passed their check, each by a digest of all that it is.

    What is not there, or cannot be read, was not checked.

    Args:
        stack: Name of the stack.
        outputs: Its outputs.
        root: The project's folder.
    """

    def __init__(self, stack: str, outputs: Mapping[str, Any], root: Path) -> None:
        self._stack = stack
        self._outputs = outputs
        self._path = root / FILE
        self._code = _digest_of_code(root / _CODE)
        self._stacks: dict[str, Any] = _read(self._path)

    def knows(self, name: str, model: ModelSettings) -> bool:
        """Return whether a model passed as it is now."""
        return self._passed.get(name) == self._digest(name, model)

    def keep(self, models: Mapping[str, ModelSettings]) -> None:
        """Remember that all models of the stack passed."""
        self._stacks[self._stack] = {
            name: self._digest(name, model) for name, model in models.items()
        }
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(json.dumps(self._stacks, indent=2))

    @property
    def _passed(self) -> Mapping[str, Any]:
        passed = self._stacks.get(self._stack)
        return passed if isinstance(passed, dict) else {}

    def _digest(self, name: str, model: ModelSettings) -> str:
        # A stack that was brought up anew has another authority.
        models = self._outputs.get("models")
        output = models.get(name) if isinstance(models, Mapping) else None
        content = [self._outputs.get("ca"), output, model.model_dump_json(), self._code]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _digest_of_code(folder: Path) -> str:
    """Return what tells the servers apart that serve the models."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
