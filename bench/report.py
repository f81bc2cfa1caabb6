"""Writes the measurements as the page `docs/benchmarks.md`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench import memory

_AIM_FIRST_PREDICTION = 60
_AIM_RATIO = 1.15
# MiB, without monitoring and with it.
_AIM_MEMORY = 1024
_AIM_MONITORED = 1536


def page(results: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    sections = [
        "# Benchmarks",
        "Written by `make bench`; do not edit. A figure is worth what its machine says.",
        _machine(results["machine"]),
    ]
    stack = results.get("stack")
    if stack is not None:
        sections += [
            _up(stack),
            _apply(stack),
            _memory("a minute after `make up`", stack["memory"], _AIM_MEMORY),
            _memory(
                "a minute after `make up` with monitoring",
                stack["monitoring"]["memory"],
                _AIM_MONITORED,
            ),
            _gateway(stack),
            _cold_start(stack["cold_start_s"]),
        ]
    if "growth" in results:
        sections.append(_growth(results["growth"]))
    if "server" in results:
        sections.append(_server(results["server"]))
    if "peers" in results:
        sections.append(_peers(results["peers"]))
    return "\n\n".join(sections) + "\n"


def _machine(machine: Mapping[str, Any]) -> str:
    return (
        f"{machine['date']}: {machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_gib']} GiB, {machine['system']}, kernel {machine['kernel']},"
        f" Python {machine['python']}; load average before the run"
        f" {machine['load_before']:.1f}."
    )


def _up(stack: Mapping[str, Any]) -> str:
    up = stack["up"]
    total = sum(up["phases"].values())
    rows = [
        (f"`make up`: {name}", _seconds(seconds), f"{seconds / total:.0%}", "")
        for name, seconds in up["phases"].items()
    ]
    rows += [
        ("`make up` in all", _seconds(up["total_s"]), "", _seconds(up["cpu_s"])),
        (
            f"first prediction (aim: {_AIM_FIRST_PREDICTION} s)",
            _seconds(up["first_prediction_s"]),
            "",
            "",
        ),
    ]
    rows += [
        (name, _seconds(duration["wall_s"]), "", _seconds(duration["cpu_s"]))
        for name, duration in (
            ("preview that changes nothing", stack["no_op"]["preview"]),
            ("`pulumi up` that changes nothing", stack["no_op"]["up"]),
            ("`make up` that adds monitoring", stack["monitoring"]["up"]),
            ("`make down`", stack["down"]),
        )
    ]
    return "\n\n".join(
        [
            "## From nothing to a prediction, programs and images cached",
            _table(("what", "time", "share", "CPU"), rows),
            "CPU is that of the engine and its plug-ins, not of the cluster they work on.",
            f"The held-out data: {up['check'].strip()}.",
        ]
    )


def _apply(stack: Mapping[str, Any]) -> str:
    apply = stack["apply"]
    rows = [
        (name, *(", ".join(_seconds(one[key]) for one in times) for key in ("wall_s", "cpu_s")))
        for name, times in (
            ("`pulumi up`", apply["pulumi"]),
            ("`kubectl apply --server-side`, `kubectl wait`", apply["kubectl"]),
        )
    ]
    return "\n\n".join(
        [
            f"## The same {apply['objects']} objects by Pulumi and by kubectl",
            "On one running cluster, in turns, until everything is ready.",
            _table(("how", "time", "CPU"), rows),
            f"Ratio of the medians {apply['ratio']:.2f} (aim: {_AIM_RATIO}).",
        ]
    )


def _memory(when: str, programs: Sequence[Mapping[str, Any]], aim: int) -> str:
    beside = [row for row in programs if row["part"] != memory.MODELS]
    rows = [_memory_row(row["part"], row["program"], [row]) for row in programs]
    rows += [
        _memory_row("node and platform", f"in all (aim: {aim} MiB)", beside),
        _memory_row("everything", "in all", programs),
    ]
    return "\n\n".join(
        [
            f"## Memory of the cluster, {when}",
            _table(("part", "program", "processes", "resident", "proportional", "anonymous"), rows),
            "The node is what makes it one; platform and models are processes in pods. "
            "Proportional memory counts a page that several processes share once in all; anonymous "
            "memory leaves out the pages of files, which the kernel takes back when it is short.",
        ]
    )


def _memory_row(part: str, program: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    def total(key: str) -> str:
        return f"{sum(row[key] for row in rows):.0f}"

    sizes = (f"{total(key)} MiB" for key in ("rss_mib", "pss_mib", "anonymous_mib"))
    return part, program, total("processes"), *sizes


def _gateway(stack: Mapping[str, Any]) -> str:
    rows = [
        _load_row(f"digits (ONNX), {load['clients']} at once", load) for load in stack["gateway"]
    ]
    return "\n\n".join(["## The model through the gateway", _table(_LOAD_HEAD[:4], rows)])


def _cold_start(seconds: Sequence[float]) -> str:
    return "\n\n".join(
        [
            "## The first request to a model without pods",
            "The pod is made, the model loaded and the request answered, each time anew: "
            f"{', '.join(_seconds(one) for one in seconds)}.",
        ]
    )


def _server(formats: Iterable[Mapping[str, Any]]) -> str:
    formats = list(formats)
    rows = [
        (
            *_load_row(f"digits ({one['format']}), {load['clients']} at once", load),
            f"{load['cpu_ms']:.2f} ms",
        )
        for one in formats
        for load in one["loads"]
    ]
    starts = [
        (
            f"digits ({one['format']})",
            f"{one['first_prediction_s']:.1f} s",
            f"{one['rss_mib']:.0f} MiB",
        )
        for one in formats
    ]
    return "\n\n".join(
        [
            "## The model server by itself, on a loopback port",
            "One row a request, all outputs; the client runs on the same cores.",
            _table(_LOAD_HEAD, rows),
            _table(("model", "first prediction", "resident"), starts),
        ]
    )


def _growth(counts: Sequence[Mapping[str, Any]]) -> str:
    steps = ("up", "preview", "no_op", "destroy")
    rows = [
        (
            str(one["models"]),
            str(one["resources"]),
            *(
                f"{_seconds(one[step]['wall_s'])} ({_seconds(one[step]['cpu_s'])})"
                for step in steps
            ),
        )
        for one in counts
    ]
    head = ("models", "resources", "first up", "no-op preview", "no-op up", "destroy")
    return "\n\n".join(
        [
            "## More models, the engine alone",
            "On a real API server without nodes, nothing is waited for: what Pulumi and its "
            "plug-ins take. In brackets their CPU.",
            _table(head, rows),
        ]
    )


def _peers(measured: Iterable[Mapping[str, Any]]) -> str:
    measured = list(measured)
    rows = [
        (
            *_load_row(f"{one['server']}, {one['model']}, {protocol}, {load['clients']}", load),
            f"{load['cpu_ms']:.2f} ms",
        )
        for one in measured
        for protocol, loads in (("REST", one["rest"]), ("gRPC", one["grpc"]))
        for load in loads
    ]
    starts = [
        (
            f"{one['server']}, {one['model']}",
            f"{one['ready_s']:.1f} s",
            f"{one['rss_mib']:.0f} MiB",
        )
        for one in measured
    ]
    return "\n\n".join(
        [
            "## The model server and its peers",
            "One row a request, one process each, on a loopback port; the clients run on the same"
            " cores. The peers answer with the label alone, ours with the probabilities too."
            " The number is that of clients at once.",
            _table(_LOAD_HEAD, rows),
            _table(("server", "first prediction", "resident"), starts),
        ]
    )


_LOAD_HEAD = ("requests", "a second", "p50", "p99", "CPU a request")


def _load_row(name: str, load: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        name,
        f"{load['requests_per_second']:.0f}",
        f"{load['p50_ms']:.2f} ms",
        f"{load['p99_ms']:.2f} ms",
    )


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
