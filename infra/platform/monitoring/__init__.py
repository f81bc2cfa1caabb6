"""Monitoring: what is served, how well, and who is told when it is not."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from infra import naming
from infra.contract import ClusterTraits, MonitoringReference
from infra.naming import MONITORING_NAMESPACE
from infra.platform.monitoring import files, scraping
from infra.platform.monitoring.kube_state_metrics import KubeStateMetrics, KubeStateMetricsArgs
from infra.platform.monitoring.network import MonitoringNetwork, MonitoringNetworkArgs
from infra.platform.monitoring.prometheus import Prometheus, PrometheusArgs
from infra.platform.monitoring.prometheus_config import PORT
from infra.platform.monitoring.stack import PrometheusStack, PrometheusStackArgs
from infra.platform.namespace import restricted_namespace
from infra.settings import MonitoringSettings

# By which a Grafana with the usual sidecar finds dashboards.
_DASHBOARD_LABEL: Final = {"grafana_dashboard": "1"}


@dataclass(frozen=True)
class MonitoringArgs:
    """What monitoring is made of.

    Attributes:
        settings: Settings of monitoring.
        cluster: Name of the cluster; every alert carries it.
        traits: In what the cluster differs from others.
        priority: Name of its pods' PriorityClass.
    """

    settings: MonitoringSettings
    cluster: str
    traits: ClusterTraits
    priority: pulumi.Input[str]


class Monitoring(pulumi.ComponentResource):
    """Prometheus with rules and alerts for what is served, and dashboards for it.

    Type token: `slipway:platform:Monitoring`. Resources: `Namespace` `slipway-monitoring`, one
    `ConfigMap` for each dashboard. Components: `Prometheus`, `KubeStateMetrics` and
    `MonitoringNetwork`, or `PrometheusStack` where the settings name its chart.

    Args:
        resource_name: Logical name.
        args: What it is made of.
        opts: Resource options.

    Attributes:
        reference: Prometheus, as the apps see it.
    """

    reference: MonitoringReference

    def __init__(
        self, resource_name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Monitoring", resource_name, None, opts)
        self._args = args
        self._labels = naming.labels("monitoring", resource_name, "monitoring")
        self._namespace = restricted_namespace(
            MONITORING_NAMESPACE, pulumi.ResourceOptions(parent=self)
        ).metadata.name
        self._show(resource_name)
        charts = args.settings.stack.charts
        service = self._stack(charts) if charts else self._builtin(resource_name)
        self.reference = MonitoringReference(
            # The id is `<namespace>/<name>`: whoever uses it waits for the Service's pod.
            url=service.id.apply(_url),
            annotations=scraping.annotations(),
        )
        self.register_outputs({})

    def _show(self, resource_name: str) -> None:
        """Lay dashboards out for a Grafana to find."""
        for name, dashboard in files.dashboards().items():
            core.ConfigMap(
                f"{resource_name}-dashboard-{name.removesuffix('.json')}",
                metadata=meta.ObjectMetaArgs(
                    namespace=self._namespace, labels={**self._labels, **_DASHBOARD_LABEL}
                ),
                data={f"slipway-{name}": dashboard},
                opts=pulumi.ResourceOptions(parent=self),
            )

    def _builtin(self, resource_name: str) -> core.Service:
        children = pulumi.ResourceOptions(parent=self)
        args = self._args
        MonitoringNetwork(
            f"{resource_name}-network",
            MonitoringNetworkArgs(self._namespace, self._labels, args.settings.alertmanager),
            opts=children,
        )
        KubeStateMetrics(
            "kube-state-metrics",
            KubeStateMetricsArgs(args.traits, self._namespace, args.priority),
            opts=children,
        )
        return Prometheus(
            "prometheus",
            PrometheusArgs(
                settings=args.settings,
                cluster=args.cluster,
                traits=args.traits,
                namespace=self._namespace,
                priority=args.priority,
            ),
            opts=children,
        ).service

    def _stack(self, charts: str) -> core.Service:
        args = self._args
        return PrometheusStack(
            "prometheus-stack",
            PrometheusStackArgs(
                settings=args.settings,
                charts=charts,
                cluster=args.cluster,
                traits=args.traits,
                namespace=self._namespace,
                labels=self._labels,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        ).service


def _url(identifier: str) -> str:
    namespace, _, name = identifier.rpartition("/")
    return f"http://{name}.{namespace}.svc:{PORT}"
