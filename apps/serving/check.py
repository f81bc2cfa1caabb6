"""Asks a stack's models through its gateway: `python -m apps.serving.check`.

Each has to speak its protocol, and the held-out data of those that have some is sent.
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

from apps.serving import conformance
from apps.serving.checked import Checked
from apps.serving.client import (
    Client,
    ClientError,
    Gateway,
    curl_options,
    infer_request,
    paste_line,
)
from apps.serving.holdout import Holdout, HoldoutError
from infra import settings as stack_settings
from infra.settings.traffic import CANARY

Report = Callable[[str], None]

READY_SECONDS = 60
"""Longest wait for an endpoint: a gateway takes a second or two to learn of a new route."""

CA_FILE = ".state/ca.pem"
"""Where `make up` leaves the certificate of the stack's own authority, below the project."""

_POLL_SECONDS = 0.1
# A model whose canary answers more of the requests would have to be asked too often.
_MOST_CANARY_PERCENT = 90
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
    name: str,
    url: str,
    version: str,
    holdout: Holdout,
    *,
    canary: str | None = None,
    gateway: Gateway | None = None,
    wait: float = READY_SECONDS,
) -> Result:
    """Send every held-out row of a model and compare the predictions.

    Args:
        name: Name of the model.
        url: URL of the model, `<gateway>/<path>/v2/models/<name>`.
        version: The version that has to answer, not one that is just being replaced.
        holdout: Its held-out rows.
        canary: The version that answers a share of the requests, in place of that one; what it
            predicts is not compared.
        gateway: How the gateway is reached, and how it is known.
        wait: Longest wait for that version to be ready, in seconds.

    Raises:
        CheckError: The model is not ready in time, refuses a row or predicts something else.
    """
    latencies = []
    correct = 0
    deadline = time.monotonic() + wait
    with Client(url, gateway) as client:
        _wait_ready(name, version, client, deadline)
        for number, (row, expected, label) in enumerate(holdout.examples()):
            where = f"model {name}, row {number}"
            request = infer_request(holdout, row)
            latency, answer = _ask(where, version, canary, client, request, deadline)
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
    gateway = Gateway(str(outputs.get("endpoint", "")), outputs.get("ca"))
    ca_file = _keep(gateway.ca, root)
    for name, model in settings.models.items():
        if model.holdout is None:
            continue
        if model.canary is not None and model.canary.most_weight > _MOST_CANARY_PERCENT:
            most = model.canary.most_weight
            report(f"model {name}: not checked, its canary may answer {most} %")
            continue
        try:
            url, version, canary = _output(name, outputs)
            holdout = Holdout.read(root / model.holdout)
            result = check_model(name, url, version, holdout, canary=canary, gateway=gateway)
        except (CheckError, HoldoutError) as error:
            failures.append(str(error))
            continue
        except ClientError as error:
            failures.append(f"model {name}: {error}")
            continue
        report(
            f"model {name}: {result.rows} of {result.rows} predictions equal those made offline,"
            f" accuracy {result.accuracy:.4f},"
            f" latency p50 {result.percentile(50):.1f} ms, p99 {result.percentile(99):.1f} ms"
        )
        report(f"model {name}: {url}")
        report(paste_line(url, holdout, curl_options(url, gateway, ca_file)))
    return failures


def check_protocols(
    settings: stack_settings.Settings, outputs: Mapping[str, Any], report: Report
) -> list[str]:
    """Check that every model of a stack speaks its protocol, and report each.

    Args:
        settings: The stack's settings.
        outputs: The stack's outputs.
        report: Takes the lines for a person.

    Returns:
        One line for every model that failed.
    """
    failures = []
    gateway = Gateway(str(outputs.get("endpoint", "")), outputs.get("ca"))
    for name, model in settings.models.items():
        protocol = model.runtime.protocol
        try:
            url, *_ = _output(name, outputs)
            conformance.check(name, protocol, url, gateway)
        except (CheckError, conformance.ConformanceError) as error:
            failures.append(str(error))
            continue
        report(f"model {name}: speaks {protocol} at {url}")
    return failures


