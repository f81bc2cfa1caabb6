"""The controllers of the shared platform, their charts, and the types they bring.

Their publishers release container images, not binaries: except for Prometheus there is nothing but
the Go modules to get them from. Charts and manifests lie in the same modules, checked by go.sum,
and are obtained without building anything.
"""

from typing import Final

from infra import versions
from toolchain.sources.base import Probe, Program
from toolchain.sources.gobuild import Edit, GoBuild, GoModule, ModuleFolder, Replacement
from toolchain.sources.machine import Machine
from toolchain.sources.release import Release, github

_GB = 1_000_000_000
_PROMETHEUS_COMMON = "github.com/prometheus/common"
# Upstream keeps its main packages in modules that are not served.
_CERT_MANAGER_PARTS = ("controller", "webhook", "cainjector", "acmesolver")


def _folder(
    name: str, version: str, folder: str, content: ModuleFolder, disk: int = 100_000_000
) -> Program:
    """Return a program that is a folder of a module, without a binary."""
    module = GoModule(folder=folder, packages=(), folders=(content,))
    source = GoBuild(modules=(module,), disk=disk, seconds=5)
    return Program(name=name, version=version, binaries=(), probe=None, sources=(source,))


_CERT_MANAGER = "github.com/cert-manager/cert-manager"

CERT_MANAGER: Final = Program(
    name="cert-manager",
    version=versions.CERT_MANAGER_BUILD,
    binaries=tuple(f"cert-manager-{part}" for part in _CERT_MANAGER_PARTS),
    probe=Probe(("--version",), f"v{versions.CERT_MANAGER}"),
    sources=(
        GoBuild(
            modules=tuple(
                GoModule(
                    folder="cert-manager",
                    packages=(f"./{part}",),
                    output=f"cert-manager-{part}",
                    variables=(
                        (f"{_CERT_MANAGER}/pkg/util.AppVersion", f"v{versions.CERT_MANAGER}"),
                    ),
                )
                for part in _CERT_MANAGER_PARTS
            ),
            disk=3 * _GB,
            seconds=200,
        ),
    ),
)

CERT_MANAGER_CHART: Final = _folder(
    "cert-manager-chart",
    versions.CERT_MANAGER,
    "cert-manager",
    ModuleFolder(
        _CERT_MANAGER,
        "deploy/charts/cert-manager",
        (Edit("Chart.yaml", "v0.0.0", "v{version}"),),
    ),
)

CERT_MANAGER_CRDS: Final = _folder(
    "cert-manager-crds",
    versions.CERT_MANAGER,
    "cert-manager",
    ModuleFolder(_CERT_MANAGER, "deploy/crds"),
)

_METALLB = "go.universe.tf/metallb"

METALLB: Final = Program(
    name="metallb",
    version=versions.METALLB,
    binaries=("metallb-controller", "metallb-speaker"),
    # There is no flag for the version: it is told before the error about a flag's value.
    probe=Probe(("-tls-min-version", "none"), versions.METALLB),
    sources=(
        GoBuild(
            modules=tuple(
                GoModule(
                    folder="metallb", packages=(f"{_METALLB}/{part}",), output=f"metallb-{part}"
                )
                for part in ("controller", "speaker")
            ),
            disk=3 * _GB,
            seconds=150,
        ),
    ),
)

METALLB_CHART: Final = _folder(
    "metallb-chart",
    versions.METALLB,
    "metallb",
    ModuleFolder(_METALLB, "charts/metallb"),
)

METALLB_CRDS: Final = _folder(
    "metallb-crds",
    versions.METALLB,
    "metallb",
    # Not `config/crd/bases`: there the conversion is missing that the controller keeps up to date.
    ModuleFolder(
        _METALLB,
        "charts/metallb/charts/crds/templates",
        (Edit("crds.yaml", "{{ .Release.Namespace }}", "metallb-system"),),
    ),
)

