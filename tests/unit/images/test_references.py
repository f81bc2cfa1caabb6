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


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of every file that a reference is made from."""
    for path in ("toolchain/go/pause", SERVER):
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
    "path",
    [
        f"{SERVER}/slipway_server/__init__.py",
        f"{SERVER}/requirements.lock",
    ],
)
def test_each_file_that_goes_into_the_server_changes_its_reference_alone(
    clone: Path, path: str
) -> None:
    append(clone / path)

    changed = [n for n in images.RECIPES if images.reference(n, clone) != images.reference(n)]

    assert changed == ["model-server"]


def test_a_renamed_module_changes_the_reference(clone: Path) -> None:
    package = clone / SERVER / "slipway_server"
    (package / "__init__.py").rename(package / "renamed.py")

    assert images.reference("model-server", clone) != images.reference("model-server")


def test_the_source_of_our_own_program_changes_its_image(clone: Path) -> None:
    append(clone / "toolchain/go/pause/go.mod")

    assert images.reference("pause", clone) != images.reference("pause")


def test_the_version_of_our_own_program_goes_with_its_source() -> None:
    # The cache keeps the binary under its version: with another source it needs another version.
    source = recipes._tree_hash(project.ROOT, "toolchain/go/pause")

    assert (versions.PAUSE, source[:12]) == ("1.0.0", "317e5a5fa0fd")


def test_a_changed_server_shares_base_and_dependencies_with_the_one_before(clone: Path) -> None:
    application = images.RECIPES["model-server"].application
    assert application is not None
    before = recipes.dependencies_key(application, clone)
    append(clone / SERVER / "slipway_server" / "__init__.py")

    assert recipes.dependencies_key(application, clone) == before


def test_an_unknown_recipe_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(
        images.ImageError,
        match="no image recipe 'server': use one of coredns, model-server, pause, traefik",
    ):
        images.reference("server")


def test_a_missing_file_is_an_error_that_names_it(clone: Path) -> None:
    (clone / SERVER / "requirements.lock").unlink()

    with pytest.raises(images.ImageError, match=r"apps/.*/requirements\.lock is missing"):
        images.reference("model-server", clone)
