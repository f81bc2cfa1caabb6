"""Builds leave one whole archive, and are not done twice."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from toolchain import cache, images, programs
from toolchain.errors import DiskSpaceError
from toolchain.images import builder, layers
from toolchain.images.recipes import ImageError
from toolchain.progress import silent


class Commands:
    """Stands in for the commands of a build: records them, and makes what they would make."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = []
        self.fails_at = ""

    def run(self, command: Sequence[str | Path], **options: Any) -> None:
        line = [str(part) for part in command]
        self.lines.append(line)
        if self.fails_at and self.fails_at in line:
            raise ImageError(f"{options['step']} failed: no space left on device")
        for part in line:
            if part.startswith("docker-archive:"):
                Path(part.split(":")[1]).write_bytes(b"image")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    fake = Commands()
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(builder, "run", fake.run)
    program = tmp_path / "program"
    program.write_bytes(b"binary")
    monkeypatch.setattr(programs, "path", lambda name, report=silent: program)
    monkeypatch.setattr(builder, "BUILD_DISK", 1)
    return fake


def test_an_image_is_built_once(commands: Commands) -> None:
    first = images.build("pause")
    count = len(commands.lines)

    assert images.build("pause") == first == images.archive("pause")
    assert first.read_bytes() == b"image"
    assert len(commands.lines) == count > 0


def test_the_archive_carries_the_reference(commands: Commands) -> None:
    images.build("pause")

    assert commands.lines[-1][-1].endswith(f":{images.reference('pause')}")


def test_a_failed_build_leaves_nothing_and_the_next_one_builds(commands: Commands) -> None:
    commands.fails_at = "push"
    with pytest.raises(ImageError, match="packing the image pause failed: no space left"):
        images.build("pause")
    assert not images.archive("pause").exists()
    assert list(cache.folder("staging").iterdir()) == []

    commands.fails_at = ""
    assert images.build("pause").exists()


def test_what_a_killed_build_left_is_removed_by_the_next_one(commands: Commands) -> None:
    left = cache.folder("staging") / "image-pause.abc"
    (left / "store").mkdir(parents=True)

    images.build("pause")

    assert not left.exists()


def test_only_the_newest_archives_of_a_recipe_stay(commands: Commands) -> None:
    folder = cache.folder("images")
    for age, tag in enumerate(("a" * 12, "b" * 12, "c" * 12)):
        archive = folder / f"pause-{tag}.tar"
        archive.write_bytes(b"old")
        os.utime(archive, (1000 - age, 1000 - age))
    other = folder / f"pause-other-{'d' * 12}.tar"
    other.write_bytes(b"of another recipe")

    newest = images.build("pause")

    assert sorted(folder.glob("pause-*.tar")) == sorted(
        [newest, folder / f"pause-{'a' * 12}.tar", other]
    )


def test_too_little_disk_is_said_before_anything_is_built(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "BUILD_DISK", 10**18)

    with pytest.raises(DiskSpaceError, match="building the image pause needs"):
        images.build("pause")
    assert commands.lines == []


def test_a_new_layer_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "base-old.tar").touch()
    (tmp_path / "dependencies-old.tar").touch()
    made = tmp_path / "made"
    made.touch()

    layers._publish(made, tmp_path / "base-new.tar")

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "base-new.tar",
        "dependencies-old.tar",
    ]


def test_the_base_comes_from_the_mirrors_that_the_machine_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text(
        "#!/bin/sh\n"
        "echo 'deb http://mirror.example/debian/ bookworm main|Debian'\n"
        "echo 'deb http://mirror.example/debian/ bookworm main|Debian'\n"
        "echo 'deb http://mirror.example/security/ bookworm-security main|Debian'\n"
        "echo 'deb http://mirror.example/debian/ trixie main|Debian'\n"
        "echo 'deb http://tools.example/ bookworm main|Somebody'\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert layers._machine_mirrors("bookworm") == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/security/ bookworm-security main",
    ]
