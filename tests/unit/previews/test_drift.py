"""`make drift` says what was changed outside of Pulumi, and its exit code tells a scheduled job."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.previews.steps import DEPLOYMENT, NAMESPACE, changes, step
from toolchain import cli, project
from toolchain.engine import Engine
from toolchain.errors import SlipwayError
from toolchain.previews import markdown
from toolchain.stack import Stack

SCALED = step(
    "update",
    DEPLOYMENT,
    "digits",
    old={"metadata": {"namespace": "vision", "name": "digits"}, "spec": {"replicas": 1}},
    new={"metadata": {"namespace": "vision", "name": "digits"}, "spec": {"replicas": 3}},
    paths={"spec.replicas": True},
)
GONE = step("delete", NAMESPACE, "audio", old={})
SAME = step("refresh", NAMESPACE, "vision", old={}, new={})


@pytest.fixture(name="digest")
def _digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the engine says of a refresh of the stack `dev`."""
    digest: dict[str, Any] = {"steps": [SAME]}
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Pulumi.dev.yaml").touch()
    monkeypatch.setattr(Stack, "drifted", lambda self, arguments: digest)
    return digest


def test_without_drift_the_exit_code_is_0(
    digest: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["drift", "--stack", "dev", "--report", "drift.md"]) == 0
    assert capsys.readouterr().err == "slipway: dev: no drift\n"
    assert Path("drift.md").read_text().startswith(markdown.drift_marker("dev"))


def test_with_drift_it_is_2_and_every_object_is_named(
    digest: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    digest["steps"] += [SCALED, GONE]
    assert cli.main(["drift", "--stack", "dev", "--report", "drift.md"]) == 2
    said = capsys.readouterr().err
    assert "changed: Deployment vision/digits (spec.replicas)" in said
    assert "deleted: Namespace audio" in said
    assert "dev: 1 deleted, 1 changed outside of Pulumi" in said
    found = json.loads(Path("drift.json").read_text())
    assert found["counts"] == {"delete": 1, "update": 1, "unchanged": 0}
    assert found["changes"][0]["fields"] == [{"path": "spec.replicas", "old": 1, "new": 3}]


def test_an_error_is_neither_drift_nor_none(
    digest: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    digest["steps"] += [SCALED]
    digest["diagnostics"] = [{"severity": "error", "message": "error: no route to host"}]
    assert cli.main(["drift", "--stack", "dev", "--report", "drift.md"]) == 1
    assert "error: dev: no route to host" in capsys.readouterr().err
    assert "no route to host" in Path("drift.md").read_text()


def test_a_stack_that_was_never_made_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "ROOT", tmp_path)
    (tmp_path / "Pulumi.dev.yaml").touch()
    env = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    engine = Engine(tmp_path / "pulumi", "dev", env, lambda line: None, tmp_path)
    monkeypatch.setattr(Stack, "_engine", lambda self: engine)
    with pytest.raises(SlipwayError, match="dev is not in its backend"):
        Stack("dev", lambda line: None).drifted([])


def test_a_report_shows_what_was_made_and_what_is_there() -> None:
    shown = markdown.render_drift(changes(SCALED, GONE)).splitlines()
    assert "- spec.replicas: 1" in shown
    assert "+ spec.replicas: 3" in shown
    assert "- Namespace: `audio`" in shown
