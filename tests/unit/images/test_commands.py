"""A failed command of a build becomes one line."""

import os

import pytest

from toolchain.images.command import run
from toolchain.images.recipes import ImageError
from toolchain.progress import silent


def test_the_error_has_the_step_the_last_lines_and_the_way_out() -> None:
    script = "echo one; echo two >&2; echo; echo three; echo four; exit 3"

    with pytest.raises(ImageError) as caught:
        run(["sh", "-c", script], step="packing", report=silent, way_out="make room")

    assert str(caught.value) == "packing failed (two; three; four): make room"


def test_a_silent_failure_shows_the_exit_code() -> None:
    with pytest.raises(ImageError, match=r"packing failed \(exit code 3\): run the command again"):
        run(["sh", "-c", "exit 3"], step="packing", report=silent)


def test_a_command_gets_the_environment_that_is_given() -> None:
    environment = {**os.environ, "WANTED": "yes"}

    run(["sh", "-c", 'test "$WANTED" = yes'], step="asking", report=silent, env=environment)
