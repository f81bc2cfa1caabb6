"""Credentials of a kubeconfig, against a server that asks for them."""

import base64
import datetime
import ipaddress
import json
import ssl
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from toolchain.kubernetes_plugin.cluster import Cluster
from toolchain.kubernetes_plugin.errors import UnreachableError
from toolchain.kubernetes_plugin.kubeconfig import KubeconfigError


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def identity(name: str, issuer: Identity | None = None) -> Identity:
    """Return a certificate for the loopback address, signed by the issuer or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Identity(signed, key)


class _Version(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"gitVersion": "v1.37.2"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def authority() -> Identity:
    return identity("authority")


@pytest.fixture
def server(authority: Identity, tmp_path: Path) -> Iterator[str]:
    """A server that wants a client certificate of the authority."""
    own = identity("server", authority)
    (tmp_path / "server.pem").write_bytes(own.certificate_pem + own.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(cadata=authority.certificate_pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Version)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield f"https://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def kubeconfig(url: str, cluster: dict[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "u", "user": user}],
    }


def inline(client: Identity) -> dict[str, str]:
    return {
        "client-certificate-data": encoded(client.certificate_pem),
        "client-key-data": encoded(client.key_pem),
    }


def test_inline_certificates_are_used_and_leave_no_file(
    server: str, authority: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    trusted = {"certificate-authority-data": encoded(authority.certificate_pem)}
    config = kubeconfig(server, trusted, inline(identity("client", authority)))
    first, second = Cluster(config), Cluster(config)
    assert list(folder.iterdir()) == []
    assert first.version() == second.version() == "v1.37.2"


def test_a_server_that_another_authority_signed_is_not_trusted(
    server: str, authority: Identity
) -> None:
    other = {"certificate-authority-data": encoded(identity("other").certificate_pem)}
    config = kubeconfig(server, other, inline(identity("client", authority)))
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        Cluster(config).version()


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_verification_is_left_out_only_where_the_kubeconfig_says_so(
    server: str, authority: Identity
) -> None:
    client = inline(identity("client", authority))
    unchecked = kubeconfig(server, {"insecure-skip-tls-verify": True}, client)
    assert Cluster(unchecked).version() == "v1.37.2"
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        Cluster(kubeconfig(server, {}, client)).version()


def test_a_key_that_does_not_fit_gives_one_clear_line(server: str, authority: Identity) -> None:
    mixed = {**inline(identity("client", authority)), "client-key-data": encoded(b"no key")}
    with pytest.raises(KubeconfigError, match="certificates that cannot be used") as caught:
        Cluster(kubeconfig(server, {"insecure-skip-tls-verify": True}, mixed))
    assert "\n" not in str(caught.value)
