"""Asks the command line programs of the clouds, within bounds and without showing a secret."""

import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

T = TypeVar("T")

PATIENCE: Final = 15.0
"""Seconds for one answer; the programs of the clouds take one or two to start."""

_LINE: Final = 200
"""Characters of a program's complaint that are shown."""

_SECRET = re.compile(r"secret|token|password|credential|key", re.IGNORECASE)
_SHORTEST_SECRET: Final = 8


class UnansweredError(Exception):
    """A program gave no answer; the message is the reason.

    Args:
        reason: Why not, in one line.
        printed: Its standard output where it ran to its end and failed; never shown.

    Attributes:
        printed: The same.
    """

    def __init__(self, reason: str, printed: str | None = None) -> None:
        super().__init__(reason)
        self.printed = printed

    @property
    def refused(self) -> bool:
        """Whether the program ran to its end and said no."""
        return self.printed is not None


Ask = Callable[[Sequence[str]], str]
"""Runs a command and returns what it prints; raises `UnansweredError`."""


class Reply(BaseModel):
    """A part of a program's answer in JSON; whatever else is there does not matter."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def run(command: Sequence[str], patience: float = PATIENCE) -> str:
    """Run a command and return its standard output.

    Args:
        command: A program on PATH and its arguments.
        patience: Seconds after which it is ended, with all its children.

    Raises:
        UnansweredError: It is not there, took too long, or failed.
    """
    program = shutil.which(command[0])
    if program is None:
        raise UnansweredError(f"{command[0]} is not on PATH")
    process = subprocess.Popen(
        [program, *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # Most are scripts that start another program.
        start_new_session=True,
    )
    try:
        printed, complaint = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        raise UnansweredError(f"`{_shown(command)}` did not answer within {patience:g} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode != 0:
        said = _said(complaint) or f"exit code {process.returncode}"
        raise UnansweredError(f"`{_shown(command)}` says: {said}", printed)
    return printed


def parsed(ask: Ask, command: Sequence[str], form: type[T]) -> T:
    """Run a command that prints JSON and return what it says.

    Args:
        ask: Runs it.
        command: As in `run`.
        form: The form that its documentation gives the answer.

    Raises:
        UnansweredError: As in `run`, or the answer has another form.
    """
    printed = ask(command)
    try:
        return TypeAdapter(form).validate_json(printed)
    except ValidationError:
        raise UnansweredError(
            f"`{_shown(command)}` printed something else than its documentation says"
        ) from None


def attempt(question: Callable[[], T]) -> T | UnansweredError:
    """Return the answer to a question, or why there is none."""
    try:
        return question()
    except UnansweredError as error:
        return error


def together(questions: Sequence[Callable[[], T]]) -> list[T | UnansweredError]:
    """Return the answers to questions that are asked at the same time, in their order.

    Args:
        questions: Each raises `UnansweredError` where there is no answer.
    """
    if not questions:
        return []
    with ThreadPoolExecutor(max_workers=len(questions)) as pool:
        return list(pool.map(attempt, questions))


def _shown(command: Sequence[str]) -> str:
    """Return the program and what it is asked for, without the options."""
    words = itertools.takewhile(lambda word: not word.startswith("-"), command[1:])
    return " ".join([Path(command[0]).name, *words])


def _said(complaint: str) -> str:
    """Return the line of an error's text that says most, without secrets.

    A program's own messages hold none, but some quote a header or a variable that they cannot use.
    """
    for name, value in os.environ.items():
        if _SECRET.search(name):
            for part in value.split():
                if len(part) >= _SHORTEST_SECRET:
                    complaint = complaint.replace(part, "[secret]")
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()]
    line = (telling or lines or [""])[0]
    return line if len(line) <= _LINE else f"{line[:_LINE]}…"
