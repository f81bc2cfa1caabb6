"""The init step that downloads a model into its pod, and what it may connect to."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from apps.serving import mounts, secrets
from apps.serving.volumes import MODELS
from infra import hardening, naming
from infra.contract import AddressFamily, SecretReference, TeamReference
from infra.settings import Artifact
from infra.settings.storage import DOWNLOAD
from infra.settings.types import parse_quantity

RECIPE: Final = "model-storage"
"""Recipe of the step's image."""

_CONTAINER: Final = "download"
_TEMPORARY: Final = "download-tmp"
# Every address but those at which a cloud tells a machine who it is and gives it keys: link-local
# ones (RFC 3927, RFC 4291), and what is not link-local although it does not leave the machine.
_STORES: Final[Mapping[AddressFamily, networking.IPBlockArgs]] = {
    "IPv4": networking.IPBlockArgs(
        cidr="0.0.0.0/0",
        except_=[
            "169.254.0.0/16",
            # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
            "168.63.129.16/32",
        ],
    ),
    "IPv6": networking.IPBlockArgs(
        cidr="::/0",
        except_=[
            "fe80::/10",
            # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
            "fd00:ec2::/32",
            # https://cloud.google.com/compute/docs/metadata/querying-metadata
            "fd20:ce::254/128",
        ],
    ),
}


def container(
    artifact: Artifact,
    image: pulumi.Input[str],
    team_secrets: Mapping[str, SecretReference],
) -> core.ContainerArgs:
    """Return the init container that puts a model into a volume.

    Args:
        artifact: The model.
        image: Reference of the step's image.
        team_secrets: The secrets of the model's team.
    """
    storage = artifact.storage
    names = [storage.secret] if storage and storage.secret else []
    variables = storage.variables if storage else {}
    return core.ContainerArgs(
        name=_CONTAINER,
        image=image,
        image_pull_policy="IfNotPresent",
        args=[
            f"--uri={artifact.download_uri}",
            f"--into={MODELS}",
            f"--name={artifact.name}",
            *(["--folder"] if artifact.is_folder else []),
            *([f"--sha256={artifact.digest}"] if artifact.digest else []),
            f"--limit={int(parse_quantity(artifact.volume_size))}",
        ],
        env=[
            *(core.EnvVarArgs(name=name, value=value) for name, value in variables.items()),
            *secrets.environment(names, team_secrets),
        ],
        resources=core.ResourceRequirementsArgs(
            requests={"cpu": DOWNLOAD.cpu, "memory": DOWNLOAD.memory},
            limits={"cpu": DOWNLOAD.cpu_limit, "memory": DOWNLOAD.memory},
        ),
        security_context=hardening.security_context(),
        # The step writes why it failed there; what ends it from outside leaves its log.
        termination_message_policy="FallbackToLogsOnError",
        volume_mounts=[
            mounts.writable(),
            core.VolumeMountArgs(name=_TEMPORARY, mount_path="/tmp"),
        ],
    )


def temporary() -> core.VolumeArgs:
    """Return the volume of what the step writes beside the model."""
    return core.VolumeArgs(
        name=_TEMPORARY, empty_dir=core.EmptyDirVolumeSourceArgs(size_limit="64Mi")
    )


def network_policy(
    name: str,
    labels: Mapping[str, str],
    port: int,
    team: TeamReference,
    families: Sequence[AddressFamily],
    opts: pulumi.ResourceOptions,
) -> networking.NetworkPolicy:
    """Let a model's pods, which else reach the DNS alone, connect to where the model is stored.

    By port only: policies know no host names, and a store has many and changing addresses. What
    tells a machine its secrets is left out, since a store may redirect a download to anywhere. The
    pod is one to the network, so its server may connect there too.

    Args:
        name: Name of the workload.
        labels: Labels of its objects.
        port: TCP port of the store.
        team: Where it runs, and where its pods get their tokens.
        families: Of the addresses that pods have.
        opts: Resource options.
    """
    everywhere = [
        *(networking.NetworkPolicyPeerArgs(ip_block=_STORES[family]) for family in families),
        # A store in the cluster: Cilium, for one, takes pods for no part of any addresses.
        # https://docs.cilium.io/en/stable/security/policy/language/#cidr-based
        networking.NetworkPolicyPeerArgs(namespace_selector=meta.LabelSelectorArgs()),
    ]
    return networking.NetworkPolicy(
        f"{name}-storage",
        metadata=meta.ObjectMetaArgs(
            # With a dot, which no model's name has: another model's is never called the same.
            name=f"{name}.storage",
            namespace=team.namespace,
            labels=labels,
        ),
        spec=networking.NetworkPolicySpecArgs(
            pod_selector=meta.LabelSelectorArgs(match_labels=naming.selector("model", name)),
            policy_types=["Egress"],
            egress=[
                _egress(everywhere, port),
                *(_egress([_only(server.address)], server.port) for server in team.token_servers),
            ],
        ),
        opts=opts,
    )


def _egress(
    peers: Sequence[networking.NetworkPolicyPeerArgs], port: int
) -> networking.NetworkPolicyEgressRuleArgs:
    return networking.NetworkPolicyEgressRuleArgs(
        to=list(peers), ports=[networking.NetworkPolicyPortArgs(protocol="TCP", port=port)]
    )


def _only(address: str) -> networking.NetworkPolicyPeerArgs:
    return networking.NetworkPolicyPeerArgs(
        ip_block=networking.IPBlockArgs(cidr=str(ipaddress.ip_network(address)))
    )
