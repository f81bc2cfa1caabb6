"""Says in seconds what a stack has, what it can get, and what stands in the way of `make up`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from infra.settings import (
    AksClusterSettings,
    ClusterSettings,
    EksClusterSettings,
    ExistingClusterSettings,
    GkeClusterSettings,
    LocalClusterSettings,
    SettingsError,
    read_stack_file,
)
from toolchain import download, programs, project
from toolchain.doctor import aks, asking, eks, existing, gke, machine
from toolchain.doctor.asking import Ask
from toolchain.doctor.finding import Finding
from toolchain.progress import Report
from toolchain.stack import needed

_PROVIDERS: Final = {"eks": "aws", "aks": "azure-native", "gke": "gcp"}
"""What Pulumi calls the cloud of a kind of cluster."""


def run(
    stack: str, print_line: Callable[[str], None], report: Report, ask: Ask = asking.run
) -> int:
    """Print every finding and return 1 when something needed is missing, else 0.

    Args:
        stack: Name of the stack.
        print_line: Takes a line of the result.
        report: Takes progress lines of what is installed on the way: the engine's plug-in, when
            the official one has become reachable.
        ask: Runs a program of a cloud.

    Raises:
        SlipwayError: There is no such stack.
    """
    download.Unreachable().forget()
    findings = _findings(stack, report, ask)
    for finding in findings:
        print_line(f"{finding.level:8}{finding.text}")
    missing = sum(finding.level == "missing" for finding in findings)
    print_line(f"{missing} missing" if missing else "nothing is missing")
    return 1 if missing else 0


def _findings(stack: str, report: Report, ask: Ask) -> list[Finding]:
    file = project.stack_file(stack)
    try:
        settings = read_stack_file(file, check_files=False)
    except SettingsError as error:
        problems = [Finding("missing", line) for line in str(error).splitlines()]
        every = programs.names()
        return [
            *machine.machine(every, local=stack == project.LOCAL_STACK),
            *machine.pinned([*every, *programs.SYSTEM], every=False),
            *machine.plugin(report),
            *problems,
        ]
    cluster = settings.cluster
    local = isinstance(cluster, LocalClusterSettings)
    # Which programs a local stack needs is up to its distribution, which is judged below.
    wanted = [*programs.names(), *programs.SYSTEM] if local else needed(settings)
    return [
        *machine.machine([name for name in wanted if name not in programs.SYSTEM], local=local),
        *machine.pinned(wanted, every=not local),
        *machine.plugin(report),
        *(machine.provider(_PROVIDERS[kind]) for kind in _PROVIDERS if kind == cluster.kind),
        *_cluster(cluster, ask),
    ]


def _cluster(cluster: ClusterSettings, ask: Ask) -> list[Finding]:
    today = datetime.now(UTC).date()
    match cluster:
        case LocalClusterSettings():
            return machine.local_cluster(cluster)
        case EksClusterSettings():
            return eks.findings(cluster, ask, today)
        case AksClusterSettings():
            return aks.findings(cluster, ask, today)
        case GkeClusterSettings():
            return gke.findings(cluster, ask, today)
        case ExistingClusterSettings():
            return existing.findings(cluster, ask)
