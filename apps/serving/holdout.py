"""The held-out data of a model: rows, the predictions made offline, the true labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class HoldoutError(Exception):
    """A file that does not hold what it should; one line that names it."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class HoldoutInput(_Strict):
    """The model's input: its name, its datatype in the protocol, and the shape of one row."""

    name: str
    datatype: str
    shape_of_one_row: list[int]


class Holdout(_Strict):
    """Held-out rows of one model.

    Attributes:
        input: What the rows are sent as.
        output: Name of the output that holds the prediction.
        rows: One flat list of values a row.
        expected: The prediction made offline, by row.
        labels: What is true, by row.
    """

    input: HoldoutInput
    output: str
    rows: list[list[Any]] = Field(min_length=1)
    expected: list[Any]
    labels: list[Any]

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        if not len(self.rows) == len(self.expected) == len(self.labels):
            raise ValueError("`rows`, `expected` and `labels` differ in length")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file that an example's training wrote.

        Raises:
            HoldoutError: It is missing or not of this form.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise HoldoutError(f"{path}: no such file; train the example again") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "file"
            raise HoldoutError(
                f"{path}: {where}: {first['msg']}; train the example again"
            ) from None

    def examples(self) -> Iterator[tuple[list[Any], Any, Any]]:
        """Iterate over (row, prediction made offline, true label)."""
        return zip(self.rows, self.expected, self.labels, strict=True)
