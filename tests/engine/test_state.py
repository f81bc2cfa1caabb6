"""A state can be had back from its backup, and a lock is removed only from who has ended."""

import json
import os
import socket
from pathlib import Path

import pytest

from tests.engine.plain_stack import STACK, PlainStack
from toolchain import env, project
from toolchain.errors import SlipwayError
from toolchain.previews import model
from toolchain.stack import Stack

pytestmark = pytest.mark.engine

FIRST = 'thing("a", {"token": pulumi.Output.secret("hunter1")})\nthing("b", {"size": 1})\n'


class Project:
    """A project with a stack whose runs are those of `make`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / f"Pulumi.{STACK}.yaml").touch()
        self.plain = PlainStack(folder)
        monkeypatch.setattr(project, "ROOT", folder)
        monkeypatch.setattr(env, "state_folder", lambda: folder / ".state")
        monkeypatch.setattr(Stack, "_engine", lambda stack: self.plain.engine())
        self.lines: list[str] = []
        self.stack = Stack(STACK, self.lines.append)
        self.state = folder / "state/.pulumi/stacks" / project.NAME / f"{STACK}.json"
        self.locks = folder / "state/.pulumi/locks/organization" / project.NAME / STACK

    def up(self, body: str) -> None:
        self.plain.program(body)
        # What `make up` does around the engine.
        self.stack._back_up(self.plain.engine())
        self.plain.up()

    def lock(self, host: str, pid: int) -> Path:
        self.locks.mkdir(parents=True, exist_ok=True)
        path = self.locks / "0c1.json"
        holder = {"pid": pid, "username": "ann", "hostname": host, "timestamp": "2026-11-30T20:51Z"}
        path.write_text(json.dumps(holder))
        return path

    def changes(self, body: str) -> list[str]:
        """Return what an update to a program would do, as `operation name`."""
        self.plain.program(body)
        found = model.parse(STACK, self.plain.engine().planned([]))
        return sorted(f"{change.operation} {change.name}" for change in found.changes)


@pytest.fixture(name="made")
def _made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path, monkeypatch)
    made.up(FIRST)
    return made


def test_a_state_that_was_lost_is_restored_with_its_secrets(made: Project) -> None:
    made.up(FIRST + 'thing("c", {})\n')
    (backup,) = (Path(env.state_folder()) / "backups" / STACK).glob("*.json")
    assert "hunter1" not in backup.read_text()
    for path in made.state.parent.glob("*"):
        path.unlink()
    made.stack.restore(None)
    # All that was there before the last update is known again, and what it added is not.
    assert made.changes(FIRST + 'thing("c", {})\n') == ["create c"]
    assert made.changes(FIRST) == []


def test_the_state_before_a_restore_can_be_had_back(made: Project) -> None:
    second = FIRST + 'thing("c", {})\n'
    made.up(second)
    made.stack.restore(None)
    newest = made.stack._backups().all()[-1]
    made.stack.restore(newest.stem)
    assert made.changes(second) == []


def test_make_state_tells_who_holds_the_lock_and_since_when(made: Project) -> None:
    made.lock("elsewhere", 7)
    lines = "\n".join(made.stack.state())
    assert "locked by process 7 of ann on elsewhere since 2026-11-30T20:51Z" in lines
    assert "resources: 4" in lines
    assert "backend: file://" in lines


def test_a_lock_of_another_machine_is_removed_only_by_force(made: Project) -> None:
    lock = made.lock("elsewhere", 7)
    with pytest.raises(SlipwayError, match="process 7 of ann on elsewhere"):
        made.stack.unlock(force=False)
    assert lock.exists()
    made.stack.unlock(force=True)
    assert not lock.exists()


def test_the_lock_of_a_run_that_has_ended_is_removed(made: Project) -> None:
    lock = made.lock(socket.gethostname(), os.getpid())  # A process that is no engine.
    made.stack.unlock(force=False)
    assert not lock.exists()
    made.stack.unlock(force=False)
    assert made.lines[-1] == f"nobody holds a lock of {STACK}"


def test_nothing_is_restored_under_a_run_that_may_go_on(made: Project) -> None:
    made.up(FIRST + 'thing("c", {})\n')
    made.lock("elsewhere", 7)
    with pytest.raises(SlipwayError, match="process 7 of ann on elsewhere"):
        made.stack.restore(None)
