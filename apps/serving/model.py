"""A served model: its pods, its address and its version."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from apps.serving import routes, storage
from apps.serving.runtimes import PORT, PROTOCOL, RUNTIMES
from infra import hardening, machine, naming
from infra.contract import GATEWAY_API, ClusterHandle, Placement, PlatformHandle, TeamReference
from infra.settings import Artifact, ModelSettings, ResourceSettings

_CONTAINER: Final = "server"
_MODELS: Final = "/models"
# The server is ready within seconds; a large model on a busy machine may need minutes to load. A
# model that cannot be loaded fails the update a minute later.
_STARTUP_SECONDS: Final = 240
_DEADLINE_SECONDS: Final = _STARTUP_SECONDS + 60
# What the gateway needs to hear that a pod is going away, so that no request meets a closed door.
_DRAIN_SECONDS: Final = 3


class ServerImages(pulumi.ComponentResource):
    """The images that models are served with, each once for all models.

    Type token: `slipway:serving:ServerImages`. Resources: one `Image` for each recipe.

    Args:
        resource_name: Logical name.
        cluster: The cluster that pulls them.
        formats: The formats that are served.
        opts: Resource options.

    Attributes:
        by_format: Image reference by model format.
    """

    by_format: Mapping[str, pulumi.Output[str]]

    def __init__(
        self,
        resource_name: str,
        cluster: ClusterHandle,
        formats: frozenset[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:serving:ServerImages", resource_name, None, opts)
        images = {
            recipe: machine.Image(
                recipe,
                recipe=recipe,
                store=cluster.traits.store,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for recipe in sorted({RUNTIMES[name].recipe for name in formats})
        }
        self.by_format = {name: images[RUNTIMES[name].recipe].ref for name in sorted(formats)}
        self.register_outputs({})


@dataclass(frozen=True)
class ModelArgs:
    """What a model is served from and where.

    Attributes:
        settings: The model's settings.
        artifact: The model's file.
        image: Reference of the server image.
        cluster: The cluster.
        platform: The platform on it.
    """

    settings: ModelSettings
    artifact: Artifact
    image: pulumi.Input[str]
    cluster: ClusterHandle
    platform: PlatformHandle

    @property
    def team(self) -> TeamReference:
        """Where the model's team runs its workloads."""
        return self.platform.teams[self.settings.team]


