"""Prometheus' configuration and command line."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from infra.naming import HTTPS_PORT
from infra.platform.monitoring import scraping
from infra.settings import MonitoringSettings
from infra.settings.types import parse_quantity

PORT: Final = 9090
CONFIG_FOLDER: Final = "/etc/prometheus/config"
RULES_FOLDER: Final = "/etc/prometheus/rules"
CONSOLES_FOLDER: Final = "/etc/prometheus/consoles"
# Not `/prometheus`: that is the program in its image.
DATA_FOLDER: Final = "/data"
CONFIG_FILE: Final = "prometheus.yml"

# What is promised to samples; the rest is for what is being written and compacted.
_KEPT_SHARE: Final = 0.8
# Collects garbage before it doubles the memory: few series come and go here.
_GOGC: Final = 50


def config(settings: MonitoringSettings, cluster: str, namespace: str) -> dict[str, Any]:
    """Return the configuration file of the builtin Prometheus.

    Args:
        settings: Settings of monitoring.
        cluster: Name of the cluster; every alert carries it.
        namespace: Where Prometheus and kube-state-metrics run.
    """
    every = f"{settings.interval_seconds}s"
    return {
        "global": {
            "scrape_interval": every,
            "scrape_timeout": every,
            "evaluation_interval": every,
            "external_labels": {"cluster": cluster},
        },
        "runtime": {"gogc": _GOGC},
        "storage": {
            "tsdb": {"retention": {"time": settings.retention, "size": kept(settings.storage)}}
        },
        "rule_files": [f"{RULES_FOLDER}/*.yaml"],
        "alerting": {"alertmanagers": alertmanagers(settings)},
        "scrape_configs": [
            scraping.gateway(),
            scraping.models(),
            scraping.certificates(),
            scraping.kube_state_metrics(namespace),
            *scraping.kubelets(),
            scraping.itself(PORT),
        ],
    }


def port_of(url: SplitResult) -> int:
    """Return the port of a URL over HTTP or HTTPS."""
    return url.port or (HTTPS_PORT if url.scheme == "https" else 80)


def alertmanagers(settings: MonitoringSettings) -> list[Mapping[str, Any]]:
    """Return where alerts are sent to: one Alertmanager, or none.

    Args:
        settings: Settings of monitoring.
    """
    if settings.alertmanager is None:
        return []
    url = urlsplit(settings.alertmanager)
    return [
        {
            "scheme": url.scheme,
            "path_prefix": url.path or "/",
            "static_configs": [{"targets": [f"{url.hostname}:{port_of(url)}"]}],
        }
    ]


def kept(storage: str) -> str:
    """Return how much samples may take of a storage, as Prometheus writes sizes.

    Args:
        storage: A quantity of Kubernetes.
    """
    return f"{int(float(parse_quantity(storage)) * _KEPT_SHARE)}B"


def arguments() -> list[str]:
    """Return Prometheus' command line; the memory limit becomes Go's by itself."""
    return [
        f"--config.file={CONFIG_FOLDER}/{CONFIG_FILE}",
        f"--storage.tsdb.path={DATA_FOLDER}",
        f"--web.listen-address=:{PORT}",
        f"--web.console.templates={CONSOLES_FOLDER}",
        f"--web.console.libraries={CONSOLES_FOLDER}",
        "--web.page-title=Slipway",
        "--web.max-connections=64",
        "--query.max-concurrency=4",
        "--query.max-samples=5000000",
        "--query.timeout=30s",
        "--log.format=json",
    ]
