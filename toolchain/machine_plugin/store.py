"""Where images and model files are brought: the `store` input."""

from dataclasses import dataclass

from toolchain.errors import SlipwayError

LOCAL = "local:"


class StoreError(SlipwayError):
    """A `store` input that names no store."""


@dataclass(frozen=True)
class LocalStore:
    """The node of a local cluster.

    Attributes:
        cluster: Name of the cluster.
        identity: `LocalCluster.identity`: what was brought to an earlier cluster of that name is
            not in this one.
    """

    cluster: str
    identity: str


def parse(store: str) -> LocalStore:
    """Return the store that an input names.

    Raises:
        StoreError: It is not `local:<cluster>/<identity>`.
    """
    cluster, _, identity = store.removeprefix(LOCAL).partition("/")
    if not store.startswith(LOCAL) or not cluster or not identity:
        raise StoreError(
            f"store {store!r} is not known: use `local:<cluster>/<identity>` "
            "(infra.machine.local_store makes it)"
        )
    return LocalStore(cluster, identity)
