"""How a model is brought from where it is stored; a stand-in takes the place of `kserve-storage`.

What the stand-in raises was seen with `kserve-storage` 0.21.0 and a real server.
"""

import binascii
import errno
import hashlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from infra import digests
from slipway_storage import __main__ as program
from slipway_storage import bringing
from slipway_storage import digests as digests_in_pod

URI = "s3://models/vision/digits.onnx"
CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Pod:
    """The init step's surroundings: its volume, its termination message, and what is stored."""

    def __init__(self, folder: Path) -> None:
        self.models = folder / "models"
        self.models.mkdir()
        self.said = folder / "termination-log"
        self.attempts: list[str] = []
        self.paused: list[float] = []
        self.stored: Callable[[Path], None] = self.put
        self.name = "digits.onnx"

    def put(self, folder: Path) -> None:
        (folder / self.name).write_bytes(CONTENT)

    def download(self, uri: str, folder: str, patterns: list[str] | None) -> None:
        assert patterns in (None, [self.name])
        self.attempts.append(f"{uri} -> {Path(folder).relative_to(self.models.parent)}")
        Path(folder).mkdir(exist_ok=True)
        self.stored(Path(folder))

    def run(self, *arguments: str, sha256: str = SHA256, limit: int = 1000) -> int:
        into = ("--into", str(self.models), "--name", self.name, "--limit", str(limit))
        pins = ("--sha256", sha256, "--termination-log", str(self.said))
        return program.main(["--uri", URI, *into, *pins, *arguments])


@pytest.fixture(name="pod")
def _pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    pod = Pod(tmp_path)
    library: Any = ModuleType("kserve_storage")
    library.Storage = SimpleNamespace(download=pod.download)
    monkeypatch.setitem(sys.modules, "kserve_storage", library)
    monkeypatch.setattr("slipway_storage.bringing.time.sleep", pod.paused.append)
    return pod


def failing(error: Exception, times: int = 100) -> Callable[[Pod, Path], None]:
    """Return what fails so many times, and then puts the model there."""
    left = [error] * times

    def stored(pod: Pod, folder: Path) -> None:
        if left:
            raise left.pop()
        pod.put(folder)

    return stored


def fail(pod: Pod, error: Exception, times: int = 100) -> None:
    stored = failing(error, times)
    pod.stored = lambda folder: stored(pod, folder)


def test_a_file_is_where_the_server_looks_for_it(pod: Pod) -> None:
    assert pod.run() == 0
    assert pod.attempts == [f"{URI} -> models"]
    assert (pod.models / "digits.onnx").read_bytes() == CONTENT
    assert not pod.said.exists()


def test_a_folder_is_below_its_name_without_the_notes_of_its_client(pod: Pod) -> None:
    pod.name = "minilm"

    def stored(folder: Path) -> None:
        (folder / ".cache" / "huggingface").mkdir(parents=True)
        (folder / ".cache" / "huggingface" / "model.onnx.metadata").write_text("etag")
        (folder / "model.onnx").write_bytes(CONTENT)
        (folder / "tokenizer.json").write_bytes(b"{}")

    pod.stored = stored
    assert pod.run("--folder", sha256="") == 0
    assert pod.attempts == [f"{URI} -> models/minilm"]
    found = digests.of(pod.models / "minilm")
    assert digests_in_pod.of(pod.models / "minilm") == found
    assert pod.run("--folder", sha256=found) == 0
    assert sorted(path.name for path in digests.files(pod.models / "minilm")) == [
        "model.onnx",
        "tokenizer.json",
    ]


def test_the_step_and_the_project_compute_the_same_digest(tmp_path: Path) -> None:
    for name in ("b", "a/é", "a.b", "Z", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "empty").touch()
    assert digests_in_pod.of(tmp_path) == digests.of(tmp_path)
    assert digests_in_pod.of(tmp_path / "b") == digests.of(tmp_path / "b")


def test_another_content_than_the_pinned_one_fails_with_both_digests(pod: Pod) -> None:
    assert pod.run(sha256="0" * 64) == 1
    assert pod.said.read_text() == (
        f"{URI}: checksum mismatch, its SHA-256 is {SHA256} and not {'0' * 64}; correct `sha256`, "
        "or put the right model there\n"
    )
    assert len(pod.attempts) == 1


