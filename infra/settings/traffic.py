"""Settings of the further versions of a model, beside the one that serves it."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from infra.naming import MODEL_HEADER
from infra.settings.containers import ContainerSettings
from infra.settings.errors import key
from infra.settings.formats import ModelFormat
from infra.settings.plain import at, entries
from infra.settings.promotion import Promotion
from infra.settings.types import (
    WORKLOAD_NAME_LIMIT,
    ModelUri,
    ModelVersion,
    Replicas,
    Sha256,
    StorageName,
    StrictModel,
)

CANARY: Final = "canary"
MIRROR: Final = "mirror"
ROLES: Final = (CANARY, MIRROR)
"""Keys of the further versions, which their workloads are called by: `<model>-<role>`."""

# RFC 9110 "token", and what of a field's value the Gateway API takes.
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]{0,4094}[!-~])?")
# The Gateway API takes as many in one match.
_HEADERS: Final = 16


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"`{name}` is not the name of a header; write one like `X-Group`")
        if name.lower() == MODEL_HEADER:
            raise ValueError(f"`{name}` tells models apart over gRPC; name another header")
        if not _HEADER_VALUE.fullmatch(text):
            raise ValueError(
                f"`{text}` is not the value of a header; use 1 to 4096 printable characters"
            )
    if len({name.lower() for name in value}) < len(value):
        raise ValueError("a header is listed more than once; its case does not count")
    return value


Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
Headers = Annotated[dict[str, str], Field(max_length=_HEADERS), AfterValidator(_headers)]


class VersionSettings(StrictModel):
    """Another version of a model, which runs with the model's settings.

    Attributes:
        uri: Where it is, as `uri` of the model, and by default the same.
        sha256: What pins it, as of the model.
        version: Likewise.
        storage: How it is downloaded; as the model by default.
        format: Its format; the model's by default.
        container: What differs from the container of its format; the model's by default.
        replicas: Number of its pods; as many as the model has at least by default. No autoscaler
            moves it.
    """

    uri: ModelUri | None = None
    sha256: Sha256 | None = None
    version: ModelVersion | None = None
    storage: StorageName | None = None
    format: ModelFormat | None = None
    container: ContainerSettings | None = None
    replicas: Replicas | None = None


class CanarySettings(VersionSettings):
    """A version that answers a share of the requests.

    Attributes:
        weight: Percent of the requests that it answers, 0 to 100.
        promote: How a controller moves its weight, instead of `weight`.
        headers: Requests that have all of these headers go to it, whatever its weight; none by
            default.
    """

    weight: Percent | None = None
    promote: Promotion | None = None
    headers: Headers = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_moves_it(self) -> Self:
        if self.weight is None and self.promote is None:
            raise ValueError("`weight` is missing; add it, or `promote: auto`")
        if self.weight is not None and self.promote is not None:
            raise ValueError("`weight` and `promote` exclude each other; remove one of them")
        return self

    @property
    def written_weight(self) -> int:
        """The weight that the stack writes: where a controller moves it, what it starts from."""
        return self.weight or 0

    @property
    def most_weight(self) -> int:
        """The highest weight that it may have by itself."""
        return 100 if self.promote else self.written_weight


class MirrorSettings(VersionSettings):
    """A version that gets copies of requests, and whose answers nobody gets.

    Attributes:
        percent: Percent of the requests that are copied, 0 to 100; all by default.
    """

    percent: Percent = 100


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each further version that is one too many, or whose name does not do.

    It looks at the plain data, so that these errors come together with those of the fields.

    Args:
        raw: The settings as plain data.
    """
    models = dict(entries(raw.get("models")))
    found = []
    for name, model in models.items():
        if all(at(model, role) is not None for role in ROLES):
            found.append(
                f"{key('models', name, MIRROR)}: the gateway copies the requests of one version, "
                f"and those of `{name}` are shared with its `{CANARY}`; remove one of them"
            )
        for role in ROLES:
            workload = f"{name}-{role}"
            if at(model, role) is None:
                continue
            if len(workload) > WORKLOAD_NAME_LIMIT:
                found.append(
                    f"{key('models', name, role)}: its pods are called `{workload}`, which has "
                    f"{len(workload)} characters; shorten the model's name, so that it has at most "
                    f"{WORKLOAD_NAME_LIMIT - len(role) - 1}"
                )
            if workload in models:
                found.append(
                    f"{key('models', workload)}: the {role} of `{name}` has that name; give the "
                    "model another one"
                )
    return found
