"""Requests reach the versions of a model as its settings say, and none of them fails."""

import http.client
import json
import os
import signal
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
import pytest

from tests.cluster import digits, steady_load
from tests.cluster.checkout import Checkout
from tests.running import Run
from tests.waiting import until

pytestmark = pytest.mark.cluster

CANARY: Final = "next"
HEADERS: Final = {"X-Group": "beta"}


def _up(checkout: Checkout, **changes: Any) -> dict[str, Any]:
    """Change settings of the model for good, and return its outputs after an update."""
    checkout.configure({"models": {"digits": changes}})
    checkout.pulumi("up", "--yes", "--skip-preview")
    found = checkout.outputs()["models"]["digits"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(name="model", scope="module")
def _model(checkout: Checkout, served: Run) -> Iterator[dict[str, Any]]:
    """The outputs of a model with two pods of its own, and two of a canary without a weight."""
    canary = {"uri": digits.version(checkout, CANARY), "weight": 0, "headers": HEADERS}
    with checkout.changed({}):
        yield _up(checkout, replicas=2, canary=canary)
    checkout.pulumi("up", "--yes", "--skip-preview")


def _answered(checkout: Checkout, url: str, headers: dict[str, str]) -> str | None:
    """Return the version of the model that answers a request, or `None` if none does."""
    parts = urlsplit(url)
    asking = http.client.HTTPSConnection(
        str(parts.hostname), parts.port, timeout=30, context=checkout.gateway().context()
    )
    try:
        asking.request("POST", f"{parts.path}/infer", digits.requests(checkout)[0], headers)
        got = asking.getresponse()
        content = got.read()
        return str(json.loads(content)["model_version"]) if got.status == 200 else None
    finally:
        asking.close()


def _pods(checkout: Checkout, instance: str) -> dict[str, int]:
    """Return the restarts of each pod that is ready, by its name."""
    selector = f"--selector=app.kubernetes.io/instance={instance}"
    found = checkout.kubectl("get", "pods", "--namespace=vision", selector, "--output=json")
    return {
        pod["metadata"]["name"]: container["restartCount"]
        for pod in json.loads(found.text)["items"]
        if "deletionTimestamp" not in pod["metadata"]
        for container in pod["status"].get("containerStatuses", [])
        if container["ready"]
    }


def test_requests_with_the_canarys_header_go_to_it_and_others_do_not(
    checkout: Checkout, model: dict[str, Any]
) -> None:
    versions = {role: share["version"] for role, share in model["traffic"].items()}
    until(
        lambda: _answered(checkout, model["url"], HEADERS) == versions["canary"],
        "the rule of the header",
    )
    for _ in range(10):
        assert _answered(checkout, model["url"], {}) == versions["stable"]
        assert _answered(checkout, model["url"], HEADERS) == versions["canary"]


def test_grpc_calls_reach_the_model_that_they_name(
    checkout: Checkout, model: dict[str, Any]
) -> None:
    parts, ca = urlsplit(checkout.endpoint), checkout.gateway().ca
    assert ca is not None
    with grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials(ca.encode())) as channel:
        live: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/inference.GRPCInferenceService/ServerLive"
        )

        def answered() -> bool:
            try:
                # The first field of the message, a boolean that is true.
                return bool(
                    live(b"", metadata=(("slipway-model", "vision/digits"),)) == b"\x08\x01"
                )
            except grpc.RpcError:
                return False

        until(answered, "an answer over gRPC")
        with pytest.raises(grpc.RpcError):
            live(b"", metadata=(("slipway-model", "text/digits"),))


def test_no_request_fails_while_versions_shift_and_pods_end(
    checkout: Checkout, model: dict[str, Any]
) -> None:
    stable, canary = (model["traffic"][role]["version"] for role in ("stable", "canary"))
    with steady_load.sent(model["url"], checkout.gateway(), digits.requests(checkout)) as answers:
        until(lambda: answers.versions[stable] > 100, "answers")
        assert not answers.versions[canary]

        _up(checkout, canary={"weight": 50})
        until(lambda: answers.versions[canary] > 100, "answers of the canary")

        victim, *_ = before = _pods(checkout, "digits")
        checkout.kubectl(
            "delete", "pod", victim, "--namespace=vision", "--grace-period=0", "--force"
        )
        until(lambda: len(_pods(checkout, "digits").keys() - {victim}) == len(before), "a new pod")

        # As a fault would.
        os.kill(digits.servers(checkout, stable)[0], signal.SIGKILL)
        until(lambda: sorted(_pods(checkout, "digits").values()) == [0, 1], "a restarted container")

        promoted = _up(checkout, uri=digits.version(checkout, CANARY), canary=None)
        assert promoted["version"] == canary
        assert "traffic" not in promoted
        until(lambda: answers.versions[canary] > 1000, "answers of the promoted version")
    assert answers.failures == []
