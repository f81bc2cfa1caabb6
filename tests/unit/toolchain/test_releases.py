"""An official release is installed only if it is what its publisher names."""

import hashlib
import io
import socket
import tarfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.toolchain.publisher import Publisher
from toolchain import download, installation
from toolchain.errors import ChecksumError, ToolchainError
from toolchain.sources.base import How, Probe, Program, Session, Source
from toolchain.sources.release import Release, ReleaseFile, checksum_of

SCRIPT = b"#!/bin/sh\necho tool v1.2.3\n" + b"#" * 4000
DIGEST = hashlib.sha256(SCRIPT).hexdigest()


class Elsewhere:
    """A second source, which always has the program."""

    how: How = "build"

    def unavailable(self, program: Program) -> str | None:
        return None

    def install(self, program: Program, into: Path, session: Session) -> str:
        (into / "tool").write_bytes(SCRIPT)
        (into / "tool").chmod(0o755)
        return "from elsewhere"


def tool(*sources: Source) -> Program:
    return Program("tool", "1.2.3", ("tool",), Probe((), "v1.2.3"), sources)


def release(url: str) -> Release:
    file = ReleaseFile(f"{url}/v{{version}}/tool", f"{url}/v{{version}}/tool.sha256", binary="tool")
    return Release((file,))


def obtain(program: Program, lines: list[str]) -> Path:
    with ExitStack() as stack:
        return installation.obtain(program, Session(lines.append, stack))


@pytest.fixture
def published(publisher: Publisher) -> Publisher:
    publisher.files["/v1.2.3/tool"] = SCRIPT
    publisher.files["/v1.2.3/tool.sha256"] = f"{DIGEST}  tool\n".encode()
    return publisher


def test_a_release_is_installed_and_runs(published: Publisher, lines: list[str]) -> None:
    folder = obtain(tool(release(published.url)), lines)
    assert (folder / "tool").read_bytes() == SCRIPT
    assert any("downloading" in line for line in lines)


def test_a_second_run_asks_nobody(published: Publisher, lines: list[str]) -> None:
    obtain(tool(release(published.url)), lines)
    published.requests.clear()
    obtain(tool(release(published.url)), lines)
    assert published.requests == []


def test_a_damaged_cache_is_filled_again(published: Publisher, lines: list[str]) -> None:
    folder = obtain(tool(release(published.url)), lines)
    (folder / "tool").write_bytes(b"")
    assert (obtain(tool(release(published.url)), lines) / "tool").read_bytes() == SCRIPT


def test_a_wrong_checksum_stops_everything(published: Publisher, lines: list[str]) -> None:
    published.files["/v1.2.3/tool.sha256"] = b"0" * 64 + b"  tool\n"
    program = tool(release(published.url), Elsewhere())
    with pytest.raises(ChecksumError, match=f"{DIGEST}.*{'0' * 64}"):
        obtain(program, lines)
    assert installation.installed(program) is None


def test_a_missing_release_falls_through_with_one_line(
    published: Publisher, lines: list[str]
) -> None:
    del published.files["/v1.2.3/tool.sha256"]
    obtain(tool(release(published.url), Elsewhere()), lines)
    assert [line for line in lines if "404" in line] == [
        f"tool 1.2.3: not from its release source: "
        f"{published.url}/v1.2.3/tool.sha256 answers 404 Not Found"
    ]


def test_a_checksum_file_that_names_other_files_falls_through(
    published: Publisher, lines: list[str]
) -> None:
    published.files["/v1.2.3/tool.sha256"] = f"{DIGEST}  other\n".encode()
    obtain(tool(release(published.url), Elsewhere()), lines)
    assert any("does not name tool" in line for line in lines)


