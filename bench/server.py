"""The model server by itself, as a process on a loopback port."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from apps.serving.holdout import Holdout
from bench import load
from examples.digits import train

SERVER = Path(__file__).parents[1] / "apps/serving/server"
REQUESTS = {"onnx": 20000, "sklearn": 1500}
CLIENTS = (1, 8)
_PORT = re.compile(r"listening on 127\.0\.0\.1:(\d+)")
_START_SECONDS = 60


def measure() -> list[dict[str, Any]]:
    """Measure the example in each format: start, memory, throughput, latency and CPU time."""
    train.main()
    holdout = Holdout.read(train.BUILD / "holdout.json")
    return [
        _measure(train.BUILD / file, model_format, holdout)
        for file, model_format in (("digits.onnx", "onnx"), ("digits.joblib", "sklearn"))
    ]


def _measure(path: Path, model_format: str, holdout: Holdout) -> dict[str, Any]:
    started = time.monotonic()
    with _running(path, model_format) as (process, url):
        ready = load.wait_answer(url, holdout, _START_SECONDS) - started
        count = REQUESTS[model_format]
        load.measure(url, holdout, clients=1, requests=count // 10)
        loads = [
            load.measure(url, holdout, clients=clients, requests=count, pid=process.pid)
            for clients in CLIENTS
        ]
        return {
            "format": model_format,
            "first_prediction_s": ready,
            "rss_mib": rss_mib(process.pid),
            "loads": loads,
        }


@contextmanager
def _running(path: Path, model_format: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    ports = ["--host", "127.0.0.1", "--port", "0", "--grpc-port", "0"]
    fixed = ["-m", "slipway_server", *ports, "--drain-seconds", "0"]
    model = ["--model-name", "digits", "--model-path", str(path), "--format", model_format]
    with subprocess.Popen(
        [sys.executable, *fixed, *model],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SERVER)},
    ) as process:
        try:
            assert process.stderr is not None
            log = list(_until_listening(process.stderr))
            found = _PORT.search(log[-1]) if log else None
            if found is None:
                raise RuntimeError(f"the server did not start: {''.join(log).strip()}")
            yield process, f"http://127.0.0.1:{found.group(1)}/v2/models/digits"
        finally:
            process.terminate()


def _until_listening(log: IO[str]) -> Iterator[str]:
    """Return the lines of a server's log up to the one that names its port."""
    for line in log:
        yield line
        if _PORT.search(line):
            return


def rss_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has ended")
