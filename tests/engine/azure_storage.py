"""Azure's Blob Storage for tests: its own emulator, with an account that has a key."""

import base64
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import waiting
from tests.ports import free_port
from toolchain import cache

ACCOUNT = "slipwaytests"
STORAGE = f"{ACCOUNT}.blob.core.windows.net"
_LOCK = Path(__file__).parent / "azurite"


class AzureStorage:
    """Azurite (https://github.com/Azure/Azurite), by the account's host name.

    Args:
        folder: Takes its log.
    """

    def __init__(self, folder: Path) -> None:
        self.key = base64.b64encode(os.urandom(64)).decode()
        port = free_port()
        self.hosts = {STORAGE: port}
        self._url = f"http://127.0.0.1:{port}"
        with (folder / "azurite.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("node", str(_packages() / "azurite/dist/src/blob/main.js")),
                    *("--blobHost", "127.0.0.1", "--blobPort", str(port)),
                    *("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"),
                ],
                env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.key}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            waiting.until_answers(self._process, self._url, patience=60.0)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait()


def _packages() -> Path:
    """Return the folder of the emulator's packages, which is made once."""
    if shutil.which("npm") is None:
        pytest.skip("Azure's emulator needs Node.js and npm")
    lock = (_LOCK / "package-lock.json").read_bytes()
    folder = cache.root() / "test-peers" / f"azurite-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.exists():
        made = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.copytree(_LOCK, made)
        what = ("--omit=dev", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund")
        subprocess.run(["npm", "ci", "--silent", *what], cwd=made, check=True)
        made.rename(folder)
    return folder / "node_modules"
