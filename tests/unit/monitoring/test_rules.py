"""What rules, dashboards and pages promise, read as files."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.platform.monitoring import files, scraping
from infra.settings import MonitoringSettings
from infra.settings.monitoring import ALERTS
from tests.unit.monitoring import promql
from tests.unit.monitoring.reading import rules, used

ROOT = Path(__file__).parents[3]
# What Prometheus makes by itself.
OWN = {"up", "ALERTS"}
SCRAPED = {
    *scraping.GATEWAY_SERIES,
    *scraping.STATE_SERIES,
    *scraping.CONTAINER_SERIES,
    *scraping.KUBELET_SERIES,
    *scraping.CERTIFICATE_SERIES,
    *scraping.PROMETHEUS_SERIES,
}


def alerts(**settings: Any) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules(**settings) if "alert" in rule}


def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


def test_series_are_found_in_an_expression() -> None:
    expression = (
        'sum by (team, le) (rate(a_total{code=~"5..", x="b_total{"}[5m]) * on (route) '
        "group_left (team) c:d) / (e > 0) or vector(1) and on (f) time() - g offset 5m < Inf"
    )
    assert promql.series(expression) == {"a_total", "c:d", "e", "g"}


def test_every_series_that_is_read_is_kept_or_recorded() -> None:
    known = SCRAPED | recorded() | OWN
    for where, names in used().items():
        assert names <= known, f"{where} reads {sorted(names - known)}"


def test_every_series_that_is_kept_is_read() -> None:
    read = set().union(*used().values())
    assert sorted(SCRAPED - read) == []


def test_every_recorded_series_is_read_or_serves_the_autoscaler() -> None:
    read = set().union(*used().values())
    assert sorted(recorded() - read) == []


def test_the_settings_know_every_alert() -> None:
    assert set(alerts()) == ALERTS


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_says_how_bad_it_is_what_happened_and_what_to_do(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^### (\w+)$", (ROOT / path).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}
    assert anchor == name.lower()


@pytest.mark.parametrize("name", sorted(name for name in ALERTS if name.startswith("Model")))
def test_an_alert_about_a_model_names_it_and_its_team(name: str) -> None:
    for text in ("summary", "description"):
        words = alerts()[name]["annotations"][text]
        assert "{{ $labels.model }}" in words
        assert "{{ $labels.team }}" in words


def test_the_page_of_alerts_has_no_alert_that_is_gone() -> None:
    text = (ROOT / "docs/alerts.md").read_text()
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == ALERTS


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    fired = {
        case["alertname"]
        for path in (ROOT / "tests/engine/alerts").glob("*.yaml")
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
        if case.get("exp_alerts")
    }
    assert fired == ALERTS


def test_a_stack_can_switch_an_alert_off_and_let_it_wait_longer() -> None:
    found = alerts(alerts={"ModelSlow": {"enabled": False}, "ModelUnavailable": {"after": "30s"}})
    assert set(found) == ALERTS - {"ModelSlow"}
    assert found["ModelUnavailable"]["for"] == "30s"
    assert found["ModelErrors"]["for"] == alerts()["ModelErrors"]["for"]


def test_a_stack_can_set_what_its_models_promise() -> None:
    def objectives(**settings: Any) -> dict[str, str]:
        return {
            rule["record"]: rule["expr"]
            for rule in rules(**settings)
            if rule.get("record", "").startswith("slipway:objective:")
        }

    assert objectives() == {
        "slipway:objective:error_ratio": "vector(0.01)",
        "slipway:objective:latency_seconds": "vector(2.5)",
    }
    changed = objectives(objectives={"errorRatio": 0.002, "latencySeconds": 0.25})
    assert set(changed.values()) == {"vector(0.002)", "vector(0.25)"}


def test_the_files_say_the_default_objectives() -> None:
    written = yaml.safe_load((ROOT / "infra/platform/monitoring/rules/models.yaml").read_text())
    assert written["groups"][0]["rules"] == [
        rule for rule in rules() if rule.get("record", "").startswith("slipway:objective:")
    ]


def test_rules_are_written_as_they_were() -> None:
    for document in files.rules(MonitoringSettings()).values():
        text = files.as_yaml(document)
        assert yaml.safe_load(text) == document
        assert not re.search(r"&id\d|\*id\d", text)


def test_panels_lie_beside_each_other_and_take_the_chosen_prometheus() -> None:
    for name, text in files.dashboards().items():
        board = json.loads(text)
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, f"{name}: {panel['title']}"
            assert max(x for x, _ in cells) < 24
            taken |= cells
            sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            assert all(source["uid"] == "${datasource}" for source in sources)


def test_a_page_loads_nothing_from_elsewhere() -> None:
    for name, page in files.consoles().items():
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//|@import|url\(", page), name


def test_a_model_is_read_only_when_it_says_so() -> None:
    [first, *_] = scraping.models()["relabel_configs"]
    assert first["source_labels"] == ["__meta_kubernetes_pod_annotation_prometheus_io_scrape"]
    assert first["action"] == "keep"
    assert scraping.annotations()[scraping.SCRAPE_ANNOTATION] == first["regex"]
