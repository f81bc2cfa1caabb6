"""What monitoring consists of, as the program registers it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.clusters import local
from infra.contract import ClusterTraits
from infra.platform.gateway import traefik_metrics
from infra.platform.monitoring import kube_state_metrics, prometheus_config, scraping
from infra.settings import MonitoringSettings
from tests.unit import mocked_program
from tests.unit.mocked_program import Program, Registered

NAMESPACE = "slipway-monitoring"
STACK = mocked_program.ON_DEMAND[0]
WRITING = {"create", "update", "patch", "delete", "deletecollection", "*"}


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return mocked_program.run(STACK, tmp_path_factory.mktemp("project"), monkeypatch)


def with_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cluster a provisioner."""
    traits = local._traits

    def changed(*arguments: Any, **more: Any) -> ClusterTraits:
        return replace(traits(*arguments, **more), storage_class="standard")

    monkeypatch.setattr(local, "_traits", changed)


def pod(program: Program, name: str) -> dict[str, Any]:
    [found] = [
        template["spec"]
        for resource, template in program.pods()
        if resource.inputs["metadata"]["name"] == name
    ]
    assert isinstance(found, dict)
    return found


def config_maps(program: Program) -> list[Registered]:
    return [
        item
        for item in program.of_type("kubernetes:core/v1:ConfigMap")
        if item.inputs["metadata"]["namespace"] == NAMESPACE
    ]


def claims(program: Program) -> list[Registered]:
    return [
        item
        for item in program.of_type("kubernetes:core/v1:PersistentVolumeClaim")
        if item.inputs["metadata"]["namespace"] == NAMESPACE
    ]


def policies(program: Program) -> dict[str, Any]:
    return {
        item.inputs["metadata"]["name"]: item.inputs["spec"]
        for item in program.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        if item.inputs["metadata"]["namespace"] == NAMESPACE
    }


def test_a_stack_that_does_not_ask_has_no_monitoring_and_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = mocked_program.run(mocked_program.LOCAL_STACK_FILE, tmp_path, monkeypatch)
    assert not [item for item in program.resources if "onitoring" in item.urn]
    [traefik] = pod(program, "traefik")["containers"]
    assert not [word for word in traefik["args"] if "metrics" in word]


def test_the_gateway_counts_requests_for_a_port_that_no_service_leads_to(program: Program) -> None:
    [traefik] = pod(program, "traefik")["containers"]
    assert set(traefik_metrics.arguments(by_service=False)) <= set(traefik["args"])
    assert "metrics" in {port["name"] for port in traefik["ports"]}
    for service in program.of_type("kubernetes:core/v1:Service"):
        assert "metrics" not in {port["targetPort"] for port in service.inputs["spec"]["ports"]}


def test_the_gateways_histogram_tells_milliseconds_and_timeouts_apart() -> None:
    assert traefik_metrics.BUCKETS[0] <= 0.001
    assert traefik_metrics.BUCKETS[-1] >= 30
    assert list(traefik_metrics.BUCKETS) == sorted(traefik_metrics.BUCKETS)
    assert 2.5 in traefik_metrics.BUCKETS, "the default objective"


def test_a_changed_configuration_or_rule_replaces_the_pod(program: Program) -> None:
    mounted = {
        volume["configMap"]["name"]
        for volume in pod(program, "prometheus")["volumes"]
        if "configMap" in volume
    }
    assert len(mounted) == 3
    for item in config_maps(program):
        assert "name" not in item.inputs["metadata"], item.label


def test_samples_are_kept_in_the_pod_where_there_is_no_provisioner(program: Program) -> None:
    volumes = {volume["name"]: volume for volume in pod(program, "prometheus")["volumes"]}
    assert volumes["data"]["emptyDir"] == {"sizeLimit": "10Gi"}
    assert claims(program) == []


def test_samples_outlive_the_pod_where_there_is_a_provisioner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_storage(monkeypatch)
    program = mocked_program.run(STACK, tmp_path, monkeypatch)
    [claim] = claims(program)
    assert claim.inputs["spec"]["storageClassName"] == "standard"
    assert claim.inputs["spec"]["resources"] == {"requests": {"storage": "10Gi"}}
    volumes = {volume["name"]: volume for volume in pod(program, "prometheus")["volumes"]}
    name = claim.inputs["metadata"]["name"]
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == name
    assert pod(program, "prometheus")["securityContext"]["fsGroup"] == 65532


def test_samples_end_before_their_room_does() -> None:
    settings = MonitoringSettings.model_validate({"storage": "10Gi", "retention": "15d"})
    config = prometheus_config.config(settings, "local", NAMESPACE)
    retention = config["storage"]["tsdb"]["retention"]
    assert retention == {"time": "15d", "size": f"{8 * 2**30}B"}


