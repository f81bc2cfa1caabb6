"""How long the first request to a model without pods waits."""

import time
from typing import Any, Final

from apps.serving.holdout import Holdout
from bench import load
from tests.cluster.checkout import Checkout
from toolchain.local_cluster.api import Client

MODEL: Final = "idle"
_TEAM: Final = "vision"
_PATIENCE_SECONDS: Final = 120
SETTINGS: Final[dict[str, Any]] = {
    "team": _TEAM,
    "format": "onnx",
    "uri": "file:examples/digits/build/digits.onnx",
    "scaling": {"min": 0, "max": 1, "cooldownSeconds": 5},
}


def measure(checkout: Checkout, client: Client, holdout: Holdout) -> float:
    """Return the seconds of a request that finds no pod.

    Args:
        checkout: A stack that has the model.
        client: Asks its API server.
        holdout: A row of it is sent.
    """
    url, gateway = checkout.outputs()["models"][MODEL]["url"], checkout.gateway()
    _wait_for_no_pod(client)
    return load.ask_once(url, holdout, gateway)


def _wait_for_no_pod(client: Client) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    pods = f"/api/v1/namespaces/{_TEAM}/pods?labelSelector=app.kubernetes.io/instance={MODEL}"
    while client.get(pods)["items"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{MODEL} keeps its pod for {_PATIENCE_SECONDS} s")
        time.sleep(0.5)
