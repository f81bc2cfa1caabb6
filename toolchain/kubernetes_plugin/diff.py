"""What changed between two sets of inputs, field by field.

The last inputs are compared with the new ones, not the live object: fields that the cluster fills
in or rewrites (defaults, `500m` for `0.5`) are then no change. Drift is found by a refresh, which
writes what it saw into the last inputs (`state.refreshed_inputs`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from toolchain.plugin.properties import Unknown

PathElement = str | int
Path = tuple[PathElement, ...]

_SPECIAL_CHARACTERS: Final = re.compile(r'[."\[\]]')
_PATH_TOKEN: Final = re.compile(
    r"""\["((?:[^"\\]|\\.)*)"\]   # ["a key"]
      | \[(\d+|\*)\]              # [0] or [*]
      | \.?([^.\[\]]+)            # .key
    """,
    re.VERBOSE,
)


class Missing(Enum):
    """A field that is not there, as opposed to one that is null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Change(Enum):
    """How a field changed."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True)
class FieldChange:
    """One changed field.

    Attributes:
        change: How it changed.
        replaces: Whether that replaces the object.
    """

    change: Change
    replaces: bool


@dataclass
class Difference:
    """Every change between two sets of inputs, by property path (`spec.ports[0].port`)."""

    fields: dict[str, FieldChange] = field(default_factory=dict)

    @property
    def replaces(self) -> list[str]:
        """The property paths that replace the object."""
        return [path for path, change in self.fields.items() if change.replaces]

    def ignoring(self, ignored: Iterable[str]) -> "Difference":
        """Return the difference without what lies at or under the given property paths."""
        patterns = [parse_path(path) for path in ignored]
        kept = {
            path: change
            for path, change in self.fields.items()
            if not any(_starts_with(parse_path(path), pattern) for pattern in patterns)
        }
        return Difference(kept)


def difference(
    old: Mapping[str, Any], new: Mapping[str, Any], replacing: Sequence[str] = ()
) -> Difference:
    """Return what changed.

    Args:
        old: Last inputs, without secret marks.
        new: New inputs, without secret marks; a value that is not known yet counts as changed.
        replacing: Dotted paths whose change replaces the object; `*` is any element of a list.
    """
    result = Difference()
    patterns = [tuple(path.split(".")) for path in replacing]
    for path, change, value in _walk((), old, new):
        replaces = any(_touches(path, value, pattern) for pattern in patterns)
        result.fields[format_path(path)] = FieldChange(change, replaces)
    return result


def _walk(path: Path, old: Any, new: Any) -> Iterable[tuple[Path, Change, Any]]:
    """Yield the path, kind and decisive value of every change below a path."""
    old = MISSING if old is None else old
    new = MISSING if new is None else new
    if old is MISSING and new is MISSING:
        return
    if old is MISSING:
        yield path, Change.ADD, new
    elif new is MISSING:
        yield path, Change.DELETE, old
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _walk((*path, key), old.get(key, MISSING), new.get(key, MISSING))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _walk((*path, index), _element(old, index), _element(new, index))
    elif not same(old, new):
        yield path, Change.UPDATE, new


def _element(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else MISSING


def same(old: Any, new: Any) -> bool:
    """Return whether two values are equal in JSON, where `1` is `1.0` and not `true`."""
    if isinstance(old, Unknown) or isinstance(new, Unknown):
        return False
    if isinstance(old, bool) != isinstance(new, bool):
        return False
    return bool(old == new)


def _touches(path: Path, value: Any, pattern: Sequence[str]) -> bool:
    """Return whether a change of `value` at `path` changes something that a pattern names."""
    for position, wanted in enumerate(pattern):
        if position >= len(path):
            return _contains(value, pattern[position:])
        element = path[position]
        if wanted != element and not (wanted == "*" and isinstance(element, int)):
            return False
    return True


def _contains(value: Any, pattern: Sequence[str]) -> bool:
    if not pattern:
        return True
    if pattern[0] == "*" and isinstance(value, list):
        return any(_contains(item, pattern[1:]) for item in value)
    if isinstance(value, Mapping) and pattern[0] in value:
        return _contains(value[pattern[0]], pattern[1:])
    return False


def format_path(path: Path) -> str:
    """Return a path in the engine's notation."""
    text = ""
    for element in path:
        if isinstance(element, int):
            text += f"[{element}]"
        elif _SPECIAL_CHARACTERS.search(element):
            escaped = element.replace('"', '\\"')
            text += f'["{escaped}"]'
        else:
            text += f".{element}" if text else element
    return text


def parse_path(text: str) -> Path:
    """Return the elements of a path in the engine's notation; `*` stays text.

    Raises:
        ValueError: The text is not a property path.
    """
    elements: list[PathElement] = []
    position = 0
    while position < len(text):
        match = _PATH_TOKEN.match(text, position)
        if match is None:
            raise ValueError(f'"{text}" is not a property path')
        quoted, index, key = match.groups()
        if quoted is not None:
            elements.append(quoted.replace('\\"', '"'))
        elif index is not None:
            elements.append(index if index == "*" else int(index))
        else:
            elements.append(key)
        position = match.end()
    return tuple(elements)


def _starts_with(path: Path, prefix: Path) -> bool:
    if len(path) < len(prefix):
        return False
    return all(wanted in ("*", element) for element, wanted in zip(path, prefix, strict=False))
