"""Puts an image together in the cache."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from toolchain import cache, host, programs
from toolchain.images import archive, layers, recipes
from toolchain.images.archive import LayerFile
from toolchain.images.recipes import PROJECT, Application, Recipe
from toolchain.progress import Report, silent, size

DISK = 600_000_000
"""Bytes needed for the largest image beside the layers it shares (measured: 0.43 GB)."""


def build(name: str, report: Report = silent, project: Path = PROJECT) -> Path:
    """Return an image's archive, in the format of `docker save`, made when the cache has none.

    The archive appears under its name only once it is whole; what an interrupted build left is
    removed by the next one. An archive of the same recipe with another hash is removed: it is as
    large as its image, and made again in seconds.

    Args:
        name: Name of the recipe.
        report: Takes progress lines.
        project: Root of the project.

    Raises:
        ImageError: There is no such recipe, or the build failed.
        ToolchainError: A program that goes into the image, or that builds it, cannot be had.
        DiskSpaceError: The cache's disk has too little room.
    """
    target = recipes.archive_path(name, project)
    if target.exists():
        return target
    wanted = recipes.recipe(name)
    reference = recipes.reference(name, project)
    with cache.lock(f"image-{name}", report):
        if target.exists():
            return target
        lower = _shared_layers(wanted, project, report)
        files = _own_files(wanted, project, report)
        report(f"building the image {reference}")
        cache.require_free(target, DISK, f"building the image {name}")
        with cache.staging(f"image-{name}") as work:
            own, made = work / "own.tar", work / "image.tar"
            archive.write_layer(own, files)
            archive.write(made, reference, [*lower, own], wanted.start, host.architecture())
            target.parent.mkdir(parents=True, exist_ok=True)
            made.rename(target)
        for other in target.parent.glob(f"{name}-{'?' * recipes.HASH_DIGITS}.tar"):
            if other != target:
                other.unlink(missing_ok=True)
    report(f"built the image {reference} ({size(target.stat().st_size)})")
    return target


def _shared_layers(wanted: Recipe, project: Path, report: Report) -> list[Path]:
    """Return the layers below the image's own, from what changes least to what changes most."""
    if wanted.application is None:
        return []
    return [
        layers.base(wanted.application.base, report),
        layers.dependencies(wanted.application, project, report),
    ]


def _own_files(wanted: Recipe, project: Path, report: Report) -> Mapping[str, LayerFile]:
    files = {
        name: LayerFile(programs.path(name, report), executable=True) for name in wanted.programs
    }
    if wanted.certificates:
        files["etc/ssl/certs/ca-certificates.crt"] = LayerFile(recipes.certificates())
    if wanted.application is not None:
        files.update(_package_files(wanted.application, project))
    return files


def _package_files(application: Application, project: Path) -> Mapping[str, LayerFile]:
    package = project / application.package
    folder = PurePosixPath(recipes.packages_folder(application), package.name)
    return {
        str(folder / path.relative_to(package)): LayerFile(path)
        for path in recipes.source_files(project, application.package)
    }
