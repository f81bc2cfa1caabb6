"""A file of the model store goes with the last resource that uses it."""

from pathlib import Path

from toolchain.machine_plugin import claims

FIRST, SECOND = "urn:pulumi:s::p::t::first", "urn:pulumi:s::p::t::second"


def test_the_last_user_frees_the_file(tmp_path: Path) -> None:
    file = tmp_path / "digest" / "model.onnx"
    claims.claim(tmp_path, file, FIRST)
    claims.claim(tmp_path, file, SECOND)

    assert not claims.release(tmp_path, file, FIRST)
    assert claims.release(tmp_path, file, SECOND)


def test_claiming_twice_is_claiming_once(tmp_path: Path) -> None:
    file = tmp_path / "digest" / "model.onnx"
    claims.claim(tmp_path, file, FIRST)
    claims.claim(tmp_path, file, FIRST)

    assert claims.release(tmp_path, file, FIRST)


def test_two_files_of_one_digest_have_users_of_their_own(tmp_path: Path) -> None:
    claims.claim(tmp_path, tmp_path / "digest" / "a.onnx", FIRST)
    claims.claim(tmp_path, tmp_path / "digest" / "b.onnx", SECOND)

    assert claims.release(tmp_path, tmp_path / "digest" / "a.onnx", FIRST)


def test_releasing_what_nobody_claimed_frees_it(tmp_path: Path) -> None:
    assert claims.release(tmp_path, tmp_path / "digest" / "a.onnx", FIRST)
