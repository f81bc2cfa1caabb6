"""How requests reach a model that may have no pods: through what holds them until there is one."""

from typing import Any, Final

from infra.contract import InterceptorReference

# In flight for one pod, where the model sets no bound: what a server lets wait, and more.
_IN_FLIGHT: Final = 100


def host(team: str, model: str) -> str:
    """Return the host name by which the interceptor knows a model; no client has to send it."""
    return f"{model}.{team}"


def held_route(
    spec: dict[str, Any], interceptor: InterceptorReference, team: str, model: str, port: int
) -> dict[str, Any]:
    """Return the spec of an HTTPRoute whose requests go through the interceptor.

    It speaks HTTP/1.1 to the model: gRPC goes to the pods that are there.

    Args:
        spec: The spec of the HTTPRoute that leads to the model's Service.
        interceptor: What holds requests.
        team: The model's team.
        model: Name of the model.
        port: Port of the model's Service for HTTP.
    """
    backend = {
        "name": interceptor.service,
        "namespace": interceptor.namespace,
        "port": interceptor.port,
    }
    return {
        **spec,
        "rules": [
            {**_named(rule, host(team, model)), "backendRefs": [backend]}
            if rule["backendRefs"][0]["port"] == port
            else rule
            for rule in spec["rules"]
        ],
    }


def _named(rule: dict[str, Any], hostname: str) -> dict[str, Any]:
    """Return a rule that also sets the host name; a rule has one rewrite at most."""
    filters = rule.get("filters", [])
    rewrites = [item["urlRewrite"] for item in filters if item["type"] == "URLRewrite"]
    others = [item for item in filters if item["type"] != "URLRewrite"]
    rewrite = {"hostname": hostname, **(rewrites[0] if rewrites else {})}
    return {**rule, "filters": [*others, {"type": "URLRewrite", "urlRewrite": rewrite}]}


def scaled_object(team: str, model: str, port: int, in_flight: int | None) -> dict[str, Any]:
    """Return the spec of an HTTPScaledObject: where the interceptor leads a model's requests.

    Args:
        team: The model's team.
        model: Name of the model, of its Deployment and of its Service.
        port: Port of the Service.
        in_flight: Requests in flight that one pod should have; 100 by default.
    """
    return {
        "hosts": [host(team, model)],
        "scaleTargetRef": {"name": model, "service": model, "port": port},
        "scalingMetric": {"concurrency": {"targetValue": in_flight or _IN_FLIGHT}},
    }
