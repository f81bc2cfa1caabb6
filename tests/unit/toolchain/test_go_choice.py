"""Each module is built by a Go that is new enough for it."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from toolchain import host, installation
from toolchain.sources import gotoolchain
from toolchain.sources.base import Session


def test_a_module_that_needs_a_newer_go_than_the_machines_gets_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, pinned = tmp_path / "go", tmp_path / "pinned"
    monkeypatch.setattr(host, "which", lambda name, without: own)
    monkeypatch.setattr(gotoolchain, "version_of", lambda go: (1, 26, 3))
    monkeypatch.setattr(installation, "obtain", lambda program, session: pinned)

    def chosen(line: str) -> Path:
        go_mod = tmp_path / "go.mod"
        go_mod.write_text(f"module example.com/pin\n\n{line}\n")
        return gotoolchain.command(go_mod, session)

    with ExitStack() as stack:
        session = Session(lambda line: None, stack)
        assert chosen("go 1.26.0") == own
        assert chosen("go 1.26.4") == pinned / "bin/go"
