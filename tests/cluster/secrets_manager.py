"""AWS Secrets Manager for tests: `moto`, on the machine's end of a local cluster's link."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.cluster import peers
from tests.ports import free_port
from toolchain.local_cluster import state

REGION = "eu-central-1"
_LOCK = Path(__file__).parent / "peer" / "requirements.lock"
_START_SECONDS = 60.0


class SecretsManager:
    """A running server, which pods of one cluster and this machine reach.

    Args:
        cluster: Name of the cluster.
        folder: Takes its log.
    """

    def __init__(self, cluster: str, folder: Path) -> None:
        record = state.load(cluster)
        assert record is not None
        host = str(record.network.host_ip)
        self.url = f"http://{host}:{(port := free_port())}"
        with (folder / "secrets-manager.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "--host", host, "--port", str(port)],
                env={**os.environ, "PYTHONPATH": str(peers.libraries("moto", _LOCK))},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._await()
        except BaseException:
            self.stop()
            raise

    def put(self, name: str, value: str) -> None:
        """Set a secret, a new one or another value of it."""
        try:
            self._call("CreateSecret", {"Name": name, "SecretString": value})
        except urllib.error.HTTPError:
            self._call("PutSecretValue", {"SecretId": name, "SecretString": value})

    def require_keys(self, required: bool) -> None:
        """Say whether requests need a known key, which none here is; at first they do not."""
        body = b"0" if required else b"inf"
        self._post("/moto-api/reset-auth", body, {"Content-Type": "text/plain"})

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait()

    def _await(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            assert self._process.poll() is None, "the secrets manager ended; see its log"
            try:
                self._call("ListSecrets", {})
                return
            except urllib.error.URLError:
                assert time.monotonic() < deadline, "the secrets manager does not answer"
                time.sleep(0.1)

    def _call(self, operation: str, document: dict[str, Any]) -> None:
        credential = f"Credential=tests/20260101/{REGION}/secretsmanager/aws4_request"
        headers = {
            "X-Amz-Target": f"secretsmanager.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
        }
        self._post("/", json.dumps(document).encode(), headers)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        request = urllib.request.Request(f"{self.url}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
