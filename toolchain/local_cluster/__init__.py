"""A Kubernetes cluster of one node on this machine, made from pinned programs.

The node is a tree of processes in namespaces of its own (`sandbox`, `node`); what runs in it is up
to a distribution (`upstream`, `k3s`). Nothing but the functions below is for use elsewhere.
"""

from toolchain.local_cluster.checks import problems as preflight
from toolchain.local_cluster.choice import choose_distribution, distribution_of
from toolchain.local_cluster.distributions import brings
from toolchain.local_cluster.errors import LocalClusterError, PreflightError
from toolchain.local_cluster.lifecycle import (
    create,
    destroy,
    has_image,
    import_image,
    put_model,
    read,
    start,
    status,
)
from toolchain.local_cluster.models import remove as remove_model
from toolchain.local_cluster.remains import LOOKED_FOR
from toolchain.local_cluster.remains import find as leftovers
from toolchain.local_cluster.spec import (
    Brings,
    Choice,
    ClusterSpec,
    ClusterState,
    Distribution,
    PortForward,
    Status,
)

__all__ = [
    "LOOKED_FOR",
    "Brings",
    "Choice",
    "ClusterSpec",
    "ClusterState",
    "Distribution",
    "LocalClusterError",
    "PortForward",
    "PreflightError",
    "Status",
    "brings",
    "choose_distribution",
    "create",
    "destroy",
    "distribution_of",
    "has_image",
    "import_image",
    "leftovers",
    "preflight",
    "put_model",
    "read",
    "remove_model",
    "start",
    "status",
]
