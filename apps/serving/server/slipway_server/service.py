"""What the server serves and whether it takes requests, whichever way they come."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Any, Final, TypeVar

from slipway_server import batching
from slipway_server.batching import Inference
from slipway_server.errors import RequestError
from slipway_server.metrics import Metrics
from slipway_server.pool import InferencePool
from slipway_server.protocol import ServedModel

NAME: Final = "slipway"

EXTENSIONS: Final = ("binary_tensor_data",)
"""Extensions of the protocol that the server speaks."""

CLIENT_LEFT: Final = 499
"""What is counted where the client did not wait for its answer: nginx's status for it."""

RETRY_AFTER_SECONDS: Final = 1
"""What a refused client is told to wait: a queue that lasts longer means too few replicas."""

HELD_BODIES: Final = 8
"""How many of the largest bodies may be held at once, those of waiting requests included; more are
refused, so that a pod's memory does not depend on how many clients there are."""

T = TypeVar("T")


class Service:
    """The state behind the endpoints.

    Args:
        name: Name by which clients ask for the model.
        version: Its version.
        threads: How many requests, or batches of them, are worked on at once.
        queue: How many more requests may wait.
        max_body: Largest request in bytes.
        timeout: Seconds until a request without an answer is given up; `None` for never.
    """

    def __init__(
        self,
        name: str,
        version: str,
        threads: int,
        queue: int,
        max_body: int,
        timeout: float | None,
    ) -> None:
        self.name = name
        self.version = version
        self.max_body = max_body
        self.served: ServedModel | None = None
        self.draining = False
        self.metrics = Metrics()
        self._pool = InferencePool(threads, queue, self._run, self._batches, timeout)
        self.metrics.watch(lambda: self._pool.pending, lambda: self._pool.waiting)
        self._held = 0

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and warm, and the server is not about to end."""
        return self.served is not None and not self.draining

    def check_name(self, model: str, version: str) -> None:
        """Refuse a request for another model, or for another version where it names one."""
        if model != self.name:
            raise RequestError(
                f"unknown model '{model}', this server has '{self.name}'", status=404
            )
        if version not in ("", self.version):
            raise RequestError(
                f"unknown version '{version}' of model '{self.name}',"
                f" this server has '{self.version}'",
                status=404,
            )

    def model(self) -> ServedModel:
        """Return the model.

        Raises:
            RequestError: It is still loading.
        """
        if self.served is None:
            raise RequestError(f"model '{self.name}' is still loading", status=503)
        return self.served

    def hold(self, size: int) -> None:
        """Count bytes of a request that are held from now on; `release` has to follow.

        Raises:
            RequestError: With them there are too many.
        """
        self._held += size
        if self._held > HELD_BODIES * self.max_body:
            raise RequestError("overloaded: too many large requests at once", status=503)

    def release(self, size: int) -> None:
        """Stop counting bytes that `hold` was told of."""
        self._held -= size

    async def infer(self, inference: Inference[T]) -> T:
        """Answer a request in the pool.

        Raises:
            RequestError: It cannot be answered, or there is no place for it.
        """
        return await self._pool.answer(inference)

    async def measured(self, protocol: str, answering: Awaitable[T]) -> T:
        """Await an answer, and count it and its time.

        Args:
            protocol: `rest` or `grpc`.
            answering: What answers the request.
        """
        start = time.perf_counter()
        code = 500
        try:
            answer = await answering
            code = 200
            return answer
        except RequestError as error:
            code = error.status
            raise
        except asyncio.CancelledError:
            code = CLIENT_LEFT
            raise
        finally:
            self.metrics.answered(protocol, code, time.perf_counter() - start)

    def close(self) -> None:
        """Let the threads of the pool end."""
        self._pool.close()

    def _batches(self) -> bool:
        return self.served is not None and self.served.batches

    def _run(self, inferences: Sequence[Inference[Any]]) -> Sequence[Any]:
        answers, sizes = batching.run(self.model().model, inferences)
        self.metrics.ran(sizes)
        return answers
