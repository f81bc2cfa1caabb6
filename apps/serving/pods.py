"""The pods of one version of a model, whoever makes them of what is said here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes.core import v1 as core

from apps.serving import download, limits, secrets, storage, volumes
from apps.serving.mounts import Mount
from apps.serving.runtimes import Runtime, Served
from infra import disruption, hardening, naming
from infra.contract import ClusterHandle, PlatformHandle, SecretReference, TeamReference
from infra.settings import Artifact, ModelSettings

# What the gateway needs to hear that a pod is going away, so that no request meets a closed door:
# it takes up changes every 2 s. Any server serves on meanwhile.
_DRAIN_SECONDS: Final = 3
# What a server needs to end by itself when the time for its last answers is over.
_END_SECONDS: Final = 5


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


def labels(name: str, args: WorkloadArgs) -> dict[str, str]:
    """Return the labels of every object of a workload.

    Args:
        name: Name of the workload.
        args: What it runs with.
    """
    return {
        **naming.labels("model", name, naming.MODEL),
        naming.TEAM_LABEL: args.settings.team,
    }


@dataclass(frozen=True)
class Pods:
    """What the pods of a workload are made of.

    Attributes:
        labels: Their labels.
        annotations: Their annotations; `None` without any.
        spec: What runs in them, and where.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str] | None
    spec: core.PodSpecArgs


def pods(name: str, args: WorkloadArgs, mount: Mount | None, container: str) -> Pods:
    """Return what the pods of a workload are made of.

    Args:
        name: Name of the workload.
        args: What it runs with.
        mount: How its pods get the model, if it has a file or folder.
        container: Name of the container that serves.
    """
    steps = _steps(args)
    spec = hardening.pod(
        args.team.service_account,
        args.platform.model_priorities[args.settings.priority],
        limits.placement(args.model, args.settings, args.cluster.traits),
        [_container(container, args, mount)],
        volumes=[
            *volumes.volumes(mount.volume if mount else None, args.runtime.writable),
            *([download.temporary()] if steps else []),
        ],
        init_containers=steps,
        token=False,
        grace_seconds=_DRAIN_SECONDS + args.answer_seconds + _END_SECONDS,
        spread=disruption.spread(naming.selector("model", name)),
    )
    return Pods({**labels(name, args), **args.team.pod_labels}, _annotations(args) or None, spec)


def ports(runtime: Runtime) -> Mapping[str, int]:
    """Return where a server listens, by the names of its ports.

    Args:
        runtime: How its model is served.
    """
    grpc = {} if runtime.grpc_port is None else {naming.GRPC_PORT: runtime.grpc_port}
    return {naming.SERVING_PORT: runtime.port} | grpc


def _annotations(args: WorkloadArgs) -> dict[str, str]:
    annotations = _pin(args.artifact)
    monitoring = args.platform.monitoring
    if monitoring is not None and args.runtime.metrics:
        annotations |= monitoring.annotations
    return annotations


def _pin(artifact: Artifact | None) -> dict[str, str]:
    """Return what tells a model from others: another one rolls the pods."""
    if artifact is None:
        return {}
    if artifact.digest is None:
        return {"slipway.local/model-version": artifact.version}
    return {"slipway.local/model-digest": artifact.digest}


def _steps(args: WorkloadArgs) -> list[core.ContainerArgs]:
    """Return what brings the model before its server starts, if anything does."""
    artifact, image = args.artifact, args.download_image
    if artifact is None or image is None or not artifact.source.downloads:
        return []
    return [download.container(artifact, image, args.secrets)]


def _container(name: str, args: WorkloadArgs, mount: Mount | None) -> core.ContainerArgs:
    runtime = args.runtime
    return core.ContainerArgs(
        name=name,
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
                core.EnvVarArgs(name=variable, value=value)
                for variable, value in runtime.environment(args.served).items()
            ),
            *secrets.environment(args.settings.secrets, args.secrets),
        ]
        or None,
        ports=[
            core.ContainerPortArgs(name=port_name, container_port=port)
            for port_name, port in ports(runtime).items()
        ],
        startup_probe=_probe(runtime.probes.ready, period=1, failures=runtime.startup_seconds),
        readiness_probe=_probe(runtime.probes.ready, period=5, failures=2),
        liveness_probe=_probe(runtime.probes.live, period=10, failures=6),
        lifecycle=core.LifecycleArgs(
            pre_stop=core.LifecycleHandlerArgs(sleep=core.SleepActionArgs(seconds=_DRAIN_SECONDS))
        ),
        resources=limits.requirements(args.settings.resources, args.cluster.traits.gpu_resource),
        security_context=hardening.security_context(),
        # Why it ended then stands in the pod's status, and in the engine's error.
        termination_message_policy="FallbackToLogsOnError",
        volume_mounts=volumes.mounts(mount.mount if mount else None, runtime.writable),
    )


def _probe(path: str, *, period: int, failures: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path=path, port=naming.SERVING_PORT),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=2,
    )
