"""What the project aims at, and what was measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bench.figures import Figures, middle
from bench.peers import MLSERVER, OURS
from bench.report.cluster import beside_models_mib, gateway_adds_ms, ratio_to_kubectl
from bench.report.serving import rate
from bench.report.tables import table


@dataclass(frozen=True)
class Aim:
    """A figure and where it should be.

    Attributes:
        what: What is measured.
        section: The section that measures it.
        measured: From the section's figures to the figure.
        limit: Where it should be.
        unit: Its unit.
        digits: Digits after the point.
        at_least: Whether more is better.
    """

    what: str
    section: str
    measured: Callable[[Figures], float]
    limit: float
    unit: str
    digits: int = 2
    at_least: bool = False

    def row(self, figures: Figures | None) -> tuple[str, str, str, str]:
        """Return the aim, the figure and whether it is there; without figures it is open."""
        wanted = f"{'at least' if self.at_least else 'at most'} {self.limit:g} {self.unit}"
        if figures is None:
            return self.what, wanted, "", "not measured"
        value = self.measured(figures)
        met = value >= self.limit if self.at_least else value <= self.limit
        shown = f"{value:.{self.digits}f} {self.unit}"
        return self.what, wanted, shown, "yes" if met else "**no**"


def _our_rate(figures: Figures, model: str, clients: str) -> float:
    return rate(figures[model], OURS, "rest", clients)


def _times_mlserver(model: str, limit: float) -> list[Aim]:
    return [
        Aim(
            f"requests a second against {MLSERVER}: {model}, REST, {clients} at once",
            "peers",
            partial(_our_rate, model=model, clients=clients),
            limit,
            "times",
            digits=1,
            at_least=True,
        )
        for clients in ("1", "8", "32")
    ]


AIMS: Final = (
    Aim(
        "first prediction after `make up`, everything cached",
        "stack",
        lambda figures: middle(figures["up"]["first_prediction_s"]),
        60,
        "s",
        digits=1,
    ),
    Aim(
        "memory beside the models",
        "stack",
        lambda figures: beside_models_mib(figures["memory"]),
        1024,
        "MiB",
        digits=0,
    ),
    Aim(
        "memory beside the models, with monitoring",
        "stack",
        lambda figures: beside_models_mib(figures["monitoring"]["memory"]),
        1536,
        "MiB",
        digits=0,
    ),
    Aim(
        "the gateway adds to p50, 1 at once",
        "stack",
        lambda figures: gateway_adds_ms(figures["gateway"], "1", "p50_ms"),
        0.3,
        "ms",
    ),
    Aim(
        "the gateway adds to p99, 1 at once",
        "stack",
        lambda figures: gateway_adds_ms(figures["gateway"], "1", "p99_ms"),
        1,
        "ms",
    ),
    Aim("the same objects: time of Pulumi to kubectl", "objects", ratio_to_kubectl, 1.15, "times"),
    *_times_mlserver("digits", 15),
    *_times_mlserver("iris", 3),
    Aim(
        "CPU a request: iris, REST, 1 at once",
        "peers",
        lambda figures: middle(figures["iris"][OURS]["rest"]["1"]["cpu_ms"]),
        0.20,
        "ms",
    ),
)


def table_of(sections: Mapping[str, Any]) -> str:
    """Return the table of all aims.

    Args:
        sections: What is kept, by section.
    """
    rows = [aim.row(sections.get(aim.section, {}).get("figures")) for aim in AIMS]
    return table(("what", "aim", "measured", "met"), rows)
