"""A chart comes from where the setting says, at the pinned version, without its resource types."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from infra import versions
from infra.platform.chart import ChartArgs, chart
from toolchain import catalog, programs
from toolchain.errors import ToolchainError

REPOSITORY = kubernetes.helm.v4.RepositoryOptsArgs(repo="https://mirror.example/charts")
Given = Callable[[str], Mapping[str, Any]]


@pytest.fixture(name="given")
def _given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Tells what the plug-in is given for a source of charts."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(kubernetes.helm.v4, "Chart", lambda _, **inputs: given.update(inputs))

    def call(source: str) -> Mapping[str, Any]:
        values = {"crds": {"enabled": False}}
        chart("balancer", ChartArgs("metallb", source, "metallb-system", values))
        return given

    return call


def test_the_chart_of_the_publishers_release_is_the_toolchains_folder(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "path", lambda name: Path("/cache", name))
    assert given("upstream") == {
        "chart": "/cache/metallb-chart",
        "name": "metallb",
        "namespace": "metallb-system",
        "skip_crds": True,
        "values": {"crds": {"enabled": False}},
        "opts": None,
    }


def test_a_folder_of_the_project_holds_charts_by_name(given: Given) -> None:
    found = given("file:vendored/charts")
    assert found["chart"] == "./vendored/charts/metallb"
    assert "version" not in found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("oci://mirror.example/charts", {"chart": "oci://mirror.example/charts/metallb"}),
        (
            "https://mirror.example/charts",
            {"chart": "metallb", "repository_opts": REPOSITORY},
        ),
    ],
)
def test_a_mirror_is_asked_for_the_pinned_version(
    given: Given, source: str, expected: Mapping[str, Any]
) -> None:
    found = given(source)
    assert found.items() >= expected.items()
    assert found["version"] == versions.CHARTS["metallb"]


def test_a_chart_that_cannot_be_had_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Path:
        raise ToolchainError(f"{name} cannot be had on this machine")

    monkeypatch.setattr(programs, "path", refuse)
    with pytest.raises(pulumi.RunError, match="metallb-chart cannot be had"):
        chart("balancer", ChartArgs("metallb", "upstream", "metallb-system"))


@pytest.mark.parametrize("name", versions.CHARTS)
def test_every_chart_of_the_table_is_a_program(name: str) -> None:
    assert f"{name}-chart" in [program.name for program in catalog.ALL]
