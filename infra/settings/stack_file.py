"""Reading a stack file without Pulumi, so that it can be checked before anything is built."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.settings.errors import NAMESPACE, SettingsError


class _DuplicateKeyError(yaml.constructor.ConstructorError):
    """A key is given twice in one mapping."""


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice: YAML would silently keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            name = str(key_node.value)
            if name in seen:
                raise _DuplicateKeyError(
                    problem=f"the key `{name}` is given twice; remove one of them",
                    problem_mark=key_node.start_mark,
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


def read(path: Path) -> dict[str, Any]:
    """Return the project's own part of a stack file, without the `slipway:` of its keys.

    Args:
        path: A `Pulumi.<stack>.yaml`.

    Raises:
        SettingsError: The file is missing, cannot be read or is not a stack file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError([f"{path.name}: no such stack file; {_stacks(path.parent)}"]) from None
    except OSError as error:
        raise SettingsError([f"{path.name}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path.name}: is not text in UTF-8; write it anew"]) from None
    try:
        document = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise SettingsError([f"{path.name}{_position(error)}: {_problem(error)}"]) from None
    config = document.get("config") if isinstance(document, Mapping) else None
    if not isinstance(config, Mapping):
        raise SettingsError([f"{path.name}: has no `config:` mapping; see docs/settings.md"])
    prefix = f"{NAMESPACE}:"
    return {
        str(name).removeprefix(prefix): value
        for name, value in config.items()
        if str(name).startswith(prefix)
    }


def _problem(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, _DuplicateKeyError):
        return str(error.problem)
    return f"is not YAML ({error.problem}); correct it there"


def _position(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    return "" if mark is None else f":{mark.line + 1}:{mark.column + 1}"


def _stacks(folder: Path) -> str:
    names = sorted(path.name.split(".")[1] for path in folder.glob("Pulumi.*.yaml"))
    return f"stacks here: {', '.join(names)}" if names else "no stack file is there"
