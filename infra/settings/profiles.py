"""Defaults of a model by where it is meant to run."""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

from apps.serving.runtimes import RUNTIMES
from infra.settings.plain import at

Profile = Literal["laptop", "server"]

_Entry = TypeVar("_Entry")
_Default = TypeVar("_Default")

# In place of the fields' own defaults, which suit a laptop.
_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "server": {
        # One goes on while a node is drained or lost.
        "replicas": 2,
        "resources": {"cpu": "1", "cpuLimit": "4", "memory": "2Gi"},
    },
}


def applied(model: Any) -> Any:
    """Return a model's plain settings, with defaults where they say nothing.

    They are its profile's, and the resources of its format's runtime before those.

    Args:
        model: The settings, right or wrong; what is wrong is left for the fields to refuse.
    """
    if not isinstance(model, Mapping):
        return model
    defaults = {**_known(_DEFAULTS, at(model, "profile"), {})}
    row = _known(RUNTIMES, at(model, "format"), None)
    if "scaling" in model:
        defaults.pop("replicas", None)
    resources = model.get("resources", {})
    if isinstance(resources, Mapping):
        own = row.resources if row else {}
        model = {**model, "resources": {**defaults.get("resources", {}), **own, **resources}}
    return {**defaults, **model}


def _known(table: Mapping[str, _Entry], name: Any, otherwise: _Default) -> _Entry | _Default:
    return table.get(name, otherwise) if isinstance(name, str) else otherwise
