"""What a stack on a cluster that somebody else made has and misses, as kubectl tells it."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from infra.settings import ExistingClusterSettings
from toolchain import host, programs
from toolchain.doctor.asking import Ask, Reply, UnansweredError, attempt, parsed, together
from toolchain.doctor.finding import Finding, unchecked
from toolchain.doctor.programs_on_path import on_path

_RIGHTS: Final = (
    "namespaces",
    "customresourcedefinitions.apiextensions.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
)
"""What the stack makes that a whole cluster has (docs/clusters.md)."""

_UNTOLD: Final = "quotas, zones and addresses"


class _Exec(Reply):
    command: str


class _User(Reply):
    exec: _Exec | None = None


class _NamedUser(Reply):
    user: _User


class _Config(Reply):
    users: list[_NamedUser]


class _ServerVersion(Reply):
    git_version: str


class _Version(Reply):
    server_version: _ServerVersion


def findings(settings: ExistingClusterSettings, ask: Ask) -> list[Finding]:
    """Judge the stack.

    Args:
        settings: Its cluster.
        ask: Runs kubectl.
    """
    untold = [unchecked(_UNTOLD, "they are the cluster's, of which kubectl does not tell them")]
    kubectl = _kubectl()
    if kubectl is None:
        reason = "kubectl is not there yet: `make shell` obtains it"
        return [unchecked("kubeconfig, credentials, version and rights", reason), *untold]
    command = [kubectl, "--context", settings.context, "--request-timeout", "10s"]
    if settings.kubeconfig is not None:
        command += ["--kubeconfig", settings.kubeconfig]
    # It leaves keys and tokens out.
    view = [*command, "config", "view", "--minify", "--output", "json"]
    config = attempt(partial(parsed, ask, view, _Config))
    if isinstance(config, UnansweredError):
        problem = f"the context `{settings.context}`: {config}"
        found = (
            Finding("missing", f"{problem}; correct `context` or `kubeconfig`")
            if config.refused
            else unchecked("kubeconfig", str(config))
        )
        return [found, unchecked("credentials, version and rights", "no kubeconfig"), *untold]
    found = Finding("ok", f"kubeconfig: it has the context `{settings.context}`")
    return [found, *_users(config), *_reached(command, ask), *untold]


def _kubectl() -> str | None:
    """Return the pinned kubectl, or that of the machine while that one is not there."""
    if programs.describe("kubectl") is not None:
        return str(programs.path("kubectl"))
    found = host.which("kubectl")
    return str(found) if found else None


def _users(config: _Config) -> list[Finding]:
    return [
        on_path(one.user.exec.command, "the kubeconfig asks it for tokens", "install it")
        for one in config.users
        if one.user.exec is not None
    ]


def _reached(command: Sequence[str], ask: Ask) -> list[Finding]:
    def allowed(kind: str) -> bool:
        try:
            return ask([*command, "auth", "can-i", "create", kind]).strip() == "yes"
        except UnansweredError as error:
            # It answers `no` with exit code 1.
            if (error.printed or "").startswith("no"):
                return False
            raise

    questions: Sequence[Any] = (
        partial(parsed, ask, [*command, "version", "--output", "json"], _Version),
        *(partial(allowed, kind) for kind in _RIGHTS),
    )
    version, *rights = together(questions)
    if isinstance(version, UnansweredError):
        found = (
            Finding("missing", f"the cluster does not answer: {version}")
            if version.refused
            else unchecked("version", str(version))
        )
        return [found, unchecked("rights", "the cluster has not answered")]
    lines = [Finding("ok", f"Kubernetes {version.server_version.git_version}: it answers")]
    for kind, right in zip(_RIGHTS, rights, strict=True):
        name = kind.partition(".")[0]
        if isinstance(right, UnansweredError):
            lines.append(unchecked(f"the right to make {name}", str(right)))
        elif right:
            lines.append(Finding("ok", f"rights: {name} may be made"))
        else:
            lines.append(
                Finding("missing", f"rights: {name} may not be made; ask who runs the cluster")
            )
    return lines
