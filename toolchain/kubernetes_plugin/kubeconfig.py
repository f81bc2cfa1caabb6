"""Kubeconfigs: reading one, and which cluster it points to."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

Kubeconfig = dict[str, Any]

_DEFAULT_FILE: Final = "~/.kube/config"


class KubeconfigError(Exception):
    """A kubeconfig that cannot be used; the message never repeats what is in it."""


def parse(path_or_contents: str | Mapping[str, Any]) -> Kubeconfig:
    """Return a kubeconfig given as its path, its contents or its parsed contents.

    Raises:
        KubeconfigError: It is none of them.
    """
    if isinstance(path_or_contents, Mapping):
        return dict(path_or_contents)
    text = path_or_contents
    if "\n" not in text and not text.lstrip().startswith("{"):
        path = Path(text).expanduser()
        if not path.is_file():
            raise KubeconfigError(
                f'kubeconfig "{text}" is neither a file nor the contents of a kubeconfig'
            )
        text = path.read_text()
    try:
        # libyaml where PyYAML has it: an order of magnitude faster on certificates.
        config = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        # The error itself quotes the text around the problem, which may be a credential.
        raise KubeconfigError(f"kubeconfig is not YAML{where}") from None
    if not isinstance(config, dict):
        raise KubeconfigError("kubeconfig is not a YAML mapping")
    return config


def ambient() -> Kubeconfig:
    """Return the kubeconfig of the environment: `$KUBECONFIG`, else the file in the home folder.

    Raises:
        KubeconfigError: There is none.
    """
    listed = [item for item in os.environ.get("KUBECONFIG", "").split(os.pathsep) if item]
    for candidate in listed or [_DEFAULT_FILE]:
        path = Path(candidate).expanduser()
        if path.is_file():
            return parse(str(path))
    raise KubeconfigError(
        "no kubeconfig: give the provider one, set KUBECONFIG, or write ~/.kube/config"
    )


def active_context(config: Mapping[str, Any], context: str = "") -> Mapping[str, Any] | None:
    """Return a context by name, or the current one; `None` if there is no such context."""
    return _named(config, "contexts", "context", context or config.get("current-context") or "")


def active_cluster(
    config: Mapping[str, Any], *, context: str = "", cluster: str = ""
) -> Mapping[str, Any] | None:
    """Return the cluster that a kubeconfig points to, or `None` if that cannot be told.

    Args:
        config: The kubeconfig.
        context: Context to use instead of the current one.
        cluster: Cluster to use instead of the context's.
    """
    chosen = active_context(config, context)
    if chosen is None:
        return None
    return _named(config, "clusters", "cluster", cluster or str(chosen.get("cluster") or ""))


def with_overrides(config: Kubeconfig, *, context: str = "", cluster: str = "") -> Kubeconfig:
    """Return a kubeconfig whose current context is the one that the arguments choose.

    Raises:
        KubeconfigError: There is no such context or cluster.
    """
    name = context or str(config.get("current-context") or "")
    chosen = active_context(config, name)
    if chosen is None:
        raise KubeconfigError(f'kubeconfig has no context "{name}"')
    if active_cluster(config, context=name, cluster=cluster) is None:
        wanted = cluster or chosen.get("cluster")
        raise KubeconfigError(f'kubeconfig has no cluster "{wanted}"')
    if not cluster:
        return {**config, "current-context": name}
    effective = {"name": name, "context": {**chosen, "cluster": cluster}}
    others = [item for item in config.get("contexts") or [] if item.get("name") != name]
    return {**config, "current-context": name, "contexts": [*others, effective]}


def _named(
    config: Mapping[str, Any], section: str, key: str, name: str
) -> Mapping[str, Any] | None:
    for item in config.get(section) or []:
        if item.get("name") == name:
            found = item.get(key)
            return found if isinstance(found, Mapping) else None
    return None
