"""What makes the pods of a model: the stack itself, or the KServe that the cluster has."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from infra.naming import LABEL_LIMIT
from infra.settings.errors import key
from infra.settings.plain import at, entries
from infra.settings.traffic import CANARY

Backend = Literal["deployment", "inferenceService"]

DEPLOYMENT: Final[Backend] = "deployment"
INFERENCE_SERVICE: Final[Backend] = "inferenceService"

_PREDICTOR: Final = "-predictor"


def service(workload: str, backend: Backend) -> str:
    """Return the name of a workload's Deployment, and of the Service in front of its pods.

    Args:
        workload: Name of the workload.
        backend: What makes its pods.
    """
    return f"{workload}{_PREDICTOR}" if backend == INFERENCE_SERVICE else workload


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each setting that a model of KServe cannot have.

    It looks at the plain data, so that these errors come together with those of the fields.

    Args:
        raw: The settings as plain data.
    """
    models = dict(entries(raw.get("models")))
    return [
        error
        for name, model in models.items()
        if at(model, "backend") == INFERENCE_SERVICE
        for error in (*_unknown_to_kserve(name, model), *_names(name, model, models))
    ]


def _unknown_to_kserve(name: str, model: Any) -> Iterator[str]:
    way_out = f"or set `backend: {DEPLOYMENT}`"
    if at(model, "scaling", "min") == 0:
        yield (
            f"{key('models', name, 'scaling', 'min')}: KServe keeps a pod at least; "
            f"set it to 1, {way_out}"
        )
    if at(model, "mirror") is not None:
        yield (
            f"{key('models', name, 'mirror')}: a mirror's pods wait for the gateway to know them, "
            f"which KServe cannot be told; remove it, {way_out}"
        )
    if at(model, CANARY, "promote") is not None:
        yield (
            f"{key('models', name, CANARY, 'promote')}: the promoter moves requests between "
            f"Services that KServe calls by other names; set `weight` instead, {way_out}"
        )


def _names(name: str, model: Any, models: Mapping[str, Any]) -> Iterator[str]:
    """Yield an error for each name that KServe makes and that does not do."""
    team = at(model, "team")
    workloads = [name] if at(model, CANARY) is None else [name, f"{name}-{CANARY}"]
    for workload in workloads:
        made = service(workload, INFERENCE_SERVICE)
        # Its URL has both in one label of a DNS name, whether anything leads there or not.
        joined = f"{made}-{team}"
        if len(joined) > LABEL_LIMIT:
            yield (
                f"{key('models', name)}: KServe joins `{joined}`, which has {len(joined)} "
                f"characters; shorten the name of the model or of its team by "
                f"{len(joined) - LABEL_LIMIT}"
            )
        other = models.get(made)
        if other is not None and at(other, "team") == team:
            yield (
                f"{key('models', made)}: KServe gives that name to what it makes for `{name}`; "
                "give the model another one"
            )
