"""What the gateway adds to a request: through it and straight to the pod, from the same place.

The clients run in the network of the gateway's own pod, which is let through to the models by every
policy. There a request through the gateway comes to the gateway's port, and one straight to the
pod takes the way that the gateway itself takes to it.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from apps.serving.client import Gateway
from apps.serving.holdout import Holdout
from bench import cluster, load, memory
from bench.figures import Round
from bench.load import Bounds, Task
from infra.platform.gateway.traefik_config import HTTPS_PORT
from toolchain import programs

CLIENTS: Final = (1, 8)
_BOUNDS: Final = Bounds(requests=20000, seconds=5)
_ROOT: Final = Path(__file__).parents[1]
_GATEWAY: Final = "traefik"
_LIMIT_SECONDS: Final = 120


def measure(pod: Mapping[str, Any], path: str, holdout: Path, gateway: Gateway) -> Round:
    """Measure a model in three ways.

    Args:
        pod: The model's pod, as the API shows it.
        path: Path of its URL at the gateway, which ends in that of its server.
        holdout: File of the rows that are sent.
        gateway: How the gateway is reached from this machine, and how it is known.

    Returns:
        By way the load by number of clients: `pod`, `gateway`, and `loopback`, which is through
        the gateway from this machine, by the port that leads into the cluster.
    """
    port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
    own_path = path[path.index("/v2/") :]
    straight = f"http://{pod['status']['podIP']}:{port}{own_path}"
    through = f"https://127.0.0.1:{HTTPS_PORT}{path}"
    rows = Holdout.read(holdout)

    def inside(url: str, clients: int, ca: str | None = None) -> Round:
        return _inside(Task(url, str(holdout), clients, _BOUNDS.requests, _BOUNDS.seconds, ca))

    def outside(clients: int) -> Round:
        url = gateway.endpoint + path
        return load.measure(url, rows, clients=clients, bounds=_BOUNDS, gateway=gateway)

    return {
        "pod": {str(clients): inside(straight, clients) for clients in CLIENTS},
        "gateway": {str(clients): inside(through, clients, gateway.ca) for clients in CLIENTS},
        "loopback": {str(clients): outside(clients) for clients in CLIENTS},
    }


def _inside(task: Task) -> Round:
    """Put a load on a model from within the network of the gateway's pod."""
    pid = memory.process_of(cluster.state().folder, _GATEWAY)
    enter = [str(programs.path("nsenter")), f"--target={pid}", "--net", "--"]
    done = subprocess.run(
        [*enter, sys.executable, "-m", "bench.load"],
        cwd=_ROOT,
        input=json.dumps(asdict(task)),
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"no load on {task.url}: {done.stderr.strip()}")
    found: Round = json.loads(done.stdout)
    return found
