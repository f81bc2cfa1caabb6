"""A model that a KServe of the cluster runs: its object as KServe's type has it, and its pods.

The type is KServe's own. Its controller does not run here: `kserve_stand_in` does its part.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any, Final

import grpc
import pytest

from apps.serving.client import Client
from apps.serving.inference_service import API_VERSION, KIND
from infra.naming import MODEL_HEADER
from infra.platform import definitions
from tests.cluster import digits, hardened, kserve_stand_in, pods
from tests.cluster.checkout import Checkout
from tests.running import Run
from tests.waiting import until
from toolchain import local_cluster
from toolchain.kubernetes_plugin.cluster import Cluster
from toolchain.kubernetes_plugin.errors import ApiError

pytestmark = pytest.mark.cluster

TEAM: Final = "vision"
NAME: Final = "guest"
FOLDER: Final = "examples/digits/build"


def _model(checkout: Checkout) -> dict[str, Any]:
    return {
        "team": TEAM,
        "format": "onnx",
        "uri": f"file:{FOLDER}/digits.onnx",
        "holdout": f"{FOLDER}/holdout.json",
        "backend": "inferenceService",
        "resources": {"cpu": "100m"},
        "canary": {"uri": digits.version(checkout, NAME), "weight": 50},
    }


@pytest.fixture(name="up", scope="module")
def _up(checkout: Checkout, served: Run, cluster: Cluster) -> Iterator[Run]:
    """What `make up` says of a stack with a model of KServe; the model is gone afterwards."""
    state = local_cluster.read(checkout.cluster)
    assert state is not None
    (definition,) = definitions.read_definitions("kserve-crds")
    with pods.made(cluster, definition) as stored:
        pods.ready(cluster, stored)
        with kserve_stand_in.running(state.kubeconfig):
            with checkout.changed({"models": {NAME: _model(checkout)}}):
                yield checkout.slipway("up")
            checkout.pulumi("up", "--yes", "--skip-preview")
            until(lambda: _pods(checkout, NAME) == [], "the end of its pods")


def _pods(checkout: Checkout, *instances: str) -> list[dict[str, Any]]:
    """Return the pods of workloads that are not about to end."""
    selector = f"--selector=app.kubernetes.io/instance in ({','.join(instances)})"
    found = checkout.kubectl("get", "pods", f"--namespace={TEAM}", selector, "--output=json")
    return [
        pod for pod in json.loads(found.text)["items"] if "deletionTimestamp" not in pod["metadata"]
    ]


def test_a_cluster_without_kserve_fails_up_in_words(checkout: Checkout, served: Run) -> None:
    with checkout.changed({"models": {NAME: _model(checkout)}}):
        failed = checkout.pulumi("up", "--yes", "--skip-preview", expect=None)
    assert failed.code != 0
    assert f'no matches for kind "{KIND}" in version "{API_VERSION}"' in failed.text, failed.text


def test_it_predicts_through_the_gateway_what_it_predicted_offline(up: Run) -> None:
    (line,) = [
        line for line in up.text.splitlines() if f"model {NAME}: " in line and " of " in line
    ]
    right, _, all_ = line.partition(f"model {NAME}: ")[2].split()[:3]
    assert right == all_ != "0"


def test_both_its_versions_answer_their_share(checkout: Checkout, up: Run) -> None:
    model = checkout.outputs()["models"][NAME]
    expected = {share["version"] for share in model["traffic"].values()}
    assert len(expected) == 2
    with Client(model["url"], checkout.gateway()) as client:
        body = digits.requests(checkout)[0]
        seen: set[str] = set()

        def both_answered() -> bool:
            seen.add(str(client.infer(body)["model_version"]))
            return seen == expected

        until(both_answered, "an answer of each version")


def test_a_call_over_grpc_reaches_it(checkout: Checkout, up: Run) -> None:
    ca = checkout.gateway().ca
    assert ca is not None
    target = checkout.endpoint.removeprefix("https://")
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(ca.encode())) as channel:
        live: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/inference.GRPCInferenceService/ServerLive"
        )
        # The first field of the message, a boolean that is true.
        assert live(b"", metadata=((MODEL_HEADER, f"{TEAM}/{NAME}"),)) == b"\x08\x01"


def test_its_pods_have_no_more_rights_than_any_others(checkout: Checkout, up: Run) -> None:
    found = _pods(checkout, NAME, f"{NAME}-canary")
    assert len(found) == 2
    for pod in found:
        assert pod["metadata"]["labels"]["serving.kserve.io/inferenceservice"]
        assert hardened.breaches(pod) == {}


def test_kserves_type_holds_all_that_a_model_is_made_of(
    checkout: Checkout, cluster: Cluster, up: Run
) -> None:
    stored = cluster.get(API_VERSION, KIND, NAME, TEAM)
    assert stored is not None
    # What the type did not know would be missing, and be set again and again.
    assert checkout.plan() == []
    # It would not be taken silently either.
    unknown = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": NAME, "namespace": TEAM},
        "spec": copy.deepcopy(stored["spec"]),
    }
    unknown["spec"]["predictor"]["containers"][0]["restartPolicies"] = "Always"
    with pytest.raises(ApiError, match="restartPolicies"):
        cluster.apply(unknown, field_manager=pods.OWNER, force=True, dry_run=True)


def test_another_version_and_number_of_pods_is_an_update_of_it(checkout: Checkout, up: Run) -> None:
    version = digits.version(checkout, f"{NAME}-2")
    with checkout.changed({"models": {NAME: {"uri": version, "replicas": 2, "canary": None}}}):
        checkout.pulumi("up", "--yes", "--skip-preview")
        model = checkout.outputs()["models"][NAME]
        with Client(model["url"], checkout.gateway()) as client:
            until(lambda: client.not_ready(model["version"]) is None, "the new version")
        until(lambda: len(_pods(checkout, NAME)) == 2, "two pods of it")
        assert checkout.plan() == []
