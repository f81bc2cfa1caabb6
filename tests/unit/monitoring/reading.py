"""What rules, dashboards and pages read, for the tests of files and of a running Prometheus."""

import json
import re
from collections.abc import Iterator
from typing import Any

from infra.platform.monitoring import files
from infra.settings import MonitoringSettings
from slipway_promoter import queries
from tests.unit.monitoring import promql

# In a page, what a series may begin with; the other words of it are HTML.
PREFIXES = re.compile(
    r"\b(?:(?:kube|traefik|container|kubelet|certmanager|prometheus|process)_|slipway:)[\w:]+"
)


def rules(**settings: Any) -> list[dict[str, Any]]:
    """Return every rule of a cluster with these settings."""
    found = files.rules(MonitoringSettings.model_validate({"enabled": True, **settings}))
    return [
        rule
        for document in found.values()
        for group in document["groups"]
        for rule in group["rules"]
    ]


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, text in files.dashboards().items():
        for panel in json.loads(text)["panels"]:
            yield f"{name}: {panel['title']}", panel


def expressions() -> Iterator[tuple[str, str]]:
    """Return every expression of the dashboards, with what a variable of them may be."""
    for name, panel in panels():
        for target in panel["targets"]:
            filled = target["expr"].replace("$team", "vision").replace("$model", "digits")
            yield name, filled


def used() -> dict[str, set[str]]:
    """Return the series that are read, by where."""
    found = {rule.get("alert") or rule["record"]: promql.series(rule["expr"]) for rule in rules()}
    for name, panel in panels():
        for target in panel["targets"]:
            found.setdefault(name, set()).update(promql.series(target["expr"]))
    for name, page in files.consoles().items():
        found[name] = set(PREFIXES.findall(page))
    asked: list[str] = []
    queries.seen(asked.append, "vision", "digits", "digits-canary", 60)
    found["promoter"] = set().union(*map(promql.series, asked))
    return found
