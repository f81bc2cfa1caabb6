"""What the digest of a model is."""

import hashlib
import subprocess
from pathlib import Path

from infra import digests


def test_a_file_has_the_digest_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"weights")
    assert digests.of(tmp_path / "model") == hashlib.sha256(b"weights").hexdigest()


def folder(path: Path) -> Path:
    for name, content in {
        "model.onnx": b"weights",
        "Zoo.txt": b"z",
        "a/b c.json": b"{}",
        "a.b": b"dot",
        ".hidden": b"h",
        "é": b"e",
        "empty": b"",
    }.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def test_a_folder_has_the_digest_that_the_documented_line_of_shell_prints(tmp_path: Path) -> None:
    found = digests.of(folder(tmp_path))
    (line,) = [line for line in (digests.of.__doc__ or "").splitlines() if "find ." in line]
    done = subprocess.run(
        ["sh", "-c", line.strip()], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [found, "-"]


def test_the_digest_of_a_folder_tells_names_and_contents_and_not_empty_files(
    tmp_path: Path,
) -> None:
    found = digests.of(folder(tmp_path))
    (tmp_path / "empty").unlink()
    assert digests.of(tmp_path) == found
    (tmp_path / "a.b").rename(tmp_path / "a.c")
    renamed = digests.of(tmp_path)
    (tmp_path / "a.c").write_bytes(b"dog")
    assert len({found, renamed, digests.of(tmp_path)}) == 3
