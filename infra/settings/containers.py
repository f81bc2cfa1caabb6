"""Settings of the container that serves a model."""

import dataclasses
import hashlib
import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from apps.serving.protocols import ProtocolName
from apps.serving.runtimes import Health, Runtime
from infra.settings.types import StrictModel

# `[host[:port]/]path[:tag][@digest]`, as container runtimes take it.
_IMAGE: Final = re.compile(
    r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:(?P<tag>[\w][\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_RECIPE: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_URL_PATH: Final = re.compile(r"/[A-Za-z0-9._~/-]*")


def _image(value: str) -> str:
    match = _IMAGE.fullmatch(value)
    if match is None:
        raise ValueError(f"`{value}` is not an image; write it like `example.com/team/server:1.4`")
    if match["digest"] is None and match["tag"] in (None, "latest"):
        raise ValueError(
            f"`{value}` can be another image tomorrow; name it by a version (`:1.4`) or a digest"
        )
    return value


def _recipe(value: str) -> str:
    if not _RECIPE.fullmatch(value):
        raise ValueError(f"`{value}` is not a recipe; write its name, like `kserve-predictor`")
    return value


def _url_path(value: str) -> str:
    if not _URL_PATH.fullmatch(value):
        raise ValueError(f"`{value}` is not a path; write it like `/healthz`")
    return value


ImageReference = Annotated[str, AfterValidator(_image)]
RecipeName = Annotated[str, AfterValidator(_recipe)]
UrlPath = Annotated[str, AfterValidator(_url_path)]
# The container runs as a user without the right to a lower one.
ContainerPort = Annotated[int, Field(strict=True, ge=1024, le=65535)]


class ContainerSettings(StrictModel):
    """What differs from the row of the model's format in `apps.serving.runtimes`.

    Attributes:
        image: Reference of the image, with a version or a digest.
        recipe: The image is made on this machine instead: a row of `toolchain/images/recipes.py`.
        command: What it runs in place of the image's entry point.
        args: Arguments, after those of the runtime. `$(MODEL_NAME)`, `$(MODEL_VERSION)` and
            `$(MODEL_PATH)` stand for the model's own with the format `custom`.
        port: Where it listens.
        protocol: What its clients speak.
        health: Path whose status is 200 once the model takes requests.
    """

    image: ImageReference | None = None
    recipe: RecipeName | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    port: ContainerPort | None = None
    protocol: ProtocolName | None = None
    health: UrlPath | None = None

    def applied(self, row: Runtime) -> Runtime:
        """Return a row of the table with what these settings change of it."""
        return dataclasses.replace(
            row,
            command=self.command or row.command,
            port=self.port or row.port,
            protocol=self.protocol or row.protocol,
            health=Health(self.health, self.health) if self.health else row.health,
        )

    @property
    def digest(self) -> str:
        """SHA-256 over what a model without a file consists of."""
        parts = "\0".join((self.image or self.recipe or "", *self.command, *self.args))
        return hashlib.sha256(parts.encode()).hexdigest()

    def check(self, model_format: str, row: Runtime) -> None:
        """Hold that the format takes these settings.

        Args:
            model_format: The model's format.
            row: Its row.

        Raises:
            ValueError: It does not.
        """
        if self.image is not None and self.recipe is not None:
            raise ValueError(
                "`container.image` and `container.recipe` exclude each other; remove one of them"
            )
        if row.recipe is None and self.image is None and self.recipe is None:
            raise ValueError(
                f"`container.image` is missing, and the format `{model_format}` has no image of "
                "its own; add it"
            )
        others = sorted(self.model_fields_set - {"image", "recipe", "args"})
        if others and not row.custom:
            raise ValueError(
                f"`container.{others[0]}` belongs to an image that we do not know; remove it, "
                "or set `format: custom`"
            )
