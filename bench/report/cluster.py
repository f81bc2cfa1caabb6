"""Tables of a stack, of its objects by kubectl, and of many models."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bench import memory
from bench.figures import Figures, middle, spread
from bench.growth import WRITTEN_ONCE
from bench.report.tables import LOAD_HEAD, duration, load, table

_WAYS: Final = {
    "pod": "straight to the pod",
    "gateway": "through the gateway",
    "loopback": "through the gateway, from the machine",
}
_STEPS: Final = ("up", "preview", "no_op", "destroy")


def stack(section: Mapping[str, Any]) -> str:
    """Return the tables of a stack: times, memory, gateway, cold start."""
    figures = section["figures"]
    return "\n\n".join(
        [
            "### Times",
            _times(figures),
            "### Memory",
            _memory("without monitoring", figures["memory"]),
            _memory("with monitoring", figures["monitoring"]["memory"]),
            "### Gateway",
            _gateway(figures["gateway"]),
        ]
    )


def _times(figures: Figures) -> str:
    up = figures["up"]
    rows = [
        *((f"`make up`: {name}", spread(took, 1, "s"), "") for name, took in up["phases"].items()),
        ("`make up` in all", *duration(up["total"])),
        ("first prediction", spread(up["first_prediction_s"], 1, "s"), ""),
        ("preview that changes nothing", *duration(figures["no_op"]["preview"])),
        ("`pulumi up` that changes nothing", *duration(figures["no_op"]["up"])),
        ("`make up` that adds monitoring", *duration(figures["monitoring"]["up"])),
        (
            "first request to a model scaled to zero",
            spread(figures["cold_start_s"], 1, "s"),
            "",
        ),
        ("`make down`", *duration(figures["down"])),
    ]
    return table(("what", "time", "CPU"), rows)


def beside_models_mib(programs: Figures) -> float:
    """Return the memory of a cluster in MiB without its models: each page counts once."""
    return sum(middle(sizes["pss_mib"]) for name, sizes in programs.items() if not _is_model(name))


def _memory(title: str, programs: Figures) -> str:
    rows = [
        (*name.split("/", 1), *(f"{middle(sizes[size]):.0f}" for size in memory.SIZES))
        for name, sizes in programs.items()
    ]
    beside = [sizes for name, sizes in programs.items() if not _is_model(name)]
    rows += [
        ("beside the models", "in all", *_sums(beside)),
        ("everything", "in all", *_sums(programs.values())),
    ]
    head = ("part", "program", "processes", "resident", "proportional", "anonymous")
    return f"MiB, {title}:\n\n{table(head, rows)}"


def _sums(programs: Iterable[Figures]) -> tuple[str, ...]:
    programs = list(programs)
    return tuple(f"{sum(middle(sizes[size]) for sizes in programs):.0f}" for size in memory.SIZES)


def _is_model(name: str) -> bool:
    return name.startswith(f"{memory.MODELS}/")


def gateway_adds_ms(ways: Figures, clients: str, percentile: str) -> float:
    """Return what the gateway adds to a request in milliseconds, from the medians.

    Args:
        ways: What `bench.gateway` measured.
        clients: How many asked at once.
        percentile: `p50_ms` or `p99_ms`.
    """
    through, straight = (middle(ways[way][clients][percentile]) for way in ("gateway", "pod"))
    return through - straight


def _gateway(ways: Figures) -> str:
    rows = [
        (name, clients, *load(found))
        for way, name in _WAYS.items()
        for clients, found in ways[way].items()
    ]
    percentiles = ("p50_ms", "p99_ms")
    added = [
        (clients, *(f"{gateway_adds_ms(ways, clients, one):.2f} ms" for one in percentiles))
        for clients in ways["pod"]
    ]
    return "\n\n".join(
        [
            table(("way", "clients", *LOAD_HEAD), rows),
            "What the gateway adds:",
            table(("clients", "p50", "p99"), added),
        ]
    )


def ratio_to_kubectl(figures: Figures) -> float:
    """Return the time of Pulumi as a multiple of that of kubectl, from the medians."""
    pulumi, kubectl = (middle(figures[name]["wall_s"]) for name in ("pulumi", "kubectl"))
    return pulumi / kubectl


def objects(section: Mapping[str, Any]) -> str:
    """Return the table of the same objects by Pulumi and by kubectl."""
    figures = section["figures"]
    rows = [
        ("`pulumi up`", *duration(figures["pulumi"])),
        ("`kubectl apply --server-side`, `kubectl wait`", *duration(figures["kubectl"])),
    ]
    return "\n\n".join(
        [
            f"{spread(figures['objects'], 0)} objects:",
            table(("how", "time", "CPU"), rows),
            f"Ratio: {ratio_to_kubectl(figures):.2f}.",
        ]
    )


def growth(counts: Mapping[str, Any]) -> str:
    """Return the table of many models; each number of them says when it was measured."""
    rows = []
    for count, part in sorted(counts.items(), key=lambda one: int(one[0])):
        figures = part["figures"]
        steps = (f"{wall}, {cpu}" for wall, cpu in (duration(figures[step]) for step in _STEPS))
        mark = "*" if int(count) >= WRITTEN_ONCE else ""
        measured = f"{part['date']}, {part['load_before']}"
        rows.append((f"{count}{mark}", spread(figures["resources"], 0), *steps, measured))
    head = (
        *("models", "resources", "first up", "no-op preview", "no-op up", "destroy"),
        "measured, load average before",
    )
    return table(head, rows)
