"""Where images and model files are brought: the `store` input."""

from dataclasses import dataclass

from toolchain.errors import SlipwayError

LOCAL = "local:"
REGISTRY = "registry:"


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


@dataclass(frozen=True)
class RegistryStore:
    """A repository of a registry, from which a cluster pulls images.

    Attributes:
        repository: `<host>/<path>`, without a tag.
    """

    repository: str


def parse(store: str) -> LocalStore | RegistryStore:
    """Return the store that an input names.

    Raises:
        StoreError: It is neither `local:<cluster>/<identity>` nor `registry:<host>/<path>`.
    """
    first, _, rest = store.removeprefix(REGISTRY).partition("/")
    if store.startswith(REGISTRY) and first and rest:
        return RegistryStore(f"{first}/{rest}")
    cluster, _, identity = store.removeprefix(LOCAL).partition("/")
    if not store.startswith(LOCAL) or not cluster or not identity:
        raise StoreError(
            f"store {store!r} is not known: use `local:<cluster>/<identity>` "
            "(infra.machine.local_store makes it) or `registry:<host>/<path>` "
            "(infra.machine.registry_store)"
        )
    return LocalStore(cluster, identity)


def parse_local(store: str) -> LocalStore:
    """Return the node that an input names.

    Raises:
        StoreError: It is not `local:<cluster>/<identity>`.
    """
    found = parse(store)
    if not isinstance(found, LocalStore):
        raise StoreError(
            f"store {store!r} is a registry, to which no file of this machine is brought: store "
            "the model where the cluster reaches it (docs/storage.md)"
        )
    return found
