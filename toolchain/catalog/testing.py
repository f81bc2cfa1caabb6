"""Programs that only tests use: no cluster of a user ever runs them."""

from typing import Final

from infra import versions
from toolchain.sources.base import Probe, Program
from toolchain.sources.gobuild import GoBuild, GoModule, ModuleFile

_KUBE_ROUTER = "github.com/cloudnativelabs/kube-router"
_VERSITYGW = "github.com/versity/versitygw"
_KSERVE = "github.com/kserve/kserve"
_INFERENCE_SERVICES = "serving.kserve.io_inferenceservices"

KUBE_ROUTER: Final = Program(
    name="kube-router",
    version=versions.KUBE_ROUTER,
    binaries=("kube-router",),
    probe=Probe(("--version",), f"v{versions.KUBE_ROUTER}"),
    sources=(
        GoBuild(
            modules=(
                GoModule(
                    folder="kube-router",
                    packages=(f"{_KUBE_ROUTER}/cmd/kube-router",),
                    output="kube-router",
                    variables=((f"{_KUBE_ROUTER}/pkg/version.Version", "v{version}"),),
                ),
            ),
            disk=2_000_000_000,
            seconds=130,
        ),
    ),
)

VERSITYGW: Final = Program(
    name="versitygw",
    version=versions.VERSITYGW,
    binaries=("versitygw",),
    probe=Probe(("--version",), f"v{versions.VERSITYGW}"),
    sources=(
        GoBuild(
            modules=(
                GoModule(
                    folder="versitygw",
                    packages=(f"{_VERSITYGW}/cmd/versitygw",),
                    output="versitygw",
                    variables=(("main.Version", "v{version}"),),
                ),
            ),
            disk=2_000_000_000,
            seconds=60,
        ),
    ),
)

# The type of KServe that a model's objects are held against. Its controller is not built:
# docs/adr/0016-runtimes.md.
KSERVE_CRDS: Final = Program(
    name="kserve-crds",
    version=versions.KSERVE,
    binaries=(),
    probe=None,
    sources=(
        GoBuild(
            modules=(
                GoModule(
                    folder="kserve",
                    packages=(),
                    files=(ModuleFile(_KSERVE, f"config/crd/full/{_INFERENCE_SERVICES}.yaml"),),
                ),
            ),
            disk=600_000_000,
            seconds=10,
        ),
    ),
)
