"""Runs the stages behind `make test` in order, and stops at the first that fails.

`lint` (ruff, mypy) -> `pure` -> `programs` (obtains what the rest needs) -> `engine` -> `cluster`.
"""

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from toolchain import env, parts, programs, project
from toolchain.cli import report
from toolchain.errors import SlipwayError
from toolchain.progress import duration

_NO_TESTS: Final = 5
"""Exit code of pytest when it found no test."""


@dataclass
class Results:
    """What the tests have said so far.

    Attributes:
        passed: Tests that passed.
        failed: Tests that failed, errors included.
        skipped: Tests that were skipped, with their reasons.
    """

    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)

    def add(self, junit: Path) -> None:
        """Add the results of one run of pytest from its JUnit file."""
        for case in ElementTree.parse(junit).getroot().iter("testcase"):
            reasons = [node.get("message", "") for node in case.iter("skipped")]
            if reasons:
                self.skipped.append(f"{case.get('classname')}.{case.get('name')}: {reasons[0]}")
            elif next(case.iter("failure"), None) is not None or (
                next(case.iter("error"), None) is not None
            ):
                self.failed += 1
            else:
                self.passed += 1

    def summary(self) -> str:
        """Return the closing line."""
        return f"{self.passed} passed, {self.failed} failed, {len(self.skipped)} skipped"


@dataclass(frozen=True)
class Stage:
    """One stage: `run` returns whether it passed."""

    name: str
    run: Callable[[], bool]


def main(arguments: Sequence[str]) -> int:
    """Run the stages and return the exit code.

    Args:
        arguments: `lint` or `all`, then further arguments for pytest.
    """
    which, *further = arguments
    results = Results()
    stages = [Stage("lint", _lint)]
    if which == "all":
        stages += [
            Stage("pure", lambda: _pytest(["tests/unit", "tests/config"], further, results)),
            Stage("programs", _obtain),
            Stage("engine", lambda: _pytest(["tests/engine"], further, results)),
            Stage("cluster", lambda: _pytest(["tests/cluster"], further, results)),
        ]
    times: list[str] = []
    failed = None
    for stage in stages:
        _say(f"--- {stage.name}")
        started = time.monotonic()
        passed = stage.run()
        times.append(f"{stage.name} {duration(time.monotonic() - started)}")
        if not passed:
            failed = stage.name
            break
    _say(f"--- {' | '.join(times)}")
    for line in results.skipped:
        _say(f"skipped {line}")
    if failed is not None:
        later = ", ".join(stage.name for stage in stages[len(times) :])
        _say(f"{failed} failed" + (f"; not run: {later}" if later else ""))
    if which == "all":
        _say(results.summary())
    return 0 if failed is None else 1


def _lint() -> bool:
    return all(
        [
            _run(["-m", "ruff", "check", "."]),
            _run(["-m", "ruff", "format", "--check", "--quiet", "."]),
            _run(["-m", "mypy"]),
        ]
    )


def _obtain() -> bool:
    try:
        wanted = [*env.TOOLS, *parts.every(), *programs.UPSTREAM, *programs.PEERS]
        programs.ensure(wanted, report)
    except SlipwayError as error:
        _say(f"error: {error}")
        return False
    return True


def _pytest(folders: Sequence[str], further: Sequence[str], results: Results) -> bool:
    with tempfile.TemporaryDirectory() as temporary:
        junit = Path(temporary) / "junit.xml"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *folders, f"--junitxml={junit}", *further],
            cwd=project.ROOT,
            check=False,
        )
        if junit.exists():
            results.add(junit)
    # Arguments such as `-k` may leave a stage without a test; a whole run never does.
    return done.returncode == 0 or (done.returncode == _NO_TESTS and bool(further))


def _run(arguments: Sequence[str]) -> bool:
    done = subprocess.run([sys.executable, *arguments], cwd=project.ROOT, check=False)
    return done.returncode == 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
