"""A mirror gets copies of a model's requests, and clients see nothing of it."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc
import pytest

from tests.cluster import digits, steady_load
from tests.cluster.checkout import Checkout
from tests.running import Run
from tests.waiting import until

pytestmark = pytest.mark.cluster


def _copies(checkout: Checkout, protocol: str) -> float:
    """Return how many inference requests the mirror's pods have answered."""
    pods = checkout.kubectl(
        "get", "pods", "--namespace=vision", "--output=name",
        "--selector=app.kubernetes.io/instance=digits-mirror",
    ).text.split()  # fmt: skip
    counted = 0.0
    for pod in pods:
        path = f"/api/v1/namespaces/vision/pods/{pod.rpartition('/')[2]}:8080/proxy/metrics"
        text = checkout.kubectl("get", "--raw", path).text
        found = re.findall(
            rf'^slipway_inference_requests_total{{.*protocol="{protocol}".*}} (\S+)$', text, re.M
        )
        counted += sum(map(float, found))
    return counted


def _call_over_grpc(checkout: Checkout) -> None:
    """Ask the model for an inference that it refuses, which counts as well as another."""
    parts, ca = checkout.endpoint.removeprefix("https://"), checkout.gateway().ca
    assert ca is not None
    with grpc.secure_channel(parts, grpc.ssl_channel_credentials(ca.encode())) as channel:
        infer: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer"
        )
        with pytest.raises(grpc.RpcError) as caught:
            # The first field of the message: the model's name.
            infer(b"\x0a\x06digits", metadata=(("slipway-model", "vision/digits"),))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@contextmanager
def _stopped(checkout: Checkout, version: str) -> Iterator[None]:
    """Let the server of a version take connections, and answer none, for the length of a block."""
    found = digits.servers(checkout, version)
    for number in found:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in found:
            os.kill(number, signal.SIGCONT)


def _errors(answers: steady_load.Answers) -> list[str]:
    """Return what failed, but for connections that a gateway closed which was replaced."""
    return [line for line in answers.failures if "closed connection" not in line]


def test_a_mirror_gets_copies_of_requests_and_clients_see_nothing_of_it(
    checkout: Checkout, served: Run
) -> None:
    mirrored = digits.version(checkout, "mirrored")
    url = checkout.outputs()["models"]["digits"]["url"]
    sent = partial(steady_load.sent, url, checkout.gateway(), digits.requests(checkout))

    def up(**mirror: Any) -> Any:
        checkout.configure({"models": {"digits": {"mirror": mirror}}})
        checkout.pulumi("up", "--yes", "--skip-preview")
        return checkout.outputs()["models"]["digits"]["traffic"]

    with checkout.changed({}):
        with sent() as answers:
            version = up(uri=mirrored)["mirror"]["version"]
            until(lambda: _copies(checkout, "rest") > 100, "copies")
        assert _errors(answers) == []
        assert version not in answers.versions
        _call_over_grpc(checkout)
        until(lambda: _copies(checkout, "grpc") > 0, "a copy of a gRPC call")
        assert checkout.plan() == []

        with sent() as answers:

            def more() -> None:
                count = answers.versions.total()
                until(lambda: answers.versions.total() > count + 500, "answers")
                assert answers.failures == []

            with _stopped(checkout, version):
                more()
            checkout.kubectl(
                "scale", "deployment/digits-mirror", "--namespace=vision", "--replicas=0"
            )
            more()
            # The stack's last mirror: the gateway forgets how to copy, so the route goes first.
            up(percent=0)
            more()
        assert version not in answers.versions
    with sent() as answers:
        checkout.pulumi("up", "--yes", "--skip-preview")
    assert _errors(answers) == []
