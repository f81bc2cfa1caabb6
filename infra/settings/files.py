"""Models that are files of the machine, against where such a file can go."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from infra.settings.errors import key
from infra.settings.plain import at, entries
from infra.settings.traffic import ROLES

# Kinds of clusters to whose nodes this machine can bring files.
WITH_FILES: Final = frozenset({"local"})


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each version of a model that is a file its cluster cannot be brought.

    It looks at the plain data, so that these errors come together with those of the fields.

    Args:
        raw: The settings as plain data.
    """
    kind = at(raw, "cluster", "kind")
    if not isinstance(kind, str) or kind in WITH_FILES:
        return []
    return [
        f"{key(*place, 'uri')}: a file of this machine cannot be brought to a cluster of kind "
        f"`{kind}`; store the model where the cluster reaches it, such as `s3://<bucket>/<key>` "
        "(docs/storage.md)"
        for place, uri in _uris(raw)
        if isinstance(uri, str) and uri.startswith("file:")
    ]


def _uris(raw: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, model in entries(raw.get("models")):
        yield ("models", name), at(model, "uri")
        for role in ROLES:
            yield ("models", name, role), at(model, role, "uri")
