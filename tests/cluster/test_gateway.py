"""The gateway on real pods: encryption, names, limits, logs, rights, and its load balancer."""

import base64
import http.client
import json
import secrets
import socket
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import tritonclient.http as triton_http

from apps.serving.holdout import Holdout
from tests.cluster import outside
from tests.cluster.checkout import Checkout
from tests.running import Run
from tests.waiting import until

pytestmark = pytest.mark.cluster

MODEL = "/vision/digits/v2/models/digits"
LOCAL_NAME = "localhost"
MAX_BODY = 64 * 1024
TIMEOUT_SECONDS = 2
HOST = "digits.example.com"


@contextmanager
def connection(
    checkout: Checkout, address: tuple[str, int] | None = None, name: str = "127.0.0.1"
) -> Iterator[ssl.SSLSocket]:
    """Connect to the gateway, and verify that it has a name."""
    parts = urlsplit(checkout.endpoint)
    where = address or (str(parts.hostname), parts.port or 443)
    with (
        socket.create_connection(where, 10) as plain,
        checkout.gateway().context().wrap_socket(plain, server_hostname=name) as encrypted,
    ):
        yield encrypted


def answer(
    checkout: Checkout,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    chunked: bool = False,
) -> tuple[int, bytes]:
    """Return the status and the content of the gateway's answer to a request."""
    parts = urlsplit(checkout.endpoint)
    asking = http.client.HTTPSConnection(
        str(parts.hostname), parts.port, timeout=30, context=checkout.gateway().context()
    )
    try:
        asking.request(
            "POST" if body is not None else "GET",
            path,
            iter([body]) if chunked and body is not None else body,
            headers or {},
            encode_chunked=chunked,
        )
        got = asking.getresponse()
        return got.status, got.read()
    finally:
        asking.close()


def certificate(checkout: Checkout) -> bytes:
    """Return the certificate that the gateway shows, as DER; nothing without a valid one."""
    try:
        with connection(checkout) as encrypted:
            return encrypted.getpeercert(binary_form=True) or b""
    except (OSError, ssl.SSLError):
        return b""


def secret(checkout: Checkout, namespace: str, name: str, key: str) -> bytes:
    """Return a value of a Secret."""
    found = checkout.kubectl("get", "secret", name, f"--namespace={namespace}", "--output=json")
    return base64.b64decode(json.loads(found.text)["data"][key])


def test_plain_http_leads_to_the_same_url_over_https(checkout: Checkout, served: Run) -> None:
    asking = http.client.HTTPConnection("127.0.0.1", checkout.http_port, timeout=10)
    asking.request("GET", f"{MODEL}?a=b")
    got = asking.getresponse()
    assert got.status == 301
    assert got.headers["Location"] == f"{checkout.endpoint}{MODEL}?a=b"
    asking.close()


