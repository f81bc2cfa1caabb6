"""Settings of a cluster on the machine that runs Pulumi."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

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
        http_port: Port of the loopback address at which the gateway answers over HTTP.
        https_port: The same for HTTPS.
    """

    kind: Literal["local"]
    name: ClusterName = "local"
    distributions: Annotated[
        tuple[Distribution, ...], Field(min_length=1), AfterValidator(_distinct)
    ] = ("k3s", "upstream")
    http_port: HostPort = 8080
    https_port: HostPort = 8443

    @property
    def ports(self) -> tuple[int, int]:
        """The ports of the loopback address that the cluster takes."""
        return self.http_port, self.https_port

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.http_port == self.https_port:
            raise ValueError(
                f"`httpPort` and `httpsPort` are both `{self.http_port}`; give each its own port"
            )
        return self
