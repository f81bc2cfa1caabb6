"""A stack of its own: a copy of the project with another cluster name and other ports.

The cluster that somebody works with stays as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.section import Context
from tests.cluster.checkout import Checkout
from toolchain import local_cluster

NAME: Final = "slipway-bench"
HTTP_PORT: Final = 18480
HTTPS_PORT: Final = 18443


@contextmanager
def checkout(context: Context) -> Iterator[Checkout]:
    """Yield the copy, whose cluster is not up yet; afterwards it is gone again.

    Args:
        context: The round; the copy goes into its folder.
    """
    local_cluster.destroy(NAME, context.report)
    try:
        yield Checkout(context.folder / "slipway", NAME, HTTP_PORT, HTTPS_PORT)
    finally:
        local_cluster.destroy(NAME, context.report)


def state() -> local_cluster.ClusterState:
    """Return what is known of the running cluster."""
    found = local_cluster.read(NAME)
    if found is None:
        raise RuntimeError(f"the cluster {NAME} is gone")
    return found
