"""A stack of its own, brought up, changed and compared with kubectl.

It is a copy of the project with another cluster name and port, so that the cluster somebody works
with stays as it is.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.serving.holdout import Holdout
from bench import cold_start, load, memory, objects
from bench.timing import Duration, median, timed
from tests.cluster.checkout import Checkout
from tests.running import run
from toolchain import local_cluster
from toolchain.local_cluster.api import Client
from toolchain.timings import VARIABLE as TIMINGS

CLUSTER = "slipway-bench"
HTTP_PORT, HTTPS_PORT = 18480, 18443
MODEL = "digits"
MODEL_PATH = f"/vision/{MODEL}/v2/models/{MODEL}"
GATEWAY_REQUESTS = 8000
_LIMIT_SECONDS = 600
_SETTLED_SECONDS = 60

Report = Callable[[str], None]


def measure(folder: Path, rounds: int, report: Report) -> dict[str, Any]:
    """Bring the stack up with everything cached, and measure it.

    Args:
        folder: Where the copy of the project goes.
        rounds: How often previews, and updates against kubectl, are repeated.
        report: Takes progress lines.
    """
    local_cluster.destroy(CLUSTER, report)
    bench = _Bench(Checkout(folder, CLUSTER, HTTP_PORT, HTTPS_PORT), report)
    try:
        report("first up: fills the caches")
        bench.checkout.slipway("up")
        bench.checkout.slipway("down")
        return {
            "up": bench.up(folder.parent / "timings.json"),
            "memory": bench.memory(),
            "gateway": bench.gateway(),
            "no_op": bench.no_op(rounds),
            "apply": bench.apply(rounds, folder.parent),
            "monitoring": bench.monitoring(),
            "cold_start_s": bench.cold_start(rounds),
            "down": bench.down(),
        }
    finally:
        local_cluster.destroy(CLUSTER, report)


class _Bench:
    def __init__(self, checkout: Checkout, report: Report) -> None:
        self.checkout = checkout
        self._report = report
        self._url = checkout.endpoint + MODEL_PATH

    def up(self, timings: Path) -> dict[str, Any]:
        """Time `make up` with tools and images cached, up to the first prediction."""
        self._report("up with everything cached")
        os.environ[TIMINGS] = str(timings)
        holdout = self._holdout()
        first: list[float] = []
        asking = threading.Thread(
            target=lambda: first.append(load.wait_answer(self._url, holdout, _LIMIT_SECONDS))
        )
        started = time.monotonic()
        asking.start()
        printed: list[str] = []
        took = timed(lambda: printed.append(self.checkout.slipway("up").text))
        asking.join()
        del os.environ[TIMINGS]
        return {
            "total_s": took["wall_s"],
            "cpu_s": took["cpu_s"],
            "first_prediction_s": first[0] - started,
            "phases": json.loads(timings.read_text()),
            "check": next(line for line in printed[0].splitlines() if "predictions equal" in line),
        }

    def memory(self) -> list[dict[str, Any]]:
        """Return the cluster's memory by part and program, some time after `make up`.

        At its end that gives memory back to the machine, of which some is needed again.
        """
        self._report(f"memory, {_SETTLED_SECONDS:g} s later")
        time.sleep(_SETTLED_SECONDS)
        state = _state()
        client = Client(state.kubeconfig)
        pods = client.get("/api/v1/pods")["items"]
        client.close()
        return memory.by_program(state.folder, memory.model_pods(pods))

    def monitoring(self) -> dict[str, Any]:
        """Add monitoring, and return how long that took and the memory then."""
        self._report("up with monitoring")
        self.checkout.configure({"platform": {"monitoring": {"enabled": True}}})
        took = timed(lambda: self.checkout.slipway("up"))
        return {"up": took, "memory": self.memory()}

    def cold_start(self, rounds: int) -> list[float]:
        """Return the seconds of requests to a model that has no pod when they come."""
        self._report("requests to a model without pods")
        self.checkout.configure({"models": {cold_start.MODEL: cold_start.SETTINGS}})
        self.checkout.pulumi("up", "--yes", "--skip-preview")
        client = Client(_state().kubeconfig)
        seconds = cold_start.measure(self.checkout, client, self._holdout(), rounds)
        client.close()
        return seconds

    def gateway(self) -> list[dict[str, Any]]:
        """Measure the model through the gateway."""
        self._report("load through the gateway")
        holdout, gateway = self._holdout(), self.checkout.gateway()
        return [
            load.measure(
                self._url, holdout, clients=clients, requests=GATEWAY_REQUESTS, gateway=gateway
            )
            for clients in (1, 8)
        ]

    def no_op(self, rounds: int) -> dict[str, Duration]:
        """Return the median time of a preview and an update that change nothing."""
        self._report("no-op preview and up")
        self.checkout.pulumi("preview")
        preview = [timed(lambda: self.checkout.pulumi("preview")) for _ in range(rounds)]
        up = [timed(lambda: self.checkout.pulumi("up", "--yes", "--skip-preview")) for _ in preview]
        return {"preview": median(preview), "up": median(up)}

    def apply(self, rounds: int, folder: Path) -> dict[str, Any]:
        """Create the same objects on the same cluster by Pulumi and by kubectl, in turns."""
        empty = folder / "empty.json"
        empty.write_text(json.dumps(objects.without_kubernetes(self.checkout.state())))
        kubectl = self._kubectl(folder)
        pulumi, by_hand = [], []
        for number in range(rounds):
            self._report(f"pulumi up against kubectl apply, round {number + 1} of {rounds}")
            kubectl.delete()
            self.checkout.pulumi("stack", "import", "--file", str(empty))
            pulumi.append(timed(lambda: self.checkout.pulumi("up", "--yes", "--skip-preview")))
            # Anew, because some of the names are new.
            kubectl = self._kubectl(folder)
            kubectl.delete()
            by_hand.append(timed(kubectl.apply))
        return {
            "objects": kubectl.count,
            "pulumi": pulumi,
            "kubectl": by_hand,
            "ratio": median(pulumi)["wall_s"] / median(by_hand)["wall_s"],
        }

    def down(self) -> Duration:
        """Time `make down`."""
        self._report("down")
        return timed(lambda: self.checkout.slipway("down"))

    def _kubectl(self, folder: Path) -> "_Kubectl":
        exported = self.checkout.pulumi("stack", "export", "--show-secrets").text
        state = json.loads(exported[exported.index("{\n") :])
        return _Kubectl(self.checkout, objects.manifests(state), folder)

    def _holdout(self) -> Holdout:
        return Holdout.read(self.checkout.folder / "examples" / MODEL / "build" / "holdout.json")


class _Kubectl:
    """The same objects by hand: definitions first, then the rest, then waiting."""

    def __init__(self, checkout: Checkout, manifests: list[dict[str, Any]], folder: Path) -> None:
        state = _state()
        kubeconfig = folder / "kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(state.kubeconfig)
        self._folder = folder
        self._env = {**checkout.shell, "KUBECONFIG": str(kubeconfig)}
        self.count = len(manifests)
        self._batches = [
            (
                objects.write(folder / f"{name}.json", step.makes),
                self._waits(folder, name, step.awaits),
            )
            for name, step in objects.steps(manifests).items()
        ]

    def _waits(
        self, folder: Path, name: str, batch: list[dict[str, Any]]
    ) -> list[tuple[str, Path]]:
        by_condition: dict[str, list[dict[str, Any]]] = {}
        for condition, one in objects.waits(batch):
            by_condition.setdefault(condition, []).append(one)
        return [
            (condition, objects.write(folder / f"{name}-wait-{number}.json", found))
            for number, (condition, found) in enumerate(by_condition.items())
        ]

    def apply(self) -> None:
        """Create everything and wait until it is ready."""
        for path, waits in self._batches:
            self._run("apply", "--server-side", "-f", str(path))
            for condition, waited in waits:
                self._run("wait", f"--for={condition}", "--timeout=300s", "-f", str(waited))

    def delete(self) -> None:
        """Delete everything and wait until it is gone."""
        for path, _ in reversed(self._batches):
            self._run("delete", "--wait", "-f", str(path))

    def _run(self, *arguments: str) -> None:
        run(["kubectl", *arguments], folder=self._folder, variables=self._env)


def _state() -> local_cluster.ClusterState:
    """Return what is known of the running cluster."""
    state = local_cluster.read(CLUSTER)
    if state is None:
        raise RuntimeError(f"the cluster {CLUSTER} is gone")
    return state
