"""An image's reference is a hash of what goes into it, and of nothing else."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import versions
from toolchain import images, project
from toolchain.images import recipes

SERVER = "apps/serving/server"
LLM_SERVER = "apps/serving/llm_server"
STORAGE = "apps/serving/storage_initializer"
PROMOTER = "infra/platform/promoter"
PREDICTOR = "examples/kserve_predictor"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of every file that a reference is made from."""
    for path in ("toolchain/go/pause", SERVER, LLM_SERVER, STORAGE, PROMOTER, PREDICTOR):
        shutil.copytree(project.ROOT / path, tmp_path / path)
    return tmp_path


def append(path: Path) -> None:
    path.write_text(path.read_text() + "\n# changed\n")


@pytest.mark.parametrize("name", sorted(images.RECIPES))
def test_two_clones_have_the_same_reference(name: str, clone: Path) -> None:
    assert images.reference(name, clone) == images.reference(name)


@pytest.mark.parametrize("name", sorted(images.RECIPES))
def test_a_reference_has_the_name_and_twelve_hex_digits(name: str) -> None:
    repository, _, tag = images.reference(name).rpartition(":")

    assert repository == f"slipway.local/{name}"
    assert len(tag) == 12
    int(tag, 16)


def test_no_two_images_have_the_same_hash() -> None:
    tags = {images.reference(name).rpartition(":")[2] for name in images.RECIPES}

    assert len(tags) == len(images.RECIPES)


def test_the_hash_seed_of_python_does_not_matter() -> None:
    code = "from toolchain import images; print(images.reference('model-server'))"
    references = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=project.ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(references) == 1


@pytest.mark.parametrize(
    "touch",
    [
        lambda clone: os.utime(clone / SERVER / "requirements.lock", (0, 0)),
        lambda clone: (clone / SERVER / "slipway_server" / "__pycache__").mkdir(exist_ok=True),
        lambda clone: (clone / SERVER / "README.md").write_text("not in the image"),
        lambda clone: (clone / SERVER / "slipway_server" / "__init__.py").chmod(0o600),
    ],
    ids=["times", "cache", "a file beside the package", "permissions"],
)
def test_what_does_not_go_into_the_image_does_not_matter(
    clone: Path, touch: Callable[[Path], object]
) -> None:
    touch(clone)

    assert images.reference("model-server", clone) == images.reference("model-server")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            f"{SERVER}/slipway_server/__init__.py",
            ["model-server", "estimator-server", "text-server"],
        ),
        (f"{SERVER}/requirements.lock", ["model-server"]),
        (f"{SERVER}/estimators.lock", ["estimator-server"]),
        (f"{SERVER}/text.lock", ["text-server"]),
    ],
)
def test_each_file_that_goes_into_a_server_changes_its_reference_alone(
    clone: Path, path: str, expected: list[str]
) -> None:
    append(clone / path)

    changed = [n for n in images.RECIPES if images.reference(n, clone) != images.reference(n)]

    assert changed == expected


def test_a_renamed_module_changes_the_reference(clone: Path) -> None:
    package = clone / SERVER / "slipway_server"
    (package / "__init__.py").rename(package / "renamed.py")

    assert images.reference("model-server", clone) != images.reference("model-server")


def test_the_source_of_our_own_program_changes_its_image(clone: Path) -> None:
    append(clone / "toolchain/go/pause/go.mod")

    assert images.reference("pause", clone) != images.reference("pause")


@pytest.mark.parametrize(
    ("folder", "version", "source"),
    [
        ("pause", versions.PAUSE, ("1.0.0", "317e5a5fa0fd")),
        ("cert-manager", versions.CERT_MANAGER_BUILD, ("1.21.2+1", "be1636adda59")),
        ("external-secrets", versions.EXTERNAL_SECRETS_BUILD, ("0.20.4+1", "ba60027be829")),
        ("keda", versions.KEDA_BUILD, ("2.21.0+1", "aecabdd40f31")),
    ],
)
def test_the_version_of_our_own_program_goes_with_its_source(
    folder: str, version: str, source: tuple[str, str]
) -> None:
    # The cache keeps the binary under its version: with another source it needs another version.
    found = recipes._tree_hash(project.ROOT, f"toolchain/go/{folder}")

    assert (version, found[:12]) == source


def test_a_changed_server_shares_base_and_dependencies_with_the_one_before(clone: Path) -> None:
    application = images.RECIPES["model-server"].application
    assert application is not None
    before = recipes.dependencies_key(application, clone)
    append(clone / SERVER / "slipway_server" / "__init__.py")

    assert recipes.dependencies_key(application, clone) == before


def test_an_unknown_recipe_is_an_error_that_names_the_nearest_ones_and_stays_short() -> None:
    with pytest.raises(images.ImageError) as raised:
        images.reference("model-sever")

    message = str(raised.value)
    assert message.startswith("there is no image recipe 'model-sever': nearest are model-server, ")
    assert len(message) < 120


def test_a_missing_file_is_an_error_that_names_it(clone: Path) -> None:
    (clone / SERVER / "requirements.lock").unlink()

    with pytest.raises(images.ImageError, match=r"apps/.*/requirements\.lock is missing"):
        images.reference("model-server", clone)
