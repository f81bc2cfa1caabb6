"""What may be replaced or deleted."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Protection:
    """Which resources are protected.

    The engine refuses to replace or delete a protected resource: in its preview, before it touches
    anything, in words that name the resource (https://www.pulumi.com/docs/iac/concepts/options/protect/).
    A replacement that is approved goes through in one `up`. A deletion looks at the state: of what
    is approved, `up` first takes the mark off there.

    Attributes:
        enabled: Whether anything is: the setting `protect` of the cluster.
        approved: Logical names of the resources that may go: the setting `slipway:approve`.
    """

    enabled: bool
    approved: frozenset[str]

    def of(self, resource_name: str) -> bool:
        """Return the option `protect` of a resource.

        It is for what holds state (registries, buckets, key stores), and for what takes such with
        it or everything that runs (clusters, networks).

        Args:
            resource_name: Its logical name.
        """
        return self.enabled and resource_name not in self.approved
