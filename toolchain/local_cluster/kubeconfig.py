"""Kubeconfig files: the admin's, which is handed out, and those of the components."""

import base64
import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml

from toolchain.local_cluster.pki import Pair

API_PORT = 6443


def embedded(cluster: str, node_ip: IPv4Address, authority: Path, identity: Pair) -> str:
    """Return a kubeconfig that holds all it needs, so it can be used anywhere.

    Args:
        cluster: Name of the cluster; its context is `slipway-<name>`.
        node_ip: Where the API server is reached.
        authority: Certificate of the cluster's authority.
        identity: Key and certificate of the user.
    """
    return _render(
        f"slipway-{cluster}",
        {
            "server": f"https://{node_ip}:{API_PORT}",
            "certificate-authority-data": _encoded(authority),
        },
        {
            "client-certificate-data": _encoded(identity.certificate),
            "client-key-data": _encoded(identity.key),
        },
    )


def of_component(authority: Path, identity: Pair) -> str:
    """Return the kubeconfig of a component of the node, which names the files of its identity.

    Args:
        authority: Certificate of the cluster's authority.
        identity: Key and certificate of the component.
    """
    return _render(
        "node",
        {"server": f"https://127.0.0.1:{API_PORT}", "certificate-authority": str(authority)},
        {"client-certificate": str(identity.certificate), "client-key": str(identity.key)},
    )


def readdressed(text: str, cluster: str, node_ip: IPv4Address) -> str:
    """Return another's kubeconfig with this machine's address of the server and our names.

    Args:
        text: A kubeconfig with one cluster and one user whose certificates are in it.
        cluster: Name of the cluster.
        node_ip: Where the API server is reached.
    """
    document = yaml.safe_load(text)
    server = document["clusters"][0]["cluster"]
    return _render(
        f"slipway-{cluster}",
        {**server, "server": f"https://{node_ip}:{API_PORT}"},
        document["users"][0]["user"],
    )


def _render(name: str, cluster: dict[str, Any], user: dict[str, Any]) -> str:
    # Its keys come in the order in which kubectl writes them.
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "users": [{"name": name, "user": user}],
    }
    # Through JSON, so that equal values do not become YAML anchors.
    return yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
