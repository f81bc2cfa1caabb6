"""What pods can connect to, while policies are enforced."""

from collections.abc import Mapping
from typing import Any

from tests.cluster.pods import end, made, pod
from toolchain.kubernetes_plugin.cluster import Cluster

SMALL: dict[str, Any] = {
    "resources": {
        "requests": {"cpu": "20m", "memory": "48Mi"},
        "limits": {"cpu": "500m", "memory": "48Mi"},
    }
}

# Policies are in force some time after a pod has started, so what is expected is awaited. All of
# it has to hold at once: a pod that nothing applies to yet reaches everything.
CONNECT = """
import socket, sys, time

def state(target):
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        return "open"
    except OSError:
        return "closed"

expected = dict(argument.split("=") for argument in sys.argv[1:])
deadline = time.monotonic() + 30
while True:
    found = {target: state(target) for target in expected}
    if found == expected:
        sys.exit()
    if time.monotonic() > deadline:
        wrong = [target for target in found if found[target] != expected[target]]
        sys.exit(", ".join(f"{target} is {found[target]}" for target in wrong))
    time.sleep(0.2)
"""


def assert_connects(
    cluster: Cluster,
    namespace: str,
    expected: dict[str, str],
    labels: Mapping[str, str] | None = None,
) -> None:
    """Hold what a pod of a namespace can connect to: `open` or `closed` per address.

    Args:
        cluster: The cluster.
        namespace: Namespace of the pod.
        expected: What is held, by `<host>:<port>`.
        labels: Labels of the pod, by which policies may select it.
    """
    targets = [f"{target}={state}" for target, state in expected.items()]
    connects = pod("connects", namespace, "python3", "-c", CONNECT, *targets, **SMALL)
    connects["metadata"]["labels"] = dict(labels or {})
    with made(cluster, connects) as it:
        assert end(cluster, it) == ("Succeeded", ""), f"from {namespace}"
