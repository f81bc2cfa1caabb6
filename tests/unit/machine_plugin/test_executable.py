"""The script that the engine starts."""

import os
import shutil
import subprocess
from pathlib import Path

from toolchain import project

SCRIPT = "toolchain/machine_plugin/pulumi-resource-slipway"


def test_it_may_be_executed() -> None:
    assert os.access(project.ROOT / SCRIPT, os.X_OK)


def test_a_project_that_was_not_set_up_gets_one_line_with_the_way_out(tmp_path: Path) -> None:
    script = tmp_path / SCRIPT
    script.parent.mkdir(parents=True)
    shutil.copy(project.ROOT / SCRIPT, script)

    done = subprocess.run([script, "engine:1"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"error: {tmp_path}/.venv is missing: run `make preview` once, it sets the project up\n"
    )