class Model(pulumi.ComponentResource):
    """A model that answers the Open Inference Protocol v2 behind the gateway.

    Type token: `slipway:serving:Model`. Resources: a `ModelVolume` component, a `Deployment`, a
    `Service` and an `HTTPRoute`, all called like the model in the team's namespace.

    Args:
        resource_name: Name of the model.
        args: What it is served from and where.
        opts: Resource options.

    Attributes:
        url: URL of the model; `<url>/infer` takes requests.
        version: Version of the model, the first 12 hex digits of its file's SHA-256.
        exports: What the stack shows in its `models` output.
    """

    url: pulumi.Output[str]
    version: str
    exports: Mapping[str, pulumi.Input[str]]

    def __init__(
        self, resource_name: str, args: ModelArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:serving:Model", resource_name, None, opts)
        self._name = resource_name
        self._args = args
        self._labels = {
            **naming.labels("model", resource_name, "model"),
            naming.TEAM_LABEL: args.settings.team,
        }
        self.version = storage.short_digest(args.artifact.digest)
        self._deploy(self._volume())
        path = routes.prefix(args.settings.team, resource_name)
        self._route(path, self._expose())
        self.url = pulumi.Output.concat(args.platform.address, path, "/v2/models/", resource_name)
        self.exports = {"url": self.url, "version": self.version, "protocol": PROTOCOL}
        self.register_outputs(dict(self.exports))

    def _metadata(self, annotations: Mapping[str, str] | None = None) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(
            name=self._name,
            namespace=self._args.team.namespace,
            labels=self._labels,
            annotations=annotations,
        )

    def _volume(self) -> storage.ModelVolume:
        artifact = self._args.artifact
        return storage.ModelVolume(
            self._name,
            storage.ModelVolumeArgs(
                team=self._args.settings.team,
                namespace=self._args.team.namespace,
                source=artifact.source,
                digest=artifact.digest,
                size=artifact.size,
                store=self._args.cluster.traits.store,
                labels=self._labels,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _deploy(self, volume: storage.ModelVolume) -> None:
        kubernetes.apps.v1.Deployment(
            self._name,
            metadata=self._metadata(),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                replicas=self._args.settings.replicas,
                selector=meta.LabelSelectorArgs(match_labels=naming.selector("model", self._name)),
                # A new version takes over before the old one goes.
                strategy=kubernetes.apps.v1.DeploymentStrategyArgs(
                    type="RollingUpdate",
                    rolling_update=kubernetes.apps.v1.RollingUpdateDeploymentArgs(
                        max_unavailable=0, max_surge=1
                    ),
                ),
                progress_deadline_seconds=_DEADLINE_SECONDS,
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(
                        labels=self._labels,
                        annotations={"slipway.local/model-digest": self._args.artifact.digest},
                    ),
                    spec=self._pod(volume.claim_name, self._args.cluster.traits.cpu),
                ),
            ),
            # The engine would go on waiting for 10 minutes by default.
            opts=pulumi.ResourceOptions(
                parent=self,
                custom_timeouts=pulumi.CustomTimeouts(
                    create=f"{_DEADLINE_SECONDS}s", update=f"{_DEADLINE_SECONDS}s"
                ),
            ),
        )

    def _pod(self, claim: pulumi.Input[str], placement: Placement) -> core.PodSpecArgs:
        return core.PodSpecArgs(
            service_account_name=self._args.team.service_account,
            automount_service_account_token=False,
            enable_service_links=False,
            node_selector=placement.node_selector,
            tolerations=placement.toleration_args(),
            security_context=hardening.pod_security_context(),
            containers=[self._container()],
            volumes=[
                core.VolumeArgs(
                    name="model",
                    persistent_volume_claim=core.PersistentVolumeClaimVolumeSourceArgs(
                        claim_name=claim, read_only=True
                    ),
                ),
                core.VolumeArgs(
                    name="tmp", empty_dir=core.EmptyDirVolumeSourceArgs(size_limit="64Mi")
                ),
            ],
        )

    def _container(self) -> core.ContainerArgs:
        runtime = RUNTIMES[self._args.settings.format]
        return core.ContainerArgs(
            name=_CONTAINER,
            image=self._args.image,
            image_pull_policy="IfNotPresent",
            args=runtime.args(
                self._name, self.version, f"{_MODELS}/{self._args.artifact.filename}"
            ),
            ports=[core.ContainerPortArgs(name="http", container_port=PORT)],
            startup_probe=_probe("ready", period=1, failures=_STARTUP_SECONDS),
            readiness_probe=_probe("ready", period=5, failures=2),
            liveness_probe=_probe("live", period=10, failures=6),
            lifecycle=core.LifecycleArgs(
                pre_stop=core.LifecycleHandlerArgs(
                    sleep=core.SleepActionArgs(seconds=_DRAIN_SECONDS)
                )
            ),
            resources=_resources(self._args.settings.resources),
            security_context=hardening.security_context(),
            # Why it ended then stands in the pod's status, and in the engine's error.
            termination_message_policy="FallbackToLogsOnError",
            volume_mounts=[
                core.VolumeMountArgs(name="model", mount_path=_MODELS, read_only=True),
                core.VolumeMountArgs(name="tmp", mount_path="/tmp"),
            ],
        )

    def _expose(self) -> core.Service:
        return core.Service(
            self._name,
            # The pods behind it are waited for already, in the Deployment.
            metadata=self._metadata({"pulumi.com/skipAwait": "true"}),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                selector=naming.selector("model", self._name),
                ports=[core.ServicePortArgs(name="http", port=80, target_port="http")],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _route(self, path: str, service: core.Service) -> None:
        """Lead a path to the model's pods."""
        kubernetes.apiextensions.CustomResource(
            self._name,
            api_version=GATEWAY_API,
            kind="HTTPRoute",
            metadata=self._metadata({"pulumi.com/waitFor": routes.ACCEPTED}),
            spec=routes.http_route(self._args.platform.gateway, path, service=self._name, port=80),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[service]),
        )


def _probe(check: str, *, period: int, failures: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path=f"/v2/health/{check}", port="http"),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=2,
    )


def _resources(settings: ResourceSettings) -> core.ResourceRequirementsArgs:
    return core.ResourceRequirementsArgs(
        requests={"cpu": settings.cpu, "memory": settings.memory},
        limits={"cpu": settings.cpu_limit, "memory": settings.memory},
    )
