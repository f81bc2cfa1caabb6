"""A served model: its versions, and the address at which they answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta import v1 as meta

from apps.serving import holding, limits, promotion, routes
from apps.serving.images import ServerImages
from apps.serving.mirroring import TRAEFIK_API, Mirror
from apps.serving.pods import WorkloadArgs
from apps.serving.protocols import PROTOCOLS
from apps.serving.workload import Workload
from infra import naming
from infra.contract import GATEWAY_API, ClusterHandle, PlatformHandle
from infra.settings import Artifact, ModelSettings, workloads
from infra.settings.traffic import CANARY, MIRROR, CanarySettings

# Of the Services of its versions, but for gRPC.
_PORT: Final = 80
# The promoter owns the rules of a route whose weights it moved, and an update takes them back. It
# is there without a canary too, since the update that ends one needs it.
_TAKE_BACK: Final = {"pulumi.com/patchForce": "true"}


@dataclass(frozen=True)
class ModelArgs:
    """What a model is served from and where.

    Attributes:
        settings: The model's settings.
        artifacts: Models' versions as their pods get them, by the name of what runs them.
        images: The images that they are downloaded and served with.
        cluster: The cluster.
        platform: The platform on it.
    """

    settings: ModelSettings
    artifacts: Mapping[str, Artifact]
    images: ServerImages
    cluster: ClusterHandle
    platform: PlatformHandle


class Model(pulumi.ComponentResource):
    """A model that answers behind the gateway, over the protocol of its runtime.

    Type token: `slipway:serving:Model`. Resources: those of a `Workload` for each of its versions,
    and an `HTTPRoute` to them that is called like the model. With a mirror, also what the gateway
    copies requests by, where that takes objects of its own.

    Args:
        resource_name: Name of the model.
        args: What it is served from and where.
        opts: Resource options.

    Attributes:
        url: URL of the model, as clients of its protocol take it.
        version: Version of the model, see `WorkloadArgs.version`.
        exports: What the stack shows in its `models` output.
    """

    url: pulumi.Output[str]
    version: str
    exports: dict[str, pulumi.Input[Any]]

    def __init__(
        self, resource_name: str, args: ModelArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:serving:Model", resource_name, None, opts)
        runs = {
            name: WorkloadArgs(
                resource_name,
                version,
                args.artifacts.get(name),
                args.images.by_workload[name],
                args.images.download,
                args.cluster,
                args.platform,
            )
            for name, version in workloads({resource_name: args.settings}).items()
        }
        mirror = _mirror(resource_name, args.settings)
        after = {mirror.name: self._copy(mirror, args)} if mirror else {}
        canary = runs.get(f"{resource_name}-{CANARY}")
        self._route(
            resource_name,
            args,
            {name: Workload(name, of, self, after.get(name, ())) for name, of in runs.items()},
            promotion.annotations(args.settings.canary, canary.version if canary else ""),
            mirror,
        )
        protocol = args.settings.runtime.protocol
        below = PROTOCOLS[protocol].path.format(model=resource_name)
        self.url = routes.url(
            args.platform, args.settings.team, resource_name, args.settings.host, below
        )
        self.version = runs[resource_name].version
        self.exports = {"url": self.url, "version": self.version, "protocol": protocol}
        if args.settings.canary is not None and canary is not None:
            self.exports["traffic"] = _traffic(args.settings.canary, self.version, canary.version)
        if mirror is not None:
            self.exports["traffic"] = {
                "stable": {"version": self.version},
                MIRROR: {"version": runs[mirror.name].version, "percent": mirror.percent},
            }
        self.register_outputs(dict(self.exports))

    def _copy(self, mirror: Mirror, args: ModelArgs) -> list[pulumi.Resource]:
        """Tell the gateway of the copies, where that takes objects of its own; return those.

        It tells nobody whether it has taken them up. So the mirror's pods come after them and are
        available some seconds later, and the route comes after those; they go in the other order.
        """
        gateway = args.platform.gateway
        if gateway.mirroring.kind != "TraefikService":
            return []
        return [
            kubernetes.apiextensions.CustomResource(
                f"{name}-{kind}",
                api_version=TRAEFIK_API,
                kind=kind,
                metadata=meta.ObjectMetaArgs(
                    name=name,
                    namespace=args.platform.teams[args.settings.team].namespace,
                    labels={
                        **naming.labels("model", mirror.name, naming.MODEL),
                        naming.TEAM_LABEL: args.settings.team,
                    },
                ),
                spec=spec,
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(gateway.mirroring.ready)),
            )
            for kind, name, spec in mirror.traefik_objects()
        ]

    def _route(
        self,
        name: str,
        args: ModelArgs,
        versions: Mapping[str, Workload],
        annotations: Mapping[str, str],
        mirror: Mirror | None,
    ) -> None:
        """Lead a path, or the model's own host name, to the model's pods.

        No request comes to a version before its pods are ready: the route waits for them all.
        """
        settings = args.settings
        spec = routes.http_route(args.platform.gateway, name, settings, port=_PORT)
        spec = limits.timed_route(spec, settings.timeout_seconds)
        interceptor = args.platform.scaling.interceptor
        if interceptor is not None and settings.min_replicas == 0:
            spec = holding.held_route(spec, interceptor, settings.team, name, port=_PORT)
        if mirror is not None:
            spec = mirror.route(spec, args.platform.gateway.mirroring.kind)
        kubernetes.apiextensions.CustomResource(
            name,
            api_version=GATEWAY_API,
            kind="HTTPRoute",
            metadata=versions[name].metadata(
                {"pulumi.com/waitFor": routes.ACCEPTED, **_TAKE_BACK, **annotations}
            ),
            spec=spec,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[
                    resource for version in versions.values() for resource in version.reached_by
                ],
            ),
        )


def _mirror(name: str, settings: ModelSettings) -> Mirror | None:
    if settings.mirror is None:
        return None
    own, its = settings.runtime.grpc_port, settings.versions[MIRROR].runtime.grpc_port
    return Mirror(name, settings.mirror.percent, _PORT, its if its == own else None)


def _traffic(canary: CanarySettings, stable: str, version: str) -> dict[str, Any]:
    """Return which version answers which share; without weights where those move by themselves."""
    shares: dict[str, dict[str, Any]] = {
        "stable": {"version": stable},
        CANARY: {"version": version},
    }
    if canary.weight is not None:
        shares["stable"]["weight"] = 100 - canary.weight
        shares[CANARY]["weight"] = canary.weight
    return shares
