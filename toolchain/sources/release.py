"""Official releases, checked against the checksum file that the publisher serves with them."""

import re
import tarfile
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toolchain import download, host
from toolchain.errors import ToolchainError
from toolchain.sources.base import How, Program, Session, require

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ReleaseFile:
    """One file of a release.

    `{version}` and `{arch}` are filled in, and `{suffix}`, which is empty on amd64 and the
    architecture after a hyphen elsewhere.

    Attributes:
        url: Address of a binary, or of a tar archive of any compression.
        checksums: Address of the publisher's checksum file: one checksum, or lines of checksum
            and file name.
        binary: Name under which a bare binary is installed; `None` for an archive.
        folder: Folder of an archive that holds the program's binaries, with its final slash.
    """

    url: str
    checksums: str
    binary: str | None = None
    folder: str = ""


def github(
    repository: str, file: str, checksums: str, *, folder: str = "", binary: str | None = None
) -> ReleaseFile:
    """A file of a GitHub release, whose checksum file lies beside it; tags begin with a `v`."""
    base = f"https://github.com/{repository}/releases/download/v{{version}}"
    return ReleaseFile(f"{base}/{file}", f"{base}/{checksums}", binary=binary, folder=folder)


@dataclass(frozen=True)
class Release:
    """An official release.

    Attributes:
        files: What is downloaded.
        architectures: The publisher's name for an architecture, where it differs from Go's.
    """

    files: tuple[ReleaseFile, ...]
    architectures: Mapping[str, str] = field(default_factory=dict)
    how: How = "release"

    def unavailable(self, program: Program) -> str | None:
        """See `Source.unavailable`; asks the publisher for its checksum file."""
        try:
            download.text(self._fill(self.files[0].checksums, program))
        except ToolchainError as error:
            return str(error)
        return None

    def install(self, program: Program, into: Path, session: Session) -> str:
        """See `Source.install`."""
        for item in self.files:
            url = self._fill(item.url, program)
            name = urllib.parse.unquote(url.rsplit("/", 1)[-1])
            wanted = checksum_of(name, download.text(self._fill(item.checksums, program)))
            require(wanted is not None, f"its checksum file does not name {name}")
            session.report(f"{program.title}: downloading {url}")
            if item.binary is not None:
                download.checked_file(url, str(wanted), into / item.binary, session.report)
                (into / item.binary).chmod(0o755)
            else:
                archive = into / ".archive"
                download.checked_file(url, str(wanted), archive, session.report)
                _unpack(archive, self._fill(item.folder, program), program, into)
                archive.unlink()
        return f"official release ({urllib.parse.urlsplit(url).netloc})"

    def _fill(self, address: str, program: Program) -> str:
        arch = host.architecture()
        return address.format(
            # k3s has a plus sign in its versions.
            version=urllib.parse.quote(program.version),
            arch=self.architectures.get(arch, arch),
            suffix="" if arch == "amd64" else f"-{arch}",
        )


def checksum_of(name: str, listing: str) -> str | None:
    """Return the SHA-256 that a publisher's checksum file gives for a file.

    Args:
        name: Name of the file.
        listing: A lone checksum, or lines of checksum and name (`*` marks binary mode).
    """
    lines = [line.split() for line in listing.splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) == 1 and _SHA256.fullmatch(lines[0][0].lower()):
        return lines[0][0].lower()
    for line in lines:
        if (
            len(line) == 2
            and line[1].removeprefix("*").rsplit("/", 1)[-1] == name
            and _SHA256.fullmatch(line[0].lower())
        ):
            return line[0].lower()
    return None


def _unpack(archive: Path, folder: str, program: Program, into: Path) -> None:
    """Take the program's binaries out of a checked archive."""
    wanted = {f"{folder}{name}": name for name in program.binaries}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = wanted.pop(member.name.removeprefix("./"), None)
            content = tar.extractfile(member) if name and member.isfile() else None
            if name is None or content is None:
                continue
            with content, (into / name).open("wb") as out:
                while block := content.read(1 << 20):
                    out.write(block)
            (into / name).chmod(0o755)
    require(not wanted, f"the release has no {', '.join(sorted(wanted))}")
