"""Rules, dashboards and the configuration, read by Prometheus' own tool."""

import os
from pathlib import Path

import pytest
import yaml

from infra.platform.monitoring import files, prometheus_config
from infra.settings import MonitoringSettings
from tests.running import run
from tests.unit.monitoring.reading import expressions
from toolchain import programs

pytestmark = pytest.mark.engine

ALERTS = Path(__file__).parent / "alerts"
ROOT = Path(__file__).parents[2]


def promtool(*arguments: str | Path) -> str:
    """Run the tool; it fails the test where it finds a mistake."""
    words = [str(programs.path("promtool")), *map(str, arguments)]
    return run(words, folder=ROOT, variables=os.environ).text


@pytest.mark.parametrize("name", [path.name for path in sorted(ALERTS.glob("*.yaml"))])
def test_series_go_in_and_alerts_come_out(name: str) -> None:
    promtool("test", "rules", ALERTS / name)


def test_prometheus_takes_the_configuration_and_the_rules(tmp_path: Path) -> None:
    settings = MonitoringSettings.model_validate(
        {"alertmanager": "https://alerts.example/path", "alerts": {"ModelSlow": {"after": "1m"}}}
    )
    config = prometheus_config.config(settings, "local", "slipway-monitoring")
    for name, document in files.rules(settings).items():
        (tmp_path / f"{name}.yaml").write_text(files.as_yaml(document))
    config["rule_files"] = [str(tmp_path / "*.yaml")]
    for job in config["scrape_configs"]:
        # Files of a pod.
        for part in (job.get("authorization", {}), job.get("tls_config", {})):
            part.update({key: str(tmp_path / "models.yaml") for key in part})
    path = tmp_path / "prometheus.yml"
    path.write_text(files.as_yaml(config))
    promtool("check", "config", "--lint=all", "--lint-fatal", path)


def test_every_expression_of_the_dashboards_is_sound(tmp_path: Path) -> None:
    rules = [
        {"record": f"dashboard:{index}", "expr": expression}
        for index, (_, expression) in enumerate(expressions())
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)