class ClientError(Exception):
    """As botocore's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"An error occurred ({status}) when calling HeadBucket")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


class AzureError(Exception):
    """As `azure.core`'s, and Google's with `code`."""

    def __init__(self, **status: int) -> None:
        super().__init__("The server says no")
        self.__dict__.update(status)


def caused(said: str, cause: Exception) -> Exception:
    error = RuntimeError(said)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("Failed to fetch model. No model found in digits.onnx."), "not found"),
        (caused("S3 error [404]: Not Found", ClientError(404)), "not found"),
        (caused("GCS resource", AzureError(code=404)), "not found"),
        (RuntimeError(f"HTTP resource not found at '{URI}'."), "not found"),
        (caused("S3 error [403]: Forbidden", ClientError(403)), "forbidden (S3 error [403]"),
        (caused("Azure error", AzureError(status_code=403)), "forbidden (Azure error)"),
        (RuntimeError("S3 authentication failed. Set AWS_ACCESS_KEY_ID."), "forbidden (S3 auth"),
        (RuntimeError("Failed to download 1 files: digits.onnx: (403) no"), "forbidden ("),
        (RuntimeError("GCS error: ('invalid_grant: Invalid JWT Signature.')"), "forbidden (GCS"),
        (caused("Azure error: Incorrect padding", binascii.Error()), "forbidden (Azure error"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space"),
        (RuntimeError("Failed to download 1 files: x: [Errno 28] No space left"), "no space"),
    ],
)
def test_what_another_attempt_does_not_mend_fails_at_once_with_a_way_out(
    pod: Pod, error: Exception, words: str
) -> None:
    fail(pod, error)
    assert pod.run() == 1
    (said,) = pod.said.read_text().splitlines()
    assert said.startswith(f"{URI}: {words}")
    assert "; " in said
    assert len(pod.attempts) == 1


def test_only_something_with_the_beginning_of_its_name_is_not_the_model(pod: Pod) -> None:
    def stored(folder: Path) -> None:
        (folder / "digits.onnx.bak").write_bytes(CONTENT)

    pod.stored = stored
    assert pod.run(sha256="") == 1
    assert pod.said.read_text().startswith(f"{URI}: not found")


def test_trouble_that_passes_costs_attempts_with_longer_and_longer_pauses(pod: Pod) -> None:
    fail(pod, RuntimeError("Failed to connect to S3 endpoint 'models'."), times=4)
    assert pod.run() == 0
    assert pod.paused == [1, 2, 4, 8]


def test_trouble_that_stays_ends_after_a_few_attempts_with_what_was_said(pod: Pod) -> None:
    fail(pod, RuntimeError("S3 error [503]:\nSlow Down"))
    assert pod.run() == 1
    assert pod.said.read_text() == (
        f"{URI}: cannot be read after 5 attempts: S3 error [503]: Slow Down\n"
    )
    assert len(pod.attempts) == bringing.ATTEMPTS


def test_an_attempt_begins_with_an_empty_volume(pod: Pod) -> None:
    (pod.models / "left").mkdir()
    (pod.models / "left" / "part").touch()
    (pod.models / "digits.onnx.part").touch()
    assert pod.run() == 0
    assert [path.name for path in pod.models.iterdir()] == ["digits.onnx"]


def test_a_model_that_is_larger_than_its_room_fails_with_the_setting(pod: Pod) -> None:
    assert pod.run(limit=len(CONTENT) - 1) == 1
    assert "no space, it needs more than 0 MiB; raise `resources.storage`" in pod.said.read_text()


def test_a_download_that_outgrows_its_room_is_ended_while_it_runs(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(bringing, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr("os._exit", lambda code: ended.set())

    def endless(folder: Path) -> None:
        pod.put(folder)
        assert ended.wait(10)

    pod.stored = endless
    pod.run(limit=1)
    assert pod.said.read_text().startswith(f"{URI}: no space")


def test_googles_key_is_given_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", '{"type": "service_account"}')
    program._write_google_key(tmp_path / "key.json")
    assert os.environ["GOOGLE_APPLICATION_CREDENTIALS"] == str(tmp_path / "key.json")
    assert (tmp_path / "key.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "key.json").read_text() == '{"type": "service_account"}'


def test_a_folder_that_goes_while_it_is_looked_at_does_not_end_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "model").write_bytes(CONTENT)
    scandir = os.scandir

    def gone(path: str) -> object:
        if Path(path).name == "notes":
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", gone)
    assert bringing._size(tmp_path) == len(CONTENT)
