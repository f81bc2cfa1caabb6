"""The layers that Python images share: a Debian base, and an application's dependencies on it.

Each is one archive in the cache under a hash of what it is made from, so a changed server does not
bring Debian or the dependencies anew.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from toolchain import cache, host, programs
from toolchain.images.command import run
from toolchain.images.recipes import (
    USER,
    Application,
    Base,
    base_key,
    dependencies_key,
    packages_folder,
)
from toolchain.progress import Report

BASE_DISK = 600_000_000
DEPENDENCIES_DISK = 1_500_000_000
"""Bytes needed while each layer is made (measured: 0.4 and 1.1 GB)."""

REACH = "see that {} reaches its packages on this machine, then run the command again"

# Documentation and translations are most of what an image never reads.
UNREAD = ("doc", "man", "locale", "info", "lintian", "common-licenses")

# The newest C library that a wheel may ask for is the base's own (Debian 12: 2.36).
GLIBC_MINORS = range(17, 37)
WHEEL_MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}


def base(wanted: Base, report: Report) -> Path:
    """Return the archive of a base's root file system, made when the cache has none.

    Args:
        wanted: What the base consists of.
        report: Takes progress lines.

    Raises:
        ImageError: The base cannot be made.
        ToolchainError: A program for it cannot be had.
    """
    name = f"base-{base_key(wanted)}"
    target = _layer(name)
    with cache.lock(name, report):
        if not target.exists():
            report(f"making the Debian {wanted.suite} base of the Python images")
            cache.require_free(target, BASE_DISK, "making the Debian base")
            with cache.staging(name) as work:
                run(
                    _mmdebstrap(wanted, work / "base.tar", report),
                    step="making the Debian base",
                    report=report,
                    way_out=REACH.format("`apt-get update`"),
                    # What a killed mmdebstrap leaves is then removed with the staging folder.
                    env={**os.environ, "TMPDIR": str(work)},
                )
                _publish(work / "base.tar", target)
    return target


def dependencies(wanted: Application, project: Path, report: Report) -> Path:
    """Return the archive of an application's installed dependencies, made when there is none.

    They are compiled by the base's own Python, which saves seconds at each start of a pod whose
    root file system is read-only.

    Args:
        wanted: The application.
        project: Root of the project.
        report: Takes progress lines.

    Raises:
        ImageError: The dependencies cannot be installed.
        ToolchainError: A program for it cannot be had.
    """
    name = f"{_family(wanted)}-{dependencies_key(wanted, project)}"
    target = _layer(name)
    root = base(wanted.base, report)
    with cache.lock(name, report):
        if not target.exists():
            report(f"installing the dependencies of {wanted.package}")
            cache.require_free(target, DEPENDENCIES_DISK, "installing an image's dependencies")
            with cache.staging(name) as work:
                _install(wanted, project, root, work, report)
                _publish(work / "dependencies.tar", target)
    return target


def _family(wanted: Application) -> str:
    """Return what the layers of one lock file, each of which takes the place of the last, share."""
    lock = Path(wanted.lock)
    return f"dependencies-{lock.parent.name}-{lock.stem}"


def _layer(name: str) -> Path:
    return cache.folder("images", "layers") / f"{name}.tar"


def _publish(made: Path, target: Path) -> None:
    """Rename a finished layer into place, and drop the one that it takes the place of."""
    made.rename(target)
    for other in target.parent.glob(f"{target.name.rpartition('-')[0]}-*.tar"):
        if other != target:
            other.unlink(missing_ok=True)


def _mmdebstrap(wanted: Base, into: Path, report: Report) -> list[str | Path]:
    command: list[str | Path] = [
        programs.path("mmdebstrap", report),
        "--quiet",
        "--variant=minbase",
    ]
    command += ["--format=tar", f"--include={','.join(wanted.packages)}"]
    # A base that a crash cuts off is made again: no need to wait for the disk after every file.
    command += ["--dpkgopt=force-unsafe-io"]
    command += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in UNREAD]
    account = f"nonroot:x:{USER}:{USER}::/nonexistent:/usr/sbin/nologin"
    command += [f"--customize-hook=echo {account} >> $1/etc/passwd"]
    command += [f"--customize-hook=echo nonroot:x:{USER}: >> $1/etc/group"]
    return [*command, wanted.suite, into, *_machine_mirrors(wanted.suite)]


def _machine_mirrors(suite: str) -> list[str]:
    """Return the sources that this machine has for a suite, as lines of `sources.list`.

    So a machine behind a package mirror makes its base from that mirror. With none for the suite,
    mmdebstrap takes Debian's own archive.
    """
    wanted = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)|$(ORIGIN)"
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines: list[str] = []
    for target in done.stdout.splitlines() if done.returncode == 0 else ():
        line, _, origin = target.partition("|")
        release = line.split()[2]
        if origin == "Debian" and release.partition("-")[0] == suite and line not in lines:
            lines.append(line)
    return lines


def _install(
    wanted: Application, project: Path, base_tar: Path, work: Path, report: Report
) -> None:
    packages = packages_folder(wanted)
    root = work / "root"
    root.mkdir()
    run(
        ["tar", "--extract", "--file", base_tar, "--directory", root],
        step="unpacking the base",
        report=report,
    )
    pip: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
    pip += ["--disable-pip-version-check", "--no-deps", "--require-hashes", "--no-compile"]
    pip += ["--only-binary=:all:", "--implementation=cp", f"--python-version={wanted.python}"]
    machine = WHEEL_MACHINE[host.architecture()]
    pip += [f"--platform=manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
    pip += [f"--platform=manylinux2014_{machine}", "--target", root / packages]
    run(
        [*pip, "--requirement", project / wanted.lock],
        step="installing the dependencies",
        report=report,
        way_out=REACH.format("`pip download`"),
    )
    _drop_unread(root / packages)
    run(
        # Unchecked: a layer's times are set to zero, and nothing can change a file in an image.
        [
            "chroot",
            root,
            "python3",
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "unchecked-hash",
            f"/{packages}",
        ],
        step="compiling the dependencies",
        report=report,
        env={**os.environ, "PYTHONHASHSEED": "0", "LANG": "C.UTF-8"},
    )
    run(
        [
            "tar",
            "--create",
            "--file",
            work / "dependencies.tar",
            "--directory",
            root,
            "--sort=name",
            "--mtime=@0",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            packages,
        ],
        step="packing the dependencies",
        report=report,
    )


def _drop_unread(packages: Path) -> None:
    """Remove what a server never reads: its dependencies' tests and command-line scripts."""
    # The scripts name this machine's Python in their first line and would not start.
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for tests in [path for path in packages.rglob("tests") if path.is_dir()]:
        shutil.rmtree(tests, ignore_errors=True)
