"""Answers a request without a server."""

from typing import Any, TypeVar

from slipway_server import batching
from slipway_server.batching import Inference
from slipway_server.protocol import ServedModel

T = TypeVar("T")


def answer(served: ServedModel, inference: Inference[T]) -> T:
    """Return the answer to a request, or raise its error."""
    (answers, _) = batching.run(served.model, [inference])
    only: Any = answers[0]
    if isinstance(only, Exception):
        raise only
    answered: T = only
    return answered