def test_curl_trusts_the_gateway_with_the_stacks_output_and_not_without(
    checkout: Checkout, served: Run, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(checkout.pulumi("stack", "output", "ca").text)
    url = f"{checkout.endpoint}{MODEL}/ready"
    for options, code in ((["--cacert", str(ca_file)], 0), ([], 60)):
        asked = subprocess.run(["curl", "-sS", "--fail", *options, url], check=False)
        # 60: the certificate cannot be verified.
        assert asked.returncode == code


def test_tritons_client_infers_in_binary_through_the_gateway(
    checkout: Checkout, served: Run, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(checkout.gateway().ca or "")
    holdout = Holdout.read(checkout.folder / "examples/digits/build/holdout.json")
    rows = np.array(holdout.rows, np.float32)
    tensor = triton_http.InferInput("X", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows, binary_data=True)
    url = f"{checkout.endpoint.removeprefix('https://')}/vision/digits"
    with triton_http.InferenceServerClient(
        url, ssl=True, ssl_options={"ca_certs": str(ca_file)}
    ) as client:
        assert client.is_model_ready("digits")
        result = client.infer("digits", [tensor])
    assert result.as_numpy("label").tolist() == holdout.expected


def test_the_certificate_is_for_the_names_of_the_gateway_alone(
    checkout: Checkout, served: Run
) -> None:
    for name in ("127.0.0.1", LOCAL_NAME):
        with connection(checkout, name=name):
            pass
    with pytest.raises(ssl.SSLCertVerificationError), connection(checkout, name="other.example"):
        pass


def test_the_address_of_the_load_balancer_answers_with_the_certificate(
    checkout: Checkout, served: Run
) -> None:
    """From the machine, through the link between it and the node."""
    found = checkout.kubectl(
        "get", "service", "traefik", "--namespace=slipway-system", "--output=json"
    )
    (given,) = json.loads(found.text)["status"]["loadBalancer"]["ingress"]
    with connection(checkout, (given["ip"], checkout.https_port), LOCAL_NAME) as encrypted:
        head = f"GET {MODEL}/ready HTTP/1.1\r\nHost: {LOCAL_NAME}\r\nConnection: close\r\n\r\n"
        encrypted.sendall(head.encode())
        assert encrypted.recv(64).startswith(b"HTTP/1.1 200 ")
    gateway = checkout.kubectl(
        "get", "gateway", "slipway", "--namespace=slipway-system", "--output=json"
    )
    assert json.loads(gateway.text)["status"]["addresses"][0]["value"] == given["ip"]


def test_no_private_key_of_a_certificate_is_in_the_state_or_an_output(
    checkout: Checkout, served: Run
) -> None:
    known = checkout.pulumi("stack", "export", "--show-secrets").text
    known += checkout.pulumi("stack", "output", "--json", "--show-secrets").text
    for namespace, name in (
        ("cert-manager", "slipway-ca"),
        ("slipway-system", "slipway-gateway-tls"),
    ):
        key = secret(checkout, namespace, name, "tls.key")
        for line in [base64.b64encode(key).decode(), *key.decode().splitlines()[1:-1]]:
            assert line not in known, name


def test_the_log_has_every_request_and_no_credential(checkout: Checkout, served: Run) -> None:
    token = uuid.uuid4().hex
    # By its size the request is known in the log, which has nothing else of it.
    body = b"x" * (10_000 + secrets.randbelow(10_000))
    headers = {"Authorization": f"Bearer {token}", "Cookie": token, "User-Agent": token}
    assert answer(checkout, f"{MODEL}/infer?token={token}", body, headers)[0] == 400

    def log() -> str:
        return checkout.kubectl(
            "logs", "deployment/traefik", "--namespace=slipway-system", "--since=10m"
        ).text

    def logged() -> list[dict[str, Any]]:
        parsed = [json.loads(line) for line in log().splitlines() if line.startswith("{")]
        return [line for line in parsed if line.get("RequestContentSize") == len(body)]

    until(logged, "the line of the request")
    (line,) = logged()
    assert line["DownstreamStatus"] == 400
    assert "vision-digits" in line["RouterName"]
    assert token not in log()


def test_traefik_reads_secrets_where_it_needs_them_and_nowhere_else(
    checkout: Checkout, served: Run
) -> None:
    def may_read(*where: str) -> bool:
        asked = checkout.kubectl(
            "auth",
            "can-i",
            "list",
            "secrets",
            "--as=system:serviceaccount:slipway-system:traefik",
            *where,
            expect=None,
        )
        return asked.text.split()[0] == "yes"

    assert may_read("--namespace=slipway-system")
    for namespace in ("cert-manager", "metallb-system", "kube-system", "default"):
        assert not may_read(f"--namespace={namespace}"), namespace
    assert not may_read("--all-namespaces")


def test_a_certificate_that_is_lost_is_issued_and_served_again(
    checkout: Checkout, served: Run
) -> None:
    before = certificate(checkout)
    assert before
    checkout.kubectl("delete", "secret", "slipway-gateway-tls", "--namespace=slipway-system")
    until(lambda: certificate(checkout) not in (before, b""), "another certificate")


@pytest.fixture(name="limited", scope="module")
def _limited(checkout: Checkout, served: Run) -> Iterator[Run]:
    """The stack with two gateway pods, narrow limits, and a host name for its model."""
    gateway = {"replicas": 2, "maxBody": "64Ki", "timeoutSeconds": TIMEOUT_SECONDS}
    changes = {"platform": {"gateway": gateway}, "models": {"digits": {"host": HOST}}}
    with checkout.changed(changes):
        run = checkout.slipway("up")
        # Each connection goes to either pod, and each pod takes up the changed route by itself.
        until(lambda: {answer(checkout, MODEL)[0] for _ in range(10)} == {404}, "the route")
        yield run
    checkout.slipway("up")


def test_a_model_answers_at_its_own_host_name_with_a_certificate_for_it(
    checkout: Checkout, limited: Run
) -> None:
    url = checkout.outputs()["models"]["digits"]["url"]
    assert url == f"https://{HOST}:{urlsplit(checkout.endpoint).port}/v2/models/digits"
    assert "450 of 450" in limited.text
    assert f"--connect-to {HOST}:" in limited.text
    assert answer(checkout, MODEL)[0] == 404


def test_of_two_gateway_pods_one_may_go_at_a_time(checkout: Checkout, limited: Run) -> None:
    def allowed(*where: str) -> int:
        found = checkout.kubectl("get", "poddisruptionbudget", *where, "--output=json")
        return int(json.loads(found.text)["status"]["disruptionsAllowed"])

    until(lambda: allowed("traefik", "--namespace=slipway-system") == 1, "one to spare")
    until(lambda: allowed("cert-manager-webhook", "--namespace=cert-manager") == 1, "one to spare")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused(
    checkout: Checkout, limited: Run, chunked: bool
) -> None:
    path, host = "/v2/models/digits/infer", {"Host": HOST}
    assert answer(checkout, path, b"x" * MAX_BODY, host, chunked)[0] == 400
    assert answer(checkout, path, b"x" * (MAX_BODY + 1), host, chunked)[0] == 413


@contextmanager
def silent_server(address: str) -> Iterator[int]:
    """Listen at an address of the machine, take connections, and never answer."""
    with socket.create_server((address, 0)) as listening:
        taken: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    taken.append(listening.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in taken:
                one.close()


def test_a_model_that_does_not_answer_in_time_is_given_up(
    checkout: Checkout, limited: Run, tmp_path: Path
) -> None:
    machine = outside.address(checkout)
    with silent_server(machine) as port, outside.model(checkout, "silent", port, tmp_path):

        def given_up() -> bool:
            started = time.monotonic()
            status, _ = answer(checkout, "/silent")
            if status == 404:
                # A pod of the gateway that has not taken up the route yet.
                return False
            assert status == 504
            assert time.monotonic() - started >= TIMEOUT_SECONDS
            return True

        until(given_up, "the route")
