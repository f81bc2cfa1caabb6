"""The program with everything that runs pods, on a cluster that sets nodes apart.

What runs where is a trait of the cluster; no local cluster sets nodes apart.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.clusters import local
from infra.contract import ClusterTraits, Placement, Toleration
from tests.unit import mocked_program
from tests.unit.mocked_program import Program

PLACEMENT = Placement({"example.com/pool": "platform"}, (Toleration("example.com/dedicated"),))

STACK = """
config:
  slipway:cluster: {kind: local}
  slipway:platform:
    monitoring: {enabled: true}
    secrets: {stores: {azure: {kind: azure, vaultUrl: "https://ml.vault.azure.net"}}}
  slipway:teams:
    vision: {secrets: {labels: {USER: {store: azure, path: labels}}}}
  slipway:models:
    digits:
      team: vision
      format: onnx
      uri: file:models/digits.onnx
      secrets: [labels]
      scaling: {max: 2, requestsPerSecond: 20}
"""


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return what the program registers.

    Args:
        folder: An empty folder.
        monkeypatch: Restores what is changed.
    """
    usual = local._traits

    def traits(*args: Any) -> ClusterTraits:
        return replace(usual(*args), cpu=PLACEMENT)

    monkeypatch.setattr(local, "_traits", traits)
    return mocked_program.run_stack(STACK, folder, monkeypatch)


def unplaced(pod: Any) -> list[str]:
    """Return what a pod's specification lacks to run where the cluster says.

    Args:
        pod: Its `spec`.
    """
    tolerated = {(one.get("key"), one.get("effect")) for one in pod.get("tolerations", [])}
    lacks = {
        "nodeSelector": PLACEMENT.node_selector.items() <= pod.get("nodeSelector", {}).items(),
        "tolerations": {(one.key, one.effect) for one in PLACEMENT.tolerations} <= tolerated,
        "priorityClassName": pod.get("priorityClassName"),
        "resources": all(
            {"cpu", "memory"} <= set(container.get("resources", {}).get(kind, {}))
            for container in pod["containers"]
            for kind in ("requests", "limits")
        ),
    }
    return [field for field, there in lacks.items() if not there]
