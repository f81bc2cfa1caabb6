"""Builds leave one whole archive, and are not done twice."""

import json
import os
import tarfile
from pathlib import Path

import pytest

from toolchain import cache, host, images, programs
from toolchain.errors import DiskSpaceError
from toolchain.images import archive, builder, layers
from toolchain.images.archive import LayerFile, Start

START = Start(("/program", "--flag"), user=65532, environment={"LANG": "C.UTF-8"})


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program that stands in for every pinned one."""
    made = tmp_path / "program"
    made.write_bytes(b"binary")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(programs, "path", lambda name, report=None: made)
    return made


def content(path: Path, name: str) -> bytes:
    with tarfile.open(path) as opened:
        member = opened.extractfile(name)
        assert member is not None
        return member.read()


def test_an_image_is_built_once() -> None:
    lines: list[str] = []
    first = images.build("pause", lines.append)
    told = len(lines)

    assert images.build("pause", lines.append) == first == images.archive_path("pause")
    assert len(lines) == told > 0


def test_the_archive_loads_under_the_reference() -> None:
    (document,) = json.loads(content(images.build("pause"), "manifest.json"))

    assert document["RepoTags"] == [images.reference("pause")]


def test_an_image_has_its_program_and_runs_it_as_an_unprivileged_user() -> None:
    made = images.build("coredns")
    (document,) = json.loads(content(made, "manifest.json"))
    config = json.loads(content(made, document["Config"]))

    with tarfile.open(made) as opened:
        layer = opened.extractfile(document["Layers"][0])
        with tarfile.open(fileobj=layer) as files:
            modes = {member.name: member.mode for member in files}
    assert config["config"]["Entrypoint"] == ["/coredns"]
    assert config["config"]["User"] == "65532:65532"
    assert config["architecture"] == host.architecture()
    assert modes["coredns"] == 0o755
    assert modes["etc/ssl/certs/ca-certificates.crt"] == 0o644


def test_a_build_that_fails_leaves_nothing_and_the_next_one_builds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(archive, "write", fail)
        with pytest.raises(OSError, match="no space"):
            images.build("pause")

    assert not images.archive_path("pause").exists()
    assert list(cache.folder("staging").iterdir()) == []
    assert images.build("pause").exists()


def test_what_a_killed_build_left_is_removed_by_the_next_one() -> None:
    left = cache.folder("staging") / "image-pause.abc"
    left.mkdir(parents=True)

    images.build("pause")

    assert not left.exists()


def test_only_the_newest_archive_of_a_recipe_stays() -> None:
    folder = cache.folder("images")
    (folder / f"pause-{'a' * 12}.tar").write_bytes(b"old")
    other = folder / f"pause-other-{'d' * 12}.tar"
    other.write_bytes(b"of another recipe")

    newest = images.build("pause")

    assert sorted(folder.glob("*.tar")) == sorted([newest, other])


def test_too_little_disk_is_said_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(builder, "DISK", 10**18)

    with pytest.raises(DiskSpaceError, match="building the image pause needs"):
        images.build("pause")

    assert list(cache.folder("images").iterdir()) == []


def test_the_same_files_make_the_same_image_whatever_their_times_are(
    tmp_path: Path, program: Path
) -> None:
    written = []
    for number, time in enumerate((0, 1_000_000)):
        os.utime(program, (time, time))
        layer, image = tmp_path / f"layer{number}", tmp_path / f"image{number}"
        archive.write_layer(layer, {"bin/program": LayerFile(program, executable=True)})
        archive.write(image, "r:1", [layer], START, "amd64")
        written.append(image.read_bytes())

    assert written[0] == written[1]


def test_a_layer_names_the_folders_of_its_files(tmp_path: Path, program: Path) -> None:
    archive.write_layer(tmp_path / "layer", {"usr/lib/a": LayerFile(program)})

    with tarfile.open(tmp_path / "layer") as layer:
        assert [(entry.name, entry.isdir()) for entry in layer] == [
            ("usr", True),
            ("usr/lib", True),
            ("usr/lib/a", False),
        ]


def test_no_two_images_drop_each_other_s_dependencies() -> None:
    applications = [
        recipe.application for recipe in images.RECIPES.values() if recipe.application is not None
    ]
    assert len({layers._family(one) for one in applications}) == len(applications)


def test_a_new_layer_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "base-old.tar").touch()
    (tmp_path / "dependencies-one-old.tar").touch()
    (tmp_path / "dependencies-other-old.tar").touch()

    for name in ("base-new.tar", "dependencies-one-new.tar"):
        made = tmp_path / "made"
        made.touch()
        layers._publish(made, tmp_path / name)

    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".tar") == [
        "base-new.tar",
        "dependencies-one-new.tar",
        "dependencies-other-old.tar",
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
