"""A store that speaks S3 for tests: `versitygw`, on the machine's end of a local cluster's link."""

import subprocess
from pathlib import Path

from tests import waiting
from tests.ports import free_port
from toolchain import programs
from toolchain.local_cluster import state

REGION = "eu-central-1"
ACCESS_KEY = "tests"


class ObjectStore:
    """A running server, which pods of one cluster and this machine reach.

    Args:
        cluster: Name of the cluster.
        folder: Takes the objects, each as a file of its bucket's folder, and the log.
        secret_key: Of the one account.
    """

    def __init__(self, cluster: str, folder: Path, secret_key: str) -> None:
        record = state.load(cluster)
        assert record is not None
        address = f"{record.network.host_ip}:{free_port()}"
        self.url = f"http://{address}"
        self._buckets = folder / "buckets"
        self._buckets.mkdir()
        account = ["--access", ACCESS_KEY, "--secret", secret_key, "--region", REGION]
        with (folder / "versitygw.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(programs.path("versitygw")),
                    *("--port", address, "--quiet", *account),
                    *("posix", "--nometa", str(self._buckets)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            waiting.until_answers(self._process, self.url, patience=30.0)
        except BaseException:
            self.stop()
            raise

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Store an object."""
        path = self._buckets / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait()
