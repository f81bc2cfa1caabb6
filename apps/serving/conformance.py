"""Whether a model's endpoint speaks its protocol, as clients that others wrote expect it."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from apps.serving.client import Client, ClientError, Gateway
from apps.serving.protocols import ProtocolName

READY_SECONDS: Final = 60
"""Longest wait for an endpoint: a gateway takes a second or two to learn of a new route."""

_POLL_SECONDS: Final = 0.1
_SHOWN: Final = 200


class ConformanceError(Exception):
    """A model that does not speak its protocol; one line that names it and what was asked."""


def check(
    name: str,
    protocol: ProtocolName,
    url: str,
    gateway: Gateway | None = None,
    wait: float = READY_SECONDS,
) -> None:
    """Call a model's endpoint as its protocol has it.

    Args:
        name: Name of the model.
        protocol: The protocol that it has to speak.
        url: URL of the model, as the stack's output has it.
        gateway: How the gateway is reached, and how it is known.
        wait: Longest wait for its first answer, in seconds.

    Raises:
        ConformanceError: It answers something else, or nothing.
    """
    base, calls = url, _CALLS[protocol]
    if protocol == "open-inference-v2":
        base = url.removesuffix(f"/models/{name}")
    try:
        with Client(base, gateway) as client:
            for problem in calls(name, _Endpoint(client, wait)):
                raise ConformanceError(f"model {name}: does not speak {protocol}: {problem}")
    except ClientError as error:
        raise ConformanceError(f"model {name}: {error}") from None


class _Endpoint:
    """Asks one model, and waits for its first answer."""

    def __init__(self, client: Client, wait: float) -> None:
        self._client = client
        self._deadline = time.monotonic() + wait

    def awaited(self, path: str) -> str | None:
        """Return why a path does not answer with status 200 in time, or `None`."""
        while True:
            try:
                status, content = self._client.ask("GET", path, None)
                found = None if status == 200 else f"HTTP {status}: {_text(content)}"
            except ClientError as error:
                found = str(error)
            if found is None or time.monotonic() >= self._deadline:
                return found and f"GET {path}: {found}"
            time.sleep(_POLL_SECONDS)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, str]:
        """Return the status, the JSON (`None` where it is none) and both in words."""
        status, content = self._client.ask(method, path, body)
        shown = f"{method} {path}: HTTP {status}: {_text(content)}"
        try:
            return status, json.loads(content), shown
        except ValueError:
            return status, None, shown


def _open_inference(name: str, endpoint: _Endpoint) -> Iterator[str]:
    """Yield what of an endpoint is not as the Open Inference Protocol v2 has it."""
    model = f"/models/{name}"
    for path in ("/health/live", "/health/ready", f"{model}/ready"):
        if problem := endpoint.awaited(path):
            yield problem
    status, metadata, shown = endpoint.ask("GET", model)
    if status != 200 or not isinstance(metadata, dict):
        yield f"no metadata: {shown}"
        return
    if metadata.get("name") != name:
        yield f"its metadata have another `name`: {shown}"
    for key in ("inputs", "outputs"):
        if not _are_tensors(metadata.get(key)):
            yield f"its metadata have no `{key}` with name, datatype and shape: {shown}"
            return
    status, answer, shown = endpoint.ask("POST", f"{model}/infer", b"{")
    if status != 400 or not _is_error(answer):
        yield f'a malformed request is not answered by 400 and {{"error": …}}: {shown}'
    zeros = {"inputs": [_zeros(tensor) for tensor in metadata["inputs"]]}
    status, answer, shown = endpoint.ask("POST", f"{model}/infer", json.dumps(zeros).encode())
    # Zeros may be outside of what a model takes; to say so is an answer.
    if status == 400 and _is_error(answer):
        return
    if status != 200 or not isinstance(answer, dict) or not _are_tensors(answer.get("outputs")):
        yield f"zeros in the form of its metadata are not answered: {shown}"
        return
    known = {tensor["name"] for tensor in metadata["outputs"]}
    if not known >= {tensor["name"] for tensor in answer["outputs"]}:
        yield f"it answers with outputs that its metadata do not have: {shown}"


def _openai(name: str, endpoint: _Endpoint) -> Iterator[str]:
    """Yield what of an endpoint is not as OpenAI's clients take it."""
    if problem := endpoint.awaited("/models"):
        yield problem
        return
    _, answer, shown = endpoint.ask("GET", "/models")
    listed = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(listed, list) or name not in [_value(entry, "id") for entry in listed]:
        yield f"its list of models does not have `{name}`: {shown}"
        return
    request = {"model": name, "prompt": "1", "max_tokens": 1}
    status, answer, shown = endpoint.ask("POST", "/completions", json.dumps(request).encode())
    if status != 200 or not _value(answer, "choices"):
        yield f"one token is not completed: {shown}"


def _http(name: str, endpoint: _Endpoint) -> Iterator[str]:
    """Yield nothing: all that is known of such an endpoint is what the probes of its pods ask."""
    del name, endpoint
    yield from ()


_CALLS: Final[Mapping[ProtocolName, Callable[[str, _Endpoint], Iterator[str]]]] = {
    "open-inference-v2": _open_inference,
    "openai": _openai,
    "http": _http,
}


def _are_tensors(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(tensor, dict)
            and isinstance(tensor.get("name"), str)
            and isinstance(tensor.get("datatype"), str)
            and _is_shape(tensor.get("shape"))
            for tensor in value
        )
    )


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int for size in value)


def _is_error(answer: Any) -> bool:
    return isinstance(_value(answer, "error"), str)


def _value(answer: Any, key: str) -> Any:
    return answer.get(key) if isinstance(answer, dict) else None


def _zeros(tensor: Mapping[str, Any]) -> dict[str, Any]:
    """Return the least request for an input: every dimension of any size is 1."""
    shape: Sequence[int] = [1 if size < 0 else size for size in tensor["shape"]]
    zero: Any = {"BYTES": "", "BOOL": False}.get(tensor["datatype"], 0)
    return {
        "name": tensor["name"],
        "datatype": tensor["datatype"],
        "shape": shape,
        "data": [zero] * math.prod(shape),
    }


def _text(content: bytes) -> str:
    text = " ".join(content.decode("utf-8", "replace").split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
