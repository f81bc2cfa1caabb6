"""Results of a benchmark, made up."""

_LOAD = {"clients": 8, "requests_per_second": 5868.4, "p50_ms": 1.28, "p99_ms": 2.73}
_DURATION = {"wall_s": 5.0, "cpu_s": 2.0}

RESULTS = {
    "machine": {
        "date": "2026-01-02 03:04 UTC",
        "processor": "A processor",
        "cores": 2,
        "memory_gib": 23.5,
        "system": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.18",
        "python": "3.11.2",
        "load_before": 0.1,
    },
    "stack": {
        "up": {
            "total_s": 41.0,
            "cpu_s": 20.0,
            "first_prediction_s": 38.0,
            "phases": {"checks": 10.0, "pulumi": 30.0},
            "check": "model digits: 450 of 450 predictions equal those made offline",
        },
        "memory": [
            {
                "part": "node",
                "program": "etcd",
                "processes": 1,
                "rss_mib": 250.0,
                "pss_mib": 220.0,
                "anonymous_mib": 110.0,
            },
            {
                "part": "platform",
                "program": "pause",
                "processes": 2,
                "rss_mib": 100.0,
                "pss_mib": 80.0,
                "anonymous_mib": 40.0,
            },
            {
                "part": "models",
                "program": "model server",
                "processes": 1,
                "rss_mib": 90.0,
                "pss_mib": 90.0,
                "anonymous_mib": 45.0,
            },
        ],
        "gateway": [_LOAD],
        "no_op": {"preview": _DURATION, "up": _DURATION},
        "apply": {"objects": 40, "pulumi": [_DURATION], "kubectl": [_DURATION], "ratio": 1.1},
        "monitoring": {
            "up": _DURATION,
            "memory": [
                {
                    "part": "platform",
                    "program": "prometheus",
                    "processes": 1,
                    "rss_mib": 120.0,
                    "pss_mib": 119.0,
                    "anonymous_mib": 90.0,
                }
            ],
        },
        "cold_start_s": [2.5, 2.74],
        "down": _DURATION,
    },
    "server": [
        {
            "format": "onnx",
            "first_prediction_s": 0.5,
            "rss_mib": 93.0,
            "loads": [{**_LOAD, "cpu_ms": 0.173}],
        }
    ],
    "peers": [
        {
            "server": "MLServer 1.7.1",
            "model": "iris",
            "ready_s": 5.0,
            "rss_mib": 222.0,
            "rest": [{**_LOAD, "cpu_ms": 1.25}],
            "grpc": [{**_LOAD, "cpu_ms": 1.5}],
        }
    ],
}
