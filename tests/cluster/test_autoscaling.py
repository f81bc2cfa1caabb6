"""A model's pods follow its load, on real pods, under a load that is bounded and ends by itself."""

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from apps.serving.holdout import Holdout
from bench import load
from bench.load import Bounds
from infra.naming import AUTOSCALING_NAMESPACE
from infra.platform.http_add_on import INTERCEPTOR, SCALER
from infra.platform.keda import ADAPTER, OPERATOR
from infra.platform.namespace import SYSTEM
from tests import waiting
from tests.cluster import hardened
from tests.cluster.checkout import Checkout
from tests.cluster.connections import assert_connects
from tests.running import Run
from toolchain.kubernetes_plugin.cluster import Cluster

pytestmark = pytest.mark.cluster

PATIENCE_SECONDS: Final = 180.0
TEAM: Final = "vision"
HOLDOUT: Final = "examples/digits/build/holdout.json"
# Takes 0.4 ms of CPU a request, and is promised little: 50% of that is 125 requests a second.
FOREST: Final = {
    "team": TEAM,
    "format": "sklearn",
    "uri": "file:examples/digits/build/digits.joblib",
    "resources": {"cpu": "100m", "memory": "256Mi"},
    "scaling": {"max": 2, "cpu": 50, "cooldownSeconds": 0},
}
# Takes 0.2 ms of CPU a request: only their number is much.
COUNTED: Final = {
    "team": TEAM,
    "format": "onnx",
    "uri": "file:examples/digits/build/digits.onnx",
    "resources": {"cpu": "100m", "memory": "256Mi"},
    "scaling": {"max": 2, "requestsPerSecond": 5, "cooldownSeconds": 0},
}
# Nobody asks it: its pod goes as soon as it may.
IDLE: Final = {
    "team": TEAM,
    "format": "onnx",
    "uri": "file:examples/digits/build/digits.onnx",
    "resources": {"cpu": "100m", "memory": "256Mi"},
    "scaling": {"min": 0, "max": 1, "cooldownSeconds": 5},
}
MODELS: Final = {"forest": FOREST, "counted": COUNTED, "idle": IDLE}
CHANGES: Final = {
    "platform": {"monitoring": {"enabled": True, "intervalSeconds": 5}},
    "models": MODELS,
}


@pytest.fixture(name="urls", scope="module")
def _urls(checkout: Checkout, served: Run) -> Iterator[dict[str, str]]:
    """The URLs of models that scale, and what that takes; they are gone afterwards."""
    with checkout.changed(CHANGES):
        checkout.pulumi("up", "--yes", "--skip-preview")
        checkout.await_routes(*MODELS)
        models = checkout.outputs()["models"]
        yield {name: models[name]["url"] for name in MODELS}
    checkout.pulumi("up", "--yes", "--skip-preview")


until = partial(waiting.until, patience=PATIENCE_SECONDS, pause=0.5)


def get(checkout: Checkout, path: str) -> dict[str, Any]:
    """Return an answer of the API server."""
    found = json.loads(checkout.kubectl("get", "--raw", path).text)
    assert isinstance(found, dict)
    return found