_METRICS_SERVER = "sigs.k8s.io/metrics-server"

METRICS_SERVER: Final = Program(
    name="metrics-server",
    version=versions.METRICS_SERVER,
    binaries=("metrics-server",),
    probe=Probe(("--version",), f"v{versions.METRICS_SERVER}"),
    sources=(
        GoBuild(
            modules=(
                GoModule(
                    folder="metrics-server",
                    packages=(f"{_METRICS_SERVER}/cmd/metrics-server",),
                    output="metrics-server",
                    variables=(("k8s.io/client-go/pkg/version.gitVersion", "v{version}"),),
                ),
            ),
            disk=3 * _GB,
            seconds=130,
        ),
    ),
)

METRICS_SERVER_CHART: Final = _folder(
    "metrics-server-chart",
    versions.METRICS_SERVER,
    "metrics-server",
    ModuleFolder(_METRICS_SERVER, "charts/metrics-server"),
)

_PROMETHEUS = "github.com/prometheus/prometheus"

# A build has no web pages: the module does not carry what npm makes of their sources.
PROMETHEUS: Final = Program(
    name="prometheus",
    version=versions.PROMETHEUS,
    binaries=("prometheus", "promtool"),
    probe=Probe(("--version",), versions.PROMETHEUS),
    sources=(
        Machine(),
        Release(
            files=(
                github(
                    "prometheus/prometheus",
                    "prometheus-{version}.linux-{arch}.tar.gz",
                    "sha256sums.txt",
                    folder="prometheus-{version}.linux-{arch}/",
                ),
            ),
        ),
        GoBuild(
            modules=(
                GoModule(
                    folder="prometheus",
                    packages=(f"{_PROMETHEUS}/cmd/prometheus", f"{_PROMETHEUS}/cmd/promtool"),
                    variables=((f"{_PROMETHEUS_COMMON}/version.Version", "{version}"),),
                    # Of the ways to find targets, those of a cluster: the others bring the SDKs of
                    # a dozen clouds.
                    tags=("remove_all_sd", "enable_kubernetes_sd", "enable_dns_sd"),
                ),
            ),
            disk=3 * _GB,
            seconds=180,
        ),
    ),
)

KUBE_STATE_METRICS: Final = Program(
    name="kube-state-metrics",
    version=versions.KUBE_STATE_METRICS,
    binaries=("kube-state-metrics",),
    probe=Probe(("version",), f"v{versions.KUBE_STATE_METRICS}"),
    sources=(
        GoBuild(
            modules=(
                GoModule(
                    folder="kube-state-metrics",
                    packages=("k8s.io/kube-state-metrics/v2",),
                    output="kube-state-metrics",
                    variables=((f"{_PROMETHEUS_COMMON}/version.Version", "v{version}"),),
                ),
            ),
            disk=2 * _GB,
            seconds=80,
        ),
    ),
)

_KEDA = "github.com/kedacore/keda/v2"
# Of its seventy kinds of triggers, those that need no client of a product: that is half of the
# packages to compile, and of the memory of the operator.
_KEDA_TRIGGERS = Replacement(
    "keda-source",
    _KEDA,
    files=(("pkg/scalers/azure_queue_scaler.go", "metric_type.go"),),
    only=(
        (
            "pkg/scalers",
            (
                "azure_queue_scaler.go",
                "cpu_memory_scaler.go",
                "cron_scaler.go",
                "external_scaler.go",
                "kubernetes_workload_scaler.go",
                "metrics_api_scaler.go",
                "prometheus_scaler.go",
                "scaler.go",
            ),
        ),
    ),
    cuts=(
        (
            "pkg/scaling/scalers_builder.go",
            r'\tcase "(?!(cpu|memory|cron|external|external-push|kubernetes-workload|metrics-api'
            r'|prometheus)"[:,])[^\n]*:\n(?!\tcase|\tdefault)[^\n]*\n',
        ),
    ),
)

