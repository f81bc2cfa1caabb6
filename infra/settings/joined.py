"""Versions of models whose team and name make the same word when they are joined."""

from collections.abc import Mapping
from typing import Any

from infra.settings.errors import key
from infra.settings.plain import at, entries
from infra.settings.traffic import ROLES


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each model that the gateway could not tell from one before it.

    Traefik counts requests by `<namespace>-<name>` of a route and of a Service, and both parts may
    hold hyphens: those of team `a` for its model `b-c` would count as those for model `c` of team
    `a-b`, and autoscalers and promotions would follow the wrong ones.

    Args:
        raw: The settings as plain data, so that these errors come together with the others.
    """
    first: dict[str, tuple[str, str]] = {}
    found = []
    for name, model in entries(raw.get("models")):
        team = at(model, "team")
        if not isinstance(team, str):
            continue
        for role in ("", *(role for role in ROLES if at(model, role) is not None)):
            workload = f"{name}-{role}" if role else name
            other = first.setdefault(f"{team}-{workload}", (team, workload))
            if other != (team, workload):
                place = key("models", name, role) if role else key("models", name)
                found.append(
                    f"{place}: the gateway cannot tell `{team}`/`{workload}` from "
                    f"`{other[0]}`/`{other[1]}`, which joins to the same name; rename one of them"
                )
    return found
