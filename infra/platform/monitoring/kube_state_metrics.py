"""kube-state-metrics: what the cluster knows of its objects, as series."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from infra import hardening, machine, naming
from infra.contract import ClusterTraits
from infra.platform.access import rule
from infra.platform.monitoring import scraping
from infra.platform.monitoring.rights import Rights, RightsArgs
from infra.platform.monitoring.scraping import KUBE_STATE_METRICS, METRICS_PORT

PORT: Final = 8080
_TELEMETRY: Final = "telemetry"
_TELEMETRY_PORT: Final = 8081
# Measured: docs/adr/0011.
_REQUESTS: Final = {"cpu": "10m", "memory": "32Mi"}
_LIMITS: Final = {"cpu": "200m", "memory": "128Mi"}


@dataclass(frozen=True)
class KubeStateMetricsArgs:
    """What kube-state-metrics runs with.

    Attributes:
        traits: Where pods may run.
        namespace: Where it runs.
        priority: Name of its pods' PriorityClass.
    """

    traits: ClusterTraits
    namespace: pulumi.Input[str]
    priority: pulumi.Input[str]


class KubeStateMetrics(pulumi.ComponentResource):
    """The series of the objects that rules and dashboards speak of, and no others.

    Type token: `slipway:platform:KubeStateMetrics`. Resources: `Image`, a `Rights` component and a
    `Deployment`. Prometheus finds its pod by itself, so there is no Service.
    https://github.com/kubernetes/kube-state-metrics/tree/main/docs

    Args:
        resource_name: Logical name.
        args: What it runs with.
        opts: Resource options.
    """

    def __init__(
        self,
        resource_name: str,
        args: KubeStateMetricsArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:KubeStateMetrics", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        labels = naming.labels(KUBE_STATE_METRICS, resource_name, "monitoring")
        image = machine.Image(
            f"{resource_name}-image",
            recipe=KUBE_STATE_METRICS,
            store=args.traits.store,
            opts=children,
        )
        rights = Rights(
            resource_name,
            RightsArgs(
                name=KUBE_STATE_METRICS,
                namespace=args.namespace,
                labels=labels,
                rules=[
                    rule("", ["nodes", "pods", "resourcequotas"], ["list", "watch"]),
                    rule("apps", ["deployments"], ["list", "watch"]),
                    rule("autoscaling", ["horizontalpodautoscalers"], ["list", "watch"]),
                ],
            ),
            opts=children,
        )
        kubernetes.apps.v1.Deployment(
            resource_name,
            metadata=meta.ObjectMetaArgs(
                name=KUBE_STATE_METRICS, namespace=args.namespace, labels=labels
            ),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                replicas=1,
                selector=meta.LabelSelectorArgs(
                    match_labels=naming.selector(KUBE_STATE_METRICS, resource_name)
                ),
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=labels),
                    spec=hardening.pod(
                        rights.account,
                        args.priority,
                        args.traits.cpu,
                        [_container(image.ref)],
                    ),
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rights]),
        )
        self.register_outputs({})


def arguments() -> list[str]:
    """Return the command line: only the kinds, series and labels that are used."""
    labels = ",".join(
        f"{kind}=[{','.join(names)}]" for kind, names in scraping.STATE_LABELS.items()
    )
    return [
        f"--port={PORT}",
        f"--telemetry-port={_TELEMETRY_PORT}",
        f"--resources={','.join(scraping.STATE_RESOURCES)}",
        f"--metric-allowlist={','.join(scraping.STATE_SERIES)}",
        f"--metric-labels-allowlist={labels}",
        # Lists come from the API server's memory instead of etcd.
        "--use-apiserver-cache",
    ]


def _container(image: pulumi.Input[str]) -> core.ContainerArgs:
    return core.ContainerArgs(
        name=KUBE_STATE_METRICS,
        image=image,
        image_pull_policy="IfNotPresent",
        args=arguments(),
        ports=[
            core.ContainerPortArgs(name=METRICS_PORT, container_port=PORT),
            core.ContainerPortArgs(name=_TELEMETRY, container_port=_TELEMETRY_PORT),
        ],
        readiness_probe=_probe("/readyz", _TELEMETRY, period=2),
        liveness_probe=_probe("/livez", METRICS_PORT, period=10),
        resources=core.ResourceRequirementsArgs(requests=_REQUESTS, limits=_LIMITS),
        security_context=hardening.security_context(),
        termination_message_policy="FallbackToLogsOnError",
    )


def _probe(path: str, port: str, *, period: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path=path, port=port),
        period_seconds=period,
        failure_threshold=3,
        timeout_seconds=5,
    )
