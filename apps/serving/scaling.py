"""Who decides how many pods a model has: the stack file, or an autoscaler."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_kubernetes import apiextensions
from pulumi_kubernetes.autoscaling import v2 as autoscaling
from pulumi_kubernetes.meta import v1 as meta

from apps.serving import holding
from infra.contract import InterceptorReference, ScalingSources
from infra.settings import ModelSettings, ScalingSettings

REPLICAS: Final = "spec.replicas"
"""The field of a Deployment that an autoscaler writes."""

# How often KEDA asks whether a model without requests may lose its last pod. It hears of a request
# at once.
_IDLE_POLL_SECONDS: Final = 5

# An autoscaler that was there before still owns the field, and would keep its number.
_TAKE_BACK: Final = {"pulumi.com/patchForce": "true"}


def replicas(settings: ModelSettings) -> int | None:
    """Return the pods that the stack file asks for; `None` where an autoscaler decides."""
    return None if settings.scaling else settings.replicas


def ownership(settings: ModelSettings) -> Mapping[str, str] | None:
    """Return the annotations of a Deployment that hand the number of its pods over.

    They differ, so that the step from an autoscaler back to the number of before is an update too.
    """
    return None if settings.scaling else _TAKE_BACK


def left_alone(settings: ModelSettings) -> list[str]:
    """Return the fields of a Deployment whose changes are ignored.

    Leaving `replicas` out of an apply is not enough: it would unset what the stack file asked for
    before, and Kubernetes would end all pods but one before the autoscaler looks.
    """
    return [REPLICAS] if settings.scaling else []


@dataclass(frozen=True)
class AutoscalerArgs:
    """What is scaled, and how.

    Attributes:
        scaling: Between how many pods, and by what.
        runs: What runs the pods; they are not scaled before they have been seen working, since an
            autoscaler may end them.
        deployment: Name of their Deployment.
        metadata: Metadata of the autoscaler.
        team: The team that the model belongs to.
        port: Port of the model's Service, where that is called like the model.
        in_flight: Requests that a pod takes at once, where the model sets a bound.
        sources: What measures the pods, Prometheus, and what holds requests.
    """

    scaling: ScalingSettings
    runs: pulumi.Resource
    deployment: str
    metadata: meta.ObjectMetaArgs
    team: str
    port: int
    in_flight: int | None
    sources: ScalingSources

    @property
    def interceptor(self) -> InterceptorReference | None:
        """What holds the model's requests while it has no pods, where that can be."""
        return self.sources.interceptor if self.scaling.to_zero else None


class Autoscaler(pulumi.ComponentResource):
    """Moves the number of a Deployment's pods with its load.

    Type token: `slipway:serving:Autoscaler`. Resources: a `HorizontalPodAutoscaler`; or a
    `ScaledObject` where requests count, which KEDA makes one of, since only one autoscaler may
    have a Deployment; and an `HTTPScaledObject` where the last pod may go.
    https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/

    Args:
        resource_name: Logical name; the workload's name.
        args: What is scaled, and how.
        opts: Resource options.
    """

    def __init__(
        self, resource_name: str, args: AutoscalerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:serving:Autoscaler", resource_name, None, opts)
        options = pulumi.ResourceOptions(parent=self, depends_on=[args.runs, *args.sources.ready])
        if not args.scaling.needs_keda:
            autoscaling.HorizontalPodAutoscaler(
                resource_name,
                metadata=args.metadata,
                spec=_autoscaler(args.deployment, args.scaling),
                opts=options,
            )
        else:
            apiextensions.CustomResource(
                resource_name,
                api_version="keda.sh/v1alpha1",
                kind="ScaledObject",
                metadata=args.metadata,
                spec=_scaled_object(resource_name, args),
                opts=options,
            )
        if args.interceptor is not None:
            apiextensions.CustomResource(
                f"{resource_name}-held",
                api_version="http.keda.sh/v1alpha1",
                kind="HTTPScaledObject",
                metadata=args.metadata,
                spec=holding.scaled_object(args.team, resource_name, args.port, args.in_flight),
                opts=options,
            )
        self.register_outputs({})


def _autoscaler(
    deployment: str, scaling: ScalingSettings
) -> autoscaling.HorizontalPodAutoscalerSpecArgs:
    return autoscaling.HorizontalPodAutoscalerSpecArgs(
        scale_target_ref=autoscaling.CrossVersionObjectReferenceArgs(
            api_version="apps/v1", kind="Deployment", name=deployment
        ),
        min_replicas=scaling.min,
        max_replicas=scaling.max,
        metrics=[
            autoscaling.MetricSpecArgs(
                type="Resource",
                resource=autoscaling.ResourceMetricSourceArgs(
                    name="cpu",
                    target=autoscaling.MetricTargetArgs(
                        type="Utilization", average_utilization=scaling.cpu_percent
                    ),
                ),
            )
        ],
        behavior=autoscaling.HorizontalPodAutoscalerBehaviorArgs(
            scale_up=autoscaling.HPAScalingRulesArgs(stabilization_window_seconds=0),
            scale_down=autoscaling.HPAScalingRulesArgs(
                stabilization_window_seconds=scaling.cooldown_seconds
            ),
        ),
    )


def _scaled_object(name: str, args: AutoscalerArgs) -> dict[str, Any]:
    scaling = args.scaling
    return {
        "scaleTargetRef": {"name": args.deployment},
        "minReplicaCount": scaling.min,
        "maxReplicaCount": scaling.max,
        **(_idle(scaling) if scaling.to_zero else {}),
        "triggers": list(_triggers(name, args)),
        "advanced": {
            "horizontalPodAutoscalerConfig": {
                "behavior": {
                    "scaleUp": {"stabilizationWindowSeconds": 0},
                    "scaleDown": {"stabilizationWindowSeconds": scaling.cooldown_seconds},
                }
            }
        },
    }


def _idle(scaling: ScalingSettings) -> dict[str, Any]:
    """Return when the last pod goes; also the first one, which a new model starts with."""
    return {
        "cooldownPeriod": scaling.cooldown_seconds,
        "initialCooldownPeriod": scaling.cooldown_seconds,
        "pollingInterval": _IDLE_POLL_SECONDS,
    }


def _triggers(name: str, args: AutoscalerArgs) -> Iterator[dict[str, Any]]:
    scaling = args.scaling
    if args.interceptor is not None:
        yield {
            "type": "external-push",
            "metadata": {"scalerAddress": args.interceptor.scaler, "httpScaledObject": name},
        }
    if scaling.requests_per_second is not None:
        yield {
            "type": "prometheus",
            "metricType": "AverageValue",
            "metadata": {
                "serverAddress": args.sources.prometheus,
                "query": requests_query(args.team, name),
                "threshold": str(scaling.requests_per_second),
                # An answer without a value is no reason to end pods.
                "ignoreNullValues": "false",
            },
        }
    if scaling.cpu_percent is not None:
        yield {
            "type": "cpu",
            "metricType": "Utilization",
            "metadata": {"value": str(scaling.cpu_percent)},
        }


def requests_query(team: str, model: str) -> str:
    """Return the query for the requests a second that the gateway led to a model.

    A model that nobody asked yet has no series; that stands for 0 only while Prometheus knows the
    model and reads the gateway. Otherwise the query has no value, and the number of pods stays.

    Args:
        team: The model's team.
        model: Name of the model.
    """
    who = f'{{team="{team}",model="{model}"}}'
    return (
        f"sum(slipway:model:requests_per_second{who})"
        f' or 0 * max(slipway:model:info{who}) * on () max(up{{job="gateway"}} == 1)'
    )
