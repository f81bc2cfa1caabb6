"""Requirements on how long a request may take."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from slipway_server.errors import RequestError
from slipway_server.job_queue import JobQueue
from slipway_server.pool import InferencePool
from tests.waiting import until


def run(calls: Sequence[Any]) -> Sequence[Any]:
    """Call what the pool was given in place of requests."""
    return [call() for call in calls]


def asking(call: Callable[[], object]) -> Any:
    return call


def test_a_request_that_takes_too_long_is_given_up() -> None:
    release = threading.Event()
    pool = InferencePool(threads=1, queue=1, run=run, timeout=0.05)

    async def asked() -> None:
        with pytest.raises(RequestError, match=r"no answer within 0\.05 s") as caught:
            await pool.answer(asking(release.wait))
        assert caught.value.status == 504
        release.set()
        assert await pool.answer(asking(lambda: "the next one")) == "the next one"

    asyncio.run(asked())
    pool.close()


def test_a_request_whose_time_is_over_while_it_waits_is_not_worked_on() -> None:
    release, worked = threading.Event(), threading.Event()
    pool = InferencePool(threads=1, queue=1, run=run, timeout=0.05)

    async def asked() -> None:
        results = await asyncio.gather(
            pool.answer(asking(release.wait)),
            pool.answer(asking(worked.set)),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [RequestError, RequestError]
        release.set()
        await pool.answer(asking(lambda: None))

    asyncio.run(asked())
    assert not worked.is_set()
    pool.close()


def test_requests_that_were_given_up_keep_their_places_until_they_are_passed_over() -> None:
    release = threading.Event()
    pool = InferencePool(threads=1, queue=1, run=run, timeout=0.05)

    async def asked() -> None:
        await asyncio.gather(pool.answer(asking(release.wait)), return_exceptions=True)
        statuses = []
        for _ in range(3):
            with pytest.raises(RequestError) as caught:
                await pool.answer(asking(lambda: None))
            statuses.append(caught.value.status)
        assert statuses == [504, 504, 503]
        release.set()
        while pool.waiting:
            await asyncio.sleep(0)
        assert await pool.answer(asking(lambda: "the next one")) == "the next one"

    asyncio.run(asked())
    pool.close()


def test_a_request_that_was_given_up_is_let_go_of_while_it_waits() -> None:
    class Large:
        def __call__(self) -> None:
            """Be a request."""

    release = threading.Event()
    pool = InferencePool(threads=1, queue=1, run=run, timeout=0.05)

    async def asked() -> None:
        blocking = asyncio.ensure_future(pool.answer(asking(release.wait)))
        large = Large()
        held = weakref.ref(large)
        waiting = asyncio.ensure_future(pool.answer(asking(large)))
        del large
        await asyncio.wait([blocking, waiting])
        assert [type(task.exception()) for task in (blocking, waiting)] == [RequestError] * 2
        del waiting
        gc.collect()
        assert held() is None
        release.set()

    asyncio.run(asked())
    pool.close()


def test_a_request_may_take_any_time_by_default() -> None:
    pool = InferencePool(threads=1, queue=0, run=run)
    assert asyncio.run(pool.answer(asking(lambda: threading.Event().wait(0.1)))) is False
    pool.close()


def test_an_answer_that_comes_once_the_server_has_ended_is_dropped() -> None:
    release = threading.Event()
    pool = InferencePool(threads=1, queue=0, run=run, timeout=0.05)
    with pytest.raises(RequestError):
        asyncio.run(pool.answer(asking(release.wait)))
    release.set()
    pool.close()
    # An exception in the thread would fail this test.
    for thread in pool._threads:
        thread.join()


def test_every_entry_is_taken_once_by_whichever_thread_and_in_order() -> None:
    queue: JobQueue[int | None] = JobQueue()
    taken: list[list[int]] = [[] for _ in range(4)]

    def take(own: list[int]) -> None:
        while (entry := queue.get()) is not None:
            own.append(entry)

    threads = [threading.Thread(target=take, args=(own,)) for own in taken]
    for thread in threads:
        thread.start()
    for entry in range(5000):
        queue.put(entry)
    for _ in threads:
        queue.put(None)
    for thread in threads:
        thread.join()
    assert sorted(entry for own in taken for entry in own) == list(range(5000))
    assert all(own == sorted(own) for own in taken)
    assert len(queue) == 0


def test_an_entry_wakes_one_thread_and_leaves_the_others_idle() -> None:
    queue: JobQueue[int] = JobQueue()
    threads = [threading.Thread(target=queue.get) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: queue.idle == 3, "three idle threads")
    queue.put(1)
    assert queue.idle == 2
    until(lambda: sum(thread.is_alive() for thread in threads) == 2, "one thread has its entry")
    for _ in range(2):
        queue.put(1)
    for thread in threads:
        thread.join()
