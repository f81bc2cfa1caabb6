"""The protocols that clients speak with a model: one row each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

ProtocolName = Literal["open-inference-v2", "openai", "http"]


@dataclass(frozen=True)
class Protocol:
    """Where a server that speaks it answers.

    Attributes:
        path: Of a model, below the server's address; `{model}` stands for the model's name.
        ready: Answers with status 200 once the model takes requests.
        live: Answers with status 200 while the server works.
        below: Paths below which it answers; everywhere by default.
        at: Further paths at which it does, and not below.
        streams: Whether an answer may come in parts, long after it has begun.
    """

    path: str
    ready: str
    live: str
    below: tuple[str, ...] = ("/",)
    at: tuple[str, ...] = ()
    streams: bool = False


PROTOCOLS: Final[Mapping[ProtocolName, Protocol]] = {
    # https://github.com/open-inference/open-inference-protocol
    "open-inference-v2": Protocol(
        "/v2/models/{model}",
        "/v2/health/ready",
        "/v2/health/live",
        # Not all of `/v2`: below it, Triton unloads models for whoever asks.
        below=("/v2/models", "/v2/health"),
        at=("/v2",),
    ),
    # What OpenAI's clients take as `base_url`; the health of llama.cpp's server and of vLLM.
    "openai": Protocol("/v1", "/health", "/health", below=("/v1",), streams=True),
    "http": Protocol("", "/", "/"),
}
