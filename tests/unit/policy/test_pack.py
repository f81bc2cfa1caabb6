"""What the policy pack is started from."""

import ast
from pathlib import Path

import yaml

from infra import versions

ROOT = Path(__file__).parents[3]
PACK = ROOT / "policy"


def test_the_pack_runs_with_the_sdk_of_the_pinned_engine() -> None:
    lines = (PACK / "requirements.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pins.keys() == {"pulumi", "pulumi-policy"}
    assert pins["pulumi"] == versions.PULUMI


def test_the_engine_is_told_how_to_start_the_pack() -> None:
    project = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())
    assert project["runtime"]["name"] == "python"
    # What the language host starts without another name.
    assert (PACK / "__main__.py").is_file()


def test_the_rules_need_nothing_but_python() -> None:
    importers = {
        path.name
        for path in PACK.rglob("*.py")
        if ".venv" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
        if node.module.split(".")[0] in ("pulumi", "pulumi_policy")
    }
    assert importers == {"pack.py"}
