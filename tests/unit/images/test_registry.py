"""Images in a registry: pushed once, found by their digest, and by nobody without a password."""

import base64
import gzip
import io
import json
import stat
import tarfile
from pathlib import Path

import pytest

from tests.unit.images import oci_registry
from tests.unit.images.oci_registry import PASSWORD, USER, digest, serving
from toolchain.images import archive, credentials
from toolchain.images.archive import LayerFile, Start
from toolchain.images.credentials import Credentials
from toolchain.images.recipes import ImageError
from toolchain.images.registry import Repository

PUSHER = Credentials(USER, PASSWORD)


@pytest.fixture(name="image")
def _image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    program, layer, target = tmp_path / "program", tmp_path / "layer.tar", tmp_path / "image.tar"
    program.write_bytes(b"#!/bin/true" * 1000)
    archive.write_layer(layer, {"program": LayerFile(program, executable=True)})
    archive.write(target, "slipway.local/a:b", [layer], Start(("/program",), 65532), "amd64")
    return target


@pytest.mark.parametrize("auth", [None, "basic", "bearer"])
def test_a_pushed_image_is_whole_and_found_by_its_digest(image: Path, auth: str | None) -> None:
    with serving(auth=auth) as registry:
        repository = Repository(f"{registry.host}/ml/images", lambda host: PUSHER)
        assert repository.digest("a-b") is None
        pushed = repository.push(image, "a-b")
        assert repository.digest("a-b") == pushed == digest(registry.manifests["a-b"])
        manifest = json.loads(registry.manifests["a-b"])
        config = json.loads(registry.blobs[manifest["config"]["digest"]])
        (layer,) = manifest["layers"]
        content = gzip.decompress(registry.blobs[layer["digest"]])
    # What a node unpacks is what the configuration says it unpacks.
    assert config["rootfs"]["diff_ids"] == [digest(content)]
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        assert files.getnames() == ["program"]


def test_a_layer_that_the_registry_has_is_not_sent_again(image: Path) -> None:
    with serving() as registry:
        repository = Repository(f"{registry.host}/ml/images", lambda host: None)
        first = repository.push(image, "a-b")
        sent = registry.uploads
        assert repository.push(image, "a-c") == first
        assert registry.uploads == sent


def test_a_refused_push_names_the_registry_and_what_it_says(image: Path) -> None:
    with serving() as registry:
        repository = Repository(f"{registry.host}/ml/images", lambda host: None)
        repository.push(image, "a-b")
        with pytest.raises(ImageError, match=rf"{registry.host} answers 409 .*\(TAG_INVALID\)"):
            repository.push(image, "a-b")


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_whoever_has_no_password_is_told_to_log_in(image: Path, auth: str) -> None:
    with serving(auth=auth) as registry:
        repository = Repository(f"{registry.host}/ml/images", lambda host: None)
        with pytest.raises(ImageError, match=r"log ?in"):
            repository.digest("a-b")


def test_a_registry_that_is_not_there_is_named() -> None:
    repository = Repository("127.0.0.1:1/ml/images", lambda host: None)
    with pytest.raises(ImageError, match=r"127\.0\.0\.1:1 does not answer"):
        repository.digest("a-b")


def _environment(folder: Path, config: object, **programs: str) -> dict[str, str]:
    """A machine with a configuration of Docker's and programs that print."""
    (folder / "config.json").write_text(json.dumps(config))
    for name, script in programs.items():
        program = folder / name.replace("_", "-")
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"DOCKER_CONFIG": str(folder), "PATH": str(folder)}


def test_dockers_configuration_says_who_pushes(tmp_path: Path) -> None:
    auth = base64.b64encode(b"me:secret:word").decode()
    environment = _environment(tmp_path, {"auths": {"registry.example:5000": {"auth": auth}}})
    assert credentials.find("registry.example:5000", environment) == Credentials(
        "me", "secret:word"
    )
    assert credentials.find("other.example", environment) is None


def test_a_helper_of_docker_is_asked_for_its_registry(tmp_path: Path) -> None:
    environment = _environment(
        tmp_path,
        {"credHelpers": {"registry.example": "vault"}},
        docker_credential_vault="""read host; printf '{"Username": "%s", "Secret": "s"}' $host""",
    )
    assert credentials.find("registry.example", environment) == Credentials("registry.example", "s")


@pytest.mark.parametrize(
    ("host", "program", "user"),
    [
        ("111122223333.dkr.ecr.eu-central-1.amazonaws.com", "aws", "AWS"),
        ("mlimages.azurecr.io", "az", "00000000-0000-0000-0000-000000000000"),
        ("europe-west4-docker.pkg.dev", "gcloud", "oauth2accesstoken"),
    ],
)
def test_a_clouds_program_gives_out_the_password_of_its_registry(
    host: str, program: str, user: str, tmp_path: Path
) -> None:
    environment = _environment(tmp_path, {}, **{program: 'echo "$*"'})
    found = credentials.find(host, environment)
    assert found is not None
    assert found.user == user
    if program != "gcloud":
        assert any(part in found.password for part in ("eu-central-1", "mlimages"))


def test_a_failing_program_is_named_with_what_it_says(tmp_path: Path) -> None:
    environment = _environment(tmp_path, {}, aws="echo no session >&2; exit 255")
    host = "111122223333.dkr.ecr.eu-central-1.amazonaws.com"
    with pytest.raises(ImageError, match=r"`aws ecr get-login-password .*` failed: no session"):
        credentials.find(host, environment)
    with pytest.raises(ImageError, match="no program gcloud"):
        credentials.find("europe-west4-docker.pkg.dev", environment)


def test_no_password_is_in_what_a_log_shows() -> None:
    assert PASSWORD not in repr(PUSHER)
    assert oci_registry.USER in repr(PUSHER)
