"""Which fields of an object the engine keeps encrypted.

What a Secret holds is always secret. Elsewhere secretness follows the inputs: a field that was
secret in the program is secret in what comes back from the cluster.
"""

from collections.abc import Mapping
from typing import Any, Final

from toolchain.kubernetes_plugin.properties import Properties, Secret, contains_secret

_SECRET_FIELDS: Final = ("data", "stringData")
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def marked(values: Mapping[str, Any], inputs: Mapping[str, Any] | None) -> Properties:
    """Return a copy of plain values with the secrets marked.

    Args:
        values: Plain values, of an object or of its inputs.
        inputs: Inputs of the program with their own secret marks. Of a list that holds a secret,
            the whole list is marked: the cluster may reorder it.
    """
    result = dict(values)
    if result.get("kind") == "Secret":
        _mark_secret_kind(result)
        return result
    for key, given in (inputs or {}).items():
        if key not in result:
            continue
        value = result[key]
        if isinstance(value, Mapping) and isinstance(given, Mapping):
            result[key] = marked(value, given)
        elif not isinstance(value, Secret) and contains_secret(given):
            result[key] = Secret(value)
    return result


def _mark_secret_kind(obj: Properties) -> None:
    for key in _SECRET_FIELDS:
        if key in obj and not isinstance(obj[key], Secret):
            obj[key] = Secret(obj[key])
    metadata = obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    if isinstance(metadata, Mapping) and isinstance(annotations, Mapping):
        # `kubectl apply` keeps a copy of everything it sent in this annotation.
        hidden = {key: Secret(v) if key == LAST_APPLIED else v for key, v in annotations.items()}
        obj["metadata"] = {**metadata, "annotations": hidden}
