"""What promotes canaries: it moves the weights of models' routes by steps, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.rbac import v1 as rbac

from infra import hardening, machine, naming
from infra.contract import ClusterTraits, MonitoringReference
from infra.naming import MONITORING_NAMESPACE, PROMOTER
from infra.platform import network
from infra.platform.access import Account, account, reference, rule
from infra.platform.monitoring.prometheus_config import PORT

_RECIPE: Final = "canary-promoter"
_INSTANCE: Final = "canaries"
_COMPONENT: Final = "gateway"
_HEALTH: Final = "health"
_HEALTH_PORT: Final = 8080
# Measured: 13 MiB with one route, 1 m of CPU.
_REQUESTS: Final = {"cpu": "10m", "memory": "32Mi"}
_LIMITS: Final = {"cpu": "200m", "memory": "96Mi"}


@dataclass(frozen=True)
class CanaryPromoterArgs:
    """What the promoter runs with.

    Attributes:
        traits: Where its image is brought and its pod may run.
        namespace: Where it runs.
        priority: Name of its pod's PriorityClass.
        monitoring: The Prometheus that it asks.
        sample_seconds: How often that reads the gateway.
        teams: Namespaces whose routes it moves, by team.
    """

    traits: ClusterTraits
    namespace: pulumi.Input[str]
    priority: pulumi.Input[str]
    monitoring: MonitoringReference
    sample_seconds: int
    teams: Mapping[str, pulumi.Input[str]]


class CanaryPromoter(pulumi.ComponentResource):
    """A controller of this project's own, which writes the weights of canaries and nothing else.

    Type token: `slipway:platform:CanaryPromoter`. Resources: an `Image`, a `ServiceAccount`, a
    `ClusterRole` with a `RoleBinding` in the namespace of each team, a `NetworkPolicy` and a
    `Deployment` of one pod: what it knows is with the routes, so a pod more would have no use.

    Args:
        resource_name: Logical name.
        args: What it runs with.
        opts: Resource options.
    """

    def __init__(
        self,
        resource_name: str,
        args: CanaryPromoterArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:CanaryPromoter", resource_name, None, opts)
        self._args = args
        self._labels = naming.labels(PROMOTER, _INSTANCE, _COMPONENT)
        self._children = pulumi.ResourceOptions(parent=self)
        image = machine.Image(
            f"{resource_name}-image",
            recipe=_RECIPE,
            store=args.traits.store,
            opts=self._children,
        )
        user = Account(PROMOTER, args.namespace, self._labels, self._children)
        needs = [*self._grant(user), self._connect()]
        kubernetes.apps.v1.Deployment(
            resource_name,
            metadata=self._metadata(PROMOTER, args.namespace),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                replicas=1,
                selector=meta.LabelSelectorArgs(match_labels=naming.selector(PROMOTER, _INSTANCE)),
                # Two would tell everything twice.
                strategy=kubernetes.apps.v1.DeploymentStrategyArgs(type="Recreate"),
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=self._labels),
                    spec=hardening.pod(
                        user.name, args.priority, args.traits.cpu, [self._container(image.ref)]
                    ),
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )
        self.register_outputs({})

    def _metadata(
        self, name: str, namespace: pulumi.Input[str] | None = None
    ) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(name=name, namespace=namespace, labels=self._labels)

    def _grant(self, user: Account) -> list[pulumi.Resource]:
        """Let it read and write the teams' routes and tell of them; return the bindings."""
        name = f"slipway-{PROMOTER}"
        role = rbac.ClusterRole(
            PROMOTER,
            metadata=self._metadata(name),
            rules=[
                rule("gateway.networking.k8s.io", ["httproutes"], ["list", "patch"]),
                rule("", ["events"], ["create"]),
            ],
            opts=self._children,
        )
        return [
            rbac.RoleBinding(
                f"{PROMOTER}-{team}",
                metadata=self._metadata(name, namespace),
                role_ref=reference("ClusterRole", role.metadata.name),
                subjects=[account(user.name, self._args.namespace)],
                opts=self._children,
            )
            for team, namespace in self._args.teams.items()
        ]

    def _connect(self) -> pulumi.Resource:
        """Let it reach the API server and Prometheus, and nobody reach it."""
        return network.allow_only(
            PROMOTER,
            self._metadata(PROMOTER, self._args.namespace),
            network.app(PROMOTER),
            self._children,
            egress=[
                network.to_ports(*network.API_SERVER_PORTS),
                network.to_peers([network.in_namespace(MONITORING_NAMESPACE)], PORT),
                network.to_dns(),
            ],
        )

    def _container(self, image: pulumi.Input[str]) -> core.ContainerArgs:
        namespaces = [
            pulumi.Output.concat("--namespace=", name) for name in self._args.teams.values()
        ]
        return core.ContainerArgs(
            name=PROMOTER,
            image=image,
            image_pull_policy="IfNotPresent",
            args=[
                *namespaces,
                pulumi.Output.concat("--prometheus=", self._args.monitoring.url),
                f"--sample-seconds={self._args.sample_seconds}",
                f"--health-port={_HEALTH_PORT}",
            ],
            ports=[core.ContainerPortArgs(name=_HEALTH, container_port=_HEALTH_PORT)],
            readiness_probe=_probe(period=2),
            liveness_probe=_probe(period=10),
            resources=core.ResourceRequirementsArgs(requests=_REQUESTS, limits=_LIMITS),
            security_context=hardening.security_context(),
            termination_message_policy="FallbackToLogsOnError",
        )


def _probe(*, period: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path="/", port=_HEALTH),
        period_seconds=period,
        failure_threshold=6,
        timeout_seconds=3,
    )
