"""What an autoscaler is told of a model's requests, computed by Prometheus' own tool."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.serving.scaling import requests_query
from tests.running import run
from toolchain import programs

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
RULES = ROOT / "infra/platform/monitoring/rules/models.yaml"
KNOWN = (
    'kube_deployment_labels{namespace="vision", deployment="digits", '
    'label_app_kubernetes_io_component="model"}'
)
ASKED = 'traefik_router_requests_total{route="vision-digits", router="r", code="200"}'
READ = 'up{job="gateway", pod="traefik-1"}'


def assert_answers(folder: Path, series: dict[str, str], expected: float | None) -> None:
    """Hold that the query has one value, or none, after ten minutes of some series."""
    test: dict[str, Any] = {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                # Rates are sums of fractions.
                "expr": f"round({requests_query('vision', 'digits')}, 0.001)",
                "eval_time": "10m",
                "exp_samples": [] if expected is None else [{"labels": "{}", "value": expected}],
            }
        ],
    }
    path = folder / "test.yaml"
    document = {"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": [test]}
    path.write_text(yaml.safe_dump(document))
    run(
        [str(programs.path("promtool")), "test", "rules", str(path)],
        folder=folder,
        variables=os.environ,
    )


def test_requests_of_a_model_are_counted(tmp_path: Path) -> None:
    assert_answers(tmp_path, {KNOWN: "1x40", READ: "1x40", ASKED: "0+30x40"}, 2)


def test_a_model_that_nobody_asks_has_none(tmp_path: Path) -> None:
    assert_answers(tmp_path, {KNOWN: "1x40", READ: "1x40"}, 0)


@pytest.mark.parametrize(
    "series",
    [{KNOWN: "1x40"}, {KNOWN: "1x40", READ: "0x40"}, {READ: "1x40", ASKED: "0+30x40"}, {}],
    ids=["no gateway", "a gateway that does not answer", "an unknown model", "nothing"],
)
def test_what_is_not_known_is_not_taken_for_no_requests(
    tmp_path: Path, series: dict[str, str]
) -> None:
    assert_answers(tmp_path, series, None)
