from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.toolchain.publisher import Publisher, serving


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for each test, so that none touches the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SLIPWAY_CACHE", str(folder))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return folder


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with serving() as server:
        yield server


@pytest.fixture
def lines() -> list[str]:
    """Collects progress: pass `lines.append` as the report."""
    return []
