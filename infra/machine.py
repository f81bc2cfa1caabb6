"""Resources of the `slipway` plug-in: what is made on the machine that runs Pulumi.

The plug-in itself is `toolchain/machine_plugin`; `Pulumi.yaml` names its folder, so every engine
finds it without an installation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

KUBECONFIG = "kubeconfig"


@dataclass(frozen=True)
class PortForward:
    """A TCP port of the machine's loopback address that leads to a port of the node."""

    host: int
    node: int


class Provider(pulumi.ProviderResource):
    """The explicit provider of this plug-in: a stack disables every default one.

    A default provider would also be handed the stack's whole `slipway:` configuration.

    Args:
        resource_name: Logical name.
        opts: Resource options.
    """

    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway", resource_name, {}, opts)


def local_store(cluster: str, identity: pulumi.Input[str]) -> pulumi.Output[str]:
    """Return the `store` argument that stands for a local cluster: `local:<cluster>/<identity>`.

    It changes with the cluster's identity, so what a cluster held is brought to the one that
    takes its name.

    Args:
        cluster: Name of the cluster.
        identity: `LocalCluster.identity`.
    """
    return pulumi.Output.concat(f"local:{cluster}/", identity)


def registry_store(repository: pulumi.Input[str]) -> pulumi.Output[str]:
    """Return the `store` argument that stands for a registry: `registry:<repository>`.

    Args:
        repository: The repository that images are pushed to, `<host>/<path>` without a tag.
    """
    return pulumi.Output.concat("registry:", repository)


class LocalCluster(pulumi.CustomResource):
    """A single-node Kubernetes cluster on this machine.

    Args:
        resource_name: Logical name.
        name: Name of the cluster; also its folder's and network namespace's.
        distributions: Ordered choice; the first that this machine can get is used. The choice of
            an existing cluster is kept while it is on the list.
        ports: What is reachable on the loopback address.
        opts: Resource options.

    Attributes:
        distribution: The distribution that was chosen.
        version: Kubernetes version, with its leading `v`.
        identity: Changes exactly when the cluster is created anew.
        kubeconfig: Admin kubeconfig (YAML); secret.
        running: Whether the node runs; a stopped one is started by the next `up`.
        address_pool: Addresses of the node's network for load balancers, as `<first>-<last>`;
            reachable from this machine only.
    """

    distribution: pulumi.Output[str]
    version: pulumi.Output[str]
    identity: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    running: pulumi.Output[bool]
    address_pool: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        name: str,
        distributions: Sequence[str],
        ports: Sequence[PortForward],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "slipway:machine:LocalCluster",
            resource_name,
            {
                "name": name,
                "distributions": list(distributions),
                "ports": [{"host": port.host, "node": port.node} for port in ports],
                "distribution": None,
                "version": None,
                "identity": None,
                KUBECONFIG: None,
                "running": None,
                "address_pool": None,
            },
            pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(additional_secret_outputs=[KUBECONFIG]), opts
            ),
        )


class Image(pulumi.CustomResource):
    """A container image built on this machine and brought to where a cluster pulls from.

    Its tag is derived from everything that goes into the image, so an unchanged image is not built
    again, and a changed one rolls the pods. In a local cluster the reference has that tag and is
    known in a preview; of a registry it has the digest that a push gives the image.

    Args:
        resource_name: Logical name.
        recipe: Name of a recipe in `toolchain/images`.
        store: Where the image goes: `local:<cluster>/<identity>`, of `local_store`, or
            `registry:<host>/<path>`, of `registry_store`.
        opts: Resource options.

    Attributes:
        ref: Reference to use in a pod.
        present: Whether it is there; the next `up` brings one that is not.
    """

    ref: pulumi.Output[str]
    present: pulumi.Output[bool]

    def __init__(
        self,
        resource_name: str,
        *,
        recipe: str,
        store: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "slipway:machine:Image",
            resource_name,
            {"recipe": recipe, "store": store, "ref": None, "present": None},
            opts,
        )


class ModelFile(pulumi.CustomResource):
    """A model of this machine, copied to a folder of the node named after its digest.

    Args:
        resource_name: Logical name.
        source: Path of the file or folder, relative to the project; never the machine's absolute
            path, so that two clones plan the same.
        digest: Its SHA-256, see `infra.digests.of`; a model that does not match is refused.
        store: Where it goes: `local:<cluster>/<identity>`, of `local_store`.
        opts: Resource options.

    Attributes:
        node_path: Folder on the node that holds the file or folder under its own name.
        present: Whether the node has it; the next `up` brings one that is lost.
    """

    node_path: pulumi.Output[str]
    present: pulumi.Output[bool]

    def __init__(
        self,
        resource_name: str,
        *,
        source: str,
        digest: str,
        store: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "slipway:machine:ModelFile",
            resource_name,
            {
                "source": source,
                "digest": digest,
                "store": store,
                "node_path": None,
                "present": None,
            },
            opts,
        )
