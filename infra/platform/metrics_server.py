"""metrics-server: what nodes and pods use, for autoscalers and `kubectl top`."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi

from infra import hardening, machine, naming
from infra.contract import ClusterTraits
from infra.platform.certificate import Certificate, CertificateArgs
from infra.platform.chart import ChartArgs, chart
from infra.platform.chart_values import image_values, placement_values

_NAME: Final = "metrics-server"
# Kubelets' certificates are signed by the cluster's authority, which every pod is given.
_CLUSTER_AUTHORITY: Final = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
# The labels that the chart does not set itself.
_OUR_LABELS: Final = ("app.kubernetes.io/component", "app.kubernetes.io/part-of")
# Measured: 64 MiB resident, 7m of CPU, on one node with a dozen pods; 2 MiB more for each node.
_REQUESTS: Final = {"cpu": "20m", "memory": "64Mi"}
_LIMITS: Final = {"cpu": "500m", "memory": "128Mi"}


@dataclass(frozen=True)
class MetricsServerArgs:
    """What metrics-server runs with.

    Attributes:
        traits: Where its image is brought and its pods may run.
        namespace: Where it runs.
        priority: Name of its pods' PriorityClass.
        charts: Where its chart comes from.
        signing: Exists once certificates are signed; `None` where the cluster has cert-manager.
    """

    traits: ClusterTraits
    namespace: pulumi.Input[str]
    priority: pulumi.Input[str]
    charts: str
    signing: pulumi.Resource | None


class MetricsServer(pulumi.ComponentResource):
    """metrics-server from its chart; whatever depends on it waits until its API answers.

    Type token: `slipway:platform:MetricsServer`. Resources: an `Image` and the chart's objects,
    among them the `APIService` `v1beta1.metrics.k8s.io`. Components: a `Certificate`.
    https://github.com/kubernetes-sigs/metrics-server/tree/master/charts/metrics-server

    Args:
        resource_name: Logical name.
        args: What it runs with.
        opts: Resource options.
    """

    def __init__(
        self,
        resource_name: str,
        args: MetricsServerArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:MetricsServer", resource_name, None, opts)
        image = machine.Image(
            f"{resource_name}-image",
            recipe=_NAME,
            store=args.traits.store,
            opts=pulumi.ResourceOptions(parent=self),
        )
        certificate = Certificate(
            resource_name,
            CertificateArgs(
                namespace=args.namespace,
                labels=naming.labels(_NAME, _NAME, "autoscaling"),
                services=[_NAME],
                signing=args.signing,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        chart(
            resource_name,
            ChartArgs(
                name=_NAME,
                source=args.charts,
                namespace=args.namespace,
                values=_values(args, image.ref, certificate),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _values(
    args: MetricsServerArgs, image: pulumi.Output[str], certificate: Certificate
) -> dict[str, Any]:
    """Return the values of the chart; what is left out is good as it is there."""
    labels = {
        name: value
        for name, value in naming.labels(_NAME, _NAME, "autoscaling").items()
        if name in _OUR_LABELS
    }
    user = {"runAsUser": hardening.USER, "runAsGroup": hardening.USER}
    return {
        "image": image_values(image),
        "commonLabels": labels,
        "podLabels": {**labels, "app.kubernetes.io/managed-by": "Helm"},
        "priorityClassName": args.priority,
        **placement_values(args.traits.cpu),
        "podSecurityContext": {
            **user,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # Merged with the chart's own, which has the rest of what is asked of a container.
        "securityContext": user,
        "args": [f"--kubelet-certificate-authority={_CLUSTER_AUTHORITY}"],
        # The chart waits 20 s before it asks for the first time.
        "readinessProbe": {"initialDelaySeconds": 0, "periodSeconds": 2},
        # The chart can ask for a certificate too, but its pods would not wait for it.
        "tls": {
            "type": "existingSecret",
            "existingSecret": {"name": certificate.secret, "lookup": False},
        },
        "apiService": {
            "insecureSkipTLSVerify": False,
            "annotations": {
                "cert-manager.io/inject-ca-from": certificate.source,
                "pulumi.com/waitFor": "condition=Available",
            },
        },
        "tmpVolume": {"emptyDir": {"sizeLimit": "16Mi"}},
        "resources": {"requests": _REQUESTS, "limits": _LIMITS},
    }
