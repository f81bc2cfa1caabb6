"""kube-prometheus-stack in the place of the builtin Prometheus, with the same rules and targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from infra.contract import ClusterTraits
from infra.naming import AUTOSCALING_NAMESPACE, PLATFORM_PRIORITY
from infra.platform import network
from infra.platform.chart import ChartArgs, chart
from infra.platform.chart_values import placement_values
from infra.platform.monitoring import files, prometheus_config, scraping
from infra.settings import MonitoringSettings

_CHART: Final = "kube-prometheus-stack"
# The operator's labels of the pods of a Prometheus.
_PODS: Final = {
    "app.kubernetes.io/managed-by": "prometheus-operator",
    "app.kubernetes.io/name": "prometheus",
}
# What a managed control plane does not show, and the exporter that needs the node's own files,
# which the `restricted` Pod Security Standard forbids.
_LEFT_OUT: Final = (
    "kubeControllerManager",
    "kubeEtcd",
    "kubeProxy",
    "kubeScheduler",
    "nodeExporter",
)


@dataclass(frozen=True)
class PrometheusStackArgs:
    """What the chart is rendered with.

    Attributes:
        settings: Settings of monitoring.
        charts: Where the chart comes from, as in the settings.
        cluster: Name of the cluster; every alert carries it.
        traits: Where its pods may run, and whether the cluster has storage to give.
        namespace: Where it runs.
        labels: Labels of what is not the chart's.
    """

    settings: MonitoringSettings
    charts: str
    cluster: str
    traits: ClusterTraits
    namespace: pulumi.Input[str]
    labels: Mapping[str, str]


class PrometheusStack(pulumi.ComponentResource):
    """The chart, and what makes it look like the builtin Prometheus from outside.

    Type token: `slipway:platform:PrometheusStack`. Resources: a `Chart`, a `Service` `prometheus`,
    and a `NetworkPolicy` that lets the autoscaler and the chart's own pods in.

    Args:
        resource_name: Logical name.
        args: What it is rendered with.
        opts: Resource options.

    Attributes:
        service: The Service.
    """

    service: core.Service

    def __init__(
        self,
        resource_name: str,
        args: PrometheusStackArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:PrometheusStack", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        rendered = chart(
            resource_name,
            ChartArgs(
                name=_CHART,
                source=args.charts,
                namespace=args.namespace,
                values=values(args.settings, args.cluster, args.traits),
                version=args.settings.stack.version,
                brings_definitions=True,
            ),
            opts=children,
        )
        networking.NetworkPolicy(
            f"{resource_name}-others",
            metadata=meta.ObjectMetaArgs(
                name="deny-others", namespace=args.namespace, labels=args.labels
            ),
            spec=networking.NetworkPolicySpecArgs(
                pod_selector=meta.LabelSelectorArgs(),
                policy_types=["Ingress"],
                ingress=[
                    networking.NetworkPolicyIngressRuleArgs(
                        from_=[
                            network.beside(meta.LabelSelectorArgs()),
                            network.in_namespace(AUTOSCALING_NAMESPACE),
                        ]
                    )
                ],
            ),
            opts=children,
        )
        self.service = core.Service(
            resource_name,
            metadata=meta.ObjectMetaArgs(
                name="prometheus", namespace=args.namespace, labels=args.labels
            ),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                selector=_PODS,
                ports=[
                    core.ServicePortArgs(
                        name="http", port=prometheus_config.PORT, target_port=prometheus_config.PORT
                    )
                ],
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rendered]),
        )
        self.register_outputs({})


def values(settings: MonitoringSettings, cluster: str, traits: ClusterTraits) -> dict[str, Any]:
    """Return the values of the chart.

    Hooks are not run, so the operator's admission webhook, whose certificate a hook makes, is off.

    Args:
        settings: Settings of monitoring.
        cluster: Name of the cluster.
        traits: Where its pods may run, and where samples are kept; in the pod's own room if the
            cluster has no storage to give.
    """
    every = f"{settings.interval_seconds}s"
    pods = {"priorityClassName": PLATFORM_PRIORITY, **placement_values(traits.cpu)}
    labels = [f"{kind}=[{','.join(names)}]" for kind, names in scraping.STATE_LABELS.items()]
    return {
        **{component: {"enabled": False} for component in _LEFT_OUT},
        "additionalPrometheusRulesMap": {
            f"slipway-{name}": groups for name, groups in files.rules(settings).items()
        },
        "alertmanager": {"enabled": settings.alertmanager is None, "alertmanagerSpec": pods},
        "grafana": {
            **pods,
            "sidecar": {
                "dashboards": {"enabled": True, "label": "grafana_dashboard", "labelValue": "1"}
            },
        },
        "kube-state-metrics": {
            **pods,
            "metricLabelsAllowlist": labels,
        },
        "prometheusOperator": {
            **pods,
            "admissionWebhooks": {"enabled": False},
            "tls": {"enabled": False},
        },
        "prometheus": {
            "prometheusSpec": {
                **pods,
                "scrapeInterval": every,
                "evaluationInterval": every,
                "externalLabels": {"cluster": cluster},
                "retention": settings.retention,
                "retentionSize": prometheus_config.kept(settings.storage),
                "storageSpec": _storage(settings.storage, traits.storage_class),
                "additionalScrapeConfigs": [
                    scraping.gateway(),
                    scraping.models(),
                    scraping.certificates(),
                ],
                "additionalAlertManagerConfigs": prometheus_config.alertmanagers(settings),
            }
        },
    }


def _storage(size: str, storage_class: str | None) -> dict[str, Any]:
    if storage_class is None:
        return {"emptyDir": {"sizeLimit": size}}
    return {
        "volumeClaimTemplate": {
            "spec": {
                "storageClassName": storage_class,
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size}},
            }
        }
    }
