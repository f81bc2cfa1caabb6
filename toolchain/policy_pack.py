"""Starts the policy pack whatever the language host is.

The engine has the language host of the pack's runtime start it, which the one that is built from
package registries cannot. For a runtime without a language host it starts a plug-in instead,
`pulumi-analyzer-policy-<runtime>` (`NewPolicyAnalyzer` in the engine's
`sdk/go/common/resource/plugin/analyzer_plugin.go`, 3.259.0), and that is what is installed here.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from toolchain import cache, env, project
from toolchain.errors import SlipwayError
from toolchain.progress import Report
from toolchain.sources.base import tail

# The runtime that `policy/any-host/PulumiPolicy.yaml` names.
_STARTER: Final = "pulumi-analyzer-policy-slipway"
# The engine gives the address that it answers at, then the pack's folder; it does not say where the
# project is, so `make` does.
_SCRIPT: Final = """\
#!/bin/sh
exec "$SLIPWAY_ROOT/policy/.venv/bin/python" -u "$SLIPWAY_ROOT/policy" "$1"
"""


def ensure(report: Report) -> Path:
    """Make the pack's environment and install what starts it.

    Args:
        report: Takes progress lines.

    Returns:
        The folder to hand to `pulumi --policy-pack`.

    Raises:
        SlipwayError: The SDK of policies cannot be installed.
    """
    with cache.lock("policy-pack", report):
        _make_environment(report)
        _install_starter()
    return project.ROOT / "policy" / "any-host"


def _make_environment(report: Report) -> None:
    requirements = project.ROOT / "policy" / "requirements.txt"
    folder = project.ROOT / "policy" / ".venv"
    stamp = folder / "slipway-stamp"
    wanted = f"{sys.version}\n{requirements.read_text()}"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    report("setting up policy/.venv: about 10 seconds")
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(folder))
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run(*pip, "install", "--quiet", "--requirement", str(requirements))
    stamp.write_text(wanted)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = tail((done.stderr or done.stdout).splitlines(), 1)
        raise SlipwayError(f"policy/.venv cannot be made from policy/requirements.txt: {reason}")


def _install_starter() -> None:
    folder = env.pulumi_home() / "plugins" / "analyzer-policy-slipway-v1.0.0"
    folder.mkdir(parents=True, exist_ok=True)
    # Complete or not there, for a run beside this one.
    new = folder / f"{_STARTER}.new"
    new.write_text(_SCRIPT)
    new.chmod(0o755)
    new.replace(folder / _STARTER)
