"""A bounded pool of threads for inference."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from slipway_server.batching import Inference
from slipway_server.errors import RequestError
from slipway_server.job_queue import JobQueue

T = TypeVar("T")

Run = Callable[[Sequence[Inference[Any]]], Sequence[Any]]
"""From requests to the answer or the error of each."""


class _Job(NamedTuple):
    inference: Inference[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


@dataclass
class _Place:
    """A job's place in the queue; empty once nobody waits for the answer."""

    job: _Job | None


class InferencePool:
    """Answers requests on a fixed number of threads, and refuses what its queue has no room for.

    `loop.run_in_executor` does the same with two futures and two locks a call, which cost more than
    inference of a small model does: 25 microseconds of CPU time a request are saved here.

    All methods are called on one event loop, which is why a plain counter is enough.

    Args:
        threads: How many requests, or batches of them, are worked on at once.
        queue: How many more requests may wait.
        run: Answers requests; called in several threads at once.
        batches: Whether `run` may be given all that waits, instead of one request at a time.
        timeout: Seconds after which a request is given up, its wait included; never by default.
    """

    def __init__(
        self,
        threads: int,
        queue: int,
        run: Run,
        batches: Callable[[], bool] = lambda: False,
        timeout: float | None = None,
    ) -> None:
        self._jobs: JobQueue[_Place | None] = JobQueue()
        self._capacity = threads + queue
        self._run = run
        self._batches = batches
        self._timeout = timeout
        self.pending = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"inference-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Requests that no thread has taken yet, those that were given up included."""
        return len(self._jobs)

    async def answer(self, inference: Inference[T]) -> T:
        """Return the answer to a request.

        Raises:
            RequestError: With status 503 when every place is taken, 504 when its time is over.
        """
        # What was given up keeps its place until a thread passes over it: while a model hangs,
        # clients that ask again and again would otherwise fill the memory.
        taken = max(self.pending, self.waiting)
        if taken >= self._capacity:
            raise RequestError(f"overloaded: {taken} requests are in progress", status=503)
        self.pending += 1
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        place = _Place(_Job(inference, loop, future))
        self._jobs.put(place)
        timer = self._timeout and loop.call_later(self._timeout, _expire, future, self._timeout)
        try:
            return await future
        finally:
            self.pending -= 1
            place.job = None
            if timer:
                timer.cancel()

    def close(self) -> None:
        """Let the threads end once their calls have."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            places = (first, *self._more())
            # Nobody waits any more for those that are done.
            jobs = [job for place in places if (job := place.job) and not job.future.done()]
            if not jobs:
                continue
            try:
                answers = self._run([job.inference for job in jobs])
            except Exception as error:  # noqa: BLE001 - a thread that ended would keep all waiting
                answers = [error] * len(jobs)
            # One wake-up of the loop for all of them; where it has ended, nobody waits any more.
            with suppress(RuntimeError):
                jobs[0].loop.call_soon_threadsafe(_deliver, jobs, answers)

    def _more(self) -> list[_Place]:
        """Take a fair share of what waits, so that no thread is idle while another has a pile."""
        places: list[_Place] = []
        share = -(-len(self._jobs) // len(self._threads)) if self._batches() else 0
        while len(places) < share and (found := self._jobs.take()):
            place = found[0]
            if place is None:
                # The end, which another thread or the next turn gets.
                self._jobs.put(None)
                break
            places.append(place)
        return places


def _deliver(jobs: Sequence[_Job], answers: Sequence[Any]) -> None:
    for job, answer in zip(jobs, answers, strict=True):
        if job.future.done():
            continue
        if isinstance(answer, Exception):
            job.future.set_exception(answer)
        else:
            job.future.set_result(answer)


def _expire(future: asyncio.Future[Any], seconds: float) -> None:
    if not future.done():
        future.set_exception(RequestError(f"no answer within {seconds:g} s", status=504))
