"""Traefik, as the controller of the Gateway API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from infra import disruption, hardening, machine, naming
from infra.contract import ClusterTraits
from infra.platform.definitions import Definitions
from infra.platform.gateway import address, traefik_access, traefik_config, traefik_metrics
from infra.platform.namespace import SYSTEM
from infra.settings import GatewaySettings

# Name by which a GatewayClass asks for Traefik; Traefik's own constant.
CONTROLLER_NAME: Final = "traefik.io/gateway-controller"
# Names of the Gateway's listeners, and of the Service's ports.
HTTP: Final = "http"
HTTPS: Final = "https"

_NAME: Final = traefik_config.SERVICE
# What the node needs to hear that a pod is going away, so that no request meets a closed door.
_DRAIN_SECONDS: Final = 5
# What Traefik needs to end by itself when the time of its last requests is over.
_END_SECONDS: Final = 5
# Measured: 105 MiB resident with one route, and the same after thousands of requests.
_REQUESTS: Final = {"cpu": "100m", "memory": "128Mi"}
_LIMITS: Final = {"cpu": "1", "memory": "256Mi"}
# Go frees memory early from here on, well below the limit.
_GO_MEMORY: Final = "200MiB"
# Bodies of requests that do not tell their size.
_BODIES: Final = "1Gi"


@dataclass(frozen=True)
class TraefikArgs:
    """What Traefik runs with.

    Attributes:
        settings: Settings of the gateway.
        traits: How the cluster is asked for an entry point.
        namespace: Where it runs.
        teams: Namespaces whose routes it takes, by team.
        certificate_name: A name of the gateway's certificate.
        priority: Name of its pods' PriorityClass.
        api: The Gateway API's types, which its pods wait for.
        balancer: What gives the Service its address, where the stack brings that.
        metrics: Whether it counts requests for Prometheus.
        counts_versions: Whether it counts those of each version of a model, too.
        mirrors: Whether it sends copies of requests, which takes resource types of its own.
    """

    settings: GatewaySettings
    traits: ClusterTraits
    namespace: pulumi.Input[str]
    teams: Mapping[str, pulumi.Input[str]]
    certificate_name: str
    priority: pulumi.Input[str]
    api: pulumi.Resource
    balancer: pulumi.Resource | None = None
    metrics: bool = False
    counts_versions: bool = False
    mirrors: bool = False


class Traefik(pulumi.ComponentResource):
    """Traefik's pods, the rights they need and the Service they answer behind.

    Type token: `slipway:platform:Traefik`. Resources: `Image`, `ServiceAccount`, two
    `ClusterRole`s with a `ClusterRoleBinding` and `RoleBinding`s, `ConfigMap`, `Deployment`,
    `Service`, and with more than one pod a `PodDisruptionBudget`. Where it mirrors requests, also
    its own resource types.
    https://doc.traefik.io/traefik/reference/install-configuration/providers/kubernetes/kubernetes-gateway/

    Args:
        resource_name: Logical name.
        args: What it runs with.
        opts: Resource options.

    Attributes:
        service: The Service.
    """

    service: core.Service

    def __init__(
        self, resource_name: str, args: TraefikArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Traefik", resource_name, None, opts)
        self._args = args
        self._labels = naming.labels(_NAME, resource_name, "gateway")
        self._selector = naming.selector(_NAME, resource_name)
        self._children = pulumi.ResourceOptions(parent=self)
        account = core.ServiceAccount(
            resource_name, metadata=self._metadata(_NAME), opts=self._children
        )
        bindings = traefik_access.grant(
            self,
            resource_name,
            traefik_access.Grantee(account.metadata.name, args.namespace, args.teams, self._labels),
            own_kinds=args.mirrors,
        )
        types: list[pulumi.Resource] = [args.api]
        if args.mirrors:
            types.append(Definitions("traefik-types", "traefik-crds", self._children))
        self._deploy(resource_name, account, [*bindings, *types])
        disruption.protect(
            self, resource_name, self._metadata(_NAME), self._selector, args.settings.replicas
        )
        self.service = self._expose(resource_name)
        self.register_outputs({})

    def _metadata(
        self, name: str | None, annotations: Mapping[str, str] | None = None
    ) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(
            name=name,
            namespace=self._args.namespace,
            labels=self._labels,
            annotations=annotations,
        )

    def _deploy(
        self, resource_name: str, account: core.ServiceAccount, needs: list[pulumi.Resource]
    ) -> None:
        image = machine.Image(
            f"{resource_name}-image",
            recipe=_NAME,
            store=self._args.traits.store,
            opts=self._children,
        )
        kubernetes.apps.v1.Deployment(
            resource_name,
            metadata=self._metadata(_NAME),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                replicas=self._args.settings.replicas,
                selector=meta.LabelSelectorArgs(match_labels=self._selector),
                strategy=kubernetes.apps.v1.DeploymentStrategyArgs(
                    type="RollingUpdate",
                    rolling_update=kubernetes.apps.v1.RollingUpdateDeploymentArgs(
                        max_unavailable=0, max_surge=1
                    ),
                ),
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=self._labels),
                    spec=self._pod(account, image.ref, self._configuration(resource_name)),
                ),
            ),
            # Without its rights or the types Traefik's watches fail, and it backs off before it
            # tries again.
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )

    def _configuration(self, resource_name: str) -> core.ConfigMap:
        """Make the files that Traefik reads at its start; others roll the pods."""
        content = traefik_config.file(self._args.settings, self._args.certificate_name)
        return core.ConfigMap(
            f"{resource_name}-file",
            metadata=self._metadata(None),
            data={traefik_config.FILE: content, **traefik_config.plugin()},
            opts=self._children,
        )

    def _pod(
        self,
        account: core.ServiceAccount,
        image: pulumi.Input[str],
        configuration: core.ConfigMap,
    ) -> core.PodSpecArgs:
        placement = self._args.traits.cpu
        return hardening.pod(
            account.metadata.name,
            self._args.priority,
            placement,
            [self._container(image)],
            volumes=[
                core.VolumeArgs(
                    name="configuration",
                    config_map=core.ConfigMapVolumeSourceArgs(name=configuration.metadata.name),
                ),
                core.VolumeArgs(
                    name="bodies", empty_dir=core.EmptyDirVolumeSourceArgs(size_limit=_BODIES)
                ),
            ],
            grace_seconds=_DRAIN_SECONDS + self._args.settings.timeout_seconds + _END_SECONDS,
            spread=disruption.spread(self._selector),
        )

    def _mirroring(self) -> list[str]:
        return traefik_config.own_kinds(list(self._args.teams)) if self._args.mirrors else []

    def _counting(self) -> list[str]:
        if not self._args.metrics:
            return []
        return traefik_metrics.arguments(by_service=self._args.counts_versions)

    def _container(self, image: pulumi.Input[str]) -> core.ContainerArgs:
        return core.ContainerArgs(
            name=_NAME,
            image=image,
            image_pull_policy="IfNotPresent",
            args=[
                *traefik_config.arguments(self._args.settings, SYSTEM, list(self._args.teams)),
                *self._mirroring(),
                *self._counting(),
            ],
            env=[core.EnvVarArgs(name="GOMEMLIMIT", value=_GO_MEMORY)],
            ports=[
                core.ContainerPortArgs(name=HTTP, container_port=traefik_config.HTTP_PORT),
                core.ContainerPortArgs(name=HTTPS, container_port=traefik_config.HTTPS_PORT),
                core.ContainerPortArgs(name="health", container_port=traefik_config.HEALTH_PORT),
                *(traefik_metrics.ports() if self._args.metrics else ()),
            ],
            readiness_probe=_probe(period_seconds=2),
            liveness_probe=_probe(period_seconds=10),
            lifecycle=core.LifecycleArgs(
                pre_stop=core.LifecycleHandlerArgs(
                    sleep=core.SleepActionArgs(seconds=_DRAIN_SECONDS)
                )
            ),
            resources=core.ResourceRequirementsArgs(requests=_REQUESTS, limits=_LIMITS),
            security_context=hardening.security_context(),
            # Why it ended then stands in the pod's status.
            termination_message_policy="FallbackToLogsOnError",
            volume_mounts=[
                core.VolumeMountArgs(
                    name="configuration", mount_path=traefik_config.FOLDER, read_only=True
                ),
                core.VolumeMountArgs(
                    name="configuration", mount_path=traefik_config.PLUGIN_FOLDER, read_only=True
                ),
                core.VolumeMountArgs(name="bodies", mount_path="/tmp"),
            ],
        )

    def _expose(self, resource_name: str) -> core.Service:
        load_balancer = self._args.traits.load_balancer
        patience = f"{load_balancer.patience_seconds}s"
        balancer = self._args.balancer
        return core.Service(
            resource_name,
            metadata=self._metadata(_NAME, load_balancer.annotations),
            spec=core.ServiceSpecArgs(
                type=load_balancer.service_type,
                selector=self._selector,
                ports=[
                    core.ServicePortArgs(
                        name=name,
                        port=port,
                        target_port=name,
                        node_port=load_balancer.node_ports.get(name),
                    )
                    for name, port in (
                        (HTTP, 80),
                        # Where HTTP redirects to, at every address that leads here.
                        (HTTPS, load_balancer.https_port),
                    )
                ],
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[balancer] if balancer else [],
                custom_timeouts=pulumi.CustomTimeouts(create=patience, update=patience),
                hooks=address.explained(
                    resource_name, address.missing(metallb=balancer is not None)
                ),
            ),
        )


def _probe(period_seconds: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path="/ping", port="health"),
        period_seconds=period_seconds,
        failure_threshold=3,
    )
