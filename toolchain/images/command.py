"""Runs one long command of an image build."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from toolchain import host
from toolchain.images.recipes import ImageError
from toolchain.progress import Report, ticking

SHOWN_LINES = 3
"""How many of a failed command's last lines its error repeats."""


def run(
    command: Sequence[str | Path],
    *,
    step: str,
    report: Report,
    way_out: str = "run the command again",
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a command to its end.

    The command ends with this process, so nothing goes on building behind a stopped run.

    Args:
        command: Program and arguments.
        step: What it does, for progress and for the error: `installing the dependencies`.
        report: Told every 20 s that the step goes on.
        way_out: What a person can do when it fails.
        env: The whole environment; by default this process's own.

    Raises:
        ImageError: The command failed; the message carries its last lines.
    """
    process = host.start(command, env=env)
    try:
        with ticking(report, lambda seconds: f"still {step} ({seconds:.0f} s)"):
            output, _ = process.communicate()
    finally:
        host.end(process)
    if process.returncode != 0:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        reason = "; ".join(lines[-SHOWN_LINES:]) or f"exit code {process.returncode}"
        raise ImageError(f"{step} failed ({reason}): {way_out}")
