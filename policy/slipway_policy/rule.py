"""What a rule is, and how it reads the properties of a resource."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Resource:
    """What the program asks a provider for.

    Attributes:
        type: Type token, e.g. `kubernetes:apps/v1:Deployment`.
        name: Logical name.
        properties: Its inputs. The engine's raise an error of their own where a preview cannot
            know a value, so a rule looks at nothing that it does not need.
    """

    type: str
    name: str
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """One requirement of every resource.

    Attributes:
        name: How the engine and the exemptions call it.
        description: What it asks for, in a sentence.
        check: Returns a sentence for each thing that is wrong: where, what, and the way out.
    """

    name: str
    description: str
    check: Callable[[Resource], Iterator[str]]


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a value that is a mapping, and an empty one for any other."""
    # The engine's are no dicts.
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> Sequence[Any]:
    """Return a value that is a list, none for nothing, and any other as the only item."""
    if value is None:
        return ()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    return (value,)


def at(value: Any, *keys: str) -> Any:
    """Return what is at a path of keys, or None.

    Args:
        value: A mapping, or anything else, which has no keys.
        keys: From the outside in.
    """
    for key in keys:
        value = mapping(value).get(key)
    return value
