"""The policy pack is started whatever the language host is."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from toolchain import env, policy_pack, project
from toolchain.errors import SlipwayError

# Plays `python -m venv <folder>`: what it makes notes what it is told, and installs anything.
FAKE_PYTHON = """\
#!/bin/sh
mkdir -p "$3/bin"
printf '#!/bin/sh\\necho "$@" >>"%s/told"\\n' "$(dirname "$0")" >"$3/bin/python"
chmod +x "$3/bin/python"
"""


@pytest.fixture(name="root", autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a pack, and a Python that installs nothing."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "requirements.txt").write_text("pulumi-policy==1.21.0\n")
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "executable", str(python))
    return tmp_path


def told(root: Path) -> list[str]:
    return (root / "told").read_text().splitlines()


def test_the_starter_is_the_one_of_the_runtime_that_the_pack_names(lines: list[str]) -> None:
    folder = Path(__file__).parents[3] / "policy" / "any-host"
    runtime = yaml.safe_load((folder / "PulumiPolicy.yaml").read_text())["runtime"]
    policy_pack.ensure(lines.append)
    name = f"pulumi-analyzer-policy-{runtime}"
    assert list((env.pulumi_home() / "plugins").glob(f"analyzer-policy-{runtime}-v*/{name}"))


def test_the_starter_runs_the_pack_of_the_project_at_the_engines_address(
    root: Path, lines: list[str]
) -> None:
    policy_pack.ensure(lines.append)
    (starter,) = (env.pulumi_home() / "plugins").glob("analyzer-policy-*/pulumi-analyzer-policy-*")
    command = [str(starter), "127.0.0.1:4711", "."]
    subprocess.run(command, env={"SLIPWAY_ROOT": str(root)}, check=True)
    assert told(root)[-1] == f"-u {root}/policy 127.0.0.1:4711"


def test_the_environment_is_made_once_for_the_same_requirements(
    root: Path, lines: list[str]
) -> None:
    policy_pack.ensure(lines.append)
    assert lines == ["setting up policy/.venv: about 10 seconds"]
    assert "--requirement" in told(root)[0]
    policy_pack.ensure(lines.append)
    assert len(told(root)) == 1
    (root / "policy" / "requirements.txt").write_text("pulumi-policy==1.22.0\n")
    policy_pack.ensure(lines.append)
    assert len(told(root)) == 2


def test_an_environment_that_cannot_be_made_is_one_error_with_the_reason(
    root: Path, lines: list[str]
) -> None:
    (root / "python").write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
    with pytest.raises(SlipwayError, match=r"policy/requirements\.txt: no space left"):
        policy_pack.ensure(lines.append)
    assert not (root / "policy" / ".venv" / "slipway-stamp").exists()
