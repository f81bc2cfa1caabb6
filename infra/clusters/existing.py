"""A cluster that somebody else made."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
import yaml

from infra import machine
from infra.clusters.placement import GPU_TAINT
from infra.contract import ClusterHandle, ClusterTraits, LoadBalancerTraits, Placement, Toleration
from infra.settings import ExistingClusterSettings, SettingsError
from infra.settings.errors import key, suggest

# Files that a kubeconfig may name, and the key that holds their content instead.
_FILES: Final = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}


class ExistingCluster(pulumi.ComponentResource):
    """The provider that speaks to a cluster; nothing of the cluster itself is the stack's.

    Type token: `slipway:infra:ExistingCluster`. Resources: a `kubernetes` and a `slipway` provider.

    Args:
        resource_name: Logical name.
        settings: The cluster.
        opts: Resource options.

    Attributes:
        handle: The cluster, as everything above it sees it.
    """

    handle: ClusterHandle

    def __init__(
        self,
        resource_name: str,
        settings: ExistingClusterSettings,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:ExistingCluster", resource_name, None, opts)
        config = one_context(settings)
        server = config["clusters"][0]["cluster"]["server"]
        kubeconfig: pulumi.Output[str] = pulumi.Output.secret(yaml.safe_dump(config))
        provider = kubernetes.Provider(
            resource_name,
            kubeconfig=kubeconfig,
            # A renewed key or token is the same cluster's.
            cluster_identifier=server,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.handle = ClusterHandle(
            name=settings.name,
            identity=pulumi.Output.from_input(server),
            kubeconfig=kubeconfig,
            provider=provider,
            machine=machine.Provider("machine", pulumi.ResourceOptions(parent=self)),
            traits=_traits(settings),
            exports={
                "kind": settings.kind,
                "server": server,
                "registry": settings.registry,
                **({"models": settings.models} if settings.models else {}),
            },
        )
        self.register_outputs({"identity": server})


def build_existing(settings: ExistingClusterSettings) -> ClusterHandle:
    """Return a cluster that somebody else made.

    Args:
        settings: The cluster.

    Raises:
        pulumi.RunError: Its kubeconfig cannot be read, or has no such context.
    """
    try:
        return ExistingCluster("cluster", settings).handle
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error


def one_context(settings: ExistingClusterSettings) -> dict[str, Any]:
    """Return the kubeconfig of one context, with the content of files that it names.

    Other contexts' users are nobody's business, and files are where Pulumi runs now.

    Args:
        settings: The cluster.

    Raises:
        SettingsError: The file cannot be read, or has no such context.
    """
    path, raw, context = _find(settings)
    inner = context["context"]
    cluster = _named(raw, "clusters", inner.get("cluster"))
    user = _named(raw, "users", inner.get("user"))
    if cluster is None or user is None or "server" not in cluster.get("cluster", {}):
        raise SettingsError(
            [
                f"{key('cluster', 'context')}: {path} has no cluster or no user of the context "
                f"`{settings.context}`; correct the file"
            ]
        )
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster["name"], "cluster": _with_content(cluster["cluster"], path)}],
        "users": [{"name": user["name"], "user": _with_content(user.get("user") or {}, path)}],
        "contexts": [dict(context)],
        "current-context": settings.context,
    }


def _find(
    settings: ExistingClusterSettings,
) -> tuple[Path, Mapping[str, Any], Mapping[str, Any]]:
    """Return the first kubeconfig that has the context, and the context."""
    read = {path: _read(path) for path in _files(settings)}
    for path, raw in read.items():
        context = _named(raw, "contexts", settings.context)
        if context is not None:
            return path, raw, context
    known = [str(item.get("name")) for raw in read.values() for item in raw.get("contexts") or []]
    raise SettingsError(
        [
            f"{key('cluster', 'context')}: {', '.join(map(str, read))} has no context "
            f"`{settings.context}`; {suggest(settings.context, known)}"
        ]
    )


def _files(settings: ExistingClusterSettings) -> list[Path]:
    """Return where kubeconfigs may be: of several, as KUBECONFIG may name, those that are there.

    https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
    """
    listed = [name for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    names = [settings.kubeconfig] if settings.kubeconfig else listed or ["~/.kube/config"]
    paths = [Path(name).expanduser() for name in names]
    return [path for path in paths if path.is_file()] or paths[:1]


def _read(path: Path) -> Mapping[str, Any]:
    where = key("cluster", "kubeconfig")
    try:
        raw = yaml.safe_load(path.read_text())
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(
            [f"{where}: cannot read {path}: {reason}; correct the path, or set KUBECONFIG"]
        ) from error
    except yaml.YAMLError as error:
        raise SettingsError([f"{where}: {path} is not YAML; correct the file"]) from error
    if not isinstance(raw, Mapping):
        raise SettingsError([f"{where}: {path} is no kubeconfig; correct the path"])
    return raw


def _named(raw: Mapping[str, Any], kind: str, name: object) -> Mapping[str, Any] | None:
    return next((item for item in raw.get(kind) or [] if item.get("name") == name), None)


def _with_content(entry: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return an entry with the content of the files that it names, relative to the kubeconfig."""
    filled = {name: value for name, value in entry.items() if name not in _FILES}
    for name, holds in _FILES.items():
        if name in entry and holds not in entry:
            try:
                content = (path.parent / str(entry[name])).expanduser().read_bytes()
            except OSError as error:
                raise SettingsError(
                    [
                        f"{key('cluster', 'kubeconfig')}: cannot read {entry[name]}, which {path} "
                        "names; correct the file"
                    ]
                ) from error
            filled[holds] = base64.b64encode(content).decode()
    return filled


def _traits(settings: ExistingClusterSettings) -> ClusterTraits:
    traits = settings.traits
    balancer = traits.load_balancer
    return ClusterTraits(
        store=machine.registry_store(settings.registry),
        load_balancer=LoadBalancerTraits(
            service_type=balancer.type,
            annotations=balancer.annotations,
            host=balancer.host,
            https_port=balancer.https_port,
        ),
        network_policies=traits.network_policies,
        metrics_server=traits.metrics_server,
        address_families=traits.address_families,
        image_volumes=traits.image_volumes,
        address_pool=balancer.address_pool,
        storage_class=traits.storage_class,
        gpu=None
        if traits.gpu_selector is None
        else Placement(traits.gpu_selector, (Toleration(GPU_TAINT),)),
        registry=settings.registry,
        models=settings.models,
    )
