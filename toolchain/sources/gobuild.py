"""Programs built from Go modules, pinned by a `go.mod` and `go.sum` of this repository."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from toolchain import cache, host
from toolchain.progress import duration, size, ticking
from toolchain.sources import debian, gotoolchain
from toolchain.sources.base import How, Program, Session, require, tail

MODULES = Path(__file__).parent.parent / "go"
"""One folder per module whose `go.mod` and `go.sum` pin a build."""

WORKSPACE = "go-build"


@dataclass(frozen=True)
class ModuleFile:
    """A file that a module carries beside its Go code, installed as it is: a script, a manifest."""

    module: str
    path: str


@dataclass(frozen=True)
class Edit:
    """A text of one file of a folder that its publisher completes only when releasing.

    Attributes:
        path: The file, relative to the folder.
        old: What stands in the module, exactly once or more.
        new: What stands in the release; `{version}` is filled in.
    """

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class ModuleFolder:
    """A folder that a module carries beside its Go code, installed whole: a chart, manifests.

    Attributes:
        module: The module with its version (`example.com/tool@v1.2.3`).
        path: The folder in the module.
        edits: Made in this order.
    """

    module: str
    path: str
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Replacement:
    """A module that is built from a changed copy, for a part of what it can do.

    The `go.mod` of the build replaces the module by `./source`.

    Attributes:
        folder: Folder in `toolchain/go` whose `go.sum` pins the module itself.
        module: The module.
        files: Files of the build's folder, by the path in the module whose place they take.
        only: Names of the files that stay in a folder of the module, by the folder.
        cuts: Regular expressions of what is cut out of a file, by its path.
    """

    folder: str
    module: str
    files: tuple[tuple[str, str], ...]
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()
    cuts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class GoModule:
    """One invocation of `go build`.

    Attributes:
        folder: Folder in `toolchain/go`.
        packages: Main packages; several are installed under the last element of their path. Empty
            where only files are wanted.
        output: Name of the binary, for a single package.
        variables: Go string variables set by the linker; `{version}` is filled in.
        tags: Build tags.
        cgo: Whether C code is compiled in; Debian's `gcc` is then needed.
        debian: Debian packages that the build needs.
        files: Files of modules that are installed too.
        folders: Folders of modules whose content is installed too.
        replacement: A module that is built from a changed copy.
    """

    folder: str
    packages: tuple[str, ...]
    output: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    cgo: bool = False
    debian: tuple[str, ...] = ()
    files: tuple[ModuleFile, ...] = ()
    folders: tuple[ModuleFolder, ...] = ()
    replacement: Replacement | None = None


@dataclass(frozen=True)
class GoBuild:
    """A build from package registries.

    Attributes:
        modules: What is built, in order.
        disk: Bytes that the build adds to its caches at the peak, measured on amd64.
        seconds: What the build took on 2 cores, downloads included; told at the start.
    """

    modules: tuple[GoModule, ...]
    disk: int
    seconds: int
    how: How = "build"

    def unavailable(self, program: Program) -> str | None:
        """See `Source.unavailable`; whether the registry answers is seen only by `install`."""
        del program
        return None

    def install(self, program: Program, into: Path, session: Session) -> str:
        """See `Source.install`."""
        workspace = _workspace(session)
        _make_room(workspace, self.disk, program)
        session.report(
            f"{program.title}: building it from Go modules; about {duration(self.seconds)} on "
            f"2 cores, {size(self.disk)} of disk of {size(cache.free(workspace))} free"
        )
        started = time.monotonic()
        for module in self.modules:
            debian.install(module.debian, session.report)
            go = gotoolchain.command(MODULES / module.folder / "go.mod", session)
            _Build(program, module, go, workspace, session).run(into)
        session.report(f"{program.title}: built in {duration(time.monotonic() - started)}")
        return "built from Go modules"


class _Build:
    """Runs `go` for one module of a program."""

    def __init__(
        self, program: Program, module: GoModule, go: Path, workspace: Path, session: Session
    ) -> None:
        self._program = program
        self._module = module
        self._go = go
        self._report = session.report
        self._cwd = MODULES / module.folder
        self._workspace = workspace
        self._env = environment(workspace, cgo=module.cgo)
        self._log = cache.folder("logs") / f"{program.name}-build.log"
        self._downloaded = 0
        self._compiled = 0
        self._total = 0

    def run(self, into: Path) -> None:
        """Build the packages into a folder and add the files."""
        if self._module.replacement is not None:
            self._replace(self._module.replacement)
        if self._module.packages:
            self._compile(into)
        for item in self._module.files:
            self._copy(item, into)
        for folder in self._module.folders:
            self._copy_folder(folder, into)

    def _compile(self, into: Path) -> None:
        self._log.unlink(missing_ok=True)
        tags = ["-tags", " ".join(self._module.tags)] if self._module.tags else []
        with ticking(self._report, self._progress):
            listed = self._stream(["list", "-deps", *tags, *self._module.packages])
            self._total = sum(not line.startswith("go: ") for line in listed)
            flags = " ".join(
                ["-s -w", *(f"-X {name}={value}" for name, value in self._module.variables)]
            ).format(version=self._program.version)
            target = into / self._module.output if self._module.output else f"{into}{os.sep}"
            self._stream(
                ["build", "-v", *tags, "-ldflags", flags, "-o", target, *self._module.packages]
            )

    def _progress(self, seconds: float) -> str:
        what = Path(self._module.output or self._module.packages[0]).name
        if len(self._module.packages) > 1:
            what += f" and {len(self._module.packages) - 1} more"
        if self._total:
            done = f"{self._compiled} packages compiled (at most {self._total})"
        else:
            done = f"{self._downloaded} modules downloaded"
        return f"{self._program.title}: building {what}, {duration(seconds)}, {done}"

    def _stream(self, arguments: Sequence[str | Path]) -> list[str]:
        """Run `go`, count what it tells, and return its lines.

        Raises:
            SourceUnavailableError: It failed; the message has its last line and the log's name.
        """
        process = host.start([self._go, *arguments], cwd=self._cwd, env=self._env)
        lines: list[str] = []
        try:
            assert process.stdout is not None
            with self._log.open("a") as log:
                for line in process.stdout:
                    log.write(line)
                    lines.append(line.rstrip())
                    if line.startswith("go: downloading "):
                        self._downloaded += 1
                    elif arguments[0] == "build":
                        self._compiled += 1
            code = process.wait()
        finally:
            host.end(process)
        require(code == 0, f"go {arguments[0]} failed (see {self._log}): {tail(lines, 1)}")
        return lines

    def _replace(self, wanted: Replacement) -> None:
        """Go on in a copy of the build's folder, with the changed module in it."""
        pinned = self._cwd
        self._cwd = MODULES / wanted.folder
        source = self._folder_of(wanted.module)
        self._cwd = self._workspace / "replaced" / self._module.folder
        shutil.rmtree(self._cwd, ignore_errors=True)
        _copy_tree(source, self._cwd / "source")
        for name in ("go.mod", "go.sum"):
            shutil.copyfile(pinned / name, self._cwd / name)
        _change(wanted, pinned, self._cwd / "source")

    def _copy(self, item: ModuleFile, into: Path) -> None:
        source = self._folder_of(item.module) / item.path
        target = into / source.name
        shutil.copyfile(source, target)
        target.chmod(0o755 if source.read_bytes().startswith(b"#!") else 0o644)

    def _copy_folder(self, item: ModuleFolder, into: Path) -> None:
        _copy_tree(self._folder_of(item.module) / item.path, into)
        for edit in item.edits:
            file = into / edit.path
            text = file.read_text(encoding="utf-8")
            require(edit.old in text, f"{item.path}/{edit.path} has no {edit.old!r}")
            new = edit.new.replace("{version}", self._program.version)
            file.write_text(text.replace(edit.old, new), encoding="utf-8")

    def _folder_of(self, module: str) -> Path:
        """Return where a module lies after its download, which go.sum has checked."""
        done = subprocess.run(
            [self._go, "mod", "download", "-json", module],
            cwd=self._cwd,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        require(done.returncode == 0, f"go mod download {module}: {done.stderr.strip()}")
        return Path(json.loads(done.stdout)["Dir"])


def _change(wanted: Replacement, pinned: Path, source: Path) -> None:
    """Change the copy of a module; what is to change has to be there."""
    for folder, names in wanted.only:
        found = [path for path in (source / folder).iterdir() if path.is_file()]
        missing = sorted(set(names).difference(path.name for path in found))
        require(not missing, f"{wanted.module} has no {folder}/{', '.join(missing)}")
        for path in found:
            if path.name not in names:
                path.unlink()
    for name, own in wanted.files:
        require((source / name).is_file(), f"{wanted.module} has no {name}")
        shutil.copyfile(pinned / own, source / name)
    for name, pattern in wanted.cuts:
        text, count = re.subn(pattern, "", (source / name).read_text(encoding="utf-8"))
        require(count > 0, f"{wanted.module}: nothing to cut out of {name}")
        (source / name).write_text(text, encoding="utf-8")


def _copy_tree(source: Path, target: Path) -> None:
    # Without modes: the files of a module cache may be read-only.
    shutil.copytree(source, target, copy_function=shutil.copyfile, dirs_exist_ok=True)


def environment(workspace: Path, *, cgo: bool) -> dict[str, str]:
    """Return the environment of a build: the user's Go settings, with caches of its own.

    A proxy, a checksum database or private module patterns that the user has set stay in force;
    what would change the result does not.
    """
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("GOOS", "GOARCH", "GOEXPERIMENT", "GOROOT", "GOPATH", "GOBIN")
    }
    temporary = workspace / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return env | {
        "GOCACHE": str(workspace / "build"),
        "GOMODCACHE": str(workspace / "modules"),
        "GOPATH": str(workspace / "path"),
        "GOTMPDIR": str(temporary),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        # A read-only module cache could not be removed.
        "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false -modcacherw",
        "CGO_ENABLED": "1" if cgo else "0",
    }


