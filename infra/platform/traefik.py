"""Traefik, as the controller of the Gateway API."""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.rbac import v1 as rbac

from infra import hardening, machine, naming
from infra.contract import ClusterTraits
from infra.settings import GatewaySettings

# Name by which a GatewayClass asks for Traefik; Traefik's own constant.
CONTROLLER_NAME: Final = "traefik.io/gateway-controller"
# A Gateway's listener finds Traefik's entry point by this port.
HTTP_PORT: Final = 8000
LISTENER: Final = "http"

_HEALTH_PORT: Final = 8080
_NAME: Final = "traefik"
_GROUP: Final = "gateway.networking.k8s.io"
_KINDS: Final = (
    "backendtlspolicies",
    "gatewayclasses",
    "gateways",
    "grpcroutes",
    "httproutes",
    "referencegrants",
)
# What the node needs to hear that a pod is going away, so that no request meets a closed door.
_DRAIN_SECONDS: Final = 5
# Measured: 105 MiB resident with one route, and the same after thousands of requests.
_REQUESTS: Final = {"cpu": "100m", "memory": "128Mi"}
_LIMITS: Final = {"cpu": "1", "memory": "256Mi"}


@dataclass(frozen=True)
class TraefikArgs:
    """What Traefik runs with.

    Attributes:
        settings: Settings of the gateway.
        traits: How the cluster is asked for an entry point.
        namespace: Where it runs.
        api: The Gateway API's types, which its pods wait for.
    """

    settings: GatewaySettings
    traits: ClusterTraits
    namespace: pulumi.Input[str]
    api: pulumi.Resource


class Traefik(pulumi.ComponentResource):
    """Traefik's pods, the rights they need and the Service they answer behind.

    Type token: `slipway:platform:Traefik`. Resources: `Image`, `ServiceAccount`, `ClusterRole`,
    `ClusterRoleBinding`, `Deployment`, `Service`.
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
        image = machine.Image(
            f"{resource_name}-image",
            recipe=_NAME,
            store=args.traits.store,
            opts=self._children,
        )
        account = core.ServiceAccount(
            resource_name, metadata=self._metadata(_NAME), opts=self._children
        )
        binding = self._grant(resource_name, account)
        self._deploy(resource_name, image, account, binding)
        self.service = self._expose(resource_name)
        self.register_outputs({})

    def _metadata(self, name: str) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(name=name, namespace=self._args.namespace, labels=self._labels)

    def _grant(self, resource_name: str, account: core.ServiceAccount) -> rbac.ClusterRoleBinding:
        """Let Traefik read routes and what they lead to, and write the status of routes."""
        role = rbac.ClusterRole(
            resource_name,
            metadata=meta.ObjectMetaArgs(name=f"slipway-{_NAME}", labels=self._labels),
            rules=[
                _rule("", ["namespaces"], ["list", "watch"]),
                _rule("", ["services", "secrets", "configmaps"], ["get", "list", "watch"]),
                _rule("discovery.k8s.io", ["endpointslices"], ["list", "watch"]),
                _rule(_GROUP, list(_KINDS), ["get", "list", "watch"]),
                _rule(_GROUP, [f"{kind}/status" for kind in _KINDS], ["update"]),
            ],
            opts=self._children,
        )
        return rbac.ClusterRoleBinding(
            resource_name,
            metadata=meta.ObjectMetaArgs(name=f"slipway-{_NAME}", labels=self._labels),
            role_ref=rbac.RoleRefArgs(
                api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=role.metadata.name
            ),
            subjects=[
                rbac.SubjectArgs(
                    kind="ServiceAccount",
                    name=account.metadata.name,
                    namespace=self._args.namespace,
                )
            ],
            opts=self._children,
        )

    def _deploy(
        self,
        resource_name: str,
        image: machine.Image,
        account: core.ServiceAccount,
        binding: rbac.ClusterRoleBinding,
    ) -> None:
        placement = self._args.traits.cpu
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
                    spec=core.PodSpecArgs(
                        service_account_name=account.metadata.name,
                        node_selector=placement.node_selector,
                        tolerations=placement.toleration_args(),
                        security_context=hardening.pod_security_context(),
                        containers=[_container(image.ref, self._args)],
                    ),
                ),
            ),
            # Without its rights or the types Traefik's watches fail, and it backs off before it
            # tries again.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[binding, self._args.api]),
        )

    def _expose(self, resource_name: str) -> core.Service:
        load_balancer = self._args.traits.load_balancer
        return core.Service(
            resource_name,
            metadata=meta.ObjectMetaArgs(
                name=_NAME,
                namespace=self._args.namespace,
                labels=self._labels,
                annotations=load_balancer.annotations,
            ),
            spec=core.ServiceSpecArgs(
                type=load_balancer.service_type,
                selector=self._selector,
                ports=[
                    core.ServicePortArgs(
                        name=LISTENER,
                        port=80,
                        target_port=LISTENER,
                        node_port=load_balancer.node_ports.get(LISTENER),
                    )
                ],
            ),
            opts=self._children,
        )


def arguments(settings: GatewaySettings, address: str | None) -> list[str]:
    """Return Traefik's command line.

    Args:
        settings: Settings of the gateway.
        address: URL at which the gateway answers, where it is known beforehand; Traefik writes
            its host into the status of every Gateway.
    """
    return [
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.format=json",
        f"--entrypoints.web.address=:{HTTP_PORT}",
        f"--entrypoints.traefik.address=:{_HEALTH_PORT}",
        "--ping=true",
        "--providers.kubernetesgateway=true",
        *(_status_address(address) if address else ()),
        *(["--accesslog=true"] if settings.access_log else ()),
    ]


def _status_address(address: str) -> list[str]:
    host = str(urlsplit(address).hostname)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return [f"--providers.kubernetesgateway.statusaddress.hostname={host}"]
    return [f"--providers.kubernetesgateway.statusaddress.ip={host}"]


def _container(image: pulumi.Input[str], args: TraefikArgs) -> core.ContainerArgs:
    return core.ContainerArgs(
        name=_NAME,
        image=image,
        image_pull_policy="IfNotPresent",
        args=arguments(args.settings, args.traits.load_balancer.address),
        ports=[
            core.ContainerPortArgs(name=LISTENER, container_port=HTTP_PORT),
            core.ContainerPortArgs(name="health", container_port=_HEALTH_PORT),
        ],
        readiness_probe=_probe(period_seconds=2),
        liveness_probe=_probe(period_seconds=10),
        lifecycle=core.LifecycleArgs(
            pre_stop=core.LifecycleHandlerArgs(sleep=core.SleepActionArgs(seconds=_DRAIN_SECONDS))
        ),
        resources=core.ResourceRequirementsArgs(requests=_REQUESTS, limits=_LIMITS),
        security_context=hardening.security_context(),
        # Why it ended then stands in the pod's status.
        termination_message_policy="FallbackToLogsOnError",
    )


def _probe(period_seconds: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path="/ping", port="health"),
        period_seconds=period_seconds,
        failure_threshold=3,
    )


def _rule(group: str, resources: list[str], verbs: list[str]) -> rbac.PolicyRuleArgs:
    return rbac.PolicyRuleArgs(api_groups=[group], resources=resources, verbs=verbs)
