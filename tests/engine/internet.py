"""The internet as a client behind a proxy sees it, of which tests have a few hosts on loopback."""

import datetime
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PART = 1 << 16


class Internet:
    """A proxy (RFC 9110, `CONNECT`) that ends TLS itself, so that clients keep the real names.

    Args:
        folder: Takes its certificate.
        hosts: Port of the plain HTTP server on loopback, by host name; no other host is known.
    """

    def __init__(self, folder: Path, hosts: Mapping[str, int]) -> None:
        certificate = _self_signed(folder / "internet.pem", sorted(hosts))
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)

        class Proxy(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                host = _asked_for(self.request)
                if host not in hosts:
                    self.request.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                    return
                self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                with (
                    tls.wrap_socket(self.request, server_side=True) as client,
                    socket.create_connection(("127.0.0.1", hosts[host])) as server,
                ):
                    _pass_on(client, server)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.variables: Mapping[str, str] = {
            "HTTPS_PROXY": f"http://127.0.0.1:{self._server.server_address[1]}",
            "NO_PROXY": "",
            "REQUESTS_CA_BUNDLE": str(certificate),
            "SSL_CERT_FILE": str(certificate),
        }
        """What leads a client there."""

    def stop(self) -> None:
        """End the proxy."""
        self._server.shutdown()
        self._server.server_close()


def _asked_for(client: socket.socket) -> str:
    """Read a request for a tunnel, and return its host."""
    head = b""
    while b"\r\n\r\n" not in head and (part := client.recv(_PART)):
        head += part
    words = head.decode().split(" ", 2)
    return words[1].partition(":")[0] if words[0] == "CONNECT" else ""


def _pass_on(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Carry bytes both ways until either end has nothing more to say."""
    ends = {client: server, server: client}
    while True:
        # What TLS has decrypted already, no look at the connection shows.
        ready = [client] if client.pending() else select.select(list(ends), [], [])[0]
        for end in ready:
            part = end.recv(_PART)
            if not part:
                return
            ends[end].sendall(part)


def _self_signed(target: Path, hosts: list[str]) -> Path:
    """Write a key and its certificate for some hosts into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    target.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return target
