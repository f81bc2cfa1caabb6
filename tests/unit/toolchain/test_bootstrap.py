"""The script that makes `.venv`: an interrupted run is finished by the next one."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from toolchain import project


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project with the script and a lock of nothing, so that pip needs no registry."""
    (tmp_path / "toolchain").mkdir()
    shutil.copy2(project.ROOT / "toolchain" / "bootstrap.sh", tmp_path / "toolchain")
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "requirements-clouds.lock").touch()
    (tmp_path / "Pulumi.cloud.yaml").write_text("config: {slipway:cluster: {kind: eks}}")
    (tmp_path / "Pulumi.here.yaml").write_text("config: {slipway:cluster: {kind: local}}")
    return tmp_path


def bootstrap(
    checkout: Path, *arguments: str, python: str = sys.executable, expect: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [checkout / "toolchain" / "bootstrap.sh", *arguments],
        env={**os.environ, "SLIPWAY_PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done


def test_an_environment_whose_making_was_interrupted_is_made_anew(checkout: Path) -> None:
    venv.create(checkout / ".venv", with_pip=False)
    bootstrap(checkout)
    subprocess.run([checkout / ".venv/bin/python", "-m", "pip", "--version"], check=True)


def test_an_environment_that_lost_its_python_is_made_anew_and_a_whole_one_kept(
    checkout: Path,
) -> None:
    bootstrap(checkout)
    assert bootstrap(checkout).stderr == ""
    (checkout / ".venv/bin/python").unlink()
    bootstrap(checkout)
    assert (checkout / ".venv/bin/python").exists()


def test_a_python_that_is_not_there_is_named(checkout: Path) -> None:
    done = bootstrap(checkout, python="/no/such/python", expect=1)
    assert done.stderr == "error: there is no program /no/such/python: correct SLIPWAY_PYTHON\n"


def test_the_sdks_of_the_clouds_are_added_where_they_are_needed(checkout: Path) -> None:
    for stack in ((), ("--stack", "here"), ("--stack", "absent")):
        assert "SDKs of the clouds" not in bootstrap(checkout, *stack).stderr, stack
    assert "SDKs of the clouds" in bootstrap(checkout, "--stack", "cloud").stderr
    assert bootstrap(checkout, "--clouds").stderr == ""
    (checkout / "requirements-clouds.lock").write_text("# another one")
    assert bootstrap(checkout).stderr == ""
    assert "SDKs of the clouds" in bootstrap(checkout, "--clouds").stderr


@pytest.mark.parametrize("stacks", ["all", "here cloud", "here,cloud"])
def test_one_of_several_stacks_on_a_cloud_is_enough_for_its_sdk(
    checkout: Path, stacks: str
) -> None:
    assert "SDKs of the clouds" in bootstrap(checkout, "--stack", stacks).stderr


def test_both_lock_files_have_the_same_version_of_a_package() -> None:
    common, clouds = (
        dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", (project.ROOT / name).read_text()))
        for name in ("requirements.lock", "requirements-clouds.lock")
    )
    added = {"pulumi-aws", "pulumi-azure-native", "pulumi-gcp"}
    assert clouds.keys() - common.keys() == added
    assert {name: version for name, version in clouds.items() if name not in added} == {
        name: common[name] for name in clouds.keys() - added
    }
