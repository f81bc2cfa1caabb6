"""Prometheus: reads, keeps, evaluates, and shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from infra import hardening, machine, naming
from infra.contract import ClusterTraits
from infra.platform.access import rule
from infra.platform.monitoring import files, prometheus_config
from infra.platform.monitoring.prometheus_config import (
    CONFIG_FOLDER,
    CONSOLES_FOLDER,
    DATA_FOLDER,
    PORT,
    RULES_FOLDER,
)
from infra.platform.monitoring.rights import Rights, RightsArgs
from infra.settings import MonitoringSettings

NAME: Final = "prometheus"

# Measured: docs/adr/0011. Go is told to stay below the limit, and collects garbage before it.
_REQUESTS: Final = {"cpu": "50m", "memory": "128Mi"}
_LIMITS: Final = {"cpu": "1", "memory": "512Mi"}
# Reading back what was written before it was ended takes a minute at most at this size.
_STARTUP_SECONDS: Final = 120


@dataclass(frozen=True)
class PrometheusArgs:
    """What Prometheus runs with.

    Attributes:
        settings: Settings of monitoring.
        cluster: Name of the cluster.
        traits: Whether the cluster has storage to give, and where pods may run.
        namespace: Where it runs.
        priority: Name of its pods' PriorityClass.
    """

    settings: MonitoringSettings
    cluster: str
    traits: ClusterTraits
    namespace: pulumi.Input[str]
    priority: pulumi.Input[str]


class Prometheus(pulumi.ComponentResource):
    """One Prometheus, its configuration, rules and pages, and what it may read.

    Type token: `slipway:platform:Prometheus`. Resources: `Image`, a `Rights` component, three
    `ConfigMap`s, a `PersistentVolumeClaim` where the cluster has storage to give, a `Deployment`
    and a `Service`. A changed configuration is a ConfigMap of another name, so the pod is replaced;
    without a claim its samples go with it.
    https://prometheus.io/docs/prometheus/latest/configuration/configuration/

    Args:
        resource_name: Logical name.
        args: What it runs with.
        opts: Resource options.

    Attributes:
        service: The Service.
    """

    service: core.Service

    def __init__(
        self, resource_name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Prometheus", resource_name, None, opts)
        self._args = args
        self._labels = naming.labels(NAME, resource_name, "monitoring")
        self._selector = naming.selector(NAME, resource_name)
        self._children = pulumi.ResourceOptions(parent=self)
        image = machine.Image(
            f"{resource_name}-image", recipe=NAME, store=args.traits.store, opts=self._children
        )
        rights = Rights(
            resource_name,
            RightsArgs(
                name=NAME,
                namespace=args.namespace,
                labels=self._labels,
                rules=[
                    # To find what it reads, and to read the kubelets' metrics, but nothing else of
                    # them: `nodes/proxy` would let it run commands in pods.
                    rule("", ["nodes", "pods"], ["list", "watch"]),
                    rule("", ["nodes/metrics"], ["get"]),
                ],
            ),
            opts=self._children,
        )
        volumes = self._volumes(resource_name)
        self._deploy(resource_name, image, rights, volumes)
        self.service = self._expose(resource_name)
        self.register_outputs({})

    def _metadata(self, name: str | None = None) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(name=name, namespace=self._args.namespace, labels=self._labels)

    def _volumes(self, resource_name: str) -> list[core.VolumeArgs]:
        settings = self._args.settings
        config = prometheus_config.config(settings, self._args.cluster, naming.MONITORING_NAMESPACE)
        return [
            self._config_map(
                resource_name,
                "config",
                {prometheus_config.CONFIG_FILE: files.as_yaml(config)},
            ),
            self._config_map(
                resource_name,
                "rules",
                {
                    f"{name}.yaml": files.as_yaml(groups)
                    for name, groups in files.rules(settings).items()
                },
            ),
            self._config_map(resource_name, "consoles", files.consoles()),
            self._data(resource_name),
        ]

    def _config_map(
        self, resource_name: str, name: str, data: Mapping[str, str]
    ) -> core.VolumeArgs:
        config_map = core.ConfigMap(
            f"{resource_name}-{name}", metadata=self._metadata(), data=data, opts=self._children
        )
        return core.VolumeArgs(
            name=name, config_map=core.ConfigMapVolumeSourceArgs(name=config_map.metadata.name)
        )

    def _data(self, resource_name: str) -> core.VolumeArgs:
        """Return where samples are kept: a claim, or room of the pod that goes with it."""
        size, storage_class = self._args.settings.storage, self._args.traits.storage_class
        if storage_class is None:
            return core.VolumeArgs(
                name="data", empty_dir=core.EmptyDirVolumeSourceArgs(size_limit=size)
            )
        claim = core.PersistentVolumeClaim(
            resource_name,
            # The pod is waited for; a class may bind a claim only once a pod uses it.
            metadata=meta.ObjectMetaArgs(
                name=NAME,
                namespace=self._args.namespace,
                labels=self._labels,
                annotations={"pulumi.com/skipAwait": "true"},
            ),
            spec=core.PersistentVolumeClaimSpecArgs(
                access_modes=["ReadWriteOnce"],
                storage_class_name=storage_class,
                resources=core.VolumeResourceRequirementsArgs(requests={"storage": size}),
            ),
            opts=self._children,
        )
        return core.VolumeArgs(
            name="data",
            persistent_volume_claim=core.PersistentVolumeClaimVolumeSourceArgs(
                claim_name=claim.metadata.name
            ),
        )

    def _deploy(
        self,
        resource_name: str,
        image: machine.Image,
        rights: Rights,
        volumes: list[core.VolumeArgs],
    ) -> None:
        placement = self._args.traits.cpu
        kubernetes.apps.v1.Deployment(
            resource_name,
            metadata=self._metadata(NAME),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                replicas=1,
                selector=meta.LabelSelectorArgs(match_labels=self._selector),
                # Two cannot share one folder of samples.
                strategy=kubernetes.apps.v1.DeploymentStrategyArgs(type="Recreate"),
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=self._labels),
                    spec=hardening.pod(
                        rights.account,
                        self._args.priority,
                        placement,
                        [_container(image.ref)],
                        volumes,
                        volume_group=hardening.USER,
                    ),
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rights]),
        )

    def _expose(self, resource_name: str) -> core.Service:
        return core.Service(
            resource_name,
            metadata=self._metadata(NAME),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                selector=self._selector,
                ports=[core.ServicePortArgs(name="http", port=PORT, target_port="http")],
            ),
            opts=self._children,
        )


def _container(image: pulumi.Input[str]) -> core.ContainerArgs:
    return core.ContainerArgs(
        name=NAME,
        image=image,
        image_pull_policy="IfNotPresent",
        args=prometheus_config.arguments(),
        ports=[core.ContainerPortArgs(name="http", container_port=PORT)],
        startup_probe=_probe("ready", period=1, failures=_STARTUP_SECONDS),
        readiness_probe=_probe("ready", period=5, failures=3),
        liveness_probe=_probe("healthy", period=10, failures=6),
        resources=core.ResourceRequirementsArgs(requests=_REQUESTS, limits=_LIMITS),
        security_context=hardening.security_context(),
        termination_message_policy="FallbackToLogsOnError",
        volume_mounts=[
            core.VolumeMountArgs(name="config", mount_path=CONFIG_FOLDER, read_only=True),
            core.VolumeMountArgs(name="rules", mount_path=RULES_FOLDER, read_only=True),
            core.VolumeMountArgs(name="consoles", mount_path=CONSOLES_FOLDER, read_only=True),
            core.VolumeMountArgs(name="data", mount_path=DATA_FOLDER),
        ],
    )


def _probe(check: str, *, period: int, failures: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path=f"/-/{check}", port="http"),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=3,
    )
