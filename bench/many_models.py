"""A Pulumi program of many models and nothing else, for an API server without nodes.

Run by `bench.growth`. It is what `__main__.py` does with `slipway:models`, on a cluster and a
platform that are only claimed to be there: nothing waits for pods or for the gateway.
"""

from collections.abc import Mapping
from typing import Any, cast

import pulumi
import pulumi_kubernetes as kubernetes

from apps.serving.images import ServerImages
from apps.serving.model import Model, ModelArgs
from infra import settings
from infra.contract import (
    ClusterHandle,
    ClusterTraits,
    GatewayReference,
    LoadBalancerTraits,
    PlatformHandle,
    ScalingSources,
    TeamReference,
)
from infra.platform.definitions import Definitions

_TEAM = "vision"
_ENTRY = {
    "team": _TEAM,
    "format": "custom",
    "container": {"image": "registry.example.com/server:1", "port": 8080},
    "replicas": 2,
}


def make(provider: kubernetes.Provider, count: int) -> None:
    """Make models: each a component with a Deployment, a Service, a budget and a route.

    Args:
        provider: Of the API server.
        count: How many.
    """
    pulumi.runtime.register_resource_transform(_waits_for_nothing)
    config = settings.parse(
        {
            "cluster": {"kind": "local", "name": "growth"},
            "teams": {_TEAM: {}},
            "models": {f"model-{number}": _ENTRY for number in range(count)},
        }
    )
    cluster = _cluster(provider)
    options = pulumi.ResourceOptions(providers=[provider])
    kinds = Definitions("gateway-api", "gateway-api-crds", options)
    platform = _platform(provider)
    images = ServerImages("server-images", cluster, config.workloads, options)
    for name, model in config.models.items():
        Model(
            name,
            ModelArgs(model, {}, images, cluster, platform),
            pulumi.ResourceOptions(providers=[provider], depends_on=[kinds]),
        )


def _cluster(provider: kubernetes.Provider) -> ClusterHandle:
    return ClusterHandle(
        name="growth",
        identity=pulumi.Output.from_input("growth"),
        kubeconfig=pulumi.Output.secret(""),
        provider=provider,
        # Images of others and no files: nothing is made on this machine.
        machine=provider,
        traits=ClusterTraits(
            store="local:growth/growth",
            load_balancer=LoadBalancerTraits("ClusterIP"),
            network_policies=False,
            metrics_server=False,
        ),
        exports={},
    )


def _platform(provider: kubernetes.Provider) -> PlatformHandle:
    namespace = kubernetes.core.v1.Namespace(
        _TEAM, metadata={"name": _TEAM}, opts=pulumi.ResourceOptions(provider=provider)
    ).metadata.name
    return PlatformHandle(
        gateway=GatewayReference("gateway", "slipway-system", "https"),
        address=pulumi.Output.from_input("https://gateway.example.com"),
        https_port=443,
        request_seconds=60,
        ca=pulumi.Output.from_input(None),
        model_priorities={"normal": pulumi.Output.from_input("system-cluster-critical")},
        teams={_TEAM: TeamReference(namespace, pulumi.Output.from_input("default"))},
        secrets={},
        scaling=ScalingSources(),
    )


def _waits_for_nothing(
    args: pulumi.ResourceTransformArgs,
) -> pulumi.ResourceTransformResult | None:
    """Take every wait away: there are no nodes for pods, and no gateway for routes."""
    if args.type_ not in (
        "kubernetes:apps/v1:Deployment",
        "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
    ):
        return None
    metadata = cast(Mapping[str, Any], args.props["metadata"])
    annotations = {"pulumi.com/skipAwait": "true"}
    changed = {**metadata, "annotations": annotations}
    return pulumi.ResourceTransformResult({**args.props, "metadata": changed}, args.opts)
