"""A model's HTTPRoute: the plan that the stack wrote to it, our state, and its weights."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from slipway_promoter.decision import Plan, State

API_VERSION: Final = "gateway.networking.k8s.io/v1"
PLAN: Final = "slipway.local/promotion"
"""Annotation with the plan; `apps/serving/promotion.py` writes it."""

STATE: Final = "slipway.local/promotion-state"
"""Annotation with how far it is, which is ours alone."""

Object = Mapping[str, Any]


def name(route: Object) -> str:
    """Return its name, which is the model's, and that of the Service of the model's own version."""
    return str(route["metadata"]["name"])


def namespace(route: Object) -> str:
    """Return its namespace."""
    return str(route["metadata"]["namespace"])


def canary(route: Object) -> str:
    """Return the name of the Service of the model's canary."""
    return f"{name(route)}-canary"


def plan(route: Object) -> Plan | None:
    """Return how its canary is promoted; `None` where nothing promotes it.

    Raises:
        ValueError: What stands there is no plan.
    """
    text = _annotations(route).get(PLAN)
    return None if text is None else Plan.read(text)


def state(route: Object) -> State | None:
    """Return how far its promotion is."""
    return State.read(_annotations(route).get(STATE))


def has_state(route: Object) -> bool:
    """Return whether it carries something of ours."""
    return STATE in _annotations(route)


def is_shared(route: Object, weight: int) -> bool:
    """Return whether the canary has a weight in every rule that shares requests."""
    return list(route["spec"]["rules"]) == list(_rules(route, weight))


def shifted(route: Object, to: State) -> dict[str, Any]:
    """Return what is applied, so that the canary gets the weight of a state.

    The rules of a route are one value to Kubernetes (a list that is `atomic`), so all of them are
    in it as they were read.
    """
    return _applied(route, {STATE: to.written()}, list(_rules(route, to.weight)))


def released(route: Object) -> dict[str, Any]:
    """Return what is applied to take our state away, and to leave the rules as they are."""
    return _applied(route, {}, list(route["spec"]["rules"]))


def _annotations(route: Object) -> Mapping[str, str]:
    return route["metadata"].get("annotations") or {}


def _rules(route: Object, weight: int) -> Iterator[dict[str, Any]]:
    """Yield its rules with a weight of the canary; one that leads to a single version stays."""
    weights = {name(route): 100 - weight, canary(route): weight}
    for rule in route["spec"]["rules"]:
        backends = rule.get("backendRefs", [])
        if {backend["name"] for backend in backends} == set(weights):
            shares = [{**backend, "weight": weights[backend["name"]]} for backend in backends]
            yield {**rule, "backendRefs": shares}
        else:
            yield dict(rule)


def _applied(
    route: Object, annotations: Mapping[str, str], rules: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "HTTPRoute",
        "metadata": {
            "name": name(route),
            "namespace": namespace(route),
            # The server refuses it when the route is another one by now, such as that of a new
            # stack file.
            "resourceVersion": route["metadata"]["resourceVersion"],
            "annotations": dict(annotations),
        },
        "spec": {"rules": rules},
    }
