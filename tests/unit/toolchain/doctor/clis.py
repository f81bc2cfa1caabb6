"""Executables that print what the clouds' programs are documented to print.

They stand in for `aws`, `az`, `gcloud` and `kubectl`: no account of a cloud can be reached where
the project is tested. What they print is made by hand after each vendor's reference, which the
modules of `toolchain.doctor` name.
"""

import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from toolchain.doctor import asking
from toolchain.doctor.asking import Ask
from toolchain.doctor.finding import Finding

PATIENCE: Final = 30.0
"""Seconds: so many that a busy machine does not matter."""


@dataclass
class Clis:
    """A folder of executables.

    Attributes:
        folder: The folder.
    """

    folder: Path

    def add(self, name: str, answers: dict[str, object] | None = None) -> None:
        """Put an executable there.

        Args:
            name: Its file name.
            answers: By the beginning of the arguments, what is printed as JSON, or as it is where
                it is a text; or an error's text and that it fails. With other arguments it fails.
        """
        cases = "".join(
            f"    {_quoted(f'{start} ')}*) {_body(answer)} ;;\n"
            for start, answer in (answers or {}).items()
        )
        path = self.folder / name
        path.write_text(
            f'#!/bin/sh\ncase "$* " in\n{cases}    *) echo "unexpected: $*" >&2; exit 2 ;;\nesac\n'
        )
        path.chmod(0o755)

    def hang(self, name: str) -> None:
        """Put an executable there that starts a child and never answers.

        Args:
            name: Its file name.
        """
        pipe = self.folder / f"{name}.pipe"
        os.mkfifo(pipe)
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n(read -r line < {pipe})\n")
        path.chmod(0o755)

    @property
    def ask(self) -> Ask:
        """Runs them."""
        return partial(asking.run, patience=PATIENCE)


@dataclass(frozen=True)
class Refusal:
    """What a program says that fails.

    Attributes:
        text: On standard error.
        code: Its exit code.
        printed: On standard output.
    """

    text: str
    code: int = 1
    printed: str = ""


def _body(answer: object) -> str:
    if isinstance(answer, Refusal):
        said = f"printf '%s\\n' {_quoted(answer.printed)}; " if answer.printed else ""
        return f"{said}printf '%s\\n' {_quoted(answer.text)} >&2; exit {answer.code}"
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return f"printf '%s\\n' {_quoted(text)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def missing(found: list[Finding]) -> list[str]:
    """Return the texts of what is missing."""
    return [finding.text for finding in found if finding.level == "missing"]


def with_level(found: list[Finding], text: str) -> str:
    """Return the level of the one line that has a text in it."""
    (level,) = [finding.level for finding in found if text in finding.text]
    return level


def unchecked(found: list[Finding]) -> str:
    """Return all that could not be checked."""
    return "\n".join(one.text for one in found if one.text.startswith("not checked"))
