"""Every pod of the running stack has no more rights than it needs, whoever added it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import hardened
from tests.cluster.checkout import Checkout
from tests.running import Run
from tests.waiting import until

pytestmark = pytest.mark.cluster

Object = dict[str, Any]

# Kubernetes' own; of it, only what this project deploys itself is looked at.
SYSTEM = "kube-system"
OUR_DNS = "CoreDNS"
CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet")


def live(checkout: Checkout, *kinds: str) -> list[Object]:
    """Return all objects of some kinds, but for those of Kubernetes itself."""
    found = checkout.kubectl("get", ",".join(kinds), "--all-namespaces", "--output=json")
    return [item for item in json.loads(found.text)["items"] if not is_kubernetes_own(item)]


def is_kubernetes_own(item: Mapping[str, Any]) -> bool:
    metadata = item["metadata"]
    is_ours = metadata.get("labels", {}).get("kubernetes.io/name") == OUR_DNS
    return metadata["namespace"] == SYSTEM and not is_ours


@pytest.fixture(name="pods", scope="module")
def _pods(checkout: Checkout, served: Run) -> list[Object]:
    return live(checkout, "pods")


def test_every_pod_has_no_more_rights_than_it_needs(pods: list[Object]) -> None:
    assert hardened.unexpected(pods) == []


def test_no_pod_was_overlooked(checkout: Checkout, pods: list[Object]) -> None:
    """Every controller that is in the stack, or that a chart of it brought, was looked at."""
    seen = {hardened.who(pod) for pod in pods}
    assert {("slipway-system", "traefik"), ("vision", "model")} <= seen
    controllers = live(checkout, *(f"{kind}s" for kind in CONTROLLERS))
    for item in controllers:
        if item["spec"].get("replicas") == 0:
            continue
        namespace, selected = item["metadata"]["namespace"], item["spec"]["selector"]["matchLabels"]
        assert [
            pod
            for pod in pods
            if pod["metadata"]["namespace"] == namespace
            and selected.items() <= pod["metadata"]["labels"].items()
        ], f"{item['kind']} {namespace}/{item['metadata']['name']} has no pod"
    names = {(item["kind"], item["metadata"]["name"]) for item in controllers}
    for resource in checkout.state()["deployment"]["resources"]:
        kind = resource["type"].rpartition(":")[2]
        if kind in CONTROLLERS and resource["type"].startswith("kubernetes:"):
            metadata = resource["outputs"]["metadata"]
            assert metadata["namespace"] == SYSTEM or (kind, metadata["name"]) in names


def test_what_has_several_pods_is_drained_one_at_a_time(
    checkout: Checkout, served: Run, tmp_path: Path
) -> None:
    with checkout.changed({"models": {"digits": {"replicas": 2}}}):
        checkout.pulumi("up", "--yes", "--skip-preview")
        until(lambda: allowed(checkout) == 1, "one pod of the model to spare")
        controllers = live(checkout, "deployments", "statefulsets")
        budgets = live(checkout, "poddisruptionbudgets")
        evicted = [evict(checkout, pod, tmp_path) for pod in pods_of_digits(checkout)]
    checkout.pulumi("up", "--yes", "--skip-preview")
    assert [item for item in controllers if item["spec"]["replicas"] > 1]
    assert hardened.unprotected(controllers, budgets) == []
    first, second = evicted
    assert first.code == 0, first.text
    assert "would violate the pod's disruption budget" in second.text


def allowed(checkout: Checkout) -> int:
    """Return how many pods of the model a drain may take now."""
    path = "jsonpath={.status.disruptionsAllowed}"
    budget = ("poddisruptionbudget", "digits", "--namespace=vision")
    return int(checkout.kubectl("get", *budget, f"--output={path}").text or 0)


def pods_of_digits(checkout: Checkout) -> list[str]:
    selector = "--selector=app.kubernetes.io/instance=digits"
    found = checkout.kubectl("get", "pods", "--namespace=vision", selector, "--output=json")
    return [
        pod["metadata"]["name"]
        for pod in json.loads(found.text)["items"]
        if "deletionTimestamp" not in pod["metadata"]
    ]


def evict(checkout: Checkout, pod: str, folder: Path) -> Run:
    """Ask for the eviction of a pod, as a drain of its node does."""
    wanted = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": "vision"},
    }
    file = folder / f"{pod}.json"
    file.write_text(json.dumps(wanted))
    path = f"/api/v1/namespaces/vision/pods/{pod}/eviction"
    return checkout.kubectl("create", "--raw", path, "--filename", str(file), expect=None)
