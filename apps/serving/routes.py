"""How requests reach a model: a path prefix of the shared gateway, or a name of its own."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pulumi

from apps.serving.protocols import PROTOCOLS
from infra.contract import GatewayReference, PlatformHandle
from infra.naming import MODEL_HEADER, https_url
from infra.settings import ModelSettings, backends
from infra.settings.traffic import CANARY, MIRROR

# What `pulumi.com/waitFor` waits for: the gateway takes the route.
ACCEPTED: Final = 'jsonpath={.status.parents[0].conditions[?(@.type=="Accepted")].status}=True'


GRPC_SERVICE: Final = "inference.GRPCInferenceService"
"""The gRPC service of the Open Inference Protocol v2."""


def url(
    platform: PlatformHandle, team: str, model: str, host: str | None, below: str
) -> pulumi.Output[str]:
    """Return the URL of a model.

    Args:
        platform: The platform.
        team: The model's team.
        model: Name of the model.
        host: DNS name that is the model's alone, if it has one.
        below: Path of the model, as its protocol has it.
    """
    if host is None:
        return pulumi.Output.concat(platform.address, prefix(team, model), below)
    return pulumi.Output.from_input(https_url(host, platform.https_port) + below)


def prefix(team: str, model: str) -> str:
    """Return the path below which a model answers; a team cannot take another team's paths."""
    return f"/{team}/{model}"


def http_route(
    gateway: GatewayReference, name: str, settings: ModelSettings, port: int
) -> dict[str, Any]:
    """Return the spec of an HTTPRoute that leads requests to the Services of a model's versions.

    The paths of the protocol lead there, and no others that a server has, such as that of its
    metrics; an image that we do not know has all of them. The prefix of a model without a name of
    its own is cut off, so that the server sees the paths of its protocol. A gRPC client
    cannot have one: it names the model in a header. It is an HTTPRoute for gRPC too, because a name
    may have only one of HTTPRoutes and GRPCRoutes.

    Args:
        gateway: The Gateway that the route attaches to.
        name: Name of the model, whose Services are in the route's namespace.
        settings: The model's settings.
        port: Port of the Services, but for gRPC.
    """
    own_name = settings.host is not None
    rules = [
        rule
        for match, filters in _matches(name, settings)
        for rule in _rules(name, settings, match, port, filters)
    ]
    grpc = {version.runtime.grpc_port for version in _answering(settings)}
    if None not in grpc:
        called = _path(f"/{GRPC_SERVICE}")
        if not own_name:
            called |= _headers({MODEL_HEADER: f"{settings.team}/{name}"})
        rules += _rules(name, settings, called, grpc.pop(), [])
    route: dict[str, Any] = {
        "parentRefs": [
            {
                "name": gateway.name,
                "namespace": gateway.namespace,
                "sectionName": gateway.section,
            }
        ],
        "rules": rules,
    }
    if own_name:
        route["hostnames"] = [settings.host]
    return route


def _answering(settings: ModelSettings) -> list[ModelSettings]:
    """Return the versions that answer clients."""
    return [version for role, version in settings.versions.items() if role != MIRROR]


def _matches(
    name: str, settings: ModelSettings
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield which paths lead to a model, and what cuts off their prefix: a rule has one rewrite."""
    before = "" if settings.host is not None else prefix(settings.team, name)
    protocol = PROTOCOLS[settings.runtime.protocol]
    known = not any(version.runtime.custom for version in _answering(settings))
    for path in protocol.below if known else ("/",):
        cut = [_rewrite("ReplacePrefixMatch", path)] if before else []
        yield _path((before + path).rstrip("/") or "/"), cut
    for path in protocol.at if known else ():
        cut = [_rewrite("ReplaceFullPath", path)] if before else []
        yield _path(before + path, "Exact"), cut


def _rules(
    name: str,
    settings: ModelSettings,
    match: Mapping[str, Any],
    port: int | None,
    filters: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return the rules that share the requests of a match between a model's versions.

    That of a canary's headers has more matches than the other, and so comes before it.
    """
    common = {"filters": filters} if filters else {}
    canary = settings.canary
    stable = {"name": backends.service(name, settings.backend), "port": port}
    if canary is None:
        return [{"matches": [match], "backendRefs": [stable], **common}]
    further = {"name": backends.service(f"{name}-{CANARY}", settings.backend), "port": port}
    shares = [
        {**stable, "weight": 100 - canary.written_weight},
        {**further, "weight": canary.written_weight},
    ]
    shared = {"matches": [match], "backendRefs": shares, **common}
    if not canary.headers:
        return [shared]
    named = _headers(canary.headers)["headers"]
    chosen = {**match, "headers": [*match.get("headers", []), *named]}
    return [{"matches": [chosen], "backendRefs": [further], **common}, shared]


def _path(value: str, kind: str = "PathPrefix") -> dict[str, Any]:
    return {"path": {"type": kind, "value": value}}


def _rewrite(kind: str, path: str) -> dict[str, Any]:
    field = f"{kind[0].lower()}{kind[1:]}"
    return {"type": "URLRewrite", "urlRewrite": {"path": {"type": kind, field: path}}}


def _headers(headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "headers": [
            {"type": "Exact", "name": header, "value": value} for header, value in headers.items()
        ]
    }
