"""What a node of a local cluster runs."""

from typing import Final

from infra import versions
from toolchain.sources.base import Probe, Program
from toolchain.sources.gobuild import GoBuild, GoModule
from toolchain.sources.machine import Machine
from toolchain.sources.release import Release, github

_GB = 1_000_000_000
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

# One program with a main package of our own (docs/adr/0012), so there is no release of it.
KUBERNETES: Final = Program(
    name="kubernetes",
    version=versions.KUBERNETES_BUILD,
    binaries=("kubernetes",),
    probe=Probe(("--version",), f"v{versions.KUBERNETES}"),
    sources=(
        GoBuild(
            modules=(
                GoModule(
                    folder="kubernetes",
                    packages=(".",),
                    output="kubernetes",
                    # Without them the server calls itself v0.0.0.
                    variables=tuple(
                        (f"k8s.io/component-base/version.{name}", value)
                        for name, value in (
                            ("gitVersion", f"v{versions.KUBERNETES}"),
                            ("gitMajor", versions.KUBERNETES.split(".")[0]),
                            ("gitMinor", versions.KUBERNETES.split(".")[1]),
                            ("gitTreeState", "clean"),
                        )
                    ),
                ),
            ),
            disk=5 * _GB,
            seconds=420,
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
                github(
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
                github(
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
                github(
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
                github(
                    "k3s-io/k3s",
                    "k3s{suffix}",
                    "sha256sum-{arch}.txt",
                    binary="k3s",
                ),
            ),
        ),
    ),
)