def test_a_publisher_that_refuses_connections_is_asked_once(lines: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    obtain(tool(release(url), Elsewhere()), lines)
    assert any("does not answer: Connection refused" in line for line in lines)
    assert download.Unreachable().reason(f"127.0.0.1:{port}") is not None


def test_a_silent_publisher_is_given_up_after_a_few_seconds(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "CONNECT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        obtain(tool(release(f"http://127.0.0.1:{silent.getsockname()[1]}"), Elsewhere()), lines)
    assert any("timed out" in line for line in lines)


def test_a_host_is_asked_again_once_the_memory_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = download.Unreachable()
    memory.add("host", "does not answer")
    assert memory.reason("host") == "does not answer"
    later = time.time() + download.REMEMBERED_SECONDS + 1
    monkeypatch.setattr("time.time", lambda: later)
    assert memory.reason("host") is None


def test_a_transfer_that_breaks_off_falls_through_and_is_continued_by_the_next_run(
    published: Publisher, lines: list[str]
) -> None:
    published.break_after = 1000
    with pytest.raises(ToolchainError, match="the next run continues"):
        obtain(tool(release(published.url)), lines)
    published.break_after = None
    published.requests.clear()
    obtain(tool(release(published.url)), lines)
    assert ("/v1.2.3/tool", "bytes=1000-") in published.requests


def test_a_publisher_without_ranges_sends_the_whole_file_again(
    published: Publisher, lines: list[str]
) -> None:
    published.break_after = 1000
    with pytest.raises(ToolchainError):
        obtain(tool(release(published.url)), lines)
    published.break_after, published.ranges = None, False
    assert (obtain(tool(release(published.url)), lines) / "tool").read_bytes() == SCRIPT


@pytest.mark.parametrize("left", [b"garbage", SCRIPT + b"more"])
def test_a_damaged_beginning_is_fetched_anew(
    published: Publisher, lines: list[str], cache_folder: Path, left: bytes
) -> None:
    (cache_folder / "downloads").mkdir(parents=True)
    (cache_folder / "downloads" / f"{DIGEST}.part").write_bytes(left)
    assert (obtain(tool(release(published.url)), lines) / "tool").read_bytes() == SCRIPT


def test_an_archive_gives_the_binaries_of_its_folder(
    publisher: Publisher, lines: list[str]
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in (("tool-1.2.3/tool", SCRIPT), ("tool-1.2.3/LICENSE", b"free")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    archive = packed.getvalue()
    publisher.files["/tool.tgz"] = archive
    listing = f"{'0' * 64}  other.tgz\n{hashlib.sha256(archive).hexdigest()} *tool.tgz\n"
    publisher.files["/SHA256SUMS"] = listing.encode()
    url = publisher.url
    source = Release((ReleaseFile(f"{url}/tool.tgz", f"{url}/SHA256SUMS", folder="tool-1.2.3/"),))
    folder = obtain(tool(source), lines)
    assert sorted(path.name for path in folder.iterdir()) == [".slipway.json", "tool"]


def test_a_release_that_does_not_run_as_the_pinned_version_is_not_kept(
    published: Publisher, lines: list[str]
) -> None:
    program = Program("tool", "1.2.3", ("tool",), Probe((), "v1.2.30"), (release(published.url),))
    with pytest.raises(ToolchainError, match=r"does not run here as version 1\.2\.3"):
        obtain(program, lines)
    assert installation.installed(program) is None


def test_the_error_of_a_program_that_nobody_has_names_every_source(
    publisher: Publisher, lines: list[str]
) -> None:
    with pytest.raises(ToolchainError, match=r"tool 1\.2\.3 cannot be had .*release: .*404"):
        obtain(tool(release(publisher.url)), lines)


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        (DIGEST, DIGEST),
        (f"{DIGEST}\n", DIGEST),
        (DIGEST.upper(), DIGEST),
        (f"{DIGEST}  tool", DIGEST),
        (f"{DIGEST} *tool", DIGEST),
        (f"{DIGEST}  ./dist/tool", DIGEST),
        (f"{DIGEST}  tool2", None),
        ("", None),
        ("<html>not found</html>", None),
        ("0" * 40 + "  tool", None),
    ],
)
def test_checksum_files_of_every_form_are_read(listing: str, expected: str | None) -> None:
    assert checksum_of("tool", listing) == expected
