"""Settings of a cluster that somebody else made."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from infra.settings.types import (
    ClusterName,
    Flag,
    LabelKey,
    LabelValue,
    ObjectName,
    StrictModel,
)

# A host that is a name with a dot or has a port, as Docker tells it from a path, then a path.
_REPOSITORY = re.compile(
    r"(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+)(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+"
)
_MODELS = re.compile(r"(s3|gs)://[a-z0-9][a-z0-9._/-]+|https://[a-z0-9-]+\.blob\.core\.[a-z.]+/\S+")
_POOL = re.compile(r"[0-9a-f.:]+(/\d{1,3}|-[0-9a-f.:]+)")

AddressFamily = Literal["IPv4", "IPv6"]
_BOTH: Final = 2


def _repository(value: str) -> str:
    if not _REPOSITORY.fullmatch(value):
        raise ValueError(
            f"`{value}` is not a repository; write one like `registry.example.com/ml/slipway`, "
            "without a tag"
        )
    return value


def _models(value: str) -> str:
    if not _MODELS.fullmatch(value):
        raise ValueError(f"`{value}` is no place of models; write one like `s3://<bucket>`")
    return value


def _pool(value: str) -> str:
    if not _POOL.fullmatch(value):
        raise ValueError(
            f"`{value}` is not a pool of addresses; write one like `192.0.2.0/28` or "
            "`192.0.2.10-192.0.2.20`"
        )
    return value


class ExistingLoadBalancerSettings(StrictModel):
    """How the cluster is asked for an entry point.

    Attributes:
        type: Type of the gateway's Service.
        annotations: What the cluster wants on that Service.
        host: Where it answers, if that is known beforehand; needed by other types than
            `LoadBalancer`, whose Services get no address.
        https_port: The port there.
        address_pool: Addresses that MetalLB gives out, which the stack then brings; by default the
            cluster has a load balancer of its own.
    """

    type: Literal["LoadBalancer", "NodePort", "ClusterIP"] = "LoadBalancer"
    annotations: dict[LabelKey, str] = Field(default_factory=dict)
    host: str | None = None
    https_port: Annotated[int, Field(strict=True, ge=1, le=65535)] = 443
    address_pool: Annotated[str, AfterValidator(_pool)] | None = None

    @model_validator(mode="after")
    def _is_reached(self) -> Self:
        if self.type != "LoadBalancer" and self.host is None:
            raise ValueError(
                f"`type: {self.type}` gives the gateway no address; add `host`, where clients "
                "reach it"
            )
        if self.type != "LoadBalancer" and self.address_pool is not None:
            raise ValueError(
                f"`addressPool` is of Services of type LoadBalancer, and not `{self.type}`; remove "
                "one of them"
            )
        return self


class ExistingTraits(StrictModel):
    """What the cluster has, as nobody can tell from outside.

    Attributes:
        load_balancer: How it is asked for an entry point.
        storage_class: Its default StorageClass; none by default.
        network_policies: Whether its network enforces NetworkPolicy objects.
        address_families: Of the addresses that pods have.
        metrics_server: Whether it has a metrics-server; the stack brings one where it does not.
        image_volumes: Whether pods can mount images as volumes.
        gpu_selector: Labels of its nodes with GPUs, which carry the taint `nvidia.com/gpu`; none
            by default.
    """

    load_balancer: ExistingLoadBalancerSettings = Field(
        default_factory=ExistingLoadBalancerSettings
    )
    storage_class: ObjectName | None = None
    network_policies: Flag = False
    address_families: Annotated[
        tuple[AddressFamily, ...], Field(min_length=1, max_length=_BOTH)
    ] = ("IPv4",)
    metrics_server: Flag = True
    image_volumes: Flag = False
    gpu_selector: dict[LabelKey, LabelValue] | None = None


class ExistingClusterSettings(StrictModel):
    """A cluster that is there: the stack adds to it, and changes nothing that it did not make.

    Attributes:
        kind: Always `existing`.
        name: What the stack calls it.
        kubeconfig: Path of a kubeconfig; by default `KUBECONFIG`, and without that the file
            `~/.kube/config` of whoever runs Pulumi.
        context: Name of the context in it.
        registry: Repository that images are pushed to, and that the cluster pulls from.
        models: Where its models are stored, which the stack's output shows.
        traits: What the cluster has.
    """

    kind: Literal["existing"]
    name: ClusterName = "existing"
    kubeconfig: str | None = None
    context: Annotated[str, Field(min_length=1)]
    registry: Annotated[str, AfterValidator(_repository)]
    models: Annotated[str, AfterValidator(_models)] | None = None
    traits: ExistingTraits = Field(default_factory=ExistingTraits)
