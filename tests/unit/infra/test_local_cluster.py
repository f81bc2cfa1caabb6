"""What the program knows of a local cluster before it exists."""

from collections.abc import Sequence
from pathlib import Path

import pulumi
import pytest

from infra.clusters import local
from infra.settings import LocalClusterSettings
from tests.unit import mocked_program
from tests.unit.mocked_program import Program
from toolchain import local_cluster
from toolchain.local_cluster import Choice, Distribution, LocalClusterError

(STACK_FILE,) = (path for path in mocked_program.STACK_FILES if path.name == "Pulumi.local.yaml")
SETTINGS = LocalClusterSettings(kind="local")


def _run(distribution: Distribution, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    return mocked_program.run(STACK_FILE, folder, monkeypatch, distribution=distribution)


@pytest.mark.parametrize(
    ("distribution", "expected"), [("k3s", "LoadBalancer"), ("upstream", "LoadBalancer")]
)
def test_the_gateway_asks_for_a_load_balancer_where_the_cluster_has_one(
    distribution: Distribution, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(distribution, tmp_path, monkeypatch)
    services = program.of_type("kubernetes:core/v1:Service")
    (gateway,) = (service for service in services if service.name == "traefik")
    assert gateway.inputs["spec"]["type"] == expected


@pytest.mark.parametrize("distribution", ["k3s", "upstream"])
def test_the_loopback_ports_lead_to_the_node_ports_of_the_gateway(
    distribution: Distribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cluster,) = _run(distribution, tmp_path, monkeypatch).of_type("slipway:machine:LocalCluster")
    assert cluster.inputs["ports"] == [{"host": 8080, "node": 30080}, {"host": 8443, "node": 30443}]


def test_the_plug_in_makes_the_distribution_that_the_program_reckons_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cluster,) = _run("upstream", tmp_path, monkeypatch).of_type("slipway:machine:LocalCluster")
    assert cluster.inputs["distributions"] == ["upstream"]


def test_only_k3s_enforces_policies_and_brings_metrics_storage_and_a_load_balancer() -> None:
    k3s, upstream = local_cluster.brings("k3s"), local_cluster.brings("upstream")
    assert (k3s.network_policies, k3s.metrics_server, k3s.load_balancer) == (True, True, True)
    assert k3s.storage_class == "local-path"
    assert not upstream.network_policies
    assert not upstream.metrics_server
    assert not upstream.load_balancer
    assert upstream.storage_class is None


def test_a_skipped_distribution_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", told.append)
    monkeypatch.setattr(
        local_cluster,
        "distribution_of",
        lambda name, ordered: Choice("upstream", "v1.37.2", (("k3s", "nobody serves it"),)),
    )
    assert local.choose(SETTINGS) == "upstream"
    assert told == ["k3s cannot be had here (nobody serves it): the next distribution is taken"]


def test_a_list_of_which_nothing_can_be_had_ends_the_program_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(name: str, ordered: Sequence[str]) -> Choice:
        raise LocalClusterError(f"{ordered[0]}: no registry has it")

    monkeypatch.setattr(local_cluster, "distribution_of", refuse)
    with pytest.raises(pulumi.RunError, match="k3s: no registry has it"):
        local.choose(SETTINGS)
