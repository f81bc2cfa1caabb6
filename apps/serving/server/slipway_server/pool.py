"""A bounded pool of threads for inference."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from slipway_server.errors import RequestError


class InferencePool:
    """Runs calls on a fixed number of threads, and refuses what its queue has no room for.

    All methods are called on one event loop, which is why a plain counter is enough.

    Args:
        threads: How many calls run at once.
        queue: How many more may wait.
    """

    def __init__(self, threads: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="inference")
        self._capacity = threads + queue
        self._pending = 0

    async def run(self, call: Callable[[bytes], bytes], argument: bytes) -> bytes:
        """Run a call and return its result.

        Raises:
            RequestError: With status 503 when every place is taken.
        """
        if self._pending >= self._capacity:
            raise RequestError(f"overloaded: {self._pending} requests are in progress", status=503)
        self._pending += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, call, argument)
        finally:
            self._pending -= 1

    def close(self) -> None:
        """Free the threads once their calls have ended."""
        self._executor.shutdown(wait=False)
