"""What an inference request is, whichever way it comes, and the checks that all ways share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from slipway_server.errors import RequestError
from slipway_server.models import Model
from slipway_server.tensors import BYTES, DATATYPES, Array, TensorSpec, check_shape

MAX_DIMENSION = 2**31 - 1
"""Largest size of one dimension: more can never come with its data in one request."""


@dataclass(frozen=True)
class ServedModel:
    """A model under the name and version by which clients ask for it.

    Attributes:
        name: Its name.
        version: Its version.
        model: What answers.
        batches: Whether rows of several requests may be joined.
    """

    name: str
    version: str
    model: Model
    batches: bool = False

    def metadata(self) -> dict[str, Any]:
        """Return the protocol's `$metadata_model_response`."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": self.model.platform,
            "inputs": [spec.metadata() for spec in self.model.inputs],
            "outputs": [spec.metadata() for spec in self.model.outputs],
        }


class Inputs:
    """Collects the input tensors of one request.

    Args:
        specs: What the model takes.
    """

    def __init__(self, specs: Sequence[TensorSpec]) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._arrays: dict[str, Array] = {}

    def spec(self, name: object) -> TensorSpec:
        """Return the specification of a tensor that comes next.

        Raises:
            RequestError: The model has no such input, or it came before.
        """
        known = find("inputs", name, self._specs)
        if known in self._arrays:
            raise RequestError(f"input '{known}' is given twice")
        return self._specs[known]

    def add(self, spec: TensorSpec, datatype: str, array: Array) -> None:
        """Take a tensor that `check` let pass; a narrower number is widened to the model's."""
        own = datatype == spec.datatype
        self._arrays[spec.name] = array if own else array.astype(DATATYPES[spec.datatype])

    def arrays(self) -> dict[str, Array]:
        """Return all tensors.

        Raises:
            RequestError: One is missing.
        """
        for name in self._specs:
            if name not in self._arrays:
                raise RequestError(f"input '{name}' is missing")
        return self._arrays


def check(spec: TensorSpec, datatype: object, shape: Sequence[int]) -> str:
    """Return the datatype of an input, once it and the shape are what the model takes.

    Raises:
        RequestError: They are not.
    """
    name = spec.name
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise RequestError(
            f"input '{name}' has datatype {_show(datatype)}, the protocol knows"
            f" {', '.join(DATATYPES)}"
        )
    if not _takes(spec, datatype):
        raise RequestError(
            f"input '{name}' has datatype {datatype}, the model takes {spec.datatype}"
        )
    if not all(type(size) is int and 0 <= size <= MAX_DIMENSION for size in shape):
        raise RequestError(f"input '{name}' must have a list of non-negative integers as 'shape'")
    check_shape(spec, shape)
    return datatype


def requested_outputs(names: Sequence[object], specs: Sequence[TensorSpec]) -> list[str]:
    """Return the names of the outputs to answer with: all where none is requested.

    Raises:
        RequestError: The model has no such output, or it is requested twice.
    """
    known = [spec.name for spec in specs]
    requested = [find("outputs", name, known) for name in names]
    for name in requested:
        if requested.count(name) > 1:
            raise RequestError(f"output '{name}' is requested twice")
    return requested or known


def find(key: str, name: object, known: Sequence[str] | Mapping[str, Any]) -> str:
    """Return a name that the model knows.

    Args:
        key: `inputs` or `outputs`.
        name: What the request says.
        known: What the model has.

    Raises:
        RequestError: The model does not have it.
    """
    if not isinstance(name, str):
        raise RequestError(f"every entry of '{key}' needs a 'name'")
    if name not in known:
        raise RequestError(
            f"the model has no {key[:-1]} '{name}', it has {', '.join(repr(one) for one in known)}"
        )
    return name


def _takes(spec: TensorSpec, datatype: str) -> bool:
    """Tell whether a datatype is the model's own or a narrower number that loses nothing."""
    if datatype == spec.datatype:
        return True
    return spec.datatype == "FP64" and datatype not in (BYTES, "BOOL", "INT64", "UINT64")


def _show(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 40 else text[:37] + "..."
