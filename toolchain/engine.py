"""Runs the Pulumi engine on one stack."""

import json
import os
import signal
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from toolchain import project, recovery
from toolchain.errors import SlipwayError
from toolchain.progress import Report, ticking

# Objects that exist are taken over, also in the fields that a killed creation set to other values.
_ADOPT = {
    "PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true",
    "PULUMI_K8S_ENABLE_PATCH_FORCE": "true",
}

# The state is written once, at the end, instead of whole before and after every step.
_RECORDED_AT_THE_END = {"PULUMI_SKIP_CHECKPOINTS": "true"}
_WHOLE = frozenset(["--yes", "--skip-preview"])

# Every step of a replacement, since their order tells whether there is a time without the resource.
_DIGEST = ("--json", "--show-replacement-steps", "--ignore-protect")
# With it the engine prints events instead, one a line.
_ONE_DIGEST = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "false"}


class Engine:
    """The engine on one stack.

    Args:
        pulumi: The command line.
        stack: Name of the stack.
        env: Environment of the engine, see `toolchain.env`.
        report: Takes progress lines.
        root: Folder of the Pulumi project.
    """

    def __init__(
        self,
        pulumi: Path,
        stack: str,
        env: Mapping[str, str],
        report: Report,
        root: Path = project.ROOT,
    ) -> None:
        self._pulumi = pulumi
        self._root = root
        self._stack = stack
        self._env = dict(env)
        self._report = report

    @property
    def backend(self) -> str:
        """URL of the backend, empty for the one that the user has logged in to."""
        return self._env.get("PULUMI_BACKEND_URL", "")

    def exists(self) -> bool:
        """Tell whether the stack was ever created in its backend.

        Raises:
            SlipwayError: The backend cannot be read.
        """
        state = self._state_file()
        if state is not None:
            return state.exists()
        done = self._quiet(["stack", "export", *self._named()])
        if "no stack named" not in done.stderr:
            # A backend that does not answer is not one without the stack.
            self._require(done, "stack export")
        return done.returncode == 0

    def select(self) -> None:
        """Create the stack when it is new; a file backend's folder is closed to other users.

        Raises:
            SlipwayError: It cannot be created.
        """
        state = self._state_file()
        if state is not None:
            if state.exists():
                return
            folder = Path(self.backend.removeprefix("file://")).expanduser()
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise SlipwayError(
                    f"cannot create {folder} for the state ({error.strerror}): set "
                    "PULUMI_BACKEND_URL to file:// and a folder you can write to"
                ) from error
        done = self._quiet(["stack", "select", "--create", *self._named()])
        self._require(done, "stack select")

    def exported(self) -> dict[str, Any]:
        """Return the state as `pulumi stack export` gives it, secrets encrypted.

        Raises:
            SlipwayError: It cannot be read.
        """
        found = recovery.exported(self._state_file())
        if found is not None:
            return found
        done = self._quiet(["stack", "export", *self._named()])
        self._require(done, "stack export")
        return dict(json.loads(done.stdout))

    def restore(self, exported: Path) -> None:
        """Make an exported state the stack's own; it touches nothing but the state.

        Raises:
            SlipwayError: The stack is being changed, or the engine refuses the state.
        """
        self.select()
        held = recovery.held_elsewhere(self.locks())
        if held is not None:
            raise held
        command = ["stack", "import", "--file", str(exported), *self._named()]
        self._require(self._quiet(command), "stack import")

    def locks(self) -> list[recovery.Lock]:
        """Return who changes the stack; of another backend than a file one, nobody is known."""
        return recovery.locks(self.backend, project.NAME, self._stack)

    def unlock(self) -> None:
        """Remove the stack's locks, whoever holds them."""
        self._require(self._quiet(["cancel", "--yes", *self._named()]), "cancel")

    def up(self, arguments: Sequence[str], approved: Collection[str] = ()) -> None:
        """Run `pulumi up`, after repairing what a killed engine left.

        Args:
            arguments: Further arguments.
            approved: Logical names of resources that may go although the state protects them.

        Raises:
            SlipwayError: The engine has failed; it has said why.
            KeyboardInterrupt: The user has stopped it.
        """
        state, mark = self._state_file(), self._destruction_mark()
        if state is not None and mark is not None and recovery.was_cut_short(mark, state):
            self._report("the last `make down` was cut short: it is finished first")
            self.destroy(sorted(_WHOLE))
        self._free()
        self._unprotect(approved)
        command = ["up", *self._named(), *arguments]
        repair = self._examine(wanted=True)
        if repair is not None and repair.adopt:
            self._tell(repair)
            # For this run only, and only because those very objects were being created. The engine
            # keeps in mind which, so that this run may be cut short as well.
            self._run(command, _ADOPT)
            self._report("repaired; the same again without adopting objects that exist")
            # What a whole run has not adopted is in the program no more.
            repair = self._examine(wanted=_is_partial(arguments))
        if repair is not None and not repair.adopt:
            self._apply(repair)
        self._run(command)

    def preview(self, arguments: Sequence[str]) -> None:
        """Run `pulumi preview`.

        Raises:
            SlipwayError: The engine has failed; it has said why.
        """
        self._run(["preview", *self._named(), *arguments])

    def planned(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the digest of a preview: what `toolchain.previews.model` reads.

        What is protected is no error in it: `toolchain.previews.guard` judges that, of all
        resources at once.

        Raises:
            SlipwayError: The engine has failed before it had a digest; it has said why.
        """
        return self._digest(["preview", *self._named(), *_DIGEST, *arguments])

    def drifted(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the digest of what a refresh would write into the state; it writes nothing.

        Raises:
            SlipwayError: The engine has failed before it had a digest; it has said why.
        """
        return self._digest(["refresh", *self._named(), "--preview-only", "--json", *arguments])

    def _digest(self, command: Sequence[str]) -> dict[str, Any]:
        code, printed = self._captured(command)
        try:
            digest = json.loads(printed)
        except ValueError:
            digest = None
        if not isinstance(digest, dict):
            raise SlipwayError(
                f"pulumi {command[0]} failed with exit code {code} and printed no digest"
            )
        errors = [one for one in digest.get("diagnostics") or [] if one.get("severity") == "error"]
        if code != 0 and not errors:
            raise SlipwayError(f"pulumi {command[0]} failed with exit code {code}")
        return digest

    def destroy(self, arguments: Sequence[str]) -> None:
        """Run `pulumi destroy`, also of what a killed engine was creating.

        A stack that goes with its local cluster is not recorded step by step; where that is cut
        short, a mark remains and the next `up` finishes it.

        Raises:
            SlipwayError: The engine has failed; it has said why.
            KeyboardInterrupt: The user has stopped it.
        """
        self._free()
        repair = self._examine(wanted=False)
        if repair is not None:
            self._apply(repair)
        command = ["destroy", *self._named(), *arguments]
        mark = self._destruction_mark()
        # Any other argument may name a part of the stack, or have the engine ask first.
        whole = set(arguments) == _WHOLE
        if mark is None or not whole or not recovery.is_only_a_cluster(self._state_file()):
            self._run(command)
            return
        before = recovery.count(self._state_file())
        mark.touch()
        try:
            self._run(command, _RECORDED_AT_THE_END)
        except (KeyboardInterrupt, SlipwayError):
            # A killed engine leaves its lock, and a state that says nothing of what it has done.
            if not self.locks():
                recovery.reconsider(mark, self._state_file(), before)
            raise
        mark.unlink()

    def _free(self) -> None:
        """Take the lock of a killed engine away, and end what it has left running.

        Raises:
            SlipwayError: Its holder may still run.
        """
        locks = self.locks()
        error = recovery.held_elsewhere(locks)
        if error is not None:
            raise error
        if locks:
            pids = ", ".join(str(lock.pid) for lock in locks)
            self._report(f"the last run (process {pids}) was killed: removing its lock")
            self.unlock()
            for pid in recovery.orphans(self._pulumi.with_name("pulumi-language-python")):
                with suppress(ProcessLookupError):  # It may end by itself at any moment.
                    os.kill(pid, signal.SIGTERM)

    def _examine(self, *, wanted: bool) -> recovery.Repair | None:
        """Return what becomes of what was being done; `None` where nothing was.

        Args:
            wanted: See `recovery.plan`.
        """
        if not recovery.may_be_pending(self._state_file()):
            return None
        return recovery.plan(self.exported(), wanted=wanted)

    def _apply(self, repair: recovery.Repair) -> None:
        """Write the state as a repair has it, unless a person has to judge."""
        self._tell(repair)
        if repair.unknown:
            return
        imported = self._quiet(["stack", "import", *self._named()], json.dumps(repair.deployment))
        self._require(imported, "stack import")

    def _unprotect(self, names: Collection[str]) -> None:
        """Let go of the state's protection of resources; the program's own is kept for the next."""
        if not names or not self.exists():
            return
        for resource in self.exported()["deployment"].get("resources") or []:
            urn = str(resource["urn"])
            if resource.get("protect") and urn.rpartition("::")[2] in names:
                self._report(f"approved: {recovery.name_of(urn)} is no longer protected")
                command = ["state", "unprotect", urn, "--yes", *self._named()]
                self._require(self._quiet(command), "state unprotect")

    def _tell(self, repair: recovery.Repair) -> None:
        for urns, what in (
            (repair.retry, "is done again"),
            (repair.adopt, "is adopted if it exists, else created"),
            (repair.discard, "is deleted if it exists"),
            (repair.unknown, "may exist or not: only you can tell; Pulumi says how to go on"),
        ):
            for urn in urns:
                self._report(f"interrupted: {recovery.name_of(urn)} {what}")

    def _state_file(self) -> Path | None:
        return recovery.state_file(self.backend, project.NAME, self._stack)

    def _destruction_mark(self) -> Path | None:
        """Return where an unfinished destruction is noted; `None` for other than file backends."""
        if not self.backend.startswith("file://"):
            return None
        return recovery.destruction_mark(self.backend, project.NAME, self._stack)

    def _named(self) -> list[str]:
        return ["--stack", self._stack]

    def _run(self, arguments: Sequence[str], more: Mapping[str, str] | None = None) -> None:
        """Run the engine on this terminal."""
        with _left_to_the_engine() as stopped:
            process = subprocess.Popen(
                [self._pulumi, *arguments], cwd=self._root, env={**self._env, **(more or {})}
            )
            stopped.process = process
            code = process.wait()
        if stopped.number is not None:
            raise KeyboardInterrupt
        if code != 0:
            raise SlipwayError(
                f"pulumi {arguments[0]} failed with exit code {code}: its lines above say why; "
                f"what was done is recorded, and `make {_TARGETS[arguments[0]]}` continues"
            )

    def _captured(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Run the engine; return its exit code and what it printed, but for its complaints."""
        with (
            _left_to_the_engine() as stopped,
            ticking(
                self._report, lambda seconds: f"{arguments[0]} of {self._stack}: {seconds:.0f} s"
            ),
        ):
            process = subprocess.Popen(
                [self._pulumi, "--non-interactive", *arguments],
                cwd=self._root,
                env={**self._env, **_ONE_DIGEST},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
            )
            stopped.process = process
            printed, _ = process.communicate()
        if stopped.number is not None:
            raise KeyboardInterrupt
        return process.returncode, printed

    def _quiet(
        self, arguments: Sequence[str], stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._pulumi, "--non-interactive", *arguments],
            cwd=self._root,
            env=self._env,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            check=False,
        )

    def _require(self, done: subprocess.CompletedProcess[str], what: str) -> None:
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            reason = lines[0].removeprefix("error: ") if lines else f"exit code {done.returncode}"
            raise SlipwayError(f"pulumi {what} failed: {reason}")

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs; secret ones are hidden."""
        done = self._quiet(["stack", "output", "--json", *self._named()])
        self._require(done, "stack output")
        found = json.loads(done.stdout)
        return dict(found) if isinstance(found, dict) else {}


def _is_partial(arguments: Sequence[str]) -> bool:
    """Tell whether an update leaves parts of the program alone."""
    return any(argument.startswith(("-t", "--target", "--exclude")) for argument in arguments)


_TARGETS = {"up": "up", "preview": "preview", "destroy": "down"}


class _Stopped:
    """Which signal has come while the engine ran, if one has."""

    number: int | None = None
    process: subprocess.Popen[bytes] | subprocess.Popen[str] | None = None


@contextmanager
def _left_to_the_engine() -> Iterator[_Stopped]:
    """Let the engine end by itself on Ctrl-C, which the terminal sends to it as well.

    It then finishes what is under way and gives its lock back. A plain SIGTERM is passed on.
    """
    stopped = _Stopped()

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        stopped.number = number
        if number == signal.SIGTERM and stopped.process is not None:
            os.kill(stopped.process.pid, signal.SIGINT)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
