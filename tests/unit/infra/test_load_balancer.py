"""Where addresses of Services come from."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit import mocked_program
from tests.unit.mocked_program import Program
from toolchain.local_cluster import Distribution


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, distribution: Distribution) -> Program:
    path = mocked_program.LOCAL_STACK_FILE
    return mocked_program.run(path, folder, monkeypatch, distribution=distribution)


def _charts(program: Program) -> dict[str, Any]:
    return {one.name: one.inputs for one in program.of_type("kubernetes:helm.sh/v4:Chart")}


def test_metallb_gives_out_the_addresses_of_the_nodes_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, "upstream")
    (pool,) = program.of_type("kubernetes:metallb.io/v1beta1:IPAddressPool")
    (announced,) = program.of_type("kubernetes:metallb.io/v1beta1:L2Advertisement")
    assert pool.inputs["spec"]["addresses"] == ["10.231.0.4-10.231.0.14"]
    assert announced.inputs["spec"]["ipAddressPools"] == [pool.inputs["metadata"]["name"]]
    values = _charts(program)["metallb"]["values"]
    assert values["frrk8s"] == {"enabled": False}
    assert values["speaker"]["frr"] == {"enabled": False}


def test_a_cluster_with_a_load_balancer_of_its_own_gets_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, "k3s")
    assert "metallb" not in _charts(program)
    assert not [one for one in program.resources if "metallb" in one.name]


@pytest.mark.parametrize("distribution", ["k3s", "upstream"])
def test_the_wait_for_an_address_ends_within_minutes(
    distribution: Distribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, distribution)
    (service,) = [
        one for one in program.of_type("kubernetes:core/v1:Service") if one.name == "traefik"
    ]
    assert service.inputs["spec"]["type"] == "LoadBalancer"
    assert service.timeouts == ("120s", "120s")


def test_every_pod_of_metallb_gives_way_after_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = _charts(_run(tmp_path, monkeypatch, "upstream"))["metallb"]["values"]
    for part in ("controller", "speaker"):
        assert values[part]["priorityClassName"] == "slipway-platform"
        assert set(values[part]["resources"]) == {"requests", "limits"}
