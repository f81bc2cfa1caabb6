"""`make preview REPORT=...` writes one report of several stacks, and fails where it has to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings, parse
from tests.unit.previews.steps import NAMESPACE, step
from toolchain import cli, previewing, project
from toolchain.errors import SlipwayError
from toolchain.stack import Stack

Digests = dict[str, dict[str, Any] | SlipwayError]


def settings(*approve: str) -> Settings:
    return parse({"cluster": {"kind": "local"}, "approve": list(approve)})


def plan(digests: Digests, *approve: str) -> Callable[[str], tuple[Settings, dict[str, Any]]]:
    def planned(stack: str) -> tuple[Settings, dict[str, Any]]:
        digest = digests[stack]
        if isinstance(digest, SlipwayError):
            raise digest
        return settings(*approve), digest

    return planned


GONE = {"steps": [step("delete", NAMESPACE, "vision", old={})]}


def test_every_stack_is_in_both_files(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    previewing.write(["dev", "prod"], plan({"dev": {}, "prod": GONE}, "vision"), path)
    shown = path.read_text()
    assert shown.index("## Stack `dev`") < shown.index("## Stack `prod`")
    documents = json.loads((tmp_path / "report.json").read_text())["stacks"]
    assert [one["stack"] for one in documents] == ["dev", "prod"]
    assert documents[1]["counts"] == {"delete": 1, "unchanged": 0}
    assert documents[1]["approved"] == [
        {"operation": "delete", "type": NAMESPACE, "name": "vision"}
    ]


def test_a_preview_that_fails_keeps_no_other_from_the_report(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    digests: Digests = {"dev": SlipwayError("no credentials"), "prod": {}}
    reports = previewing.write(["dev", "prod"], plan(digests), path)
    assert previewing.objections(reports) == ["dev: no credentials"]
    assert "no credentials" in path.read_text()
    assert "## Stack `prod`: nothing changes" in path.read_text()


def test_a_destruction_without_approval_is_an_objection_that_names_the_way_out() -> None:
    (line,) = previewing.objections([previewing.preview("prod", plan({"prod": GONE}))])
    assert line.startswith("prod: vision would be deleted (a namespace")
    assert "slipway:approve" in line
    assert previewing.objections([previewing.preview("prod", plan({"prod": GONE}, "vision"))]) == []


@pytest.mark.parametrize("name", ["report.txt", "report", "report.json"])
def test_a_report_that_is_no_markdown_is_refused(name: str) -> None:
    with pytest.raises(SlipwayError, match=r"ends with \.md"):
        previewing.report_path(name)


def test_a_report_in_no_folder_is_refused() -> None:
    with pytest.raises(SlipwayError, match="there is no folder"):
        previewing.report_path("/nowhere/report.md")


def test_several_stacks_are_named_by_words_or_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "ROOT", tmp_path)
    for name in ("dev", "prod", "stage"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    assert project.chosen("all") == ["dev", "prod", "stage"]
    assert project.chosen("prod dev,prod") == ["prod", "dev"]
    with pytest.raises(SlipwayError, match=r"there is no Pulumi\.live\.yaml"):
        project.chosen("prod,live")


@pytest.fixture(name="stacks")
def _stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Digests:
    """What the engine says of each stack of a project."""
    digests: Digests = {"dev": {}, "prod": {}}
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in digests:
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    monkeypatch.setattr(Stack, "planned", lambda self, arguments: plan(digests)(self.name))
    return digests


def test_the_command_ends_well_when_nothing_speaks_against_the_update(
    stacks: Digests, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["preview", "--stack", "all", "--report", "report.md"]) == 0
    assert "prod: nothing changes; see report.md" in capsys.readouterr().err


def test_the_command_fails_at_a_destruction_without_approval(
    stacks: Digests, capsys: pytest.CaptureFixture[str]
) -> None:
    stacks["prod"] = GONE
    assert cli.main(["preview", "--stack", "all", "--report", "report.md"]) == 1
    assert "error: prod: vision would be deleted" in capsys.readouterr().err
    assert "vision" in Path("report.md").read_text()


def test_only_a_preview_has_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "--report", "report.md"]) == 2
    assert "up takes no --report" in capsys.readouterr().err
