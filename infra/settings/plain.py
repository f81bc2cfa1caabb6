"""Settings as plain data, right or wrong: what checks over several entries look at.

Such checks come before the data is typed, so that their errors come together with those of the
fields; whatever is not what it should be is passed over, because it has its own error.
"""

from collections.abc import Iterator, Mapping
from typing import Any


def at(value: Any, *path: str) -> Any:
    """Return what stands at a path of keys; `None` where the way is not there."""
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a mapping by name; nothing where something else stands."""
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield str(name), entry


def is_encrypted(value: Any) -> bool:
    """Tell whether a stack file holds a value as Pulumi encrypts it."""
    return isinstance(value, Mapping) and set(value) == {"secure"}
