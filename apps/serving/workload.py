"""What runs one version of a model: its volume, its pods and the Service in front of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from apps.serving import download, limits, mounts, scaling, secrets, storage, volumes
from apps.serving.mounts import Mount
from apps.serving.runtimes import Runtime, Served
from infra import disruption, hardening, naming
from infra.contract import ClusterHandle, PlatformHandle, SecretReference, TeamReference
from infra.settings import Artifact, ModelSettings, sources
from infra.settings.models import SURGE
from infra.settings.types import parse_quantity

_CONTAINER: Final = "server"
# A model that cannot be loaded fails the update so long after it had to be ready.
_DEADLINE_SLACK_SECONDS: Final = 60
# What the gateway needs to hear that a pod is going away, so that no request meets a closed door:
# it takes up changes every 2 s. Any server serves on meanwhile.
_DRAIN_SECONDS: Final = 3
# What a server needs to end by itself when the time for its last answers is over.
_END_SECONDS: Final = 5
# What a download takes at least on a network that is worth the name: 160 megabits a second.
_DOWNLOAD_BYTES_PER_SECOND: Final = 20 * 2**20
# What the gateway needs to know what it is told: it takes changes up every 2 s, and those of its
# pods that do not know such things at all yet are gone after 5 s.
_KNOWN_SECONDS: Final = 10
_H2C: Final = "kubernetes.io/h2c"


@dataclass(frozen=True)
class WorkloadArgs:
    """What one version of a model runs with.

    Attributes:
        model: Name of the model, by which clients call it.
        settings: The settings of this version.
        artifact: The version as its pods get it, if it has a file or folder.
        image: Reference of the server image.
        download_image: Reference of the image that downloads; `None` where no model is.
        cluster: The cluster.
        platform: The platform on it.
    """

    model: str
    settings: ModelSettings
    artifact: Artifact | None
    image: pulumi.Input[str]
    download_image: pulumi.Input[str] | None
    cluster: ClusterHandle
    platform: PlatformHandle

    @property
    def version(self) -> str:
        """See `Artifact.version`; without one, 12 hex digits of its container's SHA-256."""
        if self.artifact:
            return self.artifact.version
        return storage.short_digest(self.settings.container.digest)

    @property
    def runtime(self) -> Runtime:
        """How the model is served."""
        return self.settings.runtime

    @property
    def served(self) -> Served:
        """What the server is told of the model."""
        resources = self.settings.resources
        return Served(
            name=self.model,
            version=self.version,
            path=f"{volumes.MODELS}/{self.artifact.place}" if self.artifact else None,
            cores=self.settings.threads,
            gpus=resources.gpu.count if resources.gpu else 0,
            answer_seconds=self.answer_seconds,
        )

    @property
    def answer_seconds(self) -> int:
        """How long a pod that is to go has for the answers that it owes."""
        return limits.answer_seconds(self.settings, self.platform.request_seconds)

    @property
    def secrets(self) -> Mapping[str, SecretReference]:
        """The secrets of the model's team."""
        return self.platform.secrets.get(self.settings.team, {})

    @property
    def team(self) -> TeamReference:
        """Where the model's team runs its workloads."""
        return self.platform.teams[self.settings.team]


