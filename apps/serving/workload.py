"""What runs one version of a model: its volume, its pods and the Service in front of them."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from apps.serving import download, inference_service, mounts, pods, scaling, storage
from apps.serving.mounts import Mount
from apps.serving.pods import WorkloadArgs
from infra import disruption, naming
from infra.settings import Artifact, backends, sources
from infra.settings.models import SURGE
from infra.settings.types import parse_quantity

_CONTAINER: Final = "server"
# A model that cannot be loaded fails the update so long after it had to be ready.
_DEADLINE_SLACK_SECONDS: Final = 60
# What a download takes at least on a network that is worth the name: 160 megabits a second.
_DOWNLOAD_BYTES_PER_SECOND: Final = 20 * 2**20
# What the gateway needs to know what it is told: it takes changes up every 2 s, and those of its
# pods that do not know such things at all yet are gone after 5 s.
_KNOWN_SECONDS: Final = 10
_H2C: Final = "kubernetes.io/h2c"


class Workload:
    """One version of a model, as it runs. Its resources are children of the model's component.

    Resources: a `Deployment` and a `Service`, called like the workload in the team's namespace, or
    an `InferenceService` of which KServe makes both; a `ModelVolume` component for a model of this
    machine, or a `NetworkPolicy` for one that is downloaded; an `Autoscaler` component where it has
    one, and a `PodDisruptionBudget` where more than one pod may serve.

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
        self._labels = pods.labels(name, args)
        mount = self._mount(args.artifact)
        if args.settings.backend == backends.INFERENCE_SERVICE:
            runs = self._infer(mount)
            self.reached_by = [runs]
        else:
            runs = self._deploy(mount)
            self.reached_by = [self._expose(), runs]
        scaler = self._scale(runs)
        disruption.protect(
            parent,
            name,
            self.metadata(),
            naming.selector("model", name),
            args.settings.max_replicas,
        )
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

    @property
    def _deadline_seconds(self) -> int:
        """How long an update waits for the pods."""
        return (
            self._args.runtime.startup_seconds
            + _DEADLINE_SLACK_SECONDS
            + _download_seconds(self._args.artifact)
        )

    def _options(self) -> pulumi.ResourceOptions:
        """Return the options of what makes the pods."""
        # The engine would go on waiting for 10 minutes by default.
        deadline = f"{self._deadline_seconds}s"
        return pulumi.ResourceOptions(
            parent=self._parent,
            depends_on=[*self._network(), *self._after],
            custom_timeouts=pulumi.CustomTimeouts(create=deadline, update=deadline),
        )

    def _infer(self, mount: Mount | None) -> pulumi.Resource:
        return inference_service.inference_service(self._name, self._args, mount, self._options())

    def _deploy(self, mount: Mount | None) -> pulumi.Resource:
        made_of = pods.pods(self._name, self._args, mount, _CONTAINER)
        options = self._options()
        options.ignore_changes = scaling.left_alone(self._args.settings)
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
                progress_deadline_seconds=self._deadline_seconds,
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(
                        labels=made_of.labels, annotations=made_of.annotations
                    ),
                    spec=made_of.spec,
                ),
            ),
            opts=options,
        )

    def _scale(self, runs: pulumi.Resource) -> scaling.Autoscaler | None:
        """Let an autoscaler move the number of pods, where the settings have one."""
        settings = self._args.settings
        if settings.scaling is None:
            return None
        return scaling.Autoscaler(
            self._name,
            scaling.AutoscalerArgs(
                scaling=settings.scaling,
                runs=runs,
                deployment=backends.service(self._name, settings.backend),
                metadata=self.metadata(),
                team=settings.team,
                port=80,
                in_flight=settings.concurrency,
                sources=self._args.platform.scaling,
            ),
            opts=self._children,
        )

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
                        for name, port in pods.ports(self._args.runtime).items()
                        if name == naming.GRPC_PORT
                    ),
                ],
            ),
            opts=self._children,
        )


def _download_seconds(artifact: Artifact | None) -> int:
    """Return how long the largest model that there is room for may be on its way."""
    if artifact is None or not artifact.source.downloads:
        return 0
    return math.ceil(parse_quantity(artifact.volume_size) / _DOWNLOAD_BYTES_PER_SECOND)
