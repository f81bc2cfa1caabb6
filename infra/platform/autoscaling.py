"""What measures the load of pods, so that autoscalers can follow it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.contract import ClusterTraits, ScalingSources
from infra.platform.http_add_on import HttpAddOn, HttpAddOnArgs
from infra.platform.keda import OPERATOR, Keda, KedaArgs
from infra.platform.metrics_server import MetricsServer, MetricsServerArgs


@dataclass(frozen=True)
class HoldingArgs:
    """What holding requests takes, for models without pods.

    Attributes:
        replicas: Pods that hold them.
        timeout_seconds: How long at most.
        teams: Namespaces of the teams, by team.
        gateway: Name of the gateway's pods; `None` where it is one of the cluster's own.
    """

    replicas: int
    timeout_seconds: int
    teams: Mapping[str, pulumi.Input[str]]
    gateway: str | None


@dataclass(frozen=True)
class AutoscalingArgs:
    """What autoscaling is made of.

    Attributes:
        traits: What the cluster brings itself.
        namespace: Where a metrics-server runs, and what holds requests; the gateway's.
        priority: Name of its pods' PriorityClass.
        charts: Where charts come from.
        signing: Exists once certificates are signed; `None` where the cluster has cert-manager.
        prometheus: URL of Prometheus, where models scale on requests; else `None`.
        holding: What holding requests takes, where models scale to zero; else `None`.
    """

    traits: ClusterTraits
    namespace: pulumi.Input[str]
    priority: pulumi.Input[str]
    charts: str
    signing: pulumi.Resource | None
    prometheus: pulumi.Output[str] | None
    holding: HoldingArgs | None


class Autoscaling(pulumi.ComponentResource):
    """Metrics of CPU and memory where the cluster has none, of requests where models scale on them.

    Type token: `slipway:platform:Autoscaling`. Components: `MetricsServer`, `Keda` and `HttpAddOn`,
    each where it is needed.

    Args:
        resource_name: Logical name.
        args: What it is made of.
        opts: Resource options.

    Attributes:
        sources: What autoscalers work with.
    """

    sources: ScalingSources

    def __init__(
        self, resource_name: str, args: AutoscalingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Autoscaling", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        ready: list[pulumi.Resource] = []
        if not args.traits.metrics_server:
            ready.append(
                MetricsServer(
                    "metrics-server",
                    MetricsServerArgs(
                        traits=args.traits,
                        namespace=args.namespace,
                        priority=args.priority,
                        charts=args.charts,
                        signing=args.signing,
                    ),
                    opts=children,
                )
            )
        if args.prometheus is not None or args.holding is not None:
            ready.append(
                Keda("keda", KedaArgs(args.traits, args.priority, args.signing), opts=children)
            )
        interceptor = None
        if args.holding is not None:
            add_on = HttpAddOn(
                "keda-http-add-on",
                HttpAddOnArgs(
                    traits=args.traits,
                    namespace=args.namespace,
                    priority=args.priority,
                    replicas=args.holding.replicas,
                    timeout_seconds=args.holding.timeout_seconds,
                    teams=args.holding.teams,
                    gateway=args.holding.gateway,
                    operator=OPERATOR,
                ),
                opts=children,
            )
            ready.append(add_on)
            interceptor = add_on.reference
        self.sources = ScalingSources(tuple(ready), args.prometheus, interceptor)
        self.register_outputs({})
