"""The program of this project is planned by the real engine: without a cluster, and ever alike."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.cluster.checkout import Checkout
from tests.running import run

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout of which nothing was ever brought up."""
    folder = tmp_path_factory.mktemp("planned") / "slipway"
    return Checkout(folder, "slipway-planned", 18080, 18443)


def plan_digest(checkout: Checkout, **variables: str) -> str:
    done = run(
        [sys.executable, "-m", "toolchain", "plan-digest"],
        folder=checkout.folder,
        variables={**os.environ, **variables},
    )
    (line,) = re.findall(r"^sha256:[0-9a-f]{64}$", done.text, re.MULTILINE)
    return str(line)


def test_a_report_of_a_stack_without_a_cluster_has_all_of_it_as_added(checkout: Checkout) -> None:
    done = checkout.slipway("preview", "--report", "report.md")
    (stack,) = json.loads((checkout.folder / "report.json").read_text())["stacks"]
    assert set(stack["counts"]) == {"create", "unchanged"}
    assert stack["counts"]["create"] > 50
    assert stack["blocked"] == stack["approved"] == []
    assert stack["traffic"] == [{"route": "digits", "old": {}, "new": {"digits": 100}}]
    figures = {(figure["type"], figure["what"]): figure["new"] for figure in stack["capacity"]}
    assert figures["ResourceQuota", "quota requests.cpu"] == "2"
    assert figures["Deployment", "server requests cpu"] == "250m"
    assert f"local: {stack['counts']['create']} added; see report.md" in done.text
    report = (checkout.folder / "report.md").read_text()
    assert report.startswith("<!-- slipway preview: local -->\n## Stack `local`: ")
    # It neither made a state with something in it, nor a cluster.
    assert checkout.state()["deployment"].get("resources", []) == []


def test_the_digest_of_a_plan_does_not_depend_on_folder_hash_seed_or_time_zone(
    checkout: Checkout, tmp_path: Path
) -> None:
    other = Checkout(tmp_path / "elsewhere" / "named otherwise", "slipway-planned", 18080, 18443)
    first = plan_digest(checkout, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C")
    second = plan_digest(other, PYTHONHASHSEED="2", TZ="Pacific/Kiritimati", LC_ALL="C.UTF-8")
    assert first == second
    other.configure({"models": {"digits": {"replicas": 2}}})
    assert plan_digest(other) != first
