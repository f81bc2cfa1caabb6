"""The model server by itself, as a process on a loopback port."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
            "rss_mib": _rss_mib(process.pid),
            "loads": loads,
        }


@contextmanager
def _running(path: Path, model_format: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    fixed = ["-m", "slipway_server", "--host", "127.0.0.1", "--port", "0", "--drain-seconds", "0"]
    model = ["--model-name", "digits", "--model-path", str(path), "--format", model_format]
    with subprocess.Popen(
        [sys.executable, *fixed, *model],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SERVER)},
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = _PORT.search(line)
            if found is None:
                raise RuntimeError(f"the server did not start: {line.strip()}")
            yield process, f"http://127.0.0.1:{found.group(1)}/v2/models/digits"
        finally:
            process.terminate()


def _rss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has ended")