def _workspace(session: Session) -> Path:
    """Return the folder of the caches that all builds share.

    It is dropped at the end of the run that uses it last. Only an interruption leaves it: the next
    run continues from there, and then drops it.
    """
    if WORKSPACE not in session.shared:
        session.shared[WORKSPACE] = session.stack.enter_context(_temporary_workspace())
    return session.shared[WORKSPACE]


@contextmanager
def _temporary_workspace() -> Iterator[Path]:
    # Held as long as the folder is in use; the last run to let go of it removes the folder.
    with (cache.folder("locks") / f"{WORKSPACE}.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield cache.folder(WORKSPACE)
        except KeyboardInterrupt:
            raise
        except BaseException:
            _drop(users)
            raise
        _drop(users)


def _drop(users: IO[str]) -> None:
    """Remove the workspace unless another run uses it."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    shutil.rmtree(cache.root() / WORKSPACE, ignore_errors=True)


def _make_room(workspace: Path, needed: int, program: Program) -> None:
    """Check the disk for a build; what earlier builds left in the caches is dropped if need be."""
    if cache.free(workspace) < needed:
        shutil.rmtree(workspace)
        workspace.mkdir()
    cache.require_free(workspace, needed, f"building {program.title}")


def drop_stale() -> None:
    """Remove the workspace that an interrupted run left, after a run that had nothing to build."""
    if (cache.root() / WORKSPACE).exists():
        with (cache.folder("locks") / f"{WORKSPACE}.lock").open("w") as users:
            _drop(users)
