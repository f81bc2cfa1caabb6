"""Requirements on how a load is put on a server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench import load
from bench.load import Ask, Bounds


@contextmanager
def answering() -> Iterator[Ask]:
    yield lambda number: None


def test_a_load_ends_after_its_requests() -> None:
    asked: list[int] = []

    @contextmanager
    def counting() -> Iterator[Ask]:
        yield asked.append

    load.drive(counting, 2, Bounds(requests=20, seconds=60), pid=None)
    # Each client asks once before the load begins.
    assert len(asked) == 2 + 20


def test_a_load_ends_after_its_time_however_many_requests_are_left() -> None:
    found = load.drive(answering, 1, Bounds(requests=10**9, seconds=0.01), pid=None)
    assert found["requests_per_second"] > 0


def test_a_client_that_fails_ends_the_load_with_its_error() -> None:
    opened: list[int] = []

    @contextmanager
    def second_fails() -> Iterator[Ask]:
        opened.append(1)
        if len(opened) == 2:
            raise ConnectionError("refused")
        yield lambda number: None

    with pytest.raises(ConnectionError, match="refused"):
        load.drive(second_fails, 3, Bounds(requests=30, seconds=60), pid=None)


def test_a_load_tells_what_its_clients_themselves_cost() -> None:
    @contextmanager
    def busy() -> Iterator[Ask]:
        def ask(number: int) -> None:
            del number
            end = time.thread_time() + 0.002
            while time.thread_time() < end:
                pass

        yield ask

    found = load.drive(busy, 1, Bounds(requests=10, seconds=60), pid=None)
    assert found["client_cpu_ms"] >= 2