KEDA: Final = Program(
    name="keda",
    version=versions.KEDA_BUILD,
    binaries=("keda-operator", "keda-adapter"),
    # Neither tells its version without a cluster.
    probe=None,
    sources=(
        GoBuild(
            modules=tuple(
                GoModule(
                    folder="keda",
                    packages=(f"{_KEDA}/cmd/{part}",),
                    output=f"keda-{part}",
                    variables=((f"{_KEDA}/version.Version", versions.KEDA),),
                    replacement=_KEDA_TRIGGERS,
                )
                for part in ("operator", "adapter")
            ),
            disk=4 * _GB,
            seconds=240,
        ),
    ),
)

KEDA_CRDS: Final = _folder(
    "keda-crds", versions.KEDA, "keda-source", ModuleFolder(_KEDA, "config/crd/bases")
)

_KEDA_HTTP = "github.com/kedacore/http-add-on"

# Its third program makes ScaledObjects, which the stack makes itself.
KEDA_HTTP_ADD_ON: Final = Program(
    name="keda-http-add-on",
    version=versions.KEDA_HTTP_ADD_ON,
    binaries=("keda-http-interceptor", "keda-http-scaler"),
    # Neither tells its version without a cluster.
    probe=None,
    sources=(
        GoBuild(
            modules=tuple(
                GoModule(
                    folder="keda-http-add-on",
                    packages=(f"{_KEDA_HTTP}/{part}",),
                    output=f"keda-http-{part}",
                    variables=((f"{_KEDA_HTTP}/pkg/build.version", "{version}"),),
                )
                for part in ("interceptor", "scaler")
            ),
            disk=3 * _GB,
            seconds=170,
        ),
    ),
)

KEDA_HTTP_CRDS: Final = _folder(
    "keda-http-crds",
    versions.KEDA_HTTP_ADD_ON,
    "keda-http-add-on",
    ModuleFolder(_KEDA_HTTP, "config/crd/bases"),
)

_EXTERNAL_SECRETS = "github.com/external-secrets/external-secrets"

EXTERNAL_SECRETS: Final = Program(
    name="external-secrets",
    version=versions.EXTERNAL_SECRETS_BUILD,
    binaries=("external-secrets",),
    # It does not tell its version.
    probe=None,
    sources=(
        GoBuild(
            modules=(
                GoModule(
                    folder="external-secrets",
                    packages=(_EXTERNAL_SECRETS,),
                    output="external-secrets",
                    replacement=Replacement(
                        "external-secrets-source",
                        _EXTERNAL_SECRETS,
                        (
                            ("pkg/provider/register/register.go", "stores.go"),
                            ("pkg/generator/register/register.go", "generators.go"),
                        ),
                    ),
                ),
            ),
            disk=3 * _GB,
            seconds=150,
        ),
    ),
)

EXTERNAL_SECRETS_CHART: Final = _folder(
    "external-secrets-chart",
    versions.EXTERNAL_SECRETS,
    "external-secrets-source",
    ModuleFolder(
        _EXTERNAL_SECRETS,
        "deploy/charts/external-secrets",
        (
            # The tag was set before the chart's version was raised.
            Edit("Chart.yaml", "0.20.3", "{version}"),
            # A chart in another registry, for the one store that needs a server of its own.
            Edit(
                "Chart.yaml",
                """dependencies:
  - name: bitwarden-sdk-server
    version: v0.5.1
    repository: oci://ghcr.io/external-secrets/charts
    condition: bitwarden-sdk-server.enabled
""",
                "",
            ),
        ),
    ),
)

EXTERNAL_SECRETS_CRDS: Final = _folder(
    "external-secrets-crds",
    versions.EXTERNAL_SECRETS,
    "external-secrets-source",
    ModuleFolder(_EXTERNAL_SECRETS, "deploy/crds"),
)
