"""Every version that Slipway pins, in one table of plain data.

Nothing here imports anything, so the program, the toolchain and the tests share one source.
Python packages are pinned in `pyproject.toml` and its lock, Go modules in `toolchain/go`; a test
holds that those and this table agree.
"""

from typing import Final

PYTHON_MINIMUM: Final = (3, 11)

# The engine and its Python SDK move together.
PULUMI: Final = "3.259.0"
# The last SDK release whose Go module carries the Python language host; the official release of
# the CLI bundles a newer one. It runs programs of today's SDK.
PULUMI_LANGUAGE_PYTHON: Final = "3.78.1"
# The `kubernetes` plug-in, official or stand-in: the version that the Python SDK asks for.
PULUMI_KUBERNETES: Final = "4.34.2"

KUBERNETES: Final = "1.37.2"
# Its main package is our own: raise the number with every change to toolchain/go/kubernetes.
KUBERNETES_BUILD: Final = f"{KUBERNETES}+2"
# The newest that PyPI has as a wheel.
KUBECTL: Final = "1.37.1"
CONTAINERD: Final = "2.4.2"
RUNC: Final = "1.4.2"
CNI_PLUGINS: Final = "1.9.0"
COREDNS: Final = "1.13.1"
# Which plug-ins it has is our own: raise the number with every change to toolchain/go/coredns.
COREDNS_BUILD: Final = f"{COREDNS}+1"
TRAEFIK: Final = "3.7.10"
GATEWAY_API: Final = "1.6.1"
HELM: Final = "3.22.0"

CERT_MANAGER: Final = "1.21.2"
# Its main packages are our own: raise the number with every change to toolchain/go/cert-manager.
CERT_MANAGER_BUILD: Final = f"{CERT_MANAGER}+1"
# The newest whose every dependency the Go module proxy serves (0.16.2 asks for frr-k8s 0.0.27).
METALLB: Final = "0.16.1"
METRICS_SERVER: Final = "0.9.0"
# The newest that the newest Go 1.26 of PyPI builds; its module counts 3.15.1 as 0.315.1.
PROMETHEUS: Final = "3.15.1"
PROMETHEUS_MODULE: Final = "0.315.1"
# The newest that the Go module proxy serves.
KUBE_STATE_METRICS: Final = "2.13.0"
KEDA: Final = "2.21.0"
# Which triggers it knows is our own: raise the number with every change to toolchain/go/keda or to
# what its row in toolchain/catalog leaves out.
KEDA_BUILD: Final = f"{KEDA}+1"
# Holds requests for models without pods. The newest that the Go module proxy serves of those tried:
# it refuses 0.10.0, 0.11.0, 0.12.1, 0.13.0 and the list of versions.
KEDA_HTTP_ADD_ON: Final = "0.12.0"
# The newest that is one module: from 1.0 on it is several, and most of them are not served.
EXTERNAL_SECRETS: Final = "0.20.4"
# Which stores it knows is our own: raise the number with every change to
# toolchain/go/external-secrets.
EXTERNAL_SECRETS_BUILD: Final = f"{EXTERNAL_SECRETS}+1"

# Versions of the charts in those releases, as a mirror of charts has them.
CHARTS: Final = {
    "cert-manager": f"v{CERT_MANAGER}",
    "external-secrets": EXTERNAL_SECRETS,
    "metallb": METALLB,
    "metrics-server": "3.13.1",
}

# Carries Kubernetes 1.36: the newest k3s release at the time of pinning.
K3S: Final = "1.36.2+k3s1"
# Enforces network policies in tests, and nowhere else. It is of 2021: the only release that the Go
# module proxy serves.
KUBE_ROUTER: Final = "1.3.2"
# Its type InferenceService is what models are held against in tests; no stack installs it.
KSERVE: Final = "0.20.0"
# Stores objects as S3 does in tests, and nowhere else.
VERSITYGW: Final = "1.8.0"
# PyPI's wheel of the Go toolchain, for machines without a Go that is new enough.
GO: Final = "1.26.6"

# Our own: raise it with every change to toolchain/go/pause.
PAUSE: Final = "1.0.0"
