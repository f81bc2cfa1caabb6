"""cert-manager, which gets certificates and renews them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta import v1 as meta

from infra.contract import ClusterTraits
from infra.naming import PART_OF, labels
from infra.platform.chart import ChartArgs, chart
from infra.platform.chart_values import image_values, part_images, placement_values
from infra.platform.definitions import Definitions
from infra.platform.namespace import restricted_namespace

API: Final = "cert-manager.io/v1"
NAMESPACE: Final = "cert-manager"
SELF_SIGNED: Final = "self-signed"
"""The Issuer, in that namespace, of certificates that sign themselves."""

# The API server then asks cert-manager's webhook about objects in other namespaces only: with the
# first ones, in this, the stack waits until the webhook answers (`gateway/tls.py`).
_NOT_VALIDATED: Final = {"cert-manager.io/disable-validation": "true"}
_PARTS: Final = ("controller", "webhook", "cainjector")
# The CA injector writes it into the configuration once it knows the webhook's authority. Where the
# engine stops because something else failed, it may never come: then the wait ends too.
_WITH_AUTHORITY: Final = {
    "pulumi.com/waitFor": "jsonpath={.webhooks[0].clientConfig.caBundle}",
    "pulumi.com/timeoutSeconds": "180",
}
# Controllers that watch for what no stack has.
_UNUSED: Final = ("ingress-shim", "gateway-shim", "certificaterequests-issuer-vault")
_ACME: Final = ("orders", "challenges", "certificaterequests-issuer-acme")
_PROBE: Final = {"failureThreshold": 3, "successThreshold": 1, "timeoutSeconds": 1}
_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "500m", "memory": "128Mi"},
}
# Go frees memory early from here on, well below the limit.
_GO_MEMORY: Final = "48MiB"


@dataclass(frozen=True)
class CertManagerArgs:
    """What cert-manager runs with.

    Attributes:
        traits: Where its images are brought, and where its pods may run.
        priority: Name of its pods' PriorityClass.
        replicas: Pods of each of its parts.
        gateway_api: The Gateway API's types, where it answers a public authority through the
            gateway; `None` where it does not.
        charts: Where its chart comes from.
    """

    traits: ClusterTraits
    priority: pulumi.Input[str]
    replicas: int
    gateway_api: Definitions | None
    charts: str


class CertManager(pulumi.ComponentResource):
    """cert-manager from its own chart, in a namespace of its own.

    Type token: `slipway:platform:CertManager`. Resources: an `Image` for each part, a `Namespace`
    `cert-manager`, and there an `Issuer` `self-signed`. Components: its `Definitions`, its chart.
    https://cert-manager.io/docs/

    Args:
        resource_name: Logical name.
        args: What it runs with.
        opts: Resource options.
    """

    def __init__(
        self,
        resource_name: str,
        args: CertManagerArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:CertManager", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        namespace = restricted_namespace(NAMESPACE, children, _NOT_VALIDATED)
        types = Definitions(f"{resource_name}-types", "cert-manager-crds", opts=children)
        images = part_images(resource_name, "cert-manager", _PARTS, args.traits, children)
        controllers = chart(
            resource_name,
            ChartArgs("cert-manager", args.charts, namespace.metadata.name, _values(args, images)),
            # Without the types its watches fail, and it backs off before it tries again.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[types, *([args.gateway_api] if args.gateway_api else [])],
            ),
        )
        kubernetes.apiextensions.CustomResource(
            f"{resource_name}-{SELF_SIGNED}",
            api_version=API,
            kind="Issuer",
            metadata=meta.ObjectMetaArgs(
                name=SELF_SIGNED,
                namespace=NAMESPACE,
                labels=labels("issuer", SELF_SIGNED, "certificates"),
                annotations={"pulumi.com/waitFor": "condition=Ready"},
            ),
            spec={"selfSigned": {}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[controllers]),
        )
        self.register_outputs({})


def _values(args: CertManagerArgs, images: Mapping[str, pulumi.Input[str]]) -> dict[str, Any]:
    """Return the values of the chart.

    Its containers are non-root, with a read-only root file system and without capabilities, by the
    chart's own defaults. The CA injector has no probes in it, and no address to probe.
    """
    part = {
        "replicaCount": args.replicas,
        "podDisruptionBudget": {"enabled": args.replicas > 1},
        **placement_values(args.traits.cpu),
        "extraEnv": [{"name": "GOMEMLIMIT", "value": _GO_MEMORY}],
        "resources": _RESOURCES,
    }
    return {
        "global": {
            "priorityClassName": args.priority,
            "commonLabels": {"app.kubernetes.io/part-of": PART_OF},
            # Not in `kube-system`, where it would need rights.
            "leaderElection": {"namespace": NAMESPACE},
        },
        "crds": {"enabled": False},
        "startupapicheck": {"enabled": False},
        "prometheus": {"enabled": False},
        **part,
        "image": image_values(images["controller"]),
        "extraArgs": _arguments(args),
        "cainjector": {**part, "image": image_values(images["cainjector"])},
        "webhook": {
            **part,
            "image": image_values(images["webhook"]),
            "readinessProbe": {**_PROBE, "initialDelaySeconds": 1, "periodSeconds": 2},
            # Whatever the API server asks about is looked at by this authority's certificate.
            "validatingWebhookConfigurationAnnotations": _WITH_AUTHORITY,
            "mutatingWebhookConfigurationAnnotations": _WITH_AUTHORITY,
        },
    }


def _arguments(args: CertManagerArgs) -> list[str]:
    """Return the controller's arguments: without what serves only other kinds of use."""
    without = [*_UNUSED, *(() if args.gateway_api else _ACME)]
    controllers = ",".join(["*", *(f"-{name}" for name in without)])
    return [
        f"--controllers={controllers}",
        *(["--enable-gateway-api=true"] if args.gateway_api else []),
    ]
