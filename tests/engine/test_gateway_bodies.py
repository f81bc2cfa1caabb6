"""Bodies of unknown size at the real gateway, with the plug-in that it runs with."""

import http.client
import http.server
import os
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from infra.platform.gateway import traefik_config
from infra.settings import GatewaySettings
from tests.ports import free_port
from tests.waiting import until
from toolchain import programs

pytestmark = pytest.mark.engine

KIB: Final = 1024
SETTINGS: Final = GatewaySettings.model_validate({"maxBody": "512Ki", "timeoutSeconds": 30})
GRPC: Final = {"Content-Type": "application/grpc"}


class Model:
    """A server that counts what it gets, and the port of a gateway that leads to it."""

    def __init__(self) -> None:
        self.received = 0
        self.port = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model

    def do_POST(self) -> None:
        self.model.received = 0
        while size := int(self.rfile.readline() or b"0", 16):
            self.model.received += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    model = Model()
    handler = type("Handler", (_Handler,), {"model": model})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        model.port = free_port()
        process = _gateway(tmp_path_factory.mktemp("gateway"), model.port, server)
        try:
            until(lambda: answered(model, [b"x"], GRPC), "the gateway and its route")
            yield model
        finally:
            process.kill()
            process.wait()
            server.shutdown()


def _gateway(
    folder: Path, port: int, server: http.server.ThreadingHTTPServer
) -> subprocess.Popen[bytes]:
    """Start Traefik as its pods do, but for its ports and for where its routes come from."""
    plugin = folder / f"plugins-local{traefik_config.PLUGIN_FOLDER.removeprefix('/plugins-local')}"
    plugin.mkdir(parents=True)
    for name, content in traefik_config.plugin().items():
        (plugin / name).write_text(content)
    file = folder / traefik_config.FILE
    content = yaml.safe_load(traefik_config.file(SETTINGS, "localhost"))
    url = f"http://127.0.0.1:{server.server_port}"
    content["http"]["routers"] = {"model": {"rule": "PathPrefix(`/`)", "service": "model"}}
    content["http"]["services"] = {"model": {"loadBalancer": {"servers": [{"url": url}]}}}
    file.write_text(yaml.safe_dump(content))
    replaced = {
        f"--entrypoints.web.address=:{traefik_config.HTTP_PORT}": None,
        f"--entrypoints.websecure.address=:{traefik_config.HTTPS_PORT}": (
            f"--entrypoints.websecure.address=127.0.0.1:{port}"
        ),
        f"--entrypoints.traefik.address=:{traefik_config.HEALTH_PORT}": (
            "--entrypoints.traefik.address=127.0.0.1:0"
        ),
        f"--providers.file.filename={traefik_config.FOLDER}/{traefik_config.FILE}": (
            f"--providers.file.filename={file}"
        ),
    }
    arguments = traefik_config.arguments(SETTINGS, "slipway-system", [])
    assert set(replaced) <= set(arguments)
    kept = [
        replaced.get(argument, argument)
        for argument in arguments
        if not argument.startswith("--providers.kubernetesgateway")
    ]
    return subprocess.Popen(
        [str(programs.path("traefik")), *filter(None, kept)], cwd=folder, env=dict(os.environ)
    )


def answered(model: Model, parts: Iterable[bytes], headers: dict[str, str]) -> bool:
    """Send a body in parts without its size, and tell whether it was answered as all is well."""
    asking = http.client.HTTPConnection("127.0.0.1", model.port, timeout=30)
    try:
        asking.request("POST", "/", parts, headers, encode_chunked=True)
        return asking.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


def test_a_body_beyond_the_limit_reaches_no_model_though_it_says_that_it_is_grpc(
    model: Model,
) -> None:
    assert not answered(model, [b"x" * (100 * KIB)] * 20, GRPC)
    assert model.received <= SETTINGS.max_body_bytes


def test_messages_of_a_grpc_stream_arrive_before_its_end(model: Model) -> None:
    def messages() -> Iterator[bytes]:
        yield b"x" * (100 * KIB)
        until(lambda: model.received >= 64 * KIB, "the first message")
        yield b"x" * (100 * KIB)

    assert answered(model, messages(), GRPC)
    assert model.received == 200 * KIB
