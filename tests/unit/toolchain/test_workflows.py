"""The workflows are valid, pin what they run, and give no more rights than a job needs."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolchain import project

GITHUB = sorted((project.ROOT / ".github" / "workflows").glob("*.yml"))
GITLAB = project.ROOT / ".gitlab-ci.yml"
WRITING = {
    ("preview.yml", "comment"): {"contents": "read", "pull-requests": "write"},
    ("drift.yml", "drift"): {"contents": "read", "id-token": "write", "issues": "write"},
}
"""The jobs that may write to the forge; of other jobs, only an identity for a cloud is more."""


def load(path: Path) -> dict[str, Any]:
    document = yaml.safe_load(path.read_text())
    assert isinstance(document, dict)
    return document


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path in GITHUB:
        for name, job in load(path)["jobs"].items():
            yield path.name, name, job


def events(workflow: str) -> set[str]:
    """Return what starts a workflow."""
    document = load(project.ROOT / ".github" / "workflows" / workflow)
    # YAML takes the key `on` for a truth.
    return set({str(key): value for key, value in document.items()}["True"])


def scripts() -> Iterator[tuple[str, str]]:
    """Yield every script with where it stands."""
    for workflow, name, job in jobs():
        for step in job["steps"]:
            if "run" in step:
                yield f"{workflow} {name}", step["run"]
    for name, job in load(GITLAB).items():
        if isinstance(job, dict) and "script" in job:
            yield f"{GITLAB.name} {name}", "\n".join(job["script"])


def test_there_are_workflows_to_look_at() -> None:
    assert [path.name for path in GITHUB] == ["deploy.yml", "drift.yml", "preview.yml"]


@pytest.mark.parametrize("path", [*GITHUB, GITLAB], ids=lambda path: path.name)
def test_a_workflow_is_what_its_forge_takes(path: Path) -> None:
    forge = ["vendor.github-workflows"]
    if path == GITLAB:
        forge = ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *forge, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_an_action_is_pinned_to_a_commit_and_says_its_version() -> None:
    used = [
        line.partition("uses:")[2].strip()
        for path in GITHUB
        for line in path.read_text().splitlines()
        if re.match(r"[ -]*uses:", line)
    ]
    assert used
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [use for use in used if not pinned.fullmatch(use)] == []


def test_one_action_has_one_version() -> None:
    text = "".join(path.read_text() for path in GITHUB)
    used = set(re.findall(r"uses: ([\w-]+/[\w-]+)@(\S+)", text))
    assert len(used) == len({name for name, _ in used})


def test_a_job_has_the_rights_that_it_needs_and_no_others() -> None:
    for path in GITHUB:
        assert load(path)["permissions"] == {}, path.name
    for workflow, name, job in jobs():
        allowed = WRITING.get((workflow, name), {"contents": "read", "id-token": "write"})
        assert job["permissions"].items() <= allowed.items(), (workflow, name)


def test_no_workflow_runs_a_forks_code_with_the_repositorys_rights() -> None:
    for path in GITHUB:
        assert not {"pull_request_target", "workflow_run"} & events(path.name), path.name


def test_what_may_write_runs_nothing_of_the_pull_request() -> None:
    for workflow, name, job in jobs():
        if (workflow, name) not in WRITING or "pull_request" not in events(workflow):
            continue
        (checkout,) = (s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout"))
        assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
        assert "make" not in " ".join(step.get("run", "") for step in job["steps"])


def test_no_value_of_an_event_becomes_part_of_a_script() -> None:
    assert [where for where, script in scripts() if "${{" in script] == []


def test_no_checkout_leaves_its_token_to_later_steps() -> None:
    for workflow, name, job in jobs():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False, (workflow, name)


def test_every_job_has_an_end() -> None:
    assert [where for *where, job in jobs() if "timeout-minutes" not in job] == []


def test_a_script_is_one_that_the_shell_understands() -> None:
    for where, script in scripts():
        done = subprocess.run(["bash", "-n"], input=script, text=True, check=False)
        assert done.returncode == 0, where


def test_what_a_script_calls_is_there() -> None:
    targets = set(re.findall(r"^([\w -]+):", (project.ROOT / "Makefile").read_text(), re.MULTILINE))
    made = {target for line in targets for target in line.split()}
    called = 0
    for where, script in scripts():
        for target, words in re.findall(r"\bmake (\w+)((?: [A-Z]+=\S+)*)", script):
            called += 1
            assert target in made, where
            assert {word.partition("=")[0] for word in shlex.split(words)} <= {
                "STACK",
                "REPORT",
                "ARGS",
            }, where
        for module in re.findall(r"-m (toolchain[\w.]*)", script):
            called += 1
            path = project.ROOT.joinpath(*module.split("."))
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), where
    assert called


def test_the_stacks_are_listed_without_the_projects_packages(tmp_path: Path) -> None:
    def listed(*arguments: str) -> list[str]:
        # Without the environment's packages, as in the job that lists them.
        command = [sys.executable, "-S", "-m", "toolchain.project", *arguments]
        done = subprocess.run(command, cwd=project.ROOT, capture_output=True, text=True, check=True)
        return list(json.loads(done.stdout))

    assert listed() == project.stacks()
    assert set(project.stacks()) - set(listed("--shared")) == {"local"}


def test_a_job_on_gitlab_is_of_a_stack_that_there_is() -> None:
    named = {
        job["variables"]["STACK"]: job["environment"]["name"]
        for job in load(GITLAB).values()
        if isinstance(job, dict) and "STACK" in job.get("variables", {})
    }
    assert "local" in named
    assert named.keys() <= set(project.stacks())


def test_an_editors_container_has_the_projects_python_and_can_hold_a_cluster() -> None:
    container = json.loads((project.ROOT / ".devcontainer/devcontainer.json").read_text())
    version = (project.ROOT / ".python-version").read_text().strip()
    assert f"-{version}-" in container["image"]
    assert "--privileged" in container["runArgs"]
    assert container["postCreateCommand"] == "make setup"
