"""What measures the load of pods."""

from pathlib import Path

import pytest

from tests.unit import mocked_program
from tests.unit.mocked_program import Program, Registered
from toolchain.local_cluster import Distribution

CHART = "kubernetes:helm.sh/v4:Chart"
STACK = """
config:
  slipway:cluster: {kind: local}
  slipway:teams: {vision: {}}
  slipway:models:
    digits: {team: vision, format: onnx, uri: file:build/digits.onnx, scaling: {max: 3}}
"""


def _run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, distribution: Distribution = "upstream"
) -> Program:
    return mocked_program.run_stack(STACK, folder, monkeypatch, distribution=distribution)


def _metrics_server(program: Program) -> list[Registered]:
    return [item for item in program.of_type(CHART) if item.inputs["name"] == "metrics-server"]


def test_a_cluster_without_a_metrics_server_gets_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [chart] = _metrics_server(_run(tmp_path, monkeypatch))
    assert chart.inputs["namespace"] == "slipway-system"
    assert chart.inputs["values"]["image"] == {
        "repository": "slipway.local/metrics-server",
        "tag": "0123456789ab",
    }


def test_a_cluster_that_brings_a_metrics_server_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _metrics_server(_run(tmp_path, monkeypatch, "k3s")) == []


def test_the_certificates_of_kubelets_are_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [chart] = _metrics_server(_run(tmp_path, monkeypatch))
    arguments = chart.inputs["values"]["args"]
    assert any(text.startswith("--kubelet-certificate-authority=/") for text in arguments)
    assert "--kubelet-insecure-tls" not in arguments


def test_an_autoscaler_is_made_once_pods_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch)
    [chart] = _metrics_server(program)
    annotations = chart.inputs["values"]["apiService"]["annotations"]
    assert annotations["pulumi.com/waitFor"] == "condition=Available"
    [scaler] = program.of_type("kubernetes:autoscaling/v2:HorizontalPodAutoscaler")
    assert chart.urn in scaler.dependencies


def test_the_api_server_verifies_whom_it_asks_what_pods_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch)
    [chart] = _metrics_server(program)
    values = chart.inputs["values"]
    assert values["apiService"]["insecureSkipTLSVerify"] is False
    source = values["apiService"]["annotations"]["cert-manager.io/inject-ca-from"]
    assert source == "slipway-system/metrics-server"
    assert values["tls"]["existingSecret"]["name"] == "metrics-server"
    [certificate] = [
        item
        for item in program.of_type("kubernetes:cert-manager.io/v1:Certificate")
        if item.name == "metrics-server"
    ]
    assert "metrics-server.slipway-system.svc" in certificate.inputs["spec"]["dnsNames"]
