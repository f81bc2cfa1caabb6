"""The cluster that one configured provider works on, or why it cannot be reached."""

from dataclasses import dataclass
from typing import Any

from toolchain.kubernetes_plugin import kubeconfig
from toolchain.kubernetes_plugin.cluster import Cluster
from toolchain.kubernetes_plugin.config import Settings
from toolchain.kubernetes_plugin.discovery import Discovery
from toolchain.kubernetes_plugin.errors import ClusterError, UnreachableError
from toolchain.kubernetes_plugin.kubeconfig import Kubeconfig

_DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True)
class Session:
    """A configured provider's view of its cluster.

    Attributes:
        settings: How the provider behaves.
        cluster: The cluster; `None` if it cannot be reached.
        unreachable: Why it cannot be reached; "" if it can.
        namespace: Namespace of objects that name none.
        discovery: Which kinds are served; knows Kubernetes' own even without a cluster.
        kubeconfig: Kubeconfig in force; `None` if there is none that can be used.
    """

    settings: Settings
    cluster: Cluster | None
    unreachable: str
    namespace: str
    discovery: Discovery
    kubeconfig: Kubeconfig | None = None

    def serves(self, api_version: str, kind: str) -> bool:
        """Return whether the cluster is there and serves a kind."""
        return self.cluster is not None and self.cluster.serves(api_version, kind)

    def reached(self) -> Cluster:
        """Return the cluster.

        Raises:
            UnreachableError: It cannot be reached.
        """
        if self.cluster is None:
            raise UnreachableError(
                f"configured Kubernetes cluster is unreachable: {self.unreachable}"
            )
        return self.cluster


def connect(settings: Settings) -> Session:
    """Return a session on the cluster that the settings point to, asking it for its version.

    A cluster that cannot be reached is no error here: previews go on without one.
    """
    namespace = settings.namespace or _DEFAULT_NAMESPACE
    try:
        given = (
            kubeconfig.parse(settings.kubeconfig) if settings.kubeconfig else kubeconfig.ambient()
        )
        config = kubeconfig.with_overrides(
            given, context=settings.context, cluster=settings.cluster
        )
        context = kubeconfig.active_context(config) or {}
        namespace = settings.namespace or str(context.get("namespace") or _DEFAULT_NAMESPACE)
        cluster = Cluster(config, request_timeout=settings.request_timeout)
        cluster.version()
    except (kubeconfig.KubeconfigError, ClusterError) as error:
        return Session(settings, None, str(error), namespace, Discovery(_refuse))
    return Session(settings, cluster, "", namespace, cluster.discovery, config)


def _refuse(path: str) -> dict[str, Any]:
    raise UnreachableError(f"no cluster to ask for {path}")
