"""Who connects to a team's pods, and whom they reach, while NetworkPolicies are enforced."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from infra.naming import MONITORING_NAMESPACE
from tests.cluster.checkout import Checkout
from tests.cluster.connections import SMALL, assert_connects
from tests.cluster.pods import made, pod, ready
from toolchain.kubernetes_plugin.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("enforcement")]

TEAM = "vision"
GATEWAY_NAMESPACE = "slipway-system"
STRANGER = "teams-stranger"
"""A namespace without a policy of its own: only the team's policies keep it out."""

DNS = "kube-dns.kube-system.svc.cluster.local:53"
API = "kubernetes.default.svc.cluster.local:443"
LISTENER_PORT = 8080

LISTEN = f"""
import socket
server = socket.create_server(("", {LISTENER_PORT}))
while True:
    server.accept()[0].close()
"""


@pytest.fixture(scope="module", autouse=True)
def namespaces(cluster: Cluster) -> Iterator[None]:
    """The stranger's namespace, and that of Prometheus where the stack has none."""
    with ExitStack() as stack:
        for name in (STRANGER, MONITORING_NAMESPACE):
            if cluster.get("v1", "Namespace", name) is None:
                namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                stack.enter_context(made(cluster, namespace))
        yield


@pytest.fixture(scope="module")
def listener(cluster: Cluster, namespaces: None) -> Iterator[str]:
    """The address of a pod of the team that is no model.

    It is ready when the kubelet has connected to it: it listens, and policies let the kubelet in.
    """
    probe = {"tcpSocket": {"port": LISTENER_PORT}, "periodSeconds": 1}
    obj = pod("listens", TEAM, "python3", "-c", LISTEN, readinessProbe=probe, **SMALL)
    with made(cluster, obj) as stored:
        ready(cluster, stored)
        yield f"{address(cluster, TEAM, 'listens')}:{LISTENER_PORT}"


@pytest.fixture
def model(cluster: Cluster) -> str:
    """The address of a model of the team."""
    return f"{any_address(cluster, TEAM, 'model')}:8080"


@pytest.fixture
def gateway(cluster: Cluster) -> str:
    """An address of the gateway's, to which everybody but a team's pods may connect."""
    return f"{any_address(cluster, GATEWAY_NAMESPACE, 'traefik')}:8000"


def any_address(cluster: Cluster, namespace: str, name: str) -> str:
    """Return the address of a pod by its label, not of one that an update has just ended."""
    found = cluster.list("v1", "Pod", namespace, f"app.kubernetes.io/name={name}")
    staying = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    return str(staying[0]["status"]["podIP"])


def address(cluster: Cluster, namespace: str, name: str) -> str:
    live = cluster.get("v1", "Pod", name, namespace)
    assert live is not None
    return str(live["status"]["podIP"])


@pytest.mark.parametrize("namespace", [GATEWAY_NAMESPACE, MONITORING_NAMESPACE])
def test_the_gateway_and_prometheus_connect_to_models_and_to_nothing_else_of_a_team(
    cluster: Cluster, listener: str, model: str, namespace: str
) -> None:
    assert_connects(cluster, namespace, {model: "open", listener: "closed"})


def test_nobody_else_connects_to_a_teams_pods(
    cluster: Cluster, listener: str, model: str, gateway: str
) -> None:
    # The gateway shows that the stranger can connect at all.
    assert_connects(cluster, STRANGER, {gateway: "open", model: "closed", listener: "closed"})


def test_a_teams_pods_reach_the_dns_and_nothing_else(
    cluster: Cluster, listener: str, model: str, gateway: str
) -> None:
    closed = dict.fromkeys((listener, model, gateway, API), "closed")
    # Named, so that DNS answers over UDP before it is connected to over TCP.
    assert_connects(cluster, TEAM, {DNS: "open", **closed})


def test_a_model_that_starts_behind_policies_gets_ready_and_answers_through_the_gateway(
    checkout: Checkout, cluster: Cluster
) -> None:
    checkout.kubectl(
        "delete", "pods", f"--namespace={TEAM}", "--selector=app.kubernetes.io/name=model"
    )
    checkout.kubectl(
        "rollout", "status", "deployment/digits", f"--namespace={TEAM}", "--timeout=90s"
    )
    # It ends with every held-out prediction made through the gateway.
    assert "450 of 450" in checkout.slipway("up").text
