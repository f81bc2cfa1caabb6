"""What goes into each image, as data, and the hash over it."""

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
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
    # `libgomp1` is GNU's OpenMP, which compiled packages load without bringing it.
    packages=("ca-certificates", "libgomp1", "python3", "usr-is-merged"),
    renewed="2026-11-24",
)

SERVER = Application(
    package="apps/serving/server/slipway_server",
    lock="apps/serving/server/requirements.lock",
    python="3.11",
    base=DEBIAN,
)

# The same server with other libraries: with all of them an image would have half a gigabyte.
ESTIMATOR_SERVER = replace(SERVER, lock="apps/serving/server/estimators.lock")
TEXT_SERVER = replace(SERVER, lock="apps/serving/server/text.lock")

STORAGE_INITIALIZER = Application(
    package="apps/serving/storage_initializer/slipway_storage",
    lock="apps/serving/storage_initializer/requirements.lock",
    python="3.11",
    base=DEBIAN,
)

LLM_SERVER = Application(
    package="apps/serving/llm_server/slipway_llm",
    lock="apps/serving/llm_server/requirements.lock",
    python="3.11",
    base=DEBIAN,
)

CANARY_PROMOTER = Application(
    package="infra/platform/promoter/slipway_promoter",
    lock="infra/platform/promoter/requirements.lock",
    python="3.11",
    base=DEBIAN,
)

KSERVE_PREDICTOR = Application(
    package="examples/kserve_predictor/digits_predictor",
    lock="examples/kserve_predictor/requirements.lock",
    python="3.11",
    base=DEBIAN,
)

# The root file system is read-only in the pod, and the dependencies are compiled.
PYTHON_ENVIRONMENT: Mapping[str, str] = {
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}

SINGLE_PROGRAMS: Mapping[str, str] = {
    "cert-manager-acmesolver": versions.CERT_MANAGER_BUILD,
    "cert-manager-cainjector": versions.CERT_MANAGER_BUILD,
    "cert-manager-controller": versions.CERT_MANAGER_BUILD,
    "cert-manager-webhook": versions.CERT_MANAGER_BUILD,
    # Port 53 takes the capability NET_BIND_SERVICE in the pod.
    "coredns": versions.COREDNS_BUILD,
    "external-secrets": versions.EXTERNAL_SECRETS_BUILD,
    "keda-adapter": versions.KEDA_BUILD,
    "keda-http-interceptor": versions.KEDA_HTTP_ADD_ON,
    "keda-http-scaler": versions.KEDA_HTTP_ADD_ON,
    "keda-operator": versions.KEDA_BUILD,
    "kube-state-metrics": versions.KUBE_STATE_METRICS,
    "metallb-controller": versions.METALLB,
    "metallb-speaker": versions.METALLB,
    "metrics-server": versions.METRICS_SERVER,
    "prometheus": versions.PROMETHEUS,
    "traefik": versions.TRAEFIK,
}
"""Images that are one program each, by the program's version."""


def _python(name: str, application: Application, **environment: str) -> Recipe:
    """Return the recipe of an image that runs a Python package of this project."""
    return Recipe(
        name,
        entrypoint=("python3", "-m", Path(application.package).name),
        application=application,
        environment={**PYTHON_ENVIRONMENT, **environment},
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
        *(
            Recipe(
                name,
                entrypoint=(f"/{name}",),
                programs={name: version},
                certificates=True,
            )
            for name, version in SINGLE_PROGRAMS.items()
        ),
        _python("model-server", SERVER),
        _python("estimator-server", ESTIMATOR_SERVER),
        # Hugging Face's client keeps notes below its home.
        _python("model-storage", STORAGE_INITIALIZER, HOME="/tmp"),
        _python("text-server", TEXT_SERVER),
        _python("llm-server", LLM_SERVER),
        _python("canary-promoter", CANARY_PROMOTER),
        # An example, which a stack file names: see docs/kserve.md.
        _python("kserve-predictor", KSERVE_PREDICTOR),
    )
}


def recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises:
        ImageError: There is none of that name. It names the three nearest: the engine cuts the
            middle out of a long error, so a list of all would hide what is wrong.
    """
    try:
        return RECIPES[name]
    except KeyError:
        nearest = ", ".join(difflib.get_close_matches(name, sorted(RECIPES), n=3, cutoff=0))
        raise ImageError(f"there is no image recipe {name!r}: nearest are {nearest}") from None


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
