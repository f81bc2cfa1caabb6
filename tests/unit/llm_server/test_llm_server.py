"""What the LLM server asks of llama.cpp, and how it ends; a stand-in takes the library's place."""

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

IDLE = "llamacpp:requests_processing 0\nllamacpp:requests_deferred 0\n"
BUSY = "# HELP\nllamacpp:requests_processing 1\nllamacpp:requests_deferred 0\n"
WAITING = "llamacpp:requests_processing 0\nllamacpp:requests_deferred 2\n"


class _Library(ModuleType):
    """The parts of `xllamacpp` that the server uses."""

    @staticmethod
    def CommonParams() -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(model=SimpleNamespace(), cpuparams=SimpleNamespace())

    @staticmethod
    def Server(params: SimpleNamespace) -> None:  # noqa: N802
        raise RuntimeError("Failed to init server")


@pytest.fixture(name="server")
def _server(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(sys.modules, "xllamacpp", _Library("xllamacpp"))
    monkeypatch.delitem(sys.modules, "slipway_llm.__main__", raising=False)
    yield importlib.import_module("slipway_llm.__main__")
    sys.modules.pop("slipway_llm.__main__", None)


def test_each_request_has_its_whole_context_and_the_pod_its_threads(server: Any) -> None:
    arguments = ["--model-name=smol", "--model-path=/m.gguf", "--threads=4"]
    params = server.parameters(
        server.parse([*arguments, "--parallel=3", "--context=1000", "--port=9000"])
    )
    assert (params.n_parallel, params.n_ctx) == (3, 3000)
    assert (params.model_alias, params.model.path) == ({"smol"}, "/m.gguf")
    assert (params.cpuparams.n_threads, params.port) == (4, 9000)


def test_nobody_sees_what_others_ask_and_memory_stays_what_it_is(server: Any) -> None:
    params = server.parameters(server.parse(["--model-name=a", "--model-path=/m.gguf"]))
    assert params.endpoint_slots is False
    assert params.cache_ram_mib == 0


def test_the_end_waits_for_requests_in_flight_and_in_the_queue(server: Any) -> None:
    answers = iter([BUSY, WAITING, IDLE])
    server.drain(lambda: next(answers), patience=60)
    assert next(answers, None) is None


def test_the_end_does_not_wait_for_ever(server: Any) -> None:
    server.drain(lambda: BUSY, patience=0.0)


@pytest.mark.parametrize("there", [False, True])
def test_a_model_that_cannot_be_served_is_one_line_and_an_exit_code(
    there: bool, server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.gguf"
    if there:
        path.write_bytes(b"no model")
    server.signal = SimpleNamespace(
        pthread_sigmask=lambda *_: None, SIG_BLOCK=0, sigwait=lambda _: None
    )
    assert server.main(["--model-name=a", f"--model-path={path}"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
