"""Results of a benchmark, made up."""

from typing import Any

MOMENT = {"date": "2026-01-02 03:04 UTC", "load_before": 0.1}

MACHINE = {
    "processor": "AMD EPYC(TM) 7 CPU @ 2.00GHz",
    "cores": 2,
    "memory_gib": 23.5,
    "system": "Debian GNU/Linux 12 (bookworm)",
    "kernel": "6.18",
    "python": "3.11.2",
}

DURATION = {"wall_s": [5.0], "cpu_s": [2.0]}


def load(*per_second: float, cpu_ms: float = 0.15) -> dict[str, Any]:
    """Return a load of as many rounds as rates are given."""
    count = len(per_second)
    return {
        "requests_per_second": list(per_second),
        "p50_ms": [1.28] * count,
        "p99_ms": [2.73] * count,
        "client_cpu_ms": [0.05] * count,
        "cpu_ms": [cpu_ms] * count,
    }


def served(*per_second: float, cpu_ms: float = 0.15) -> dict[str, Any]:
    """Return what is measured of a server, the same at every number of clients."""
    loads = {clients: load(*per_second, cpu_ms=cpu_ms) for clients in ("1", "8", "32")}
    return {"ready_s": [0.5], "rss_mib": [93.0], "rest": loads, "grpc": loads}


def program(mib: float) -> dict[str, Any]:
    """Return the memory of a program."""
    return {
        "processes": [1],
        "rss_mib": [mib + 10],
        "pss_mib": [mib],
        "anonymous_mib": [mib / 2],
    }


def way(p50_ms: float, p99_ms: float) -> dict[str, Any]:
    """Return the loads of a way to a model."""
    return {"1": {**load(2000.0), "p50_ms": [p50_ms], "p99_ms": [p99_ms]}}


STACK: dict[str, Any] = {
    "up": {
        "total": DURATION,
        "first_prediction_s": [38.0],
        "phases": {"checks": [10.0], "pulumi": [30.0]},
    },
    "memory": {
        "node/kubernetes": program(500),
        "platform/traefik": program(100),
        "models/model server": program(90),
    },
    "gateway": {
        "pod": way(0.3, 1.0),
        "gateway": way(0.55, 2.25),
        "loopback": way(0.7, 2.5),
    },
    "no_op": {"preview": DURATION, "up": DURATION},
    "monitoring": {"up": DURATION, "memory": {"platform/prometheus": program(120)}},
    "cold_start_s": [2.5],
    "down": DURATION,
}

GROWN = {
    "resources": [55],
    "up": DURATION,
    "preview": DURATION,
    "no_op": DURATION,
    "destroy": DURATION,
}

PEERS = {
    "digits": {
        "slipway (onnx)": served(3000.0, 2900.0, 3100.0),
        "MLServer 1.7.1": served(300.0, 150.0, 100.0, cpu_ms=4.6),
    },
    "iris": {
        "slipway (onnx)": served(3000.0),
        "MLServer 1.7.1": served(1200.0, cpu_ms=0.7),
    },
}


def results() -> dict[str, Any]:
    """Return results with every section."""
    figures = {
        "server": {"onnx": served(5868.4)},
        "peers": PEERS,
        "stack": STACK,
        "objects": {
            "objects": [40],
            "pulumi": {"wall_s": [5.5], "cpu_s": [3.0]},
            "kubectl": {"wall_s": [5.0], "cpu_s": [0.6]},
        },
    }
    sections: dict[str, Any] = {name: {**MOMENT, "figures": one} for name, one in figures.items()}
    sections["growth"] = {"10": {**MOMENT, "figures": GROWN}, "500": {**MOMENT, "figures": GROWN}}
    return {"machine": MACHINE, "sections": sections}
