"""A version of a model as an InferenceService, whose pods KServe makes (docs/inference-service.md).

https://kserve.github.io/website/docs/reference/crd-api, and the controller of KServe 0.20 for what
it makes of the fields.
"""

from typing import Any, Final

import pulumi
from pulumi_kubernetes import apiextensions
from pulumi_kubernetes.meta import v1 as meta
from pydantic.alias_generators import to_camel

from apps.serving import pods, scaling
from apps.serving.mounts import Mount
from apps.serving.pods import Pods, WorkloadArgs
from infra.settings.models import SURGE

API_VERSION: Final = "serving.kserve.io/v1beta1"
KIND: Final = "InferenceService"

CONTAINER: Final = "kserve-container"
"""What KServe calls the container that serves, and looks for."""

# A Deployment and a Service; the other mode needs Knative.
_STANDARD: Final = {"serving.kserve.io/deploymentMode": "Standard"}
# Our route leads to the pods: KServe makes no Ingress and no HTTPRoute.
_LOCAL: Final = {"networking.kserve.io/visibility": "cluster-local"}
_AUTOSCALER: Final = "serving.kserve.io/autoscalerClass"


def inference_service(
    name: str, args: WorkloadArgs, mount: Mount | None, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    """Return an InferenceService that is ready once its pods are.

    KServe gives the Deployment that it makes, and the Service in front of it, the name that
    `infra.settings.backends.service` returns.

    Args:
        name: Name of the workload.
        args: What it runs with.
        mount: How its pods get the model, if it has a file or folder.
        opts: Resource options.
    """
    return apiextensions.CustomResource(
        name,
        api_version=API_VERSION,
        kind=KIND,
        metadata=meta.ObjectMetaArgs(
            name=name,
            namespace=args.team.namespace,
            labels={**pods.labels(name, args), **_LOCAL},
            annotations={
                "pulumi.com/waitFor": "condition=Ready",
                **_STANDARD,
                _AUTOSCALER: "external" if args.settings.scaling else "none",
            },
        ),
        spec={"predictor": _predictor(args, pods.pods(name, args, mount, CONTAINER))},
        opts=opts,
    )


def _predictor(args: WorkloadArgs, made_of: Pods) -> dict[str, Any]:
    """Return a predictor: the fields of a pod's specification, and KServe's own beside them.

    The bounds of an autoscaler are not among them. KServe says that it has seen a change by the
    generation of its Deployment, and the engine waits for that: it would wait in vain for a change
    that leaves the Deployment as it is.
    """
    own = {
        "labels": made_of.labels,
        "annotations": made_of.annotations,
        "minReplicas": scaling.replicas(args.settings),
        # A new version takes over before the old one goes.
        "deploymentStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": SURGE},
        },
    }
    fields = {to_camel(field): value for field, value in vars(made_of.spec).items()} | own
    return {field: value for field, value in fields.items() if value is not None}
