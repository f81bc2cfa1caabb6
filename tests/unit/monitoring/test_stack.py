"""kube-prometheus-stack, which cannot be obtained here: what it is asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.contract import ClusterTraits, LoadBalancerTraits, Placement, Toleration
from infra.platform.monitoring import files, stack
from infra.settings import MonitoringSettings
from tests.unit import mocked_program
from tests.unit.mocked_program import Program

NAMESPACE = "slipway-monitoring"
TRAITS = ClusterTraits(
    store="local",
    load_balancer=LoadBalancerTraits("LoadBalancer"),
    network_policies=True,
    metrics_server=True,
)


def settings(**more: Any) -> MonitoringSettings:
    return MonitoringSettings.model_validate(
        {"enabled": True, "stack": {"charts": "oci://charts.example", "version": "80.0.0"}, **more}
    )


@pytest.fixture(name="program")
def _program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    document = yaml.safe_load(mocked_program.ON_DEMAND[0].read_text())
    monitoring = document["config"]["slipway:platform"]["monitoring"]
    monitoring["stack"] = {"charts": "oci://charts.example", "version": "80.0.0"}
    return mocked_program.run_stack(yaml.safe_dump(document), tmp_path, monkeypatch)


def test_one_setting_takes_the_chart_in_place_of_our_own_pods(program: Program) -> None:
    [chart] = [
        item
        for item in program.of_type("kubernetes:helm.sh/v4:Chart")
        if item.inputs["name"] == "kube-prometheus-stack"
    ]
    assert chart.inputs["chart"] == "oci://charts.example/kube-prometheus-stack"
    assert chart.inputs["version"] == "80.0.0"
    # No module has the operator's types.
    assert chart.inputs["skipCrds"] is False
    names = {resource.inputs["metadata"]["name"] for resource, _ in program.pods()}
    assert not {"prometheus", "kube-state-metrics"} & names


def test_the_autoscaler_finds_prometheus_at_the_same_address(program: Program) -> None:
    [service] = [
        item
        for item in program.of_type("kubernetes:core/v1:Service")
        if item.inputs["metadata"]["name"] == "prometheus"
    ]
    assert service.inputs["metadata"]["namespace"] == NAMESPACE
    assert [port["port"] for port in service.inputs["spec"]["ports"]] == [9090]
    [policy] = [
        item
        for item in program.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        if item.inputs["metadata"]["namespace"] == NAMESPACE
    ]
    [allowed] = policy.inputs["spec"]["ingress"]
    assert {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "slipway-autoscaling"}}
    } in allowed["from"]


def test_the_chart_carries_the_same_rules_targets_and_dashboards() -> None:
    values = stack.values(settings(), "local", TRAITS)
    rules = values["additionalPrometheusRulesMap"]
    assert rules == {f"slipway-{name}": groups for name, groups in files.rules(settings()).items()}
    spec = values["prometheus"]["prometheusSpec"]
    jobs = {job["job_name"] for job in spec["additionalScrapeConfigs"]}
    assert jobs == {"gateway", "models", "cert-manager"}
    assert values["grafana"]["sidecar"]["dashboards"]["label"] == "grafana_dashboard"
    allowed = values["kube-state-metrics"]["metricLabelsAllowlist"]
    assert "deployments=[app.kubernetes.io/component,app.kubernetes.io/instance]" in allowed


def test_the_chart_keeps_samples_as_the_settings_and_the_cluster_say() -> None:
    chosen = settings(retention="15d", storage="10Gi", intervalSeconds=30)
    spec = stack.values(chosen, "local", replace(TRAITS, storage_class="standard"))["prometheus"][
        "prometheusSpec"
    ]
    assert spec["retention"] == "15d"
    assert spec["retentionSize"] == f"{8 * 2**30}B"
    assert spec["scrapeInterval"] == spec["evaluationInterval"] == "30s"
    claim = spec["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert claim["storageClassName"] == "standard"
    without = stack.values(chosen, "local", TRAITS)["prometheus"]["prometheusSpec"]
    assert without["storageSpec"] == {"emptyDir": {"sizeLimit": "10Gi"}}


def test_alerts_of_the_chart_go_to_one_alertmanager() -> None:
    own = stack.values(settings(), "local", TRAITS)
    assert own["alertmanager"]["enabled"] is True
    assert own["prometheus"]["prometheusSpec"]["additionalAlertManagerConfigs"] == []
    other = stack.values(settings(alertmanager="http://alerts.example:9093"), "local", TRAITS)
    assert other["alertmanager"]["enabled"] is False
    [found] = other["prometheus"]["prometheusSpec"]["additionalAlertManagerConfigs"]
    assert found["static_configs"] == [{"targets": ["alerts.example:9093"]}]


def test_the_chart_runs_nothing_that_needs_the_nodes_own_files_or_a_hook() -> None:
    values = stack.values(settings(), "local", TRAITS)
    assert values["nodeExporter"]["enabled"] is False
    assert values["prometheusOperator"]["admissionWebhooks"]["enabled"] is False


def test_every_pod_of_the_chart_runs_where_the_cluster_says_and_before_models() -> None:
    cpu = Placement({"pool": "platform"}, (Toleration("dedicated"),))
    values = stack.values(settings(), "local", replace(TRAITS, cpu=cpu))
    for pods in (
        values["alertmanager"]["alertmanagerSpec"],
        values["grafana"],
        values["kube-state-metrics"],
        values["prometheus"]["prometheusSpec"],
        values["prometheusOperator"],
    ):
        assert pods["nodeSelector"] == {"pool": "platform"}
        [toleration] = pods["tolerations"]
        assert toleration["key"] == "dedicated"
        assert pods["priorityClassName"] == "slipway-platform"