class Workload:
    """One version of a model, as it runs. Its resources are children of the model's component.

    Resources: a `Deployment` and a `Service`, called like the workload in the team's namespace; a
    `ModelVolume` component for a model of this machine, or a `NetworkPolicy` for one that is
    downloaded; an `Autoscaler` component where it has one, and a `PodDisruptionBudget` where more
    than one pod may serve.

    Args:
        name: Name of the workload; the model's own, for the version that serves it.
        args: What it runs with.
        parent: The model's component.
        after: What the gateway is told of it: there before its pods, known to the gateway once they
            are available, and gone after them.

    Attributes:
        reached_by: What a route to it needs; using it waits until its pods are ready.
    """

    reached_by: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        args: WorkloadArgs,
        parent: pulumi.Resource,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        self._name = name
        self._after = after
        self._args = args
        self._parent = parent
        self._children = pulumi.ResourceOptions(parent=parent)
        self._labels = {
            **naming.labels("model", name, naming.MODEL),
            naming.TEAM_LABEL: args.settings.team,
        }
        deployment = self._deploy(self._mount(args.artifact))
        scaler = self._scale(deployment)
        disruption.protect(
            parent,
            name,
            self.metadata(),
            naming.selector("model", name),
            args.settings.max_replicas,
        )
        self.reached_by = [self._expose(), deployment]
        if scaler and args.settings.min_replicas == 0:
            # Requests are held only where it is known for whom.
            self.reached_by.append(scaler)

    def metadata(self, annotations: Mapping[str, str] | None = None) -> meta.ObjectMetaArgs:
        """Return the metadata of an object that is called like the workload.

        Args:
            annotations: Annotations of the object, if any.
        """
        return meta.ObjectMetaArgs(
            name=self._name,
            namespace=self._args.team.namespace,
            labels=self._labels,
            annotations=annotations,
        )

    def _mount(self, artifact: Artifact | None) -> Mount | None:
        """Return how the pods get the model, if it has a file or folder."""
        if artifact is None:
            return None
        if artifact.source.downloads:
            return mounts.room(artifact)
        if artifact.source is sources.SOURCES["oci"]:
            return mounts.image(self._args.model, artifact, self._args.cluster.traits)
        if artifact.source is sources.SOURCES["pvc"]:
            return mounts.claim(sources.claim(artifact.uri))
        volume = storage.ModelVolume(
            self._name,
            storage.ModelVolumeArgs(
                team=self._args.settings.team,
                namespace=self._args.team.namespace,
                source=artifact.path,
                digest=artifact.digest or "",
                size=artifact.volume_size,
                store=self._args.cluster.traits.store,
                labels=self._labels,
            ),
            opts=self._children,
        )
        return mounts.claim(volume.claim_name)

    def _network(self) -> list[pulumi.Resource]:
        """Let the pods connect to where the model is downloaded from; return what says so."""
        artifact = self._args.artifact
        if artifact is None or not artifact.source.downloads:
            return []
        return [
            download.network_policy(
                self._name,
                self._labels,
                artifact.download_port,
                self._args.team,
                self._args.cluster.traits.address_families,
                self._children,
            )
        ]

    def _deploy(self, mount: Mount | None) -> kubernetes.apps.v1.Deployment:
        deadline = (
            self._args.runtime.startup_seconds
            + _DEADLINE_SLACK_SECONDS
            + _download_seconds(self._args.artifact)
        )
        return kubernetes.apps.v1.Deployment(
            self._name,
            metadata=self.metadata(scaling.ownership(self._args.settings)),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                replicas=scaling.replicas(self._args.settings),
                selector=meta.LabelSelectorArgs(match_labels=naming.selector("model", self._name)),
                # A new version takes over before the old one goes.
                strategy=kubernetes.apps.v1.DeploymentStrategyArgs(
                    type="RollingUpdate",
                    rolling_update=kubernetes.apps.v1.RollingUpdateDeploymentArgs(
                        max_unavailable=0, max_surge=SURGE
                    ),
                ),
                min_ready_seconds=_KNOWN_SECONDS if self._after else None,
                progress_deadline_seconds=deadline,
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(
                        labels={**self._labels, **self._args.team.pod_labels},
                        annotations=self._pod_annotations() or None,
                    ),
                    spec=self._pod(mount),
                ),
            ),
            # The engine would go on waiting for 10 minutes by default.
            opts=pulumi.ResourceOptions(
                parent=self._parent,
                depends_on=[*self._network(), *self._after],
                ignore_changes=scaling.left_alone(self._args.settings),
                custom_timeouts=pulumi.CustomTimeouts(create=f"{deadline}s", update=f"{deadline}s"),
            ),
        )

    def _pod_annotations(self) -> dict[str, str]:
        annotations = _pin(self._args.artifact)
        monitoring = self._args.platform.monitoring
        if monitoring is not None and self._args.runtime.metrics:
            annotations |= monitoring.annotations
        return annotations

    def _scale(self, deployment: kubernetes.apps.v1.Deployment) -> scaling.Autoscaler | None:
        """Let an autoscaler move the number of pods, where the settings have one."""
        if self._args.settings.scaling is None:
            return None
        return scaling.Autoscaler(
            self._name,
            scaling.AutoscalerArgs(
                scaling=self._args.settings.scaling,
                deployment=deployment,
                metadata=self.metadata(),
                team=self._args.settings.team,
                port=80,
                in_flight=self._args.settings.concurrency,
                sources=self._args.platform.scaling,
            ),
            opts=self._children,
        )

    def _pod(self, mount: Mount | None) -> core.PodSpecArgs:
        settings = self._args.settings
        steps = self._steps()
        return hardening.pod(
            self._args.team.service_account,
            self._args.platform.model_priorities[settings.priority],
            limits.placement(self._args.model, settings, self._args.cluster.traits),
            [self._container(mount)],
            volumes=[
                *volumes.volumes(mount.volume if mount else None, self._args.runtime.writable),
                *([download.temporary()] if steps else []),
            ],
            init_containers=steps,
            token=False,
            grace_seconds=_DRAIN_SECONDS + self._args.answer_seconds + _END_SECONDS,
            spread=disruption.spread(naming.selector("model", self._name)),
        )

    def _steps(self) -> list[core.ContainerArgs]:
        """Return what brings the model before its server starts, if anything does."""
        artifact, image = self._args.artifact, self._args.download_image
        if artifact is None or image is None or not artifact.source.downloads:
            return []
        return [download.container(artifact, image, self._args.secrets)]

    def _container(self, mount: Mount | None) -> core.ContainerArgs:
        args = self._args
        runtime = args.runtime
        return core.ContainerArgs(
            name=_CONTAINER,
            image=args.image,
            image_pull_policy="IfNotPresent",
            command=list(runtime.command) or None,
            args=[
                *runtime.args(args.served),
                *limits.arguments(args.settings),
                *args.settings.container.args,
            ],
            env=[
                *(
                    core.EnvVarArgs(name=name, value=value)
                    for name, value in runtime.environment(args.served).items()
                ),
                *secrets.environment(args.settings.secrets, args.secrets),
            ]
            or None,
            ports=[
                core.ContainerPortArgs(name=name, container_port=port)
                for name, port in self._ports().items()
            ],
            startup_probe=_probe(runtime.probes.ready, period=1, failures=runtime.startup_seconds),
            readiness_probe=_probe(runtime.probes.ready, period=5, failures=2),
            liveness_probe=_probe(runtime.probes.live, period=10, failures=6),
            lifecycle=core.LifecycleArgs(
                pre_stop=core.LifecycleHandlerArgs(
                    sleep=core.SleepActionArgs(seconds=_DRAIN_SECONDS)
                )
            ),
            resources=limits.requirements(
                args.settings.resources, args.cluster.traits.gpu_resource
            ),
            security_context=hardening.security_context(),
            # Why it ended then stands in the pod's status, and in the engine's error.
            termination_message_policy="FallbackToLogsOnError",
            volume_mounts=volumes.mounts(mount.mount if mount else None, runtime.writable),
        )

    def _ports(self) -> Mapping[str, int]:
        runtime = self._args.runtime
        ports = {naming.SERVING_PORT: runtime.port}
        grpc = {} if runtime.grpc_port is None else {naming.GRPC_PORT: runtime.grpc_port}
        return ports | grpc

    def _expose(self) -> core.Service:
        return core.Service(
            self._name,
            # The pods behind it are waited for already, in the Deployment.
            metadata=self.metadata({"pulumi.com/skipAwait": "true"}),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                selector=naming.selector("model", self._name),
                ports=[
                    core.ServicePortArgs(
                        name=naming.SERVING_PORT, port=80, target_port=naming.SERVING_PORT
                    ),
                    *(
                        # What speaks HTTP/2 without TLS, as gateways have to be told.
                        core.ServicePortArgs(
                            name=name, port=port, target_port=name, app_protocol=_H2C
                        )
                        for name, port in self._ports().items()
                        if name == naming.GRPC_PORT
                    ),
                ],
            ),
            opts=self._children,
        )


def _pin(artifact: Artifact | None) -> dict[str, str]:
    """Return what tells a model from others: another one rolls the pods."""
    if artifact is None:
        return {}
    if artifact.digest is None:
        return {"slipway.local/model-version": artifact.version}
    return {"slipway.local/model-digest": artifact.digest}


def _download_seconds(artifact: Artifact | None) -> int:
    """Return how long the largest model that there is room for may be on its way."""
    if artifact is None or not artifact.source.downloads:
        return 0
    return math.ceil(parse_quantity(artifact.volume_size) / _DOWNLOAD_BYTES_PER_SECOND)


def _probe(path: str, *, period: int, failures: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path=path, port=naming.SERVING_PORT),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=2,
    )
