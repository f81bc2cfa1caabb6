"""What a pod of a model may use, and on which nodes it runs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest

from apps.serving import limits
from infra.clusters import local
from infra.contract import ClusterTraits, Placement, Toleration
from infra.settings import ModelSettings, resources
from tests.unit import mocked_program

GPUS = Placement({"pool": "gpus"}, (Toleration("nvidia.com/gpu"),))
CPUS = Placement({"pool": "cpus"})


def _pod(
    settings: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpu: Placement | None = GPUS,
) -> Any:
    """Return the pod of a model on a cluster that has pools of nodes."""
    stack = f"""
config:
  slipway:cluster: {{kind: local}}
  slipway:teams: {{vision: {{}}}}
  slipway:models:
    digits: {{team: vision, format: onnx, uri: file:build/digits.onnx, {settings}}}
"""
    traits_of = local._traits

    def traits(*args: Any) -> ClusterTraits:
        return replace(traits_of(*args), cpu=CPUS, gpu=gpu)

    monkeypatch.setattr(local, "_traits", traits)
    monkeypatch.setattr(resources, "WITHOUT_GPUS", frozenset())
    program = mocked_program.run_stack(stack, folder, monkeypatch)
    [deployment] = [
        item for item in program.of_type("kubernetes:apps/v1:Deployment") if item.name == "digits"
    ]
    return deployment.inputs["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        ("2", {"nvidia.com/gpu": "2"}),
        ("{count: 1}", {"nvidia.com/gpu": "1"}),
        ("{shared: true}", {"nvidia.com/gpu.shared": "1"}),
        ("{count: 2, mig: 1g.5gb}", {"nvidia.com/mig-1g.5gb": "2"}),
    ],
)
def test_a_model_gets_whole_shared_or_partitioned_gpus_on_gpu_nodes(
    gpu: str, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = _pod(f"resources: {{gpu: {gpu}}}", tmp_path, monkeypatch)
    found = pod["containers"][0]["resources"]["limits"]
    assert {name: found[name] for name in found if "/" in name} == expected
    assert pod["nodeSelector"] == {"pool": "gpus"}
    assert pod["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


def test_a_model_without_a_gpu_keeps_off_gpu_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = _pod("replicas: 1", tmp_path, monkeypatch)
    assert pod["nodeSelector"] == {"pool": "cpus"}
    assert not pod.get("tolerations")
    assert set(pod["containers"][0]["resources"]["limits"]) == {"cpu", "memory"}


def test_a_model_with_a_gpu_is_refused_where_the_cluster_has_no_pool_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(pulumi.RunError, match=r"models\.digits\.resources\.gpu: .*; add one"):
        _pod("resources: {gpu: 1}", tmp_path, monkeypatch, gpu=None)


def test_a_model_runs_on_the_nodes_that_it_names_though_they_are_set_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = _pod("nodeSelector: {example.com/pool: large}", tmp_path, monkeypatch)
    assert pod["nodeSelector"] == {"pool": "cpus", "example.com/pool": "large"}
    assert pod["tolerations"] == [
        {
            "key": "example.com/pool",
            "operator": "Equal",
            "value": "large",
            "effect": "NoSchedule",
        }
    ]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("concurrency: 20", ["--threads=2", "--queue=18"]),
        ("concurrency: 1", ["--threads=1", "--queue=0"]),
        ("concurrency: 8, resources: {cpuLimit: 500m}", ["--threads=1", "--queue=7"]),
        ("replicas: 1", []),
    ],
)
def test_a_pod_takes_as_many_requests_at_once_as_the_model_says(
    settings: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [container] = _pod(settings, tmp_path, monkeypatch)["containers"]
    bounds = ("--threads", "--queue")
    assert [text for text in container["args"] if text.startswith(bounds)] == expected


def test_the_server_and_the_route_know_how_long_a_request_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [container] = _pod("timeoutSeconds: 10", tmp_path, monkeypatch)["containers"]
    assert "--timeout-seconds=10" in container["args"]
    route: dict[str, Any] = {"rules": [{"backendRefs": []}]}
    assert limits.timed_route(route, 10)["rules"][0]["timeouts"] == {"request": "10s"}
    assert limits.timed_route(route, None) == route


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ("timeoutSeconds: 10", 10),
        # As long as the gateway waits.
        ("replicas: 1", 60),
    ],
)
def test_a_pod_that_is_to_go_has_as_long_as_a_request_may_take(
    settings: str, seconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = _pod(settings, tmp_path, monkeypatch)
    [server] = pod["containers"]
    drain = server["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert f"--grace-seconds={seconds}" in server["args"]
    # The server ends before it is killed.
    assert pod["terminationGracePeriodSeconds"] == drain + seconds + 5


@pytest.mark.parametrize(("gateway", "expected"), [(60, 600), (900, 900)])
def test_an_answer_in_parts_has_longer_than_until_it_begins(gateway: int, expected: int) -> None:
    model = ModelSettings.model_validate({"team": "text", "format": "llm", "uri": "file:m.gguf"})
    assert limits.answer_seconds(model, gateway) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("priority: low", "slipway-models-low"),
        ("replicas: 1", "slipway-models"),
        ("priority: high", "slipway-models-high"),
    ],
)
def test_a_model_has_the_priority_that_it_says(
    settings: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _pod(settings, tmp_path, monkeypatch)["priorityClassName"] == expected