def test_monitoring_reads_and_never_writes_and_sees_no_secret(program: Program) -> None:
    ours = [
        item
        for item in program.of_type("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole")
        if item.inputs["metadata"]["labels"]["app.kubernetes.io/component"] == "monitoring"
    ]
    assert len(ours) == 2
    for role in ours:
        for rule in role.inputs["rules"]:
            assert not WRITING & set(rule["verbs"]), role.label
            forbidden = {"secrets", "configmaps", "nodes/proxy", "*"}
            assert not forbidden & set(rule["resources"]), role.label


def test_kube_state_metrics_may_read_exactly_what_it_serves(program: Program) -> None:
    [role] = [
        item
        for item in program.of_type("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole")
        if item.name == "kube-state-metrics"
    ]
    granted = {kind for rule in role.inputs["rules"] for kind in rule["resources"]}
    [resources] = [
        word.partition("=")[2]
        for word in kube_state_metrics.arguments()
        if word.startswith("--resources=")
    ]
    assert granted == set(resources.split(","))


def test_alerts_go_to_the_alertmanager_of_the_settings(program: Program) -> None:
    [config] = [
        item.inputs["data"]["prometheus.yml"]
        for item in config_maps(program)
        if "prometheus.yml" in item.inputs["data"]
    ]
    [alertmanager] = yaml.safe_load(config)["alerting"]["alertmanagers"]
    assert alertmanager == {
        "scheme": "https",
        "path_prefix": "/path",
        "static_configs": [{"targets": ["alerts.example:443"]}],
    }


def test_without_an_alertmanager_alerts_go_nowhere() -> None:
    assert prometheus_config.alertmanagers(MonitoringSettings()) == []


def test_dashboards_are_laid_out_for_grafana(program: Program) -> None:
    found = {
        name
        for item in config_maps(program)
        if item.inputs["metadata"]["labels"].get("grafana_dashboard") == "1"
        for name in item.inputs["data"]
    }
    assert found == {"slipway-serving.json", "slipway-platform.json"}


def test_nothing_reaches_monitoring_but_what_is_listed(program: Program) -> None:
    found = policies(program)
    everything = found.pop("deny-all")
    assert everything == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert set(found) == {"prometheus", "kube-state-metrics"}
    [asking] = found["prometheus"]["ingress"]
    assert asking["from"] == [
        {
            "namespaceSelector": {
                "matchLabels": {"kubernetes.io/metadata.name": "slipway-autoscaling"}
            }
        },
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "slipway-system"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "canary-promoter"}},
        },
    ]
    [reading] = found["kube-state-metrics"]["ingress"]
    assert [peer["podSelector"]["matchLabels"] for peer in reading["from"]] == [
        {"app.kubernetes.io/name": "prometheus"}
    ]


def test_prometheus_reaches_the_gateway_teams_and_nodes(program: Program) -> None:
    egress = policies(program)["prometheus"]["egress"]
    peers = [peer for rule in egress for peer in rule.get("to", [])]
    assert {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "slipway-system"}}
    } in peers
    assert {
        "namespaceSelector": {
            "matchExpressions": [{"key": "slipway.local/team", "operator": "Exists"}]
        }
    } in peers
    open_ports = {port["port"] for rule in egress if "to" not in rule for port in rule["ports"]}
    assert open_ports == {443, 6443, 10250}


@pytest.mark.parametrize(
    ("service", "backend"),
    [
        ("digits-canary", "vision-digits-canary"),
        # A name like the format's own words.
        ("my-svc-model", "vision-my-svc-model"),
    ],
)
def test_a_version_is_told_by_the_name_of_its_service(service: str, backend: str) -> None:
    router = "httproute-vision-digits-gw-slipway-system-gateway-ep-https-1-1c0cf64bde37d9d0df06"
    name = f"{router}-svc-vision-{service}-1@kubernetesgateway"
    found = re.fullmatch(scraping._SERVICE, name)
    assert found is not None
    # Both rules of a route lead to the version: the router keeps their series apart.
    assert found.groups() == (router, backend)


def test_services_that_are_no_version_of_a_model_are_left_out() -> None:
    rules = scraping.gateway()["metric_relabel_configs"]
    (drop,) = [rule for rule in rules if rule.get("action") == "drop"]
    told = "traefik_service_requests_total;vision-digits-canary"
    assert drop["source_labels"] == ["__name__", "backend"]
    assert re.fullmatch(scraping._SERVICE, "vision-digits-80@kubernetescrd") is None
    assert re.fullmatch(drop["regex"], "traefik_service_requests_total;")
    assert not re.fullmatch(drop["regex"], told)
    assert not re.fullmatch(drop["regex"], "traefik_router_requests_total;")
