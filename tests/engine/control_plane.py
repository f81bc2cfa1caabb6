"""A Kubernetes control plane without nodes: etcd, API server and controllers on loopback ports.

They are what the local cluster runs in one program, here in a process each.

It is real in everything that needs no pods: validation, field ownership, owner references,
namespaces, custom resource definitions. Pods stay pending.
"""

import base64
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.ports import free_port
from toolchain import programs

_TOKEN = "token-of-the-tests"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass
class ControlPlane:
    """A running control plane.

    Attributes:
        folder: Its data and logs.
        url: Address of the API server.
        kubeconfig: Kubeconfig of an administrator.
    """

    folder: Path
    url: str = ""
    kubeconfig: str = ""
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start it and wait until the API server is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        etcd, port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{port}"
        key = self._service_account_key()
        (self.folder / "tokens.csv").write_text(f'{_TOKEN},tests,tests,"system:masters"\n')
        client = f"http://127.0.0.1:{etcd}"
        settings = {
            "data-dir": str(self.folder / "etcd"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": f"http://127.0.0.1:{free_port()}",
            "unsafe-no-fsync": True,
        }
        (self.folder / "etcd.yaml").write_text(yaml.safe_dump(settings))
        self._spawn("etcd", {"config-file": str(self.folder / "etcd.yaml")})
        self._spawn(
            "kube-apiserver",
            {
                "etcd-servers": client,
                "bind-address": "127.0.0.1",
                "secure-port": str(port),
                "cert-dir": str(self.folder / "certificates"),
                "token-auth-file": str(self.folder / "tokens.csv"),
                "authorization-mode": "RBAC",
                "service-account-issuer": self.url,
                "service-account-key-file": str(key),
                "service-account-signing-key-file": str(key),
                # Room for the Services of 500 models and more.
                "service-cluster-ip-range": "10.0.0.0/20",
            },
        )
        self._await_ready()
        authority = (self.folder / "certificates" / "apiserver.crt").read_text()
        self.kubeconfig = _kubeconfig(self.url, authority)
        (self.folder / "kubeconfig").write_text(self.kubeconfig)
        self._spawn(
            "kube-controller-manager",
            {
                "kubeconfig": str(self.folder / "kubeconfig"),
                "leader-elect": "false",
                "secure-port": "0",
                "service-account-private-key-file": str(key),
            },
        )

    def stop(self) -> None:
        """End every process that was started, last one first; each has to when it is told."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait(_STOP_SECONDS)

    def _spawn(self, component: str, flags: Mapping[str, str]) -> None:
        command: Sequence[str] = [
            str(programs.path("kubernetes")),
            component,
            *(f"--{name}={value}" for name, value in flags.items()),
        ]
        with (self.folder / f"{component}.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        self._processes.append(process)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        request = urllib.request.Request(
            f"{self.url}/readyz", headers={"Authorization": f"Bearer {_TOKEN}"}
        )
        trusting = ssl._create_unverified_context()
        while time.monotonic() < deadline:
            ended = [process.args for process in self._processes if process.poll() is not None]
            assert not ended, f"ended while starting: {ended}; see the logs in {self.folder}"
            try:
                with urllib.request.urlopen(request, timeout=5, context=trusting):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise AssertionError(f"the API server is not ready; see the logs in {self.folder}")

    def _service_account_key(self) -> Path:
        path = self.folder / "service-account.key"
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return path


def _kubeconfig(url: str, authority: str) -> str:
    # The API server signs its own certificate, so that certificate is the authority.
    encoded = base64.b64encode(authority.encode()).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [
                {
                    "name": "tests",
                    "cluster": {"server": url, "certificate-authority-data": encoded},
                }
            ],
            "users": [{"name": "tests", "user": {"token": _TOKEN}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        }
    )
