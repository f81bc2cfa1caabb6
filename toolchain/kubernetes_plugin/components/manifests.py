"""Kubernetes manifests: from YAML to objects that can be registered."""

import glob
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.discovery import Discovery
from toolchain.kubernetes_plugin.types import group_of, is_cluster_scoped

Object = dict[str, Any]

_DOWNLOAD_TIMEOUT_SECONDS = 60.0

# Groups whose kinds are all Kubernetes' own, so that no cluster has to be asked about them.
_OWN_GROUPS = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)


_UNKNOWN_TO_JSON = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")


def _loader() -> type[yaml.SafeLoader]:
    """Return a loader that reads YAML as Kubernetes' own tools do.

    They go by way of JSON, which has no dates, and they know nothing of the `=` that YAML 1.1 makes
    a value of its own. The loader in C is used where PyYAML was built with it: it reads the
    megabyte of a big definition in a tenth of the time.
    """
    base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [(tag, pattern) for tag, pattern in listed if tag not in _UNKNOWN_TO_JSON]
        for first, listed in base.yaml_implicit_resolvers.items()
    }
    return type("ManifestLoader", (base,), {"yaml_implicit_resolvers": resolvers})


_LOADER = _loader()


def parse(text: str, source: str) -> list[Object]:
    """Return the objects of a YAML text; empty documents are skipped.

    Args:
        text: Documents separated by `---`; JSON is YAML.
        source: Where the text comes from, for messages.

    Raises:
        ComponentError: It is not YAML, or a document is not an object.
    """
    try:
        documents = list(yaml.load_all(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise ComponentError(f"{source}: not valid YAML: {_one_line(error)}") from error
    objects = []
    for document in documents:
        if document is None or document == {}:
            continue
        if not isinstance(document, Mapping):
            raise ComponentError(f"{source}: a document is no object: `{_excerpt(document)}`")
        objects.append(_with_text_keys(document))
    return objects


def read(location: str, *, globbing: bool = False) -> list[Object]:
    """Return the objects of a file, of a URL, or of every file that a pattern matches.

    Raises:
        ComponentError: It cannot be read, or is not a manifest.
    """
    scheme = urllib.parse.urlsplit(location).scheme
    if scheme in ("http", "https"):
        return parse(_download(location), location)
    if scheme and "://" in location:
        raise ComponentError(f"{location}: only files, http:// and https:// can be read")
    paths = [location]
    if globbing and glob.has_magic(location):
        # `Path.glob` takes no absolute pattern.
        paths = sorted(glob.glob(location, include_hidden=True))  # noqa: PTH207
    return [obj for path in paths for obj in parse(_text_of(path), path)]


def normalize(
    objects: Iterable[Object], namespace: str, discovery: Discovery
) -> tuple[list[Object], list[str]]:
    """Return objects ready for registration, and the kinds of which the scope is not known.

    Lists are taken apart, the group `core` is written as the API does, and namespaced objects
    without a namespace get the default one. Where neither the manifest's own definitions nor the
    cluster tell whether a kind is namespaced, the object is left as it is.

    Raises:
        ComponentError: An object has no `apiVersion`, `kind` or name.
    """
    expanded = [_validated(obj) for obj in _expanded(objects)]
    defined = dict(_definitions(expanded))
    unresolved: list[str] = []
    for obj in expanded:
        if obj["metadata"].get("namespace"):
            continue
        namespaced = _is_namespaced(obj, defined, discovery)
        if namespaced is None:
            unresolved.append(f"{obj['apiVersion']}/{obj['kind']}")
        elif namespaced:
            obj["metadata"]["namespace"] = namespace
    return expanded, list(dict.fromkeys(unresolved))


def _expanded(objects: Iterable[Object]) -> Iterator[Object]:
    for obj in objects:
        items = obj.get("items")
        if isinstance(items, list) and str(obj.get("kind") or "").endswith("List"):
            yield from _expanded(item for item in items if item)
        else:
            yield obj


def _validated(obj: Object) -> Object:
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if not (isinstance(api_version, str) and api_version and isinstance(kind, str) and kind):
        raise ComponentError(
            f"Kubernetes resources require a kind and apiVersion: `{_excerpt(obj)}`"
        )
    metadata = obj.get("metadata")
    if not isinstance(metadata, Mapping) or not metadata.get("name"):
        raise ComponentError(f"Kubernetes resources require a .metadata.name: `{_excerpt(obj)}`")
    version = api_version.removeprefix("core/")
    return obj | {"apiVersion": version, "metadata": dict(metadata)}


def _definitions(objects: Iterable[Object]) -> Iterator[tuple[tuple[str, str], bool]]:
    """Yield the group and kind that each definition adds, and whether it is namespaced."""
    for obj in objects:
        if obj["kind"] != "CustomResourceDefinition":
            continue
        spec = obj.get("spec") or {}
        kind = (spec.get("names") or {}).get("kind", "")
        yield (str(spec.get("group", "")), str(kind)), spec.get("scope") == "Namespaced"


def _is_namespaced(
    obj: Object, defined: Mapping[tuple[str, str], bool], discovery: Discovery
) -> bool | None:
    api_version, kind = obj["apiVersion"], obj["kind"]
    group = group_of(api_version)
    if group in _OWN_GROUPS:
        return not is_cluster_scoped(api_version, kind)
    if (group, kind) in defined:
        return defined[group, kind]
    return discovery.scope(api_version, kind)


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text in UTF-8"
        raise ComponentError(f"{path}: cannot be read: {reason}") from error


def _download(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_DOWNLOAD_TIMEOUT_SECONDS) as response:
            return str(response.read().decode("utf-8"))
    except (urllib.error.URLError, TimeoutError, UnicodeDecodeError) as error:
        raise ComponentError(f"{url}: cannot be downloaded: {_one_line(error)}") from error


def _with_text_keys(value: Any) -> Any:
    """Return a value whose mappings have only text keys, as JSON has."""
    if isinstance(value, Mapping):
        return {_key(key): _with_text_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(item) for item in value]
    return value


def _key(key: object) -> str:
    return json.dumps(key) if isinstance(key, bool | None) else str(key)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _excerpt(value: object) -> str:
    shown = json.dumps(value, default=str)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."
