"""MetalLB: addresses for Services of type LoadBalancer where the cluster itself gives none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta import v1 as meta

from infra import hardening
from infra.contract import ClusterTraits
from infra.naming import labels
from infra.platform.chart import ChartArgs, chart
from infra.platform.chart_values import image_values, part_images, placement_values
from infra.platform.definitions import Definitions
from infra.platform.namespace import privileged_namespace

NAMESPACE: Final = "metallb-system"

_API: Final = "metallb.io/v1beta1"
_NAME: Final = "slipway"
_PARTS: Final = ("controller", "speaker")
_PROBE: Final = {"initialDelaySeconds": 1, "periodSeconds": 2}
_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "200m", "memory": "128Mi"},
}


@dataclass(frozen=True)
class LoadBalancerArgs:
    """What MetalLB runs with.

    Attributes:
        traits: Where its images are brought, and where its pods may run.
        pool: Addresses that it gives out: a CIDR or a range.
        priority: Name of its pods' PriorityClass.
        charts: Where its chart comes from.
    """

    traits: ClusterTraits
    pool: pulumi.Input[str]
    priority: pulumi.Input[str]
    charts: str


class LoadBalancer(pulumi.ComponentResource):
    """MetalLB from its own chart, which answers for its addresses on the node's link (layer 2).

    Type token: `slipway:platform:LoadBalancer`. Resources: an `Image` for each part, a `Namespace`
    `metallb-system`, and there an `IPAddressPool` and an `L2Advertisement`, both called `slipway`.
    Components: its `Definitions`, its chart.
    https://metallb.io/

    Args:
        resource_name: Logical name.
        args: What it runs with.
        opts: Resource options.
    """

    def __init__(
        self,
        resource_name: str,
        args: LoadBalancerArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:LoadBalancer", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        # Its speaker speaks ARP on the node's own interfaces: it needs their network and NET_RAW.
        namespace = privileged_namespace(NAMESPACE, children)
        types = Definitions(f"{resource_name}-types", "metallb-crds", opts=children)
        images = part_images(resource_name, "metallb", _PARTS, args.traits, children)
        controllers = chart(
            resource_name,
            ChartArgs("metallb", args.charts, namespace.metadata.name, _values(args, images)),
            # Without the types its watches fail, and it backs off before it tries again.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[types]),
        )
        for kind, spec in (
            ("IPAddressPool", {"addresses": [args.pool]}),
            ("L2Advertisement", {"ipAddressPools": [_NAME]}),
        ):
            kubernetes.apiextensions.CustomResource(
                f"{resource_name}-{kind.lower()}",
                api_version=_API,
                kind=kind,
                metadata=meta.ObjectMetaArgs(
                    name=_NAME,
                    namespace=NAMESPACE,
                    labels=labels("address-pool", _NAME, "load-balancer"),
                ),
                spec=spec,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[controllers]),
            )
        self.register_outputs({})


def _values(args: LoadBalancerArgs, images: Mapping[str, pulumi.Input[str]]) -> dict[str, Any]:
    """Return the values of the chart: layer 2 alone, without the router that BGP would need.

    Its containers have a read-only root file system and gain no rights, by the chart's templates.
    """
    common = {
        "priorityClassName": args.priority,
        **placement_values(args.traits.cpu),
        "resources": _RESOURCES,
        "readinessProbe": _PROBE,
        "logLevel": "warn",
    }
    return {
        # A webhook that does not answer yet is passed over: the pool is the only object, it is the
        # stack's own, and the controller checks what it reads.
        "crds": {"enabled": False, "validationFailurePolicy": "Ignore"},
        "frrk8s": {"enabled": False},
        "controller": {
            **common,
            "image": image_values(images["controller"]),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": hardening.USER,
                "fsGroup": hardening.USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
        "speaker": {
            **common,
            "image": image_values(images["speaker"]),
            "frr": {"enabled": False},
            # NET_RAW, which its container is given, is root's: the program is not marked for it.
            "securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}},
            # It runs on every node, which the pool's own tolerations do not add to.
            "startupProbe": {"enabled": False},
        },
    }
