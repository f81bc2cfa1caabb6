"""What the kubelet is told of the promoter of canaries."""

import urllib.error
import urllib.request

import pytest

from slipway_promoter.__main__ import Health, parse, serve


def test_the_promoter_is_healthy_once_it_has_looked_at_the_routes() -> None:
    health = Health()
    server = serve(health, 0)
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url, timeout=5)
        caught.value.close()
        assert caught.value.code == 503
        health.note()
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.status == 200
    finally:
        server.shutdown()
        server.server_close()


def test_the_command_line_names_every_namespace() -> None:
    others = ["--prometheus=http://p", "--sample-seconds=1", "--health-port=1"]
    assert parse(["--namespace=a", "--namespace=b", *others]).namespace == ["a", "b"]
