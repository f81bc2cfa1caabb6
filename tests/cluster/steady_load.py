"""Requests at a steady rate, of which every one is accounted for."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from apps.serving.client import Client, ClientError, Gateway

CLIENTS: Final = 20
PER_CLIENT: Final = 10
"""Requests a second of each client, so 200 of all of them."""
_LONGEST_SECONDS: Final = 300


@dataclass
class Answers:
    """What came of the requests so far.

    Attributes:
        versions: Answers by the version that gave them.
        failures: What was no answer, one line each.
    """

    versions: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


@contextmanager
def sent(url: str, gateway: Gateway, requests: Sequence[bytes]) -> Iterator[Answers]:
    """Send inference requests for the length of a block, or for 5 minutes at most.

    A client that waits for an answer sends what it missed afterwards: no request is left out.

    Args:
        url: URL of the model.
        gateway: How the gateway is reached, and how it is known.
        requests: Bodies, which are sent over and over.
    """
    answers, ended = Answers(), threading.Event()
    threads = [
        threading.Thread(target=_send, args=(url, gateway, requests, number, answers, ended))
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _send(
    url: str,
    gateway: Gateway,
    requests: Sequence[bytes],
    first: int,
    answers: Answers,
    ended: threading.Event,
) -> None:
    start = time.monotonic() + first / (CLIENTS * PER_CLIENT)
    with Client(url, gateway) as client:
        for number in range(_LONGEST_SECONDS * PER_CLIENT):
            if ended.wait(max(0.0, start + number / PER_CLIENT - time.monotonic())):
                return
            try:
                answer = client.infer(requests[(first + number) % len(requests)])
                answers.versions[str(answer["model_version"])] += 1
            except ClientError as error:
                answers.failures.append(f"{time.strftime('%X')} {error}")
