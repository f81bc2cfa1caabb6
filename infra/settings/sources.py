"""Where models are stored: one row per kind of source, and what pins a model there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal

# A path without empty, `.` and `..` parts, so that the beginning of a URI says where it leads.
_PART = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._=+@~-]+"
_PATH = rf"(?P<path>{_PART}(?:/{_PART})*)"
# 1 to 65535.
_PORT = r"(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
# Neither user nor query: they would hold a secret, in plain text.
_HOST = rf"[A-Za-z0-9][A-Za-z0-9.-]*(?::{_PORT})?"
_BUCKET = r"[a-z0-9][a-z0-9._-]+"
_AZURE = r"https://[a-z0-9-]+\.blob\.core\.windows\.net"

Pin = Literal["sha256", "version"]


@dataclass(frozen=True)
class Source:
    """A kind of place where models are stored.

    Attributes:
        form: How a URI of it is written.
        pattern: What its URIs match; the group `path` is the model's place there, and a group `pin`
            what pins a model by its URI alone.
        needs: Settings of a model of which one has to pin it; empty where its URI, or what is read
            from it, does.
        takes: Settings that may.
        downloads: Whether an init step brings the model to its pod.
    """

    form: str
    pattern: re.Pattern[str]
    needs: tuple[Pin, ...] = ()
    takes: tuple[Pin, ...] = ()
    downloads: bool = True

    def path(self, uri: str) -> str:
        """Return the place of a model in what its source holds."""
        return self._group(uri, "path") or ""

    def name(self, uri: str) -> str:
        """Return the name of a model's file or folder."""
        return PurePosixPath(self.path(uri)).name

    def pin(self, uri: str) -> str | None:
        """Return what a URI alone pins a model by, if it does."""
        return self._group(uri, "pin")

    def _group(self, uri: str, name: str) -> str | None:
        match = self.pattern.fullmatch(uri)
        return match.groupdict().get(name) if match else None


_BOTH: Final[tuple[Pin, ...]] = ("sha256", "version")

SOURCES: Final[Mapping[str, Source]] = {
    "file": Source(
        "file:<path below the project's folder>",
        # What is wrong with a path, `infra.settings.types` says better.
        re.compile(r"file:(?P<path>.*)"),
        downloads=False,
    ),
    "s3": Source(
        "s3://<bucket>/<key>", re.compile(rf"s3://{_BUCKET}/{_PATH}"), needs=_BOTH, takes=_BOTH
    ),
    "gs": Source(
        "gs://<bucket>/<name>", re.compile(rf"gs://{_BUCKET}/{_PATH}"), needs=_BOTH, takes=_BOTH
    ),
    "azure": Source(
        "https://<account>.blob.core.windows.net/<container>/<name>",
        re.compile(rf"{_AZURE}/[a-z0-9$-]+/{_PATH}"),
        needs=_BOTH,
        takes=_BOTH,
    ),
    # With a digest, what comes over plain HTTP cannot be changed on its way either.
    "https": Source(
        "https://<host>/<path>",
        re.compile(rf"(?!{_AZURE})https?://{_HOST}/{_PATH}"),
        needs=("sha256",),
        takes=_BOTH,
    ),
    "hf": Source(
        "hf://<owner>/<model>:<commit>",
        re.compile(r"hf://[A-Za-z0-9._-]+/(?P<path>[A-Za-z0-9._-]+):(?P<pin>[0-9a-f]{40})"),
        takes=("sha256",),
    ),
    "pvc": Source(
        "pvc://<claim>/<path>",
        re.compile(rf"pvc://(?P<claim>[a-z0-9][a-z0-9.-]*)/{_PATH}"),
        needs=("version",),
        takes=("version",),
        downloads=False,
    ),
    "oci": Source(
        "oci://<image>@sha256:<digest>/<path in the image>",
        re.compile(
            rf"oci://(?P<image>{_HOST}/[a-z0-9._/-]+(?::[A-Za-z0-9._-]+)?"
            rf"@sha256:(?P<pin>[0-9a-f]{{64}}))/{_PATH}"
        ),
        downloads=False,
    ),
}
"""The kinds by name."""


def kind(uri: str) -> str | None:
    """Return which kind of source a URI is of, if of any."""
    for name, source in SOURCES.items():
        if source.pattern.fullmatch(uri):
            return name
    return None


def of(uri: str) -> Source:
    """Return the source of a URI that `model_uri` has accepted."""
    found = kind(uri)
    if found is None:
        raise ValueError(f"`{uri}` is not a model URI")
    return SOURCES[found]


def image(uri: str) -> str:
    """Return the reference of the image that a URI of the kind `oci` names."""
    return SOURCES["oci"]._group(uri, "image") or ""


def claim(uri: str) -> str:
    """Return the name of the claim that a URI of the kind `pvc` names."""
    return SOURCES["pvc"]._group(uri, "claim") or ""


def problem(uri: str) -> str | None:
    """Return what is wrong with a URI, and the way out."""
    if kind(uri) is not None:
        return None
    scheme = uri.partition(":")[0]
    rows = [row for name, row in SOURCES.items() if row.form.startswith(f"{scheme}:")]
    if scheme == "http":
        rows = [SOURCES["https"]]
    if not rows:
        known = ", ".join(f"`{row.form}`" for row in SOURCES.values())
        return f"`{uri}` is not a model URI that this version reads; supported: {known}"
    forms = " or ".join(f"`{row.form}`" for row in rows)
    return (
        f"`{uri}` is not written like {forms}; correct it, with plain path parts and without user, "
        "query and trailing slash"
    )
