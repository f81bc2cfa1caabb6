"""Builds an image with buildah into an archive in the cache."""

import os
import shutil
from pathlib import Path

from toolchain import cache, programs
from toolchain.images import layers, recipes
from toolchain.images.command import run
from toolchain.images.recipes import PROJECT, Recipe
from toolchain.progress import Report, silent, size

BUILD_DISK = 2_500_000_000
"""Bytes needed at the peak of the largest build: buildah keeps each layer whole (measured)."""

KEPT_ARCHIVES = 2
"""Archives that stay per recipe: the newest, and the one before for a step back."""


def build(name: str, report: Report = silent, project: Path = PROJECT) -> Path:
    """Return an image's archive (docker-archive format), built when the cache has none.

    The archive appears under its name only once it is whole; what an interrupted build left is
    removed by the next one.

    Args:
        name: Name of the recipe.
        report: Takes progress lines.
        project: Root of the project.

    Raises:
        ImageError: There is no such recipe, or the build failed.
        ToolchainError: A program that goes into the image, or that builds it, cannot be had.
        DiskSpaceError: The cache's disk has too little room.
    """
    target = recipes.archive(name, project)
    if target.exists():
        return target
    wanted = recipes.recipe(name)
    with cache.lock(f"image-{name}", report):
        if target.exists():
            return target
        cache.require_free(target, BUILD_DISK, f"building the image {name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with cache.staging(f"image-{name}") as work:
            context = work / "context"
            _fill(wanted, context, project, report)
            made = _buildah(wanted, recipes.reference(name, project), context, work, report)
            made.rename(target)
        _prune(target, name)
    report(f"built the image {target.stem} ({size(target.stat().st_size)})")
    return target


def _fill(wanted: Recipe, context: Path, project: Path, report: Report) -> None:
    """Put all files that the Containerfile names into the build's folder."""
    context.mkdir()
    for program in wanted.programs:
        _copy(programs.path(program, report), context / "bin" / program, mode=0o755)
    if wanted.certificates:
        _copy(recipes.certificates(), context / "ca-certificates.crt")
    if wanted.application is None:
        return
    dependencies = layers.dependencies(wanted.application, project, report)
    # Links, not copies: the two are large and stay as they are.
    (context / "dependencies.tar").hardlink_to(dependencies)
    (context / "base.tar").hardlink_to(layers.base(wanted.application.base, report))
    package = project / wanted.application.package
    for path in recipes.source_files(project, wanted.application.package):
        _copy(path, context / "application" / package.name / path.relative_to(package))


def _copy(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _buildah(wanted: Recipe, reference: str, context: Path, work: Path, report: Report) -> Path:
    report(f"building the image {reference}")
    made = work / "image.tar"
    # A store of its own for each build, so that only the archive stays behind; `vfs` and `chroot`
    # need nothing from the kernel that a container on a build machine may lack.
    buildah: list[str | Path] = [
        programs.path("buildah", report),
        "--root",
        work / "store",
        "--runroot",
        work / "run",
    ]
    buildah += ["--storage-driver", "vfs"]
    env = {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(work)}
    containerfile = PROJECT / wanted.containerfile
    run(
        [
            *buildah,
            "bud",
            "--quiet",
            "--layers",
            "--timestamp",
            "0",
            "--tag",
            reference,
            "--file",
            containerfile,
            context,
        ],
        step=f"building the image {wanted.name}",
        report=report,
        env=env,
    )
    run(
        [*buildah, "push", "--quiet", reference, f"docker-archive:{made}:{reference}"],
        step=f"packing the image {wanted.name}",
        report=report,
        env=env,
    )
    return made


def _prune(newest: Path, name: str) -> None:
    """Keep the newest archives of a recipe: each is as large as its image."""
    pattern = f"{name}-{'?' * recipes.HASH_DIGITS}.tar"
    archives = sorted(newest.parent.glob(pattern), key=lambda path: path.stat().st_mtime)
    for old in archives[:-KEPT_ARCHIVES]:
        old.unlink(missing_ok=True)
