"""What the init step brings from the stores of the clouds, and its words where it cannot.

It runs as in a pod: the command line and the variables, with the libraries of its image. The stores
are emulators on loopback, which it takes for the real hosts.
"""

import base64
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra import digests
from tests.engine import azure_storage, google_storage, model_hub
from tests.engine.azure_storage import AzureStorage
from tests.engine.google_storage import GoogleStorage
from tests.engine.internet import Internet
from tests.engine.model_hub import ModelHub
from tests.waiting import until
from toolchain.images import layers, recipes

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "5" * 40
MODEL = {"model.onnx": CONTENT, "tokenizer/vocab.json": b"{}"}
GOOGLE, AZURE = "gs://models/vision", f"https://{azure_storage.STORAGE}/models/vision"


# By Azure's own library, since its requests are signed.
UPLOAD = """
import pathlib, sys
from azure.storage.blob import BlobServiceClient
host, key, folder = sys.argv[1:]
container = BlobServiceClient(f"https://{host}", credential=key).create_container("models")
for file in pathlib.Path(folder).rglob("*.*"):
    container.upload_blob(f"vision/{file.relative_to(folder)}", file.read_bytes())
"""


@dataclass(frozen=True)
class Step:
    """The init step, outside a pod.

    Attributes:
        folder: Takes the model.
        said: Takes its last words.
        libraries: What it imports.
        variables: Further environment variables.
    """

    folder: Path
    said: Path
    libraries: Sequence[Path]
    variables: Mapping[str, str] = field(default_factory=dict)

    def start(self, uri: str, *arguments: str, **secret: str) -> subprocess.Popen[bytes]:
        """Start it.

        Args:
            uri: Of the model.
            arguments: Further ones.
            secret: Variables of the team's secret.
        """
        name = uri.rstrip("/").rpartition("/")[2].partition(":")[0]
        what = (f"--uri={uri}", f"--into={self.folder}", f"--name={name}", "--limit=1000000")
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "slipway_storage", *what),
                *(f"--termination-log={self.said}", *arguments),
            ],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.said.parent),
                "PYTHONPATH": ":".join(map(str, self.libraries)),
                **self.variables,
                **secret,
            },
        )

    def run(self, uri: str, *arguments: str, **secret: str) -> str:
        """Run it to its end, and return its last words; there are none where all is well."""
        code = self.start(uri, *arguments, **secret).wait()
        said = self.said.read_text() if self.said.exists() else ""
        assert (code == 0) == (said == ""), said
        return said

    def files(self) -> dict[str, bytes]:
        """Return what it has brought."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}


class Halting(BaseHTTPRequestHandler):
    """A web server's answer with the model; the first of each server halts in the middle."""

    halted: threading.Event

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        half = len(CONTENT) // 2
        self.wfile.write(CONTENT[:half])
        if not self.halted.is_set():
            self.halted.set()
            # Until whoever asked is gone.
            self.rfile.read(1)
        else:
            self.wfile.write(CONTENT[half:])

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def halting() -> Iterator[str]:
    """URI of a model on a server that halts once."""
    handler = type("Handler", (Halting,), {"halted": threading.Event()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/digits.onnx"
        server.shutdown()


Reaching = Callable[[Mapping[str, int]], Step]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The program, and its libraries from the image that the pods run."""
    image = recipes.STORAGE_INITIALIZER
    if sys.version.split()[0].rpartition(".")[0] != image.python:
        pytest.skip(f"the libraries of the image need Python {image.python}")
    folder = tmp_path_factory.mktemp("image")
    layer = layers.dependencies(image, recipes.PROJECT, print)
    subprocess.run(["tar", "--extract", "--file", layer, "--directory", folder], check=True)
    return [folder / recipes.packages_folder(image), recipes.PROJECT / Path(image.package).parent]


@pytest.fixture
def step(libraries: list[Path], tmp_path: Path) -> Step:
    """The step, with an empty folder."""
    (folder := tmp_path / "models").mkdir()
    return Step(folder, tmp_path / "termination-log", libraries)


@pytest.fixture
def reaching(step: Step, tmp_path: Path) -> Iterator[Reaching]:
    """From a store's hosts to the step in a network where it finds them."""
    with ExitStack() as networks:

        def reach(hosts: Mapping[str, int]) -> Step:
            internet = Internet(tmp_path, hosts)
            networks.callback(internet.stop)
            return replace(step, variables=internet.variables)

        yield reach


def archive_of(model: Mapping[str, bytes]) -> bytes:
    """Return a model's files as one."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, content in model.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleStorage]:
    """Google's store with a model, and one whose name only begins alike."""
    store = GoogleStorage()
    store.put("models", "vision/digits.onnx", CONTENT)
    for name, content in MODEL.items():
        store.put("models", f"vision/minilm/{name}", content)
    store.put("models", "vision/minilm-v2/model.onnx", CONTENT)
    store.put("models", "vision/minilm.tar.gz", archive_of(MODEL))
    yield store
    store.stop()


@pytest.fixture(scope="module")
def azure(
    libraries: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AzureStorage]:
    """Azure's store, with the same models, and a file beside one that only begins alike."""
    store = AzureStorage(folder := tmp_path_factory.mktemp("azure"))
    internet = Internet(folder, store.hosts)
    blobs = {
        "digits.onnx": CONTENT,
        "digits.onnx.bak": CONTENT,
        **{f"minilm/{name}": content for name, content in MODEL.items()},
        "minilm-v2/model.onnx": CONTENT,
        "minilm.tar.gz": archive_of(MODEL),
    }
    for name, content in blobs.items():
        (file := folder / "blobs" / name).parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    variables = {**os.environ, **internet.variables, "PYTHONPATH": str(libraries[0])}
    subprocess.run(
        [sys.executable, "-c", UPLOAD, azure_storage.STORAGE, store.key, folder / "blobs"],
        env=variables,
        check=True,
    )
    internet.stop()
    yield store
    store.stop()


@pytest.fixture(scope="module")
def hub() -> Iterator[ModelHub]:
    """The hub with a model."""
    hub = ModelHub("owner/minilm", COMMIT, MODEL)
    yield hub
    hub.stop()


def of_google(store: GoogleStorage) -> dict[str, str]:
    """Return the variables of a team's secret for Google."""
    return {"GOOGLE_APPLICATION_CREDENTIALS": store.key}


def of_azure(store: AzureStorage) -> dict[str, str]:
    """Return the same for Azure."""
    return {"AZURE_STORAGE_ACCESS_KEY": store.key}


OF_HUB = {"HF_TOKEN": model_hub.TOKEN}


def folder_of(model: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    """Return a model's files by their paths in the folder of models."""
    return {f"{name}/{path}": content for path, content in model.items()}


def digest_of(model: Mapping[str, bytes], folder: Path) -> str:
    """Return the digest of a model that is a folder."""
    for path, content in model.items():
        (file := folder / path).parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return digests.of(folder)


def test_a_file_comes_from_google_with_a_key_and_is_held_to_its_digest(
    reaching: Reaching, google: GoogleStorage
) -> None:
    step = reaching(google.hosts)
    uri = f"{GOOGLE}/digits.onnx"
    assert step.run(uri, f"--sha256={SHA256}", **of_google(google)) == ""
    assert step.files() == {"digits.onnx": CONTENT}
    assert "checksum mismatch" in step.run(uri, f"--sha256={'0' * 64}", **of_google(google))


def test_a_file_comes_from_azure_with_a_key_and_is_held_to_its_digest(
    reaching: Reaching, azure: AzureStorage
) -> None:
    step = reaching(azure.hosts)
    uri = f"{AZURE}/digits.onnx"
    assert step.run(uri, f"--sha256={SHA256}", **of_azure(azure)) == ""
    assert step.files() == {"digits.onnx": CONTENT}
    assert "checksum mismatch" in step.run(uri, f"--sha256={'0' * 64}", **of_azure(azure))


def test_a_folder_comes_from_google_without_those_that_begin_alike(
    reaching: Reaching, google: GoogleStorage
) -> None:
    step = reaching(google.hosts)
    assert step.run(f"{GOOGLE}/minilm/", "--folder", **of_google(google)) == ""
    assert step.files() == folder_of(MODEL, "minilm")


def test_a_folder_comes_from_azure_without_those_that_begin_alike(
    reaching: Reaching, azure: AzureStorage
) -> None:
    step = reaching(azure.hosts)
    assert step.run(f"{AZURE}/minilm/", "--folder", **of_azure(azure)) == ""
    assert step.files() == folder_of(MODEL, "minilm")


def test_a_folder_that_is_stored_as_one_file_is_unpacked(
    reaching: Reaching, google: GoogleStorage, azure: AzureStorage
) -> None:
    step = reaching({**google.hosts, **azure.hosts})
    secret = {**of_google(google), **of_azure(azure)}
    for place in (GOOGLE, AZURE):
        assert step.run(f"{place}/minilm.tar.gz", "--folder", **secret) == ""
        assert step.files() == folder_of(MODEL, "minilm.tar.gz")


def test_a_model_comes_from_the_hub_at_its_commit_and_is_held_to_its_digest(
    reaching: Reaching, hub: ModelHub, tmp_path: Path
) -> None:
    step = reaching(hub.hosts)
    uri, sha256 = f"hf://owner/minilm:{COMMIT}", digest_of(MODEL, tmp_path / "digest")
    assert step.run(uri, "--folder", f"--sha256={sha256}", **OF_HUB) == ""
    assert step.files() == folder_of(MODEL, "minilm")
    said = step.run(uri, "--folder", f"--sha256={'0' * 64}", **OF_HUB)
    assert f"checksum mismatch, its SHA-256 is {sha256}" in said


def test_what_is_not_there_is_said_to_be_missing(
    reaching: Reaching, google: GoogleStorage, azure: AzureStorage, hub: ModelHub
) -> None:
    step = reaching({**google.hosts, **azure.hosts, **hub.hosts})
    secret = {**of_google(google), **of_azure(azure), **OF_HUB}
    for uri in (f"{GOOGLE}/none.onnx", "gs://none/digits.onnx", f"{AZURE}/none.onnx"):
        assert step.run(uri, **secret).startswith(f"{uri}: not found; correct `uri`")
    for uri in (f"hf://owner/minilm:{'6' * 40}", f"hf://owner/none:{COMMIT}"):
        assert step.run(uri, "--folder", **secret).startswith(f"{uri}: not found; correct `uri`")


def test_a_wrong_key_and_none_are_said_to_be_forbidden_at_once(
    reaching: Reaching, google: GoogleStorage, azure: AzureStorage, hub: ModelHub
) -> None:
    step = reaching({**google.hosts, **azure.hosts, **hub.hosts})
    another = base64.b64encode(b"another").decode()
    asked = [
        (f"{GOOGLE}/digits.onnx", {}),
        (f"{GOOGLE}/digits.onnx", {"GOOGLE_APPLICATION_CREDENTIALS": google_storage.key_of()}),
        (f"{AZURE}/digits.onnx", {}),
        (f"{AZURE}/digits.onnx", {"AZURE_STORAGE_ACCESS_KEY": another}),
        (f"{AZURE}/digits.onnx", {"AZURE_STORAGE_ACCESS_KEY": "not base 64"}),
        (f"hf://owner/minilm:{COMMIT}", {}),
        (f"hf://owner/minilm:{COMMIT}", {"HF_TOKEN": "hf_another"}),
    ]
    for uri, secret in asked:
        said = step.run(uri, *(["--folder"] if uri.startswith("hf:") else []), **secret)
        assert said.startswith(f"{uri}: forbidden ("), said
        assert not any(value in said for value in secret.values())


def test_a_download_whose_process_is_killed_is_brought_whole_by_the_next(
    step: Step, halting: str
) -> None:
    killed = step.start(halting, f"--sha256={SHA256}")
    until(lambda: any(0 < len(part) < len(CONTENT) for part in step.files().values()), "a part")
    killed.kill()
    killed.wait()
    assert step.run(halting, f"--sha256={SHA256}") == ""
    assert step.files() == {"digits.onnx": CONTENT}


def test_a_download_that_outgrows_its_room_is_ended_in_its_middle(step: Step, halting: str) -> None:
    assert step.run(halting, "--limit=100000").startswith(f"{halting}: no space, it needs more")