def addresses(checkout: Checkout, namespace: str) -> dict[str, str]:
    """Return the address of a pod of each program in a namespace, those on their way out aside."""
    pods = get(checkout, f"/api/v1/namespaces/{namespace}/pods")["items"]
    return {
        pod["metadata"]["labels"]["app.kubernetes.io/name"]: pod["status"]["podIP"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
    }


def status(checkout: Checkout, model: str) -> dict[str, Any]:
    """Return the status of a model's Deployment."""
    deployment = get(checkout, f"/apis/apps/v1/namespaces/{TEAM}/deployments/{model}")
    return dict(deployment["status"])


def asked_until(
    checkout: Checkout, url: str, requests: int, condition: Callable[[], object], what: str
) -> None:
    """Send requests, a few at a time and all of them answered, until a condition holds."""
    holdout, gateway = Holdout.read(Path(checkout.folder / HOLDOUT)), checkout.gateway()

    def sent() -> object:
        load.measure(url, holdout, clients=2, bounds=Bounds(requests, 60), gateway=gateway)
        return condition()

    until(sent, what)


def assert_follows(checkout: Checkout, model: str, url: str) -> None:
    """Hold that a load adds a pod to a model, and that its end takes the pod away."""
    asked_until(
        checkout,
        url,
        requests=100,
        condition=lambda: status(checkout, model).get("readyReplicas") == 2,
        what="a second pod that is ready",
    )
    until(lambda: status(checkout, model).get("replicas") == 1, "one pod again")


def test_what_pods_use_is_known(checkout: Checkout, urls: dict[str, str]) -> None:
    """The API that `kubectl top pods` asks."""

    def measured() -> dict[str, dict[str, str]]:
        pods = get(checkout, f"/apis/metrics.k8s.io/v1beta1/namespaces/{TEAM}/pods")["items"]
        return {
            pod["metadata"]["name"]: container["usage"]
            for pod in pods
            for container in pod["containers"]
        }

    until(lambda: any(name.startswith("forest-") for name in measured()), "metrics of the model")
    for usage in measured().values():
        assert set(usage) == {"cpu", "memory"}
    assert "forest-" in checkout.kubectl("top", "pods", f"--namespace={TEAM}").text


def test_cpu_load_adds_a_pod_to_a_model_and_its_end_takes_it_away(
    checkout: Checkout, urls: dict[str, str]
) -> None:
    assert_follows(checkout, "forest", urls["forest"])


def test_requests_add_a_pod_to_a_model_and_their_end_takes_it_away(
    checkout: Checkout, urls: dict[str, str], enforcement: None
) -> None:
    """Through KEDA, which policies shut off from all that it does not need."""
    assert_follows(checkout, "counted", urls["counted"])


def test_a_model_that_nobody_asks_has_no_pod_and_its_next_requests_wait_for_one(
    checkout: Checkout, urls: dict[str, str], enforcement: None
) -> None:
    """Several at once: each is answered, and none asks a second time.

    Through what policies shut off from all that it does not need.
    """
    until(lambda: status(checkout, "idle").get("replicas", 0) == 0, "no pod")
    holdout, gateway = Holdout.read(Path(checkout.folder / HOLDOUT)), checkout.gateway()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(load.ask_once, urls["idle"], holdout, gateway) for _ in range(8)]
    seconds = statistics.median(one.result() for one in asked)
    sys.stdout.write(f"cold start: {seconds:.1f} s for half of 8 requests\n")
    assert status(checkout, "idle")["readyReplicas"] == 1


def test_nobody_but_the_metrics_api_asks_what_models_requests_are(
    checkout: Checkout, urls: dict[str, str], cluster: Cluster, enforcement: None
) -> None:
    address = addresses(checkout, AUTOSCALING_NAMESPACE)
    # The API shows that a stranger can connect at all.
    expected = {f"{address[ADAPTER]}:6443": "open", f"{address[OPERATOR]}:9666": "closed"}
    assert_connects(cluster, "default", expected)


def test_nobody_but_the_gateway_and_keda_asks_what_holds_requests(
    checkout: Checkout, urls: dict[str, str], cluster: Cluster, enforcement: None
) -> None:
    """Nor does another pod beside them; the gateway shows that it can connect at all."""
    address = addresses(checkout, SYSTEM)
    closed = (f"{address[INTERCEPTOR]}:8080", f"{address[INTERCEPTOR]}:9090")
    expected = dict.fromkeys((*closed, f"{address[SCALER]}:9090"), "closed")
    for namespace in ("default", SYSTEM):
        assert_connects(cluster, namespace, {f"{address['traefik']}:8000": "open", **expected})


def test_what_follows_requests_has_no_more_rights_than_it_needs(
    checkout: Checkout, urls: dict[str, str]
) -> None:
    pods = [
        *get(checkout, f"/api/v1/namespaces/{AUTOSCALING_NAMESPACE}/pods")["items"],
        *get(
            checkout,
            f"/api/v1/namespaces/{SYSTEM}/pods?labelSelector=app.kubernetes.io/instance=keda-http-add-on",
        )["items"],
    ]
    assert len(pods) == 4
    assert hardened.unexpected(pods) == []


@pytest.mark.parametrize(
    ("name", "namespace"),
    [
        (OPERATOR, AUTOSCALING_NAMESPACE),
        (ADAPTER, AUTOSCALING_NAMESPACE),
        (INTERCEPTOR, SYSTEM),
        (SCALER, SYSTEM),
    ],
)
def test_what_follows_requests_was_refused_nothing(
    checkout: Checkout, urls: dict[str, str], name: str, namespace: str
) -> None:
    """Its rights are cut down from those that its maintainers grant."""
    log = checkout.kubectl("logs", f"deployment/{name}", f"--namespace={namespace}")
    assert log.text
    assert [line for line in log.text.splitlines() if "forbidden" in line] == []


def test_a_number_of_pods_that_the_autoscaler_set_is_no_change(
    checkout: Checkout, urls: dict[str, str]
) -> None:
    checkout.kubectl("scale", "deployment/forest", f"--namespace={TEAM}", "--replicas=2")
    assert checkout.plan() == []
