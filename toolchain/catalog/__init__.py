"""The table of pinned programs: where each can come from, in which order."""

from typing import Final

from toolchain.catalog.engine import HELM, KUBECTL, PULUMI
from toolchain.catalog.images import COREDNS, GATEWAY_API, PAUSE, TRAEFIK, TRAEFIK_CRDS
from toolchain.catalog.node import CNI, CONTAINERD, K3S, KUBERNETES, RUNC
from toolchain.catalog.platform import (
    CERT_MANAGER,
    CERT_MANAGER_CHART,
    CERT_MANAGER_CRDS,
    EXTERNAL_SECRETS,
    EXTERNAL_SECRETS_CHART,
    EXTERNAL_SECRETS_CRDS,
    KEDA,
    KEDA_CRDS,
    KEDA_HTTP_ADD_ON,
    KEDA_HTTP_CRDS,
    KUBE_STATE_METRICS,
    METALLB,
    METALLB_CHART,
    METALLB_CRDS,
    METRICS_SERVER,
    METRICS_SERVER_CHART,
    PROMETHEUS,
)
from toolchain.catalog.testing import KSERVE_CRDS, KUBE_ROUTER, VERSITYGW

ALL: Final = (
    PULUMI,
    KUBECTL,
    HELM,
    CONTAINERD,
    RUNC,
    CNI,
    KUBERNETES,
    K3S,
    COREDNS,
    TRAEFIK,
    TRAEFIK_CRDS,
    PAUSE,
    GATEWAY_API,
    CERT_MANAGER,
    CERT_MANAGER_CHART,
    CERT_MANAGER_CRDS,
    EXTERNAL_SECRETS,
    EXTERNAL_SECRETS_CHART,
    EXTERNAL_SECRETS_CRDS,
    KEDA,
    KEDA_CRDS,
    KEDA_HTTP_ADD_ON,
    KEDA_HTTP_CRDS,
    KUBE_STATE_METRICS,
    METALLB,
    METALLB_CHART,
    METALLB_CRDS,
    METRICS_SERVER,
    METRICS_SERVER_CHART,
    PROMETHEUS,
    KSERVE_CRDS,
    KUBE_ROUTER,
    VERSITYGW,
)
