"""The command line behind the make targets."""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final

from toolchain import doctor, env, programs, project
from toolchain.errors import SlipwayError
from toolchain.stack import Stack

COMMANDS: Final = (
    "up",
    "preview",
    "policy",
    "down",
    "drift",
    "plan-digest",
    "state",
    "restore",
    "unlock",
    "ensure",
    "doctor",
    "env",
    "shell",
)
"""What the command line can be asked to do."""

_DRIFT: Final = 2
"""Exit code of `drift` when something was changed outside of Pulumi."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code.

    Args:
        arguments: Of the command line; those of the process by default.
    """
    parsed, further = _parser().parse_known_args(arguments)
    if parsed.report and parsed.command not in ("preview", "drift"):
        _say(f"error: {parsed.command} takes no --report")
        return 2
    if (
        further
        and [parsed.command, *further] != ["unlock", "--force"]
        and parsed.command not in ("up", "preview", "policy", "down", "drift")
    ):
        _say(f"error: {parsed.command} takes no {further[0]}")
        return 2
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        if parsed.command == "drift":
            return _drift(parsed.stack, parsed.report, further)
        if parsed.report:
            return _report(parsed.stack, parsed.report, further)
        return _run(parsed.command, parsed.stack, further, parsed.backup)
    except SlipwayError as error:
        for line in str(error).splitlines():
            _say(f"error: {line}")
        return 1
    except KeyboardInterrupt:
        _say(f"stopped: run `make {parsed.command}` again and it continues from here")
        return 130


def report(line: str) -> None:
    """Print one line of progress."""
    _say(f"slipway: {line}")


def _run(command: str, name: str, further: Sequence[str], backup: str | None) -> int:
    match command:
        case "doctor":
            return doctor.run(name, print_line=_say, report=report)
        case "ensure":
            programs.ensure(_everything(), report)
        case "up":
            Stack(name, report).up(further)
        case "preview":
            Stack(name, report).preview(further)
        case "policy":
            Stack(name, report).policy(further)
        case "down":
            Stack(name, report).down(further)
        case "state":
            for line in Stack(name, report).state():
                report(line)
        case "restore":
            Stack(name, report).restore(backup)
        case "unlock":
            Stack(name, report).unlock(force="--force" in further)
        case "plan-digest":
            sys.stdout.write(f"{Stack(name, report).digest()}\n")
        case "env":
            for key, value in sorted(_changed(Stack(name, report).environment()).items()):
                sys.stdout.write(f"export {key}={shlex.quote(value)}\n")
        case "shell":
            variables = Stack(name, report).environment()
            report(f"a shell with the pinned programs for the stack {name}; leave it with `exit`")
            shell = variables.get("SHELL", "/bin/sh")
            os.execve(shell, [shell], variables)
    return 0


def _report(names: str, path: str, further: Sequence[str]) -> int:
    """Write the report of one or more previews."""
    # Here, because only this command needs the types of the SDK, which take a while to import.
    from toolchain import previewing
    from toolchain.previews import markdown

    target = previewing.report_path(path)
    stacks = project.chosen(names)
    reports = previewing.write(stacks, lambda name: Stack(name, report).planned(further), target)
    for one in reports:
        report(f"{one.stack}: {markdown.headline(one)}; see {target}")
    objections = previewing.objections(reports)
    for line in objections:
        _say(f"error: {line}")
    return 1 if objections else 0


def _drift(name: str, path: str | None, further: Sequence[str]) -> int:
    """Say what was changed outside of Pulumi; the exit code is 2 when something was."""
    from toolchain import previewing
    from toolchain.previews import kinds, markdown

    target = previewing.report_path(path) if path else None
    digest = Stack(name, report).drifted(further)
    found = previewing.write_drift(name, digest, target)
    for change in found.changes:
        fields = ", ".join(field.path for field in change.fields)
        verb = markdown.VERBS[change.operation]
        report(f"{verb}: {kinds.shown(change.type)} {change.place}{f' ({fields})' * bool(fields)}")
    report(f"{name}: {markdown.drift_headline(found)}")
    for problem in found.errors:
        _say(f"error: {problem.name or name}: {problem.text.splitlines()[0]}")
    return 1 if found.errors else _DRIFT if found.changes else 0


def _everything() -> list[str]:
    """Return all the programs this machine can get, for a cache that is filled ahead of time."""
    pinned = [name for name in programs.names() if programs.obtainable(name).ok]
    return [*env.TOOLS, *pinned, *programs.SYSTEM]


def _changed(variables: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in variables.items() if os.environ.get(key) != value}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m toolchain", allow_abbrev=False)
    parser.add_argument(
        "command",
        choices=COMMANDS,
        help="up, preview, policy, down and drift hand further arguments to pulumi",
    )
    parser.add_argument("--stack", default=project.LOCAL_STACK, help="default: %(default)s")
    parser.add_argument("--backup", help="of restore: its name; default: the newest")
    parser.add_argument(
        "--report",
        help="of preview and drift: write it to this Markdown file and a JSON file beside it; a "
        "preview then fails when something is destroyed without an approval, and --stack may name "
        "several stacks, or `all`",
    )
    return parser


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
