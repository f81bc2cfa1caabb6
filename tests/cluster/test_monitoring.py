"""Monitoring on real pods: what is served is seen, and a model that fails raises an alert."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.cluster import hardened
from tests.cluster.checkout import Checkout
from tests.cluster.local_node import until
from tests.ports import free_ports
from tests.running import Run
from tests.unit.monitoring.reading import expressions, rules, used
from toolchain import local_cluster

pytestmark = pytest.mark.cluster

TEAM, MODEL = "vision", "digits"
NAMESPACE = "slipway-monitoring"
# What a stack says that wants to know sooner than within minutes.
SETTINGS = {
    "enabled": True,
    "intervalSeconds": 2,
    "alerts": {"ModelUnavailable": {"after": "4s"}},
}
# What is read and is not there on a cluster that is well, and why.
ABSENT = {
    "ALERTS": "no alert fires",
    "kube_horizontalpodautoscaler_info": "no model scales",
    "kube_horizontalpodautoscaler_spec_max_replicas": "no model scales",
    "kube_horizontalpodautoscaler_spec_min_replicas": "no model scales",
    "kube_horizontalpodautoscaler_status_desired_replicas": "no model scales",
    "kube_pod_container_status_last_terminated_reason": "no container ended",
    "kube_pod_container_status_waiting_reason": "no container waits",
    "prometheus_notifications_errors_total": "there is no Alertmanager",
    "traefik_service_request_duration_seconds_bucket": "no canary promotes itself",
    "traefik_service_requests_total": "no canary promotes itself",
    "slipway:model:error_ratio_rate30m": "looked at once a minute",
    "slipway:model:error_ratio_rate1h": "looked at once a minute",
    "slipway:model:error_ratio_rate6h": "looked at once a minute",
    "slipway:model_code:requests_rate1h": "looked at once a minute",
    "slipway:model_code:requests_rate30m": "looked at once a minute",
    "slipway:model_code:requests_rate6h": "looked at once a minute",
    "kubelet_volume_stats_capacity_bytes": "a volume on a folder of the node has no figures",
    "kubelet_volume_stats_used_bytes": "a volume on a folder of the node has no figures",
}


class Prometheus:
    """A client of a Prometheus.

    Args:
        url: Where it answers.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def page(self, path: str) -> str:
        with urllib.request.urlopen(f"{self._url}/{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def get(self, path: str, **parameters: str) -> Any:
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        answer = json.loads(self.page(f"api/v1/{path}{query}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def values(self, expression: str) -> dict[tuple[str, ...], float]:
        """Return the values of an expression by the values of its labels, in order."""
        return {
            tuple(text for _, text in sorted(found["metric"].items()) if _ != "__name__"): float(
                found["value"][1]
            )
            for found in self.get("query", query=expression)["result"]
        }

    def firing(self) -> dict[str, dict[str, str]]:
        """Return the labels of the alerts that fire, by name."""
        return {
            alert["labels"]["alertname"]: alert["labels"]
            for alert in self.get("alerts")["alerts"]
            if alert["state"] == "firing"
        }


@pytest.fixture(scope="module")
def monitored(checkout: Checkout, served: Run) -> Iterator[Run]:
    """The shared stack with monitoring, and without it again at the end."""
    with checkout.changed({"platform": {"monitoring": SETTINGS}}):
        yield checkout.slipway("up")
    checkout.pulumi("up", "--yes", "--skip-preview")


@pytest.fixture(scope="module")
def prometheus(checkout: Checkout, monitored: Run) -> Iterator[Prometheus]:
    """Prometheus, reached as docs/monitoring.md says."""
    port, _ = free_ports()
    state = local_cluster.read(checkout.cluster)
    assert state is not None
    forward = subprocess.Popen(
        [
            *("kubectl", "--kubeconfig", str(state.folder / "kubeconfig")),
            *("port-forward", "--namespace", NAMESPACE, "service/prometheus", f"{port}:9090"),
        ],
        env=dict(checkout.shell),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert forward.stdout is not None
    assert b"Forwarding from" in forward.stdout.readline()
    yield Prometheus(f"http://127.0.0.1:{port}")
    os.killpg(forward.pid, signal.SIGKILL)
    forward.wait()
    forward.stdout.close()


def ask(checkout: Checkout, times: int = 20) -> None:
    """Send requests to the model, whatever it answers."""
    url = f"{checkout.endpoint}/{TEAM}/{MODEL}/v2/models/{MODEL}"
    context = checkout.gateway().context()
    for _ in range(times):
        try:
            urllib.request.urlopen(url, timeout=10, context=context).close()
        except urllib.error.HTTPError as error:
            error.close()


def test_every_target_of_prometheus_answers(prometheus: Prometheus) -> None:
    def found() -> dict[str, set[str]]:
        targets: dict[str, set[str]] = {}
        for target in prometheus.get("targets", state="active")["activeTargets"]:
            targets.setdefault(target["labels"]["job"], set()).add(
                target["health"] + target["lastError"]
            )
        return targets

    platform = {"gateway", "kube-state-metrics", "cert-manager", "prometheus"}
    wanted = platform | {"kubelet", "cadvisor", "models"}

    def all_up() -> bool:
        targets = found()
        assert wanted <= set(targets), targets
        assert all(health == {"up"} for health in targets.values()), targets
        return True

    until(all_up, "targets that answer")


def test_the_requests_of_a_model_appear_by_model_and_team(
    checkout: Checkout, prometheus: Prometheus
) -> None:
    of = f'{{team="{TEAM}", model="{MODEL}"}}'

    def counted() -> bool:
        ask(checkout)
        rates = prometheus.values(f"slipway:model:requests_per_second{of}")
        slowest = prometheus.values(f"slipway:model:request_duration_seconds_p99{of}")
        errors = prometheus.values(f"slipway:model:error_ratio_rate5m{of}")
        assert list(rates) == list(slowest) == list(errors) == [(MODEL, TEAM)], rates
        return rates[MODEL, TEAM] > 1 and 0 < slowest[MODEL, TEAM] < 10

    until(counted, "the rate and the latency of the model's requests")
    assert prometheus.values(f"slipway:model:error_ratio_rate5m{of}") == {(MODEL, TEAM): 0}

    def share_is_known(name: str) -> bool:
        [share] = prometheus.values(f"slipway:model_pod:{name}_ratio{of}").values()
        return 0 < share < 1

    # The kubelet counts a pod's CPU some seconds later.
    for name in ("cpu", "memory"):
        until(partial(share_is_known, name), f"the model's share of its {name}")


def test_no_rule_fails_and_no_alert_fires_while_all_is_well(prometheus: Prometheus) -> None:
    found = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(found) == len(rules())
    assert {rule["name"]: rule.get("lastError") for rule in found if rule["health"] == "err"} == {}
    until(lambda: set(prometheus.firing()) == {"Watchdog"}, "no alert but the watchdog")


def test_every_series_that_is_read_exists(prometheus: Prometheus) -> None:
    read = set().union(*used().values())
    assert set(ABSENT) <= read, "nothing reads it"

    def missing() -> list[str]:
        return sorted(read - set(prometheus.get("label/__name__/values")) - set(ABSENT))

    until(lambda: missing() == [], f"series {missing()}")


def test_prometheus_evaluates_every_expression_of_the_dashboards(prometheus: Prometheus) -> None:
    for _, expression in expressions():
        prometheus.get("query", query=expression)


@pytest.mark.parametrize("page", ["serving", "platform"])
def test_the_pages_show_the_model_and_the_cluster(
    checkout: Checkout, prometheus: Prometheus, page: str
) -> None:
    shown = {"serving": f"<b>{MODEL}</b>", "platform": "<b>traefik</b>"}[page]
    until(lambda: shown in prometheus.page(f"consoles/{page}.html"), "what was looked at")
    text = prometheus.page(f"consoles/{page}.html")
    assert f"cluster {checkout.cluster}," in text
    assert "ZgotmplZ" not in text, "a value that the template language refused"


def test_the_pods_of_monitoring_have_no_more_rights_than_they_need(
    checkout: Checkout, monitored: Run
) -> None:
    pods = json.loads(
        checkout.kubectl("get", "pods", "--namespace", NAMESPACE, "--output=json").text
    )["items"]
    assert len(pods) == 2
    assert hardened.unexpected(pods) == []


def test_prometheus_can_read_metrics_of_nodes_and_nothing_else_of_them(
    checkout: Checkout, monitored: Run
) -> None:
    me = f"--as=system:serviceaccount:{NAMESPACE}:prometheus"

    def may(verb: str, kind: str, part: str = "") -> str:
        words = ("auth", "can-i", verb, kind, f"--subresource={part}", me)
        return checkout.kubectl(*words, expect=None).text.split()[-1]

    assert may("get", "nodes", "metrics") == "yes"
    for verb, kind, part in (
        ("get", "nodes", "proxy"),
        ("list", "secrets", ""),
        ("create", "pods", ""),
    ):
        assert may(verb, kind, part) == "no", f"{verb} {kind} {part}"


def test_an_alert_fires_when_a_model_fails_and_ends_when_it_is_well_again(
    checkout: Checkout, prometheus: Prometheus
) -> None:
    state = local_cluster.read(checkout.cluster)
    assert state is not None
    [file] = (state.folder / "models").glob(f"*/{MODEL}.onnx")
    file.unlink()
    restart(checkout)
    until(lambda: "ModelUnavailable" in prometheus.firing(), "an alert about the model")
    alert = prometheus.firing()["ModelUnavailable"]
    assert (alert["team"], alert["model"]) == (TEAM, MODEL)
    assert alert["severity"] == "critical"
    assert "ModelUnavailable" in prometheus.page("consoles/serving.html")

    def refused() -> bool:
        ask(checkout)
        codes = prometheus.values(f'slipway:model_code:requests_rate5m{{model="{MODEL}"}}')
        return codes.get(("503", MODEL, TEAM), 0) > 0

    until(refused, "the requests that no pod could answer")

    checkout.pulumi("up", "--yes", "--skip-preview")
    assert file.exists()
    restart(checkout)
    until(lambda: "ModelUnavailable" not in prometheus.firing(), "the end of the alert")


def restart(checkout: Checkout) -> None:
    """Delete the model's pods; others take their place."""
    selector = f"--selector=app.kubernetes.io/instance={MODEL}"
    checkout.kubectl("delete", "pods", "--namespace", TEAM, selector, "--grace-period=1")
