"""How requests reach a model: one path prefix behind the shared gateway."""

from typing import Any, Final

from infra.contract import GatewayReference

# What `pulumi.com/waitFor` waits for: the gateway takes the route.
ACCEPTED: Final = 'jsonpath={.status.parents[0].conditions[?(@.type=="Accepted")].status}=True'


def prefix(team: str, model: str) -> str:
    """Return the path below which a model answers; a team cannot take another team's paths."""
    return f"/{team}/{model}"


def http_route(gateway: GatewayReference, path: str, service: str, port: int) -> dict[str, Any]:
    """Return the spec of an HTTPRoute that leads a path prefix to a service.

    The prefix is cut off, so that the server sees the paths of its protocol.

    Args:
        gateway: The Gateway that the route attaches to.
        path: Path prefix.
        service: Name of the Service, in the route's namespace.
        port: Port of the Service.
    """
    return {
        "parentRefs": [
            {
                "name": gateway.name,
                "namespace": gateway.namespace,
                "sectionName": gateway.section,
            }
        ],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": path}}],
                "filters": [
                    {
                        "type": "URLRewrite",
                        "urlRewrite": {
                            "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
                        },
                    }
                ],
                "backendRefs": [{"name": service, "port": port}],
            }
        ],
    }
