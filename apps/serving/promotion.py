"""What the promoter of canaries reads on a model's route."""

import json
from collections.abc import Mapping
from typing import Final

from infra.settings.traffic import CanarySettings

PLAN: Final = "slipway.local/promotion"
"""Annotation with how the canary is promoted; `infra/platform/promoter` reads it."""


def annotations(canary: CanarySettings | None, version: str) -> Mapping[str, str]:
    """Return the annotations of a model's route; none where nothing promotes its canary.

    Another text is another plan, with which a promotion starts over: so the version is in it.

    Args:
        canary: Settings of the canary, if the model has one.
        version: Its version.
    """
    if canary is None or canary.promote is None:
        return {}
    plan = {"version": version, **canary.promote.model_dump(mode="json", by_alias=True)}
    return {PLAN: json.dumps(plan, sort_keys=True)}
