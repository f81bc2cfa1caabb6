import pytest

from tests.unit.toolchain.doctor.clis import Clis


@pytest.fixture
def clis(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Clis:
    """A PATH on which there is nothing but what a test puts there."""
    folder = tmp_path_factory.mktemp("clis")
    monkeypatch.setenv("PATH", str(folder))
    for name in ("AAD_LOGIN_METHOD", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    return Clis(folder)
