"""The stand-in is used only where the official plug-in cannot be had, and says so each time."""

import os
import subprocess
from pathlib import Path

import pytest

from infra import versions
from toolchain import download, env, plugins, programs
from toolchain.errors import ToolchainError

# Plays `pulumi plugin install`: unpacks a file, or takes "the official one" from nowhere.
FAKE_PULUMI = """\
#!/bin/sh
[ -n "$FAKE_PULUMI_FAILS" ] && { echo "error: no space left" >&2; exit 1; }
folder=$PULUMI_HOME/plugins/resource-$4-v$5
mkdir -p "$folder"
if [ "$7" = --file ]; then tar -xzf "$8" -C "$folder"
else echo official >"$folder/pulumi-resource-kubernetes"; fi
"""


@pytest.fixture(autouse=True)
def fake_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(FAKE_PULUMI)
    pulumi.chmod(0o755)
    monkeypatch.setattr(programs, "path", lambda name, report: pulumi)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "refusal", lambda url: "get.pulumi.com does not answer")


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "refusal", lambda url: None)


def installed() -> Path:
    folder = f"resource-kubernetes-v{versions.PULUMI_KUBERNETES}"
    return env.pulumi_home() / "plugins" / folder / "pulumi-resource-kubernetes"


@pytest.mark.usefixtures("online")
def test_the_official_plugin_is_taken_where_it_can_be_had(lines: list[str]) -> None:
    assert plugins.ensure_kubernetes(lines.append) is False
    assert installed().read_text() == "official\n"
    assert not any("stand-in" in line for line in lines)


@pytest.mark.usefixtures("offline")
def test_the_stand_in_says_at_every_run_that_it_is_in_use(lines: list[str]) -> None:
    for _ in range(2):
        lines.clear()
        assert plugins.ensure_kubernetes(lines.append) is True
        assert [line for line in lines if "stand-in" in line] == [
            f"the stand-in for the official kubernetes plug-in {versions.PULUMI_KUBERNETES} "
            "is in use (get.pulumi.com does not answer)"
        ]


@pytest.mark.usefixtures("offline")
def test_the_official_plugin_is_not_asked_for_again_the_same_day(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins.ensure_kubernetes(lines.append)
    monkeypatch.setattr(download, "refusal", lambda url: None)
    assert plugins.ensure_kubernetes(lines.append) is True


@pytest.mark.usefixtures("offline")
def test_the_official_plugin_replaces_the_stand_in_once_it_can_be_had(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins.ensure_kubernetes(lines.append)
    monkeypatch.setattr(download, "refusal", lambda url: None)
    assert plugins.ensure_kubernetes(lines.append, ask_again=True) is False
    assert installed().read_text() == "official\n"
    lines.clear()
    assert plugins.ensure_kubernetes(lines.append) is False
    assert lines == []


@pytest.mark.usefixtures("offline")
def test_the_stand_in_starts_only_inside_a_project(lines: list[str]) -> None:
    plugins.ensure_kubernetes(lines.append)
    variables = {name: value for name, value in os.environ.items() if name != "SLIPWAY_ROOT"}
    done = subprocess.run(
        [installed(), "127.0.0.1:1"], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "make up" in done.stderr


@pytest.mark.usefixtures("offline")
def test_a_plugin_that_the_engine_refuses_is_one_error(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_PULUMI_FAILS", "1")
    with pytest.raises(ToolchainError, match="no space left"):
        plugins.ensure_kubernetes(lines.append)
