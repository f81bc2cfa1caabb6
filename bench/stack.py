"""A stack of its own, brought up, changed and compared with kubectl.

It is a copy of the project with another cluster name and port, so that the cluster somebody works
with stays as it is.
"""

import json
import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.serving.holdout import Holdout
from bench import load, memory, objects
from tests.cluster.checkout import Checkout
from tests.running import run
from toolchain import local_cluster
from toolchain.timings import VARIABLE as TIMINGS

CLUSTER = "slipway-bench"
PORT = 18480
MODEL = "digits"
MODEL_PATH = f"/vision/{MODEL}/v2/models/{MODEL}"
GATEWAY_REQUESTS = 8000
_LIMIT_SECONDS = 600

Report = Callable[[str], None]
Duration = dict[str, float]
"""`wall_s`, and `cpu_s` of the processes that were started; not of the cluster."""


def measure(folder: Path, rounds: int, report: Report) -> dict[str, Any]:
    """Bring the stack up with everything cached, and measure it.

    Args:
        folder: Where the copy of the project goes.
        rounds: How often previews, and updates against kubectl, are repeated.
        report: Takes progress lines.
    """
    local_cluster.destroy(CLUSTER, report)
    bench = _Bench(Checkout(folder, CLUSTER, PORT), report)
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
        took = _timed(lambda: printed.append(self.checkout.slipway("up").text))
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
        """Return the cluster's memory by program."""
        state = local_cluster.read(CLUSTER)
        if state is None:
            raise RuntimeError(f"the cluster {CLUSTER} is gone")
        return memory.by_program(state.folder)

    def gateway(self) -> list[dict[str, Any]]:
        """Measure the model through the gateway."""
        self._report("load through the gateway")
        holdout = self._holdout()
        return [
            load.measure(self._url, holdout, clients=clients, requests=GATEWAY_REQUESTS)
            for clients in (1, 8)
        ]

    def no_op(self, rounds: int) -> dict[str, Duration]:
        """Return the median time of a preview and an update that change nothing."""
        self._report("no-op preview and up")
        self.checkout.pulumi("preview")
        preview = [_timed(lambda: self.checkout.pulumi("preview")) for _ in range(rounds)]
        up = [
            _timed(lambda: self.checkout.pulumi("up", "--yes", "--skip-preview")) for _ in preview
        ]
        return {"preview": _median(preview), "up": _median(up)}

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
            pulumi.append(_timed(lambda: self.checkout.pulumi("up", "--yes", "--skip-preview")))
            # Anew, because some of the names are new.
            kubectl = self._kubectl(folder)
            kubectl.delete()
            by_hand.append(_timed(kubectl.apply))
        return {
            "objects": kubectl.count,
            "pulumi": pulumi,
            "kubectl": by_hand,
            "ratio": _median(pulumi)["wall_s"] / _median(by_hand)["wall_s"],
        }

    def down(self) -> Duration:
        """Time `make down`."""
        self._report("down")
        return _timed(lambda: self.checkout.slipway("down"))

    def _kubectl(self, folder: Path) -> "_Kubectl":
        exported = self.checkout.pulumi("stack", "export", "--show-secrets").text
        state = json.loads(exported[exported.index("{\n") :])
        return _Kubectl(self.checkout, objects.manifests(state), folder)

    def _holdout(self) -> Holdout:
        return Holdout.read(self.checkout.folder / "examples" / MODEL / "build" / "holdout.json")


class _Kubectl:
    """The same objects by hand: definitions first, then the rest, then waiting."""

    def __init__(self, checkout: Checkout, manifests: list[dict[str, Any]], folder: Path) -> None:
        state = local_cluster.read(CLUSTER)
        if state is None:
            raise RuntimeError(f"the cluster {CLUSTER} is gone")
        kubeconfig = folder / "kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(state.kubeconfig)
        self._folder = folder
        self._env = {**checkout.shell, "KUBECONFIG": str(kubeconfig)}
        self.count = len(manifests)
        first = [one for one in manifests if one["kind"] in objects.FIRST_KINDS]
        rest = [one for one in manifests if one["kind"] not in objects.FIRST_KINDS]
        self._batches = [
            (objects.write(folder / f"{name}.json", batch), self._waits(folder, name, batch))
            for name, batch in (("first", first), ("rest", rest))
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


def _timed(action: Callable[[], object]) -> Duration:
    """Time an action, and the CPU that the processes it started took.

    On a busy machine only the second says something of the action itself.
    """
    started, cpu = time.monotonic(), _cpu_of_children()
    action()
    return {"wall_s": time.monotonic() - started, "cpu_s": _cpu_of_children() - cpu}


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _median(durations: list[Duration]) -> Duration:
    """Return the duration with the median wall time."""
    return sorted(durations, key=lambda one: one["wall_s"])[(len(durations) - 1) // 2]
