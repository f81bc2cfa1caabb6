"""The inputs of a component as plain Python values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.provider.experimental.property_value import PropertyValue, ResourceReference

from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.components.wire import is_unknown

PropertyValues = Mapping[str, PropertyValue]


@dataclass(frozen=True)
class Inputs:
    """Known inputs of one component.

    Attributes:
        values: Plain values by name; secret marks are gone, assets are kept.
        secret: Names of the inputs that are or hold a secret.
    """

    values: Mapping[str, Any]
    secret: frozenset[str]

    def text(self, name: str, default: str = "") -> str:
        """Return a string.

        Raises:
            ComponentError: The input is something else.
        """
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        raise ComponentError(f"{name}: expected a string, got {_described(value)}")

    def flag(self, name: str) -> bool:
        """Return a boolean; `False` where the input is not set.

        Raises:
            ComponentError: The input is something else.
        """
        value = self.values.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise ComponentError(f"{name}: expected true or false, got {_described(value)}")

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return a mapping; empty where the input is not set.

        Raises:
            ComponentError: The input is something else.
        """
        value = self.values.get(name)
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return value
        raise ComponentError(f"{name}: expected a mapping, got {_described(value)}")

    def items(self, name: str) -> Sequence[Any]:
        """Return a list; a single value counts as a list of one, nothing as an empty one."""
        value = self.values.get(name)
        if value is None:
            return []
        return value if isinstance(value, list) else [value]


def are_known(values: PropertyValues) -> bool:
    """Whether no input, nor anything in one, waits for something to be created."""
    return not any(_is_unknown(value) for value in values.values())


def read(values: PropertyValues) -> Inputs:
    """Return inputs that are all known as plain values."""
    return Inputs(
        values={name: _plain(value) for name, value in values.items()},
        secret=frozenset(name for name, value in values.items() if value.contains_secret()),
    )


def _is_unknown(value: PropertyValue) -> bool:
    inner = value.value
    if isinstance(inner, Mapping):
        return any(_is_unknown(item) for item in inner.values())
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return any(_is_unknown(item) for item in inner)
    return is_unknown(value)


def _plain(value: PropertyValue) -> Any:
    inner = value.value
    if isinstance(inner, Mapping):
        return {key: _plain(item) for key, item in inner.items()}
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [_plain(item) for item in inner]
    if isinstance(inner, float) and math.isfinite(inner) and inner.is_integer():
        # The engine knows one kind of number; Kubernetes and Helm tell 1 from 1.0.
        return int(inner)
    if isinstance(inner, ResourceReference):
        raise ComponentError(f"a resource ({inner.urn}) cannot be an input; pass its outputs")
    return inner


def _described(value: object) -> str:
    if isinstance(value, pulumi.Asset | pulumi.Archive):
        return "an asset"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"a {type(value).__name__}"