def _asleep(settings: stack_settings.Settings, checked: Checked) -> frozenset[str]:
    """Return the models that a question may wake, and that passed before as they are."""
    return frozenset(
        name
        for name, model in settings.models.items()
        if model.min_replicas == 0 and checked.knows(name, model)
    )


def _keep(ca: str | None, root: Path) -> str | None:
    """Write the authority's certificate where curl finds it, and return the path."""
    if ca is None:
        return None
    path = root / CA_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(ca, encoding="ascii")
    return str(path)


def _wait_ready(name: str, version: str, client: Client, deadline: float) -> None:
    while (reason := client.not_ready(version)) is not None:
        if time.monotonic() >= deadline:
            raise CheckError(f"model {name}: not ready in time at {client.url}: {reason}")
        time.sleep(_POLL_SECONDS)


def _ask(
    where: str, version: str, canary: str | None, client: Client, request: bytes, deadline: float
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
        if found != canary:
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


def _output(name: str, outputs: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Return the URL of a model, its version and its canary's, as the stack has them."""
    models = outputs.get("models")
    model: Any = models.get(name) if isinstance(models, Mapping) else None
    match model:
        case {"url": str(url), "version": str(version)}:
            return url, version, model.get("traffic", {}).get(CANARY, {}).get("version")
    raise CheckError(f"model {name}: the stack's output `models` does not have it; run `make up`")


def _stack_outputs(stack: str, root: Path) -> dict[str, Any]:
    """Return the outputs of a stack, as the engine on PATH tells them."""
    try:
        done = subprocess.run(
            ["pulumi", "stack", "output", "--json", "--stack", stack, "--cwd", str(root)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "1"},
            check=False,
        )
    except OSError:
        raise CheckError("there is no `pulumi` on PATH: use `make shell`, or --outputs") from None
    if done.returncode != 0:
        raise CheckError(f"stack {stack}: its outputs cannot be read; the lines above say why")
    outputs: dict[str, Any] = json.loads(done.stdout)
    return outputs


def _read_outputs(path: Path) -> dict[str, Any]:
    """Return the outputs of a stack from a file."""
    try:
        outputs = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckError(f"--outputs {path}: cannot be read: {error.strerror}") from None
    except ValueError:
        outputs = None
    if not isinstance(outputs, dict):
        raise CheckError(f"--outputs {path}: is not what `pulumi stack output --json` prints")
    return outputs


def main(arguments: Sequence[str]) -> int:
    """Check a stack and return the exit code: 1 when a model failed."""
    parser = argparse.ArgumentParser(
        prog="python -m apps.serving.check",
        description="Ask a stack's models through its gateway.",
    )
    parser.add_argument("--stack", default="local", help="default: %(default)s")
    parser.add_argument(
        "--outputs", type=Path, help="file with `pulumi stack output --json`; else pulumi is asked"
    )
    parser.add_argument(
        "--let-sleep",
        action="store_true",
        help="do not ask models that scale to zero and are what they were when they were checked",
    )
    values = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        settings = stack_settings.read_stack_file(root / f"Pulumi.{values.stack}.yaml")
        if values.outputs is None:
            outputs = _stack_outputs(values.stack, root)
        else:
            outputs = _read_outputs(values.outputs)
        checked = Checked(values.stack, outputs, root)
        asleep = _asleep(settings, checked) if values.let_sleep else frozenset()
        for name in sorted(asleep):
            url, *_ = _output(name, outputs)
            _say(f"model {name}: as it was when it was checked, so it is not woken, at {url}")
        awake = {name: it for name, it in settings.models.items() if name not in asleep}
        asked = settings.model_copy(update={"models": awake})
        failures = check_protocols(asked, outputs, _say)
        failures = list(dict.fromkeys([*failures, *check_stack(asked, outputs, root, _say)]))
        if not failures:
            checked.keep(settings.models)
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
