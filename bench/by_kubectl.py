"""The same objects on the same cluster, made by Pulumi and by kubectl."""

import json
from pathlib import Path
from typing import Any

from bench import cluster, objects
from bench.figures import Round
from bench.section import Context
from bench.timing import timed
from tests.cluster.checkout import Checkout
from tests.running import run


def measure(context: Context) -> Round:
    """Make the stack's objects by Pulumi, then by kubectl, until everything is ready.

    Returns:
        How many `objects` there are, and how long `pulumi` and `kubectl` took.
    """
    with cluster.checkout(context) as checkout:
        context.report("up")
        checkout.slipway("up")
        empty = context.folder / "empty.json"
        empty.write_text(json.dumps(objects.without_kubernetes(checkout.state())))
        _kubectl(checkout, context).delete()
        checkout.pulumi("stack", "import", "--file", str(empty))
        context.report("the objects by pulumi")
        pulumi = timed(lambda: checkout.pulumi("up", "--yes", "--skip-preview"))
        # Anew, because some of the names are new.
        kubectl = _kubectl(checkout, context)
        kubectl.delete()
        context.report("the objects by kubectl")
        return {"objects": kubectl.count, "pulumi": pulumi, "kubectl": timed(kubectl.apply)}


def _kubectl(checkout: Checkout, context: Context) -> "_Kubectl":
    exported = checkout.pulumi("stack", "export", "--show-secrets").text
    state = json.loads(exported[exported.index("{\n") :])
    return _Kubectl(checkout, objects.manifests(state), context.folder)


class _Kubectl:
    """The same objects by hand: definitions first, then the rest, then waiting."""

    def __init__(self, checkout: Checkout, manifests: list[dict[str, Any]], folder: Path) -> None:
        state = cluster.state()
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
