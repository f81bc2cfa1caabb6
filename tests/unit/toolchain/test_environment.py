"""The environment of the engine: defaults for the local stack only, and nobody's choice undone."""

import json
from pathlib import Path

from toolchain import env, project

BASE = {"PATH": "/usr/bin:/bin", "HOME": "/home/someone"}


def variables(
    tmp_path: Path, stack: str = "local", stand_in: bool = True, **more: str
) -> dict[str, str]:
    return env.variables(stack, {**BASE, **more}, stand_in=stand_in, home=tmp_path)


def test_the_projects_python_and_programs_come_first_on_path(tmp_path: Path) -> None:
    first, second, *_ = variables(tmp_path)["PATH"].split(":")
    assert first == str(project.ROOT / ".venv" / "bin")
    assert "/programs/pulumi/" in second


def test_the_path_does_not_grow_when_make_runs_inside_make_shell(tmp_path: Path) -> None:
    once = variables(tmp_path)
    assert env.variables("local", once, stand_in=True, home=tmp_path)["PATH"] == once["PATH"]


def test_the_local_stack_needs_no_passphrase_from_anyone(tmp_path: Path) -> None:
    assert variables(tmp_path)["PULUMI_CONFIG_PASSPHRASE"] == env.DEVELOPMENT_PASSPHRASE


def test_no_other_stack_has_a_default_passphrase(tmp_path: Path) -> None:
    assert "PULUMI_CONFIG_PASSPHRASE" not in variables(tmp_path, stack="eks")


def test_a_passphrase_of_the_user_stays(tmp_path: Path) -> None:
    assert variables(tmp_path, PULUMI_CONFIG_PASSPHRASE="")["PULUMI_CONFIG_PASSPHRASE"] == ""
    chosen = variables(tmp_path, PULUMI_CONFIG_PASSPHRASE_FILE="/secret")
    assert "PULUMI_CONFIG_PASSPHRASE" not in chosen


def test_the_state_is_kept_in_the_project_unless_the_user_chose_a_backend(tmp_path: Path) -> None:
    assert variables(tmp_path)["PULUMI_BACKEND_URL"] == f"file://{project.ROOT / '.state'}"
    assert variables(tmp_path, PULUMI_BACKEND_URL="s3://b")["PULUMI_BACKEND_URL"] == "s3://b"
    # A workflow hands over as empty what it was not given.
    assert variables(tmp_path, PULUMI_BACKEND_URL="")["PULUMI_BACKEND_URL"].startswith("file://")


def test_a_login_decides_about_the_backend(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text(json.dumps({"current": "https://example.com"}))
    assert "PULUMI_BACKEND_URL" not in variables(tmp_path)


def test_the_engine_looks_for_plugins_unless_the_stand_in_is_in_use(tmp_path: Path) -> None:
    name = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
    assert variables(tmp_path)[name] == "true"
    assert name not in variables(tmp_path, stand_in=False)


def test_the_engine_collects_its_garbage_as_often_as_the_user_says(tmp_path: Path) -> None:
    assert variables(tmp_path)["GOGC"] == "400"
    assert variables(tmp_path, GOGC="100")["GOGC"] == "100"


def test_no_proxy_stands_between_the_engine_and_a_local_cluster(tmp_path: Path) -> None:
    found = variables(tmp_path, HTTPS_PROXY="http://proxy:3128", NO_PROXY="intranet")
    assert found["NO_PROXY"].split(",")[:3] == ["intranet", "127.0.0.1", "localhost"]
    assert "10.231.0.0/16" in found["NO_PROXY"]
    assert "NO_PROXY" not in variables(tmp_path)
