"""A stack of its own, brought up, measured and taken down."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Final

from apps.serving.holdout import Holdout
from bench import cluster, cold_start, gateway, load, memory
from bench.figures import Round
from bench.section import Context
from bench.timing import Duration, timed
from tests.cluster.checkout import Checkout
from toolchain.local_cluster.api import Client
from toolchain.timings import VARIABLE as TIMINGS

MODEL: Final = "digits"
TEAM: Final = "vision"
MODEL_PATH: Final = f"/{TEAM}/{MODEL}/v2/models/{MODEL}"
SETTLED_SECONDS: Final = 60
_LIMIT_SECONDS: Final = 600


def measure(context: Context) -> Round:
    """Bring the stack up with everything cached, and measure it."""
    with cluster.checkout(context) as checkout:
        bench = _Bench(checkout, context)
        context.report("first up: fills the caches")
        checkout.slipway("up")
        checkout.slipway("down")
        return {
            "up": bench.up(),
            "memory": bench.memory(),
            "gateway": bench.gateway(),
            "no_op": bench.no_op(),
            "monitoring": bench.monitoring(),
            "cold_start_s": bench.cold_start(),
            "down": bench.down(),
        }


class _Bench:
    def __init__(self, checkout: Checkout, context: Context) -> None:
        self._checkout = checkout
        self._report = context.report
        self._timings = context.folder / "timings.json"
        self._url = checkout.endpoint + MODEL_PATH

    def up(self) -> Round:
        """Time `make up` with tools and images cached, up to the first prediction."""
        self._report("up with everything cached")
        os.environ[TIMINGS] = str(self._timings)
        holdout = Holdout.read(self._holdout)
        first: list[float] = []
        asking = threading.Thread(
            target=lambda: first.append(load.wait_answer(self._url, holdout, _LIMIT_SECONDS)),
            # Where `make up` fails, nobody waits for it.
            daemon=True,
        )
        started = time.monotonic()
        asking.start()
        try:
            took = timed(lambda: self._checkout.slipway("up"))
        finally:
            del os.environ[TIMINGS]
        asking.join()
        return {
            "total": took,
            "first_prediction_s": first[0] - started,
            "phases": json.loads(self._timings.read_text()),
        }

    def memory(self) -> Round:
        """Return the cluster's memory by part and program, some time after `make up`.

        At its end that gives memory back to the machine, of which some is needed again.
        """
        self._report(f"memory, {SETTLED_SECONDS:g} s later")
        time.sleep(SETTLED_SECONDS)
        pods = _pods("/api/v1/pods")
        return memory.by_program(cluster.state().folder, memory.model_pods(pods))

    def gateway(self) -> Round:
        """Measure the model through the gateway and straight."""
        self._report("load through the gateway and straight to the pod")
        selector = f"app.kubernetes.io/instance={MODEL}"
        pod = _pods(f"/api/v1/namespaces/{TEAM}/pods?labelSelector={selector}")[0]
        return gateway.measure(pod, MODEL_PATH, self._holdout, self._checkout.gateway())

    def no_op(self) -> Round:
        """Return the time of a preview and an update that change nothing."""
        self._report("no-op preview and up")
        self._checkout.pulumi("preview")
        preview = timed(lambda: self._checkout.pulumi("preview"))
        return {"preview": preview, "up": timed(self._pulumi_up)}

    def monitoring(self) -> Round:
        """Add monitoring, and return how long that took and the memory then."""
        self._report("up with monitoring")
        self._checkout.configure({"platform": {"monitoring": {"enabled": True}}})
        took = timed(lambda: self._checkout.slipway("up"))
        return {"up": took, "memory": self.memory()}

    def cold_start(self) -> float:
        """Return the seconds of a request to a model that has no pod when it comes."""
        self._report("a request to a model without pods")
        self._checkout.configure({"models": {cold_start.MODEL: cold_start.SETTINGS}})
        self._pulumi_up()
        client = Client(cluster.state().kubeconfig)
        seconds = cold_start.measure(self._checkout, client, Holdout.read(self._holdout))
        client.close()
        return seconds

    def down(self) -> Duration:
        """Time `make down`."""
        self._report("down")
        return timed(lambda: self._checkout.slipway("down"))

    def _pulumi_up(self) -> None:
        self._checkout.pulumi("up", "--yes", "--skip-preview")

    @property
    def _holdout(self) -> Path:
        return self._checkout.folder / "examples" / MODEL / "build" / "holdout.json"


def _pods(path: str) -> list[dict[str, Any]]:
    client = Client(cluster.state().kubeconfig)
    items: list[dict[str, Any]] = client.get(path)["items"]
    client.close()
    return items
