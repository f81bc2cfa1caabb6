"""What goes into each image, as data, and the hash over it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import certifi

from infra import versions
from toolchain import cache, host
from toolchain.errors import SlipwayError
from toolchain.images.archive import Start

PROJECT = Path(__file__).resolve().parents[2]

REGISTRY = "slipway.local"
"""Host part of every reference: a name under a reserved domain, so no node ever asks a registry
that someone else runs."""

FORMAT = 2
"""Goes into every hash: raise it when the way images are put together changes."""

HASH_DIGITS = 12

USER = 65532
"""The user of every image: the one that distroless images call `nonroot`."""


class ImageError(SlipwayError):
    """An image cannot be built, or there is no recipe of that name."""


@dataclass(frozen=True)
class Base:
    """A minimal Debian file system.

    Attributes:
        suite: Debian release.
        packages: Installed with what they depend on, beside the essential ones.
        renewed: Date of the last renewal: a new one brings Debian's security updates, since the
            base is otherwise kept for as long as its own entry here stays the same.
    """

    suite: str
    packages: tuple[str, ...]
    renewed: str


@dataclass(frozen=True)
class Application:
    """A Python package of this project, with locked dependencies, on a Debian base.

    Attributes:
        package: Folder of the package, relative to the project.
        lock: Requirements with hashes, relative to the project.
        python: Version of the base's Python, as in the name of its folders.
        base: What it runs on.
    """

    package: str
    lock: str
    python: str
    base: Base


@dataclass(frozen=True)
class Recipe:
    """What one image consists of.

    Attributes:
        name: Last part of the repository in the image's reference.
        entrypoint: What its containers run.
        programs: Programs of the toolchain that lie in its root folder, with their versions.
        sources: Folders, relative to the project, that a program is built from where it is the
            project's own.
        certificates: Whether the image has certificate authorities of its own: without a base,
            for a program that opens TLS connections.
        application: What a Python image consists of.
        environment: Variables of its containers.
    """

    name: str
    entrypoint: tuple[str, ...]
    programs: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    certificates: bool = False
    application: Application | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def start(self) -> Start:
        """How its containers are started."""
        return Start(self.entrypoint, USER, self.environment)


DEBIAN = Base(
    suite="bookworm",
    # `usr-is-merged` stands in for `usrmerge`, which would bring all of Perl (50 MB).
    packages=("ca-certificates", "python3", "usr-is-merged"),
    renewed="2026-11-24",
)

SERVER = Application(
    package="apps/serving/server/slipway_server",
    lock="apps/serving/server/requirements.lock",
    python="3.11",
    base=DEBIAN,
)

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "pause",
            entrypoint=("/pause",),
            programs={"pause": versions.PAUSE},
            sources=("toolchain/go/pause",),
        ),
        # Port 53 takes the capability NET_BIND_SERVICE in the pod.
        Recipe(
            "coredns",
            entrypoint=("/coredns",),
            programs={"coredns": versions.COREDNS},
            certificates=True,
        ),
        Recipe(
            "traefik",
            entrypoint=("/traefik",),
            programs={"traefik": versions.TRAEFIK},
            certificates=True,
        ),
        Recipe(
            "model-server",
            entrypoint=("python3", "-m", "slipway_server"),
            application=SERVER,
            # The root file system is read-only in the pod, and the dependencies are compiled.
            environment={
                "LANG": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONUNBUFFERED": "1",
            },
        ),
    )
}


def recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises:
        ImageError: There is none of that name.
    """
    try:
        return RECIPES[name]
    except KeyError:
        known = ", ".join(sorted(RECIPES))
        raise ImageError(f"there is no image recipe {name!r}: use one of {known}") from None


def reference(name: str, project: Path = PROJECT) -> str:
    """Return the reference of an image as it would be built now: `slipway.local/<name>:<hash>`.

    It reads only files of the project, takes milliseconds, and is the same in every clone.

    Args:
        name: Name of the recipe.
        project: Root of the project.

    Raises:
        ImageError: There is no such recipe, or one of its files is missing.
    """
    return f"{REGISTRY}/{name}:{_fingerprint(recipe(name), project)[:HASH_DIGITS]}"


def archive_path(name: str, project: Path = PROJECT) -> Path:
    """Return where the image's archive is, or will be once it is built.

    Args:
        name: Name of the recipe.
        project: Root of the project.

    Raises:
        ImageError: There is no such recipe, or one of its files is missing.
    """
    tag = reference(name, project).rpartition(":")[2]
    return cache.root() / "images" / f"{name}-{tag}.tar"


def base_key(base: Base) -> str:
    """Return the hash that names a base in the cache."""
    return _hash(
        {
            "format": FORMAT,
            "architecture": host.architecture(),
            "suite": base.suite,
            "packages": sorted(base.packages),
            "renewed": base.renewed,
        }
    )[:HASH_DIGITS]


def dependencies_key(application: Application, project: Path = PROJECT) -> str:
    """Return the hash that names an application's dependencies in the cache."""
    return _hash(
        {
            "base": base_key(application.base),
            "lock": _file_hash(project, application.lock),
            "python": application.python,
        }
    )[:HASH_DIGITS]


def packages_folder(application: Application) -> str:
    """Return where Debian's Python finds installed packages, without the leading slash."""
    return f"usr/local/lib/python{application.python}/dist-packages"


def certificates() -> Path:
    """Return the certificate authorities that `FROM scratch` images carry (Mozilla's list)."""
    return Path(certifi.where())


def source_files(project: Path, folder: str) -> Iterator[Path]:
    """Return the files of a source folder in a fixed order, without what Python left there.

    Args:
        project: Root of the project.
        folder: The folder, relative to it.

    Raises:
        ImageError: The folder is missing.
    """
    if not (project / folder).is_dir():
        raise ImageError(f"{folder} is missing: restore it from the repository")
    for path in sorted((project / folder).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _fingerprint(wanted: Recipe, project: Path) -> str:
    parts: dict[str, Any] = {
        "format": FORMAT,
        "architecture": host.architecture(),
        "start": asdict(wanted.start),
        "programs": dict(wanted.programs),
        "sources": {source: _tree_hash(project, source) for source in wanted.sources},
    }
    if wanted.certificates:
        parts["certificates"] = hashlib.sha256(certificates().read_bytes()).hexdigest()
    if wanted.application is not None:
        parts["dependencies"] = dependencies_key(wanted.application, project)
        parts["package"] = _tree_hash(project, wanted.application.package)
    return _hash(parts)


def _tree_hash(project: Path, folder: str) -> str:
    root = project / folder
    return _hash(
        {
            path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in source_files(project, folder)
        }
    )


def _file_hash(project: Path, path: str) -> str:
    try:
        return hashlib.sha256((project / path).read_bytes()).hexdigest()
    except FileNotFoundError:
        raise ImageError(f"{path} is missing: restore it from the repository") from None


def _hash(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
