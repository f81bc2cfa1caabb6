"""What a stack on GKE has and misses, as the Google Cloud CLI tells it.

The forms of the answers are those of https://cloud.google.com/sdk/gcloud/reference/auth/list,
https://cloud.google.com/compute/docs/reference/rest/v1/regions and
https://cloud.google.com/compute/docs/reference/rest/v1/projects.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, Final

from infra.settings import GkeClusterSettings
from infra.settings.cluster.gke.catalog import AS_OF, VERSIONS, series
from infra.settings.cluster.gke.nodes import GkePool
from toolchain.doctor import support
from toolchain.doctor.asking import Ask, Reply, UnansweredError, parsed, together
from toolchain.doctor.finding import Finding, unchecked
from toolchain.doctor.programs_on_path import on_path
from toolchain.doctor.quotas import Demands, Quota, judge, read

# https://cloud.google.com/compute/resource-usage#gpu_quota; newer types are counted elsewhere.
_GPUS: Final[Mapping[str, str]] = {
    "nvidia-tesla-t4": "NVIDIA_T4_GPUS",
    "nvidia-tesla-v100": "NVIDIA_V100_GPUS",
    "nvidia-l4": "NVIDIA_L4_GPUS",
    "nvidia-tesla-a100": "NVIDIA_A100_GPUS",
    "nvidia-a100-80gb": "NVIDIA_A100_80GB_GPUS",
}
_EVERY_GPU: Final = "GPUS_ALL_REGIONS"
_EVERY_CPU: Final = "CPUS_ALL_REGIONS"
_SPOT: Final = "PREEMPTIBLE_"
# Series without a quota of their own (https://cloud.google.com/compute/resource-usage#cpu_quota).
_COMMON: Final = frozenset({"e2", "n1"})
_CORES: Final = re.compile(r"-(standard|highmem|highcpu|custom|ultramem|megamem)-(\d+)")
_WAY_OUT: Final = "ask for more (https://cloud.google.com/docs/quotas/view-manage)"


class _Login(Reply):
    account: str
    status: str


class _Quota(Reply):
    metric: str
    limit: float
    usage: float


class _Region(Reply):
    quotas: list[_Quota]
    zones: list[str]


class _Project(Reply):
    quotas: list[_Quota]


def findings(settings: GkeClusterSettings, ask: Ask, today: date) -> list[Finding]:
    """Judge the stack.

    Args:
        settings: Its cluster.
        ask: Runs the Google Cloud CLI.
        today: Of which day.
    """
    network = settings.network
    known = [
        on_path(
            "gke-gcloud-auth-plugin",
            "the kubeconfig asks it for tokens",
            "`gcloud components install gke-gcloud-auth-plugin`",
        ),
        # What runs Pulumi may have a file of credentials (GOOGLE_APPLICATION_CREDENTIALS) alone.
        on_path(
            "gcloud",
            "nothing else checks credentials and quotas",
            "https://cloud.google.com/sdk/docs/install",
            "note",
        ),
        _version(settings, today),
        Finding(
            "ok",
            f"addresses: network.nodes {network.nodes}, pods {network.pods}, services "
            f"{network.services}, controlPlane {network.control_plane}, proxies {network.proxies}",
        ),
        unchecked("addresses", "nobody tells which ranges your other networks have"),
    ]
    questions: Sequence[Any] = (
        # A token says that the credentials are good; nothing keeps or shows it.
        partial(_answers, ask, "gcloud auth application-default print-access-token --quiet"),
        partial(
            parsed,
            ask,
            ["gcloud", "auth", "list", "--filter=status:ACTIVE", "--format=json", "--quiet"],
            list[_Login],
        ),
    )
    given, logins = together(questions)
    known.append(_credentials(given))
    rest = "region, zones and quotas"
    if isinstance(logins, UnansweredError):
        return [*known, unchecked(rest, str(logins))]
    if not logins:
        return [*known, unchecked(rest, "gcloud itself has no account: `gcloud auth login`")]
    return [*known, *_in_the_region(settings, ask)]


def _answers(ask: Ask, command: str) -> None:
    ask(command.split())


def _credentials(given: UnansweredError | None) -> Finding:
    if given is None:
        return Finding("ok", "credentials: the application default ones give out tokens")
    if given.refused:
        return Finding(
            "missing", f"credentials: {given}; run `gcloud auth application-default login`"
        )
    return unchecked("credentials", str(given))


def _version(settings: GkeClusterSettings, today: date) -> Finding:
    if settings.version is None:
        return Finding("ok", f"Kubernetes: what the channel `{settings.channel}` has")
    end = VERSIONS[settings.version]
    ends = (
        {"extended support": end.extended.isoformat()}
        if settings.channel == "extended"
        else {"standard support": end.standard.isoformat()}
    )
    found = support.version(settings.version, ends, today, "choose a newer `version`")
    return Finding(found.level, f"{found.text} (schedule of {AS_OF})")


def _in_the_region(settings: GkeClusterSettings, ask: Ask) -> list[Finding]:
    given = ("--project", settings.project, "--format=json", "--quiet")
    questions: Sequence[Any] = (
        partial(
            parsed,
            ask,
            ["gcloud", "compute", "regions", "describe", settings.region, *given],
            _Region,
        ),
        partial(parsed, ask, ["gcloud", "compute", "project-info", "describe", *given], _Project),
    )
    region, project = together(questions)
    found: list[Finding] = []
    rows: list[_Quota] = []
    if isinstance(region, UnansweredError):
        found.append(unchecked("region, zones and the quotas of the region", str(region)))
    else:
        found.append(_zones(settings, region))
        rows += region.quotas
    if isinstance(project, UnansweredError):
        found.append(unchecked("quotas of the project in all regions", str(project)))
    else:
        rows += project.quotas
    if settings.is_autopilot:
        return [*found, unchecked("quotas", "Autopilot has the nodes that pods ask for")]
    quotas = read((row.metric, Quota(int(row.limit), int(row.usage))) for row in rows)
    return [*found, *_judged(settings, quotas)]


def _zones(settings: GkeClusterSettings, region: _Region) -> Finding:
    there = sorted(url.rpartition("/")[2] for url in region.zones)
    wrong = [zone for zone in settings.zones if zone not in there]
    if wrong:
        problem = f"`zones`: {settings.region} has no {', '.join(wrong)} for this project"
        return Finding("missing", f"{problem}; choose from {', '.join(there)}")
    return Finding("ok", f"region: {settings.region}, zones {', '.join(settings.zones or there)}")


def _judged(settings: GkeClusterSettings, quotas: Mapping[str, Quota]) -> list[Finding]:
    demands, found = Demands(), []
    for name, pool in settings.pools.items():
        least = max(pool.min, 1)
        if pool.spot:
            reasons = {
                _count(demands, quotas, name, pool, least, pool.max, spot=True),
                _count(demands, quotas, name, pool, 0, pool.fallback or 0, spot=False),
            }
        else:
            reasons = {_count(demands, quotas, name, pool, least, pool.max, spot=False)}
        title = f"a quota of the nodes of `{name}`"
        found += [unchecked(title, reason) for reason in sorted(filter(None, reasons))]
    for metric, demand in demands.items():
        unit = "GPUs" if "GPUS" in metric else "vCPUs"
        found.append(judge(metric, unit, demand, quotas[metric.lower()], _WAY_OUT))
    return found


def _count(
    demands: Demands,
    quotas: Mapping[str, Quota],
    name: str,
    pool: GkePool,
    least: int,
    most: int,
    *,
    spot: bool,
) -> str | None:
    """Count nodes of a pool in, and return why that cannot be done.

    Args:
        demands: What they are added to.
        quotas: What there is.
        name: Name of the pool.
        pool: The pool.
        least: Fewest nodes.
        most: Most nodes.
        spot: Whether they are spare capacity.
    """
    each, metric = _asked(pool)
    everywhere = _EVERY_GPU if pool.gpu else _EVERY_CPU
    if each is None:
        return f"the name `{pool.machine}` does not say how many vCPUs it has"
    if metric is None or metric.lower() not in quotas:
        return f"gcloud does not tell which one counts `{pool.gpu_type or pool.machine}`"
    # Until Google has granted some of it, spot nodes count as others do
    # (https://cloud.google.com/compute/docs/instances/spot).
    granted = quotas.get(f"{_SPOT}{metric}".lower(), Quota(0))
    names = [f"{_SPOT}{metric}" if spot and granted.limit else metric]
    names += [everywhere] if everywhere.lower() in quotas else []
    for one in names:
        demands[one].add(name, least * each, most * each)
    return None


def _asked(pool: GkePool) -> tuple[int | None, str | None]:
    """Return what a node counts for, and the quota of the region that it counts to."""
    if pool.gpu_type is not None:
        return pool.gpu_count, _GPUS.get(pool.gpu_type)
    match = _CORES.search(pool.machine)
    of_machine = series(pool.machine)
    metric = "CPUS" if of_machine in _COMMON else f"{of_machine.upper()}_CPUS"
    return (int(match[2]) if match else None), metric
