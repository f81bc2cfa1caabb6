"""Which names lead to which model: checks over several entries of the settings."""

from collections.abc import Mapping
from typing import Any

from infra.settings.errors import key
from infra.settings.plain import at, entries


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each host that does not lead to one model alone.

    It looks at the plain data, so that these errors come together with those of the fields.

    Args:
        raw: The settings as plain data.
    """
    gateway = at(raw, "platform", "gateway", "host")
    hosts: dict[str, list[str]] = {}
    for name, model in entries(raw.get("models")):
        host = at(model, "host")
        if isinstance(host, str):
            hosts.setdefault(host, []).append(name)
    found = []
    for host, names in hosts.items():
        if len(names) > 1:
            listed = ", ".join(f"`{name}`" for name in names)
            found.append(
                f"{key('models', names[-1], 'host')}: `{host}` is the host of the models {listed}; "
                "give each a host of its own, or leave it out"
            )
        if host == gateway:
            found.append(
                f"{key('models', names[0], 'host')}: `{host}` is the gateway's own host, below "
                "which every other model answers; give the model another one"
            )
    return found
