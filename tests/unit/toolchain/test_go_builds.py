"""Builds use caches of their own, pinned modules, and leave nothing behind but the binaries."""

import shutil
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from toolchain import cache, installation
from toolchain.errors import DiskSpaceError, ToolchainError
from toolchain.sources import gobuild
from toolchain.sources.base import Probe, Program, Session
from toolchain.sources.gobuild import GoBuild, GoModule

# Plays `go`: notes its caches and flags, and "builds" a script that prints a version.
FAKE_GO = """\
#!/bin/sh
[ "$1 $2" = "env GOVERSION" ] && { echo go1.99.0; exit 0; }
echo "$1 $GOFLAGS $CGO_ENABLED $GOTOOLCHAIN" >>"$FAKE_GO_LOG"
mkdir -p "$GOCACHE" "$GOMODCACHE"
case $1 in
list)
    echo "go: downloading example.com/dependency v1.0.0" >&2
    printf 'fmt\\nexample.com/tool\\n' ;;
build)
    echo example.com/tool >&2
    [ -n "$FAKE_GO_FAILS" ] && { echo "tool.go:1: undefined: x" >&2; exit 1; }
    while [ "$1" != "-o" ]; do shift; done
    printf '#!/bin/sh\\necho tool v1.2.3\\n' >"$2"
    chmod +x "$2" ;;
esac
"""


def tool(disk: int = 1) -> Program:
    module = GoModule(folder="tool", packages=("example.com/tool",), output="tool")
    return Program(
        "tool", "1.2.3", ("tool",), Probe((), "v1.2.3"), (GoBuild((module,), disk, seconds=1),)
    )


def obtain(program: Program, lines: list[str]) -> Path:
    with ExitStack() as stack:
        return installation.obtain(program, Session(lines.append, stack))


@pytest.fixture(autouse=True)
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the fake first on PATH and returns the file in which it notes its calls."""
    folder = tmp_path / "bin"
    folder.mkdir()
    go = folder / "go"
    go.write_text(FAKE_GO)
    go.chmod(go.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    log = tmp_path / "go.log"
    monkeypatch.setenv("FAKE_GO_LOG", str(log))
    modules = tmp_path / "modules"
    (modules / "tool").mkdir(parents=True)
    (modules / "tool" / "go.mod").write_text("module example.com/pin\n\ngo 1.26.0\n")
    monkeypatch.setattr(gobuild, "MODULES", modules)
    return log


def workspace() -> Path:
    return cache.root() / gobuild.WORKSPACE


def test_a_build_gives_the_binary_and_drops_its_caches(lines: list[str]) -> None:
    folder = obtain(tool(), lines)
    assert (folder / "tool").exists()
    assert not workspace().exists()


def test_a_build_uses_only_what_the_repository_pins(lines: list[str], fake_go: Path) -> None:
    obtain(tool(), lines)
    flags = "-mod=readonly -trimpath -buildvcs=false -modcacherw"
    assert fake_go.read_text().splitlines() == [f"list {flags} 0 local", f"build {flags} 0 local"]


def test_a_build_says_first_how_long_and_how_much(lines: list[str]) -> None:
    obtain(tool(), lines)
    assert any("about" in line and "of disk of" in line for line in lines)


def test_a_failed_build_names_the_compiler_error_and_drops_its_caches(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "1")
    with pytest.raises(ToolchainError, match="undefined: x"):
        obtain(tool(), lines)
    assert not workspace().exists()
    assert installation.installed(tool()) is None


def test_an_interrupted_build_is_continued_by_the_next_run_which_drops_the_caches(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Probe, "passes", interrupt)
        with pytest.raises(KeyboardInterrupt):
            obtain(tool(), lines)
    assert workspace().exists()
    assert (obtain(tool(), lines) / "tool").exists()
    assert not workspace().exists()
    assert list((cache.root() / "staging").iterdir()) == []


def test_too_little_disk_is_one_error_with_the_way_out_before_anything_is_built(
    lines: list[str], fake_go: Path
) -> None:
    free = shutil.disk_usage(cache.folder()).free
    with pytest.raises(DiskSpaceError, match=r"building tool 1\.2\.3 needs .*SLIPWAY_CACHE"):
        obtain(tool(disk=free * 2), lines)
    assert not fake_go.exists()


def test_what_an_earlier_build_left_is_dropped_when_the_disk_is_short(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace() / "build").mkdir(parents=True)
    free: Callable[[Path], int] = lambda path: 5 if (workspace() / "build").exists() else 50  # noqa: E731
    monkeypatch.setattr(cache, "free", free)
    assert (obtain(tool(disk=10), lines) / "tool").exists()
