"""Reading fields of Kubernetes objects that may be missing at any level."""

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]


def pluck(document: object, *path: str) -> Any:
    """Return the value at `path`, or `None` where a level is missing or is no mapping."""
    value = document
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def text(document: object, *path: str) -> str:
    """Return the string at `path`; "" where there is none."""
    value = pluck(document, *path)
    return value if isinstance(value, str) else ""


def number(document: object, *path: str, default: int = 0) -> int:
    """Return the integer at `path`; `default` where there is none."""
    value = pluck(document, *path)
    return int(value) if isinstance(value, int | float) else default


def documents(document: object, *path: str) -> list[Document]:
    """Return the mappings of the list at `path`; empty where there is none."""
    value = pluck(document, *path)
    if not isinstance(value, list | tuple):
        return []
    return [item for item in value if isinstance(item, Mapping)]


def annotation(obj: Document, key: str) -> str:
    """Return an annotation's value; "" where it is not set."""
    return text(obj, "metadata", "annotations", key)


def name(obj: Document) -> str:
    """Return the object's name."""
    return text(obj, "metadata", "name")


def namespace(obj: Document) -> str | None:
    """Return the object's namespace; `None` for a cluster-scoped object."""
    return text(obj, "metadata", "namespace") or None


def condition(obj: Document, kind: str) -> Document | None:
    """Return the status condition of a type, if the object has it."""
    for entry in documents(obj, "status", "conditions"):
        if entry.get("type") == kind:
            return entry
    return None


def holds(obj: Document, kind: str) -> bool:
    """Whether the status condition of a type is there and is `True`."""
    return text(condition(obj, kind), "status") == "True"


def is_observed(obj: Document) -> bool:
    """Whether the controller has seen the object's current specification.

    Until then, every status field may still describe the specification before it.
    """
    generation = number(obj, "metadata", "generation")
    return number(obj, "status", "observedGeneration", default=-1) >= generation


def owners(obj: Document) -> Iterator[str]:
    """Yield the uids of the object's owners."""
    for reference in documents(obj, "metadata", "ownerReferences"):
        yield text(reference, "uid")


def uid(obj: Document) -> str:
    """Return the object's uid; "" where it has none yet."""
    return text(obj, "metadata", "uid")


def group(obj: Document) -> str:
    """Return the API group of the object; "" for the core group."""
    group, slash, _ = text(obj, "apiVersion").partition("/")
    return group if slash else ""
