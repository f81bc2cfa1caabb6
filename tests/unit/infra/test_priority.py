"""Which pods give way when a node is full."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit import mocked_program


@pytest.fixture(name="classes")
def _classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, Any]]:
    program = mocked_program.run(mocked_program.LOCAL_STACK_FILE, tmp_path, monkeypatch)
    found = program.of_type("kubernetes:scheduling.k8s.io/v1:PriorityClass")
    return {item.inputs["metadata"]["name"]: item.inputs for item in found}


def test_every_model_gives_way_to_the_platform(classes: dict[str, Mapping[str, Any]]) -> None:
    platform = classes.pop("slipway-platform")["value"]
    assert len(classes) == 3
    assert all(0 < item["value"] < platform for item in classes.values())


def test_models_are_ranked_and_only_the_highest_ends_others(
    classes: dict[str, Mapping[str, Any]],
) -> None:
    ranked = ["slipway-models-low", "slipway-models", "slipway-models-high"]
    values = [classes[name]["value"] for name in ranked]
    assert values == sorted(values)
    assert [classes[name]["preemptionPolicy"] for name in ranked] == [
        "Never",
        "Never",
        "PreemptLowerPriority",
    ]
