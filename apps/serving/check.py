"""Sends the held-out data of a stack's models through its gateway: `python -m apps.serving.check`.

Every row goes out as one request over one connection, one after the other, so that the latency is
what a single client sees. Every prediction has to equal the one made offline.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.serving.client import Client, ClientError, infer_request, paste_line
from apps.serving.holdout import Holdout, HoldoutError
from infra import settings as stack_settings

Report = Callable[[str], None]

READY_SECONDS = 60
"""Longest wait for an endpoint: a gateway takes a second or two to learn of a new route."""

_POLL_SECONDS = 0.1
_FLOAT_LAYOUTS = {"FP16": "<e", "FP32": "<f"}


class CheckError(Exception):
    """A model that does not answer as it should; one line that names it."""


@dataclass(frozen=True)
class Result:
    """What the held-out data of one model showed.

    Attributes:
        rows: Number of rows, each predicted as offline.
        accuracy: Share of the rows whose prediction equals the true label.
        latencies: Seconds from sending a request to having read its answer, in order.
    """

    rows: int
    accuracy: float
    latencies: Sequence[float]

    def percentile(self, percent: int) -> float:
        """Return a percentile of the latency in milliseconds."""
        if len(self.latencies) == 1:
            return self.latencies[0] * 1000
        return statistics.quantiles(self.latencies, n=100, method="inclusive")[percent - 1] * 1000


def check_model(
    name: str, url: str, version: str, holdout: Holdout, *, wait: float = READY_SECONDS
) -> Result:
    """Send every held-out row of a model and compare the predictions.

    Args:
        name: Name of the model.
        url: URL of the model, `<gateway>/<path>/v2/models/<name>`.
        version: The version that has to answer, not one that is just being replaced.
        holdout: Its held-out rows.
        wait: Longest wait for that version to be ready, in seconds.

    Raises:
        CheckError: The model is not ready in time, refuses a row or predicts something else.
    """
    latencies = []
    correct = 0
    deadline = time.monotonic() + wait
    with Client(url) as client:
        _wait_ready(name, version, client, deadline)
        for number, (row, expected, label) in enumerate(holdout.examples()):
            where = f"model {name}, row {number}"
            latency, answer = _ask(where, version, client, infer_request(holdout, row), deadline)
            predicted, datatype = _prediction(where, holdout.output, answer)
            if _as_datatype(predicted, datatype) != _as_datatype(expected, datatype):
                raise CheckError(
                    f"{where}: predicted {predicted!r} through the gateway, {expected!r} offline"
                )
            latencies.append(latency)
            correct += predicted == label
    return Result(len(latencies), correct / len(latencies), latencies)


def check_stack(
    settings: stack_settings.Settings, outputs: Mapping[str, Any], root: Path, report: Report
) -> list[str]:
    """Check every model of a stack that has held-out data, and report each.

    Args:
        settings: The stack's settings.
        outputs: The stack's outputs.
        root: Folder that the paths in the settings are relative to.
        report: Takes the lines for a person.

    Returns:
        One line for every model that failed.
    """
    failures = []
    for name, model in settings.models.items():
        if model.holdout is None:
            continue
        try:
            url, version = _output(name, outputs)
            holdout = Holdout.read(root / model.holdout)
            result = check_model(name, url, version, holdout)
        except (CheckError, HoldoutError) as error:
            failures.append(str(error))
            continue
        report(
            f"model {name}: {result.rows} of {result.rows} predictions equal those made offline,"
            f" accuracy {result.accuracy:.4f},"
            f" latency p50 {result.percentile(50):.1f} ms, p99 {result.percentile(99):.1f} ms"
        )
        report(f"model {name}: {url}")
        report(paste_line(url, holdout))
    return failures


def _wait_ready(name: str, version: str, client: Client, deadline: float) -> None:
    while (reason := client.not_ready(version)) is not None:
        if time.monotonic() >= deadline:
            raise CheckError(f"model {name}: not ready in time at {client.url}: {reason}")
        time.sleep(_POLL_SECONDS)


def _ask(
    where: str, version: str, client: Client, request: bytes, deadline: float
) -> tuple[float, dict[str, Any]]:
    """Return the latency in seconds and the answer of the wanted version.

    Right after an update a gateway may still send some requests to a pod of the version before.
    """
    while True:
        start = time.perf_counter()
        try:
            answer = client.infer(request)
        except ClientError as error:
            raise CheckError(f"{where}: {error}") from None
        latency = time.perf_counter() - start
        found = answer.get("model_version")
        if found == version:
            return latency, answer
        if time.monotonic() >= deadline:
            raise CheckError(f"{where}: answered by version {found}, the stack has {version}")
        time.sleep(_POLL_SECONDS)


def _prediction(where: str, output: str, answer: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the prediction and the datatype of its tensor."""
    for tensor in answer["outputs"]:
        if tensor["name"] == output:
            return tensor["data"][0], tensor["datatype"]
    raise CheckError(f"{where}: the answer has no output `{output}`")


def _as_datatype(value: Any, datatype: str) -> Any:
    """Return a number as its datatype holds it: JSON may write one FP32 as 0.1 or with 17 digits.

    Anything else, and a number that the datatype cannot hold, stays as it is.
    """
    layout = _FLOAT_LAYOUTS.get(datatype)
    if layout is None or not isinstance(value, float):
        return value
    try:
        return struct.unpack(layout, struct.pack(layout, value))[0]
    except OverflowError:
        return value


def _output(name: str, outputs: Mapping[str, Any]) -> tuple[str, str]:
    """Return the URL and the version of a model, as the stack has them."""
    models = outputs.get("models", {})
    if name not in models:
        raise CheckError(
            f"model {name}: the stack's output `models` does not have it; run `make up`"
        )
    return str(models[name]["url"]), str(models[name]["version"])


def _stack_outputs(stack: str, root: Path) -> dict[str, Any]:
    """Return the outputs of a stack, as the engine on PATH tells them."""
    done = subprocess.run(
        ["pulumi", "stack", "output", "--json", "--stack", stack, "--cwd", str(root)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "1"},
        check=False,
    )
    if done.returncode != 0:
        raise CheckError(f"stack {stack}: its outputs cannot be read; the lines above say why")
    outputs: dict[str, Any] = json.loads(done.stdout)
    return outputs


def main(arguments: Sequence[str]) -> int:
    """Check a stack and return the exit code: 1 when a model failed."""
    parser = argparse.ArgumentParser(
        prog="python -m apps.serving.check",
        description="Send the held-out data of a stack's models through its gateway.",
    )
    parser.add_argument("--stack", default="local", help="default: %(default)s")
    parser.add_argument(
        "--outputs", type=Path, help="file with `pulumi stack output --json`; else pulumi is asked"
    )
    values = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        settings = stack_settings.read_stack_file(root / f"Pulumi.{values.stack}.yaml")
        if values.outputs is None:
            outputs = _stack_outputs(values.stack, root)
        else:
            outputs = json.loads(values.outputs.read_text(encoding="utf-8"))
        failures = check_stack(settings, outputs, root, _say)
    except stack_settings.SettingsError as error:
        failures = list(error.errors)
    except CheckError as error:
        failures = [str(error)]
    for failure in failures:
        sys.stderr.write(f"error: {failure}\n")
    return 1 if failures else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
