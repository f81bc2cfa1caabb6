"""The files of monitoring: rules, dashboards and console pages, as a cluster gets them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from infra.settings import MonitoringSettings

_FOLDER: Final = Path(__file__).parent
# Rules that hold a number of the settings.
_ERROR_OBJECTIVE: Final = "slipway:objective:error_ratio"
_LATENCY_OBJECTIVE: Final = "slipway:objective:latency_seconds"


class _Dumper(yaml.SafeDumper):
    """As a person writes it: no anchors, and text of several lines as such."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(tuple, _Dumper.represent_list)
_Dumper.add_representer(str, _text)


def rules(settings: MonitoringSettings) -> dict[str, dict[str, Any]]:
    """Return the groups of rules by the name of their file, changed as the settings ask.

    Args:
        settings: Objectives, and what is changed of single alerts.
    """
    return {
        path.stem: {
            "groups": [
                {**group, "rules": list(_rules(group["rules"], settings))}
                for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
            ]
        }
        for path in sorted((_FOLDER / "rules").glob("*.yaml"))
    }


def _rules(written: list[dict[str, Any]], settings: MonitoringSettings) -> Iterator[dict[str, Any]]:
    objectives = {
        _ERROR_OBJECTIVE: settings.objectives.error_ratio,
        _LATENCY_OBJECTIVE: settings.objectives.latency_seconds,
    }
    for rule in written:
        change = settings.alerts.get(rule.get("alert", ""))
        if rule.get("record") in objectives:
            yield {**rule, "expr": f"vector({objectives[rule['record']]:g})"}
        elif change is None:
            yield rule
        elif change.enabled:
            yield {**rule, "for": change.after} if change.after else rule


def dashboards() -> dict[str, str]:
    """Return Grafana's dashboards: JSON by the name of their file."""
    return {
        # As short as it can be: an object of Kubernetes holds 1 MiB.
        path.name: json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":"))
        for path in sorted((_FOLDER / "dashboards").glob("*.json"))
    }


def consoles() -> dict[str, str]:
    """Return Prometheus' console pages and their library by the name of their file."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted((_FOLDER / "consoles").iterdir())
        if path.suffix in (".html", ".lib")
    }


def as_yaml(document: Mapping[str, Any]) -> str:
    """Return a document as YAML, in its own order.

    Args:
        document: Plain data.
    """
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000)
