"""Writes the measurements as the page `docs/benchmarks.md`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_AIM_FIRST_PREDICTION = 60
_AIM_RATIO = 1.15


def page(results: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    sections = [
        "# Benchmarks",
        "Written by `make bench`; do not edit. A figure is worth what its machine says.",
        _machine(results["machine"]),
    ]
    stack = results.get("stack")
    if stack is not None:
        sections += [_up(stack), _apply(stack), _memory(stack["memory"]), _gateway(stack)]
    if "server" in results:
        sections.append(_server(results["server"]))
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


def _memory(programs: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            str(row["program"]),
            str(row["processes"]),
            f"{row['rss_mib']:.0f} MiB",
            f"{row['pss_mib']:.0f} MiB",
        )
        for row in programs
    ]
    rows.append(
        (
            "in all",
            str(sum(row["processes"] for row in programs)),
            f"{sum(row['rss_mib'] for row in programs):.0f} MiB",
            f"{sum(row['pss_mib'] for row in programs):.0f} MiB",
        )
    )
    return "\n\n".join(
        [
            "## Memory of the cluster, right after the first prediction",
            _table(("program", "processes", "resident", "proportional"), rows),
            "Proportional memory counts a page that several processes share once in all.",
        ]
    )


def _gateway(stack: Mapping[str, Any]) -> str:
    rows = [
        _load_row(f"digits (ONNX), {load['clients']} at once", load) for load in stack["gateway"]
    ]
    return "\n\n".join(["## The model through the gateway", _table(_LOAD_HEAD[:4], rows)])


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
