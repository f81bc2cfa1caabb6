"""Configuration of the provider: checking it, comparing it, and reading it.

`check` and `changes` follow the official plug-in's `CheckConfig` and `DiffConfig`: a provider is
replaced, and with it everything under it, only when it points to another cluster.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from toolchain.kubernetes_plugin import kubeconfig
from toolchain.kubernetes_plugin.diff import same
from toolchain.plugin.properties import UNKNOWN, plain

CLUSTER_IDENTIFIER: Final = "clusterIdentifier"
_CONNECTION: Final = ("kubeconfig", "context", "cluster")
_VARIABLE_PREFIX: Final = "kubernetes:config:"
_DEFAULT_PROVIDER: Final = "::default"

# Options of the official plug-in that this one cannot follow; silence would be a wrong result.
_UNSUPPORTED: Final = ("renderYamlToDirectory", "alwaysRender")


@dataclass(frozen=True)
class CheckFailure:
    """A property that was refused, and why."""

    property: str
    reason: str


@dataclass(frozen=True)
class ConfigChanges:
    """Which properties of a provider changed, and which of them replace it."""

    changed: tuple[str, ...]
    replaces: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """How a provider behaves.

    Attributes:
        kubeconfig: Path or contents; "" for the ambient one.
        context: Context of the kubeconfig; "" for its current one.
        cluster: Cluster of the kubeconfig; "" for the context's.
        namespace: Namespace of objects that name none; "" for the context's.
        server_side_apply: Whether updates are server-side applies.
        patch_force: Whether field conflicts are always won.
        upsert_existing_objects: Whether a create may meet an object that exists.
        delete_unreachable: Whether resources of an unreachable cluster leave the state.
        skip_update_unreachable: Whether resources of an unreachable cluster are left as they are.
        config_map_mutable: Whether ConfigMaps are updated in place.
        secret_mutable: Whether Secrets are updated in place.
        request_timeout: Seconds that one request may take; `None` for no limit.
    """

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    server_side_apply: bool = True
    patch_force: bool = False
    upsert_existing_objects: bool = False
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False
    config_map_mutable: bool = False
    secret_mutable: bool = False
    request_timeout: float | None = None


def check(urn: str, news: Mapping[str, Any]) -> list[CheckFailure]:
    """Return what is wrong with a provider's inputs.

    Args:
        urn: URN of the provider.
        news: Its inputs; a value may be unknown.
    """
    failures = [
        CheckFailure(name, f'the stand-in kubernetes plug-in does not support "{name}"')
        for name in _UNSUPPORTED
        if news.get(name) not in (None, "", False, "false")
    ]
    if _is_true(plain(news.get("strictMode"))) or _ambient_strict_mode():
        failures += _check_strictly(urn, news)
    return failures


def _check_strictly(urn: str, news: Mapping[str, Any]) -> list[CheckFailure]:
    failures = []
    if _DEFAULT_PROVIDER in urn:
        failures.append(CheckFailure("", "strict mode prohibits default provider"))
    for name in ("kubeconfig", "context"):
        if not news.get(name):
            reason = f'strict mode requires Provider "{name}" argument'
            failures.append(CheckFailure(name, reason))
    return failures


def _ambient_strict_mode() -> bool:
    """Return whether the stack's configuration asks for strict mode (`kubernetes:strictMode`)."""
    text = os.environ.get("PULUMI_CONFIG", "")
    values = json.loads(text) if text else {}
    return isinstance(values, dict) and _is_true(values.get("strictMode"))


def changes(olds: Mapping[str, Any], news: Mapping[str, Any]) -> ConfigChanges:
    """Return what changed between two sets of inputs of a provider.

    A kubeconfig, context or cluster that is not known yet may point anywhere, so it replaces the
    provider, unless `clusterIdentifier` is set and says that the cluster is the same one. Adding or
    removing the identifier replaces nothing by itself.

    Raises:
        kubeconfig.KubeconfigError: A kubeconfig cannot be read.
    """
    old, new = plain(olds), plain(news)
    changed = tuple(
        name for name in sorted(old.keys() | new.keys()) if not same(old.get(name), new.get(name))
    )
    before, after = old.get(CLUSTER_IDENTIFIER), new.get(CLUSTER_IDENTIFIER)
    if before and after and same(before, after):
        return ConfigChanges(changed, ())
    replaces = [CLUSTER_IDENTIFIER] if before and after else []
    unknown = [name for name in _CONNECTION if new.get(name) is UNKNOWN]
    if unknown:
        return ConfigChanges(changed, (*replaces, *unknown))
    if _points_elsewhere(old, new):
        replaces += [name for name in _CONNECTION if name in changed]
    return ConfigChanges(changed, tuple(replaces))


def _points_elsewhere(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    before, after = _active_cluster(old), _active_cluster(new)
    return before is not None and after is not None and before != after


def _active_cluster(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if not values.get("kubeconfig"):
        return None
    config = kubeconfig.parse(values["kubeconfig"])
    return kubeconfig.active_cluster(
        config, context=values.get("context") or "", cluster=values.get("cluster") or ""
    )


def read(variables: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in the configuration variables that the engine sends.

    Args:
        variables: By name with the prefix `kubernetes:config:`; structured values are JSON.
        environment: Environment variables of the plug-in, which set what no variable sets.
    """
    values = {key.removeprefix(_VARIABLE_PREFIX): value for key, value in variables.items()}
    ambient = os.environ if environment is None else environment

    def flag(name: str, variable: str, default: bool = False) -> bool:
        text = values.get(name, ambient.get(variable))
        return default if text is None else text == "true"

    client = json.loads(values.get("kubeClientSettings") or "{}")
    timeout = client.get("timeout") or ambient.get("PULUMI_K8S_CLIENT_TIMEOUT")
    return Settings(
        kubeconfig=values.get("kubeconfig", ""),
        context=values.get("context", ""),
        cluster=values.get("cluster", ""),
        namespace=values.get("namespace", ""),
        server_side_apply=flag(
            "enableServerSideApply", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", default=True
        ),
        patch_force=flag("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
        upsert_existing_objects=flag("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
        delete_unreachable=flag("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
        skip_update_unreachable=flag("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"),
        config_map_mutable=flag("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
        secret_mutable=flag("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
        request_timeout=float(timeout) if timeout else None,
    )


def _is_true(value: Any) -> bool:
    return value is True or value == "true"
