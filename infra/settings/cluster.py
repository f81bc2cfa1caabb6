"""Settings of a cluster: one model per kind, told apart by `kind`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from infra.settings.types import ClusterName, HostPort, StrictModel

Distribution = Literal["k3s", "upstream"]


def _distinct(names: tuple[Distribution, ...]) -> tuple[Distribution, ...]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"`{name}` is listed more than once; list each distribution once")
    return names


class LocalClusterSettings(StrictModel):
    """A single-node cluster on the machine that runs Pulumi.

    Attributes:
        kind: Always `local`.
        name: Name of the cluster on this machine; two stacks with two names live side by side.
        distributions: Ordered choice; the first that this machine can get is used.
        gateway_port: Port of the loopback address at which the gateway answers.
    """

    kind: Literal["local"]
    name: ClusterName = "local"
    distributions: Annotated[
        tuple[Distribution, ...], Field(min_length=1), AfterValidator(_distinct)
    ] = ("k3s", "upstream")
    gateway_port: HostPort = 8080


# A further kind joins this union and the registry in `infra.clusters`.
ClusterSettings = Annotated[LocalClusterSettings, Field(discriminator="kind")]
