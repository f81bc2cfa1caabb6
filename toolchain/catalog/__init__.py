"""The table of pinned programs: where each can come from, in which order."""

from typing import Final

from toolchain.catalog.engine import HELM, KUBECTL, PULUMI
from toolchain.catalog.images import COREDNS, GATEWAY_API, PAUSE, TRAEFIK
from toolchain.catalog.node import CNI, CONTAINERD, ETCD, K3S, KUBERNETES, RUNC

ALL: Final = (
    PULUMI,
    KUBECTL,
    HELM,
    ETCD,
    CONTAINERD,
    RUNC,
    CNI,
    KUBERNETES,
    K3S,
    COREDNS,
    TRAEFIK,
    PAUSE,
    GATEWAY_API,
)
