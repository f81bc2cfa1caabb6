"""Whose requests go elsewhere: the shares of models' versions before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from toolchain.previews import kinds
from toolchain.previews.model import Change, ChangeSet

_WHOLE: Final = 100


@dataclass(frozen=True)
class Shift:
    """The traffic of one model.

    Attributes:
        place: Namespace and name of its route.
        old: Percent of the requests by Service; empty for a model that is new.
        new: The same after the update; empty for a model that goes.
    """

    place: str
    old: Mapping[str, int]
    new: Mapping[str, int]


def shifts(changes: ChangeSet) -> list[Shift]:
    """Return the models whose traffic shifts, with those that come and those that go."""
    routes = [change for change in changes.changes if kinds.normalized(change.type) in kinds.ROUTES]
    found = [_shift(change) for change in routes]
    return [shift for shift in found if shift.old != shift.new]


def _shift(change: Change) -> Shift:
    gone = change.operation in ("delete", "forget")
    return Shift(change.place, _shares(change.old), {} if gone else _shares(change.new))


def _shares(inputs: Mapping[str, Any]) -> dict[str, int]:
    """Return the percent of the requests that each backend of a route gets.

    The rules of a model differ in their paths and share requests alike; one that also asks for
    headers leads its few clients to a canary, and is not what the others get.
    """
    rules = (inputs.get("spec") or {}).get("rules") or []
    sharing = [rule for rule in rules if rule.get("backendRefs")]
    if not sharing:
        return {}
    rule = min(sharing, key=_headers)
    return {
        **_percents(rule["backendRefs"]),
        **{
            f"copies to {mirror['backendRef'].get('name')}": int(mirror.get("percent", _WHOLE))
            for mirror in _mirrors(rule)
        },
    }


def _headers(rule: Mapping[str, Any]) -> int:
    return sum(len(match.get("headers") or ()) for match in rule.get("matches") or ())


def _mirrors(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    filters = rule.get("filters") or ()
    return [one["requestMirror"] for one in filters if one.get("type") == "RequestMirror"]


def _percents(backends: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    weights = {f"{backend.get('name')}": float(backend.get("weight", 1)) for backend in backends}
    total = sum(weights.values())
    if not total:
        return dict.fromkeys(weights, 0)
    return {name: round(_WHOLE * weight / total) for name, weight in weights.items()}
