"""What goes into container images, and onto the cluster as manifests."""

from typing import Final

from infra import versions
from toolchain.sources.base import Probe, Program
from toolchain.sources.gobuild import GoBuild, GoModule, ModuleFile
from toolchain.sources.machine import Machine
from toolchain.sources.release import Release, github

_GB = 1_000_000_000
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

COREDNS: Final = Program(
    name="coredns",
    version=versions.COREDNS_BUILD,
    binaries=("coredns",),
    probe=Probe(("-version",), f"CoreDNS-{versions.COREDNS}"),
    sources=(
        GoBuild(
            modules=(GoModule(folder="coredns", packages=(".",), output="coredns"),),
            disk=2 * _GB,
            seconds=90,
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
                github(
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

_TRAEFIK_KINDS = (
    "ingressroutes",
    "ingressroutetcps",
    "ingressrouteudps",
    "middlewares",
    "middlewaretcps",
    "serverstransports",
    "serverstransporttcps",
    "tlsoptions",
    "tlsstores",
    "traefikservices",
)

TRAEFIK_CRDS: Final = Program(
    name="traefik-crds",
    version=versions.TRAEFIK,
    binaries=tuple(f"traefik.io_{kind}.yaml" for kind in _TRAEFIK_KINDS),
    probe=None,
    sources=(
        GoBuild(
            modules=(
                GoModule(
                    folder="traefik",
                    packages=(),
                    files=tuple(
                        ModuleFile(
                            f"github.com/traefik/traefik/v3@v{versions.TRAEFIK}",
                            f"docs/content/reference/dynamic-configuration/traefik.io_{kind}.yaml",
                        )
                        for kind in _TRAEFIK_KINDS
                    ),
                ),
            ),
            disk=200_000_000,
            seconds=5,
        ),
    ),
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
