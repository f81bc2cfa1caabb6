"""How long a model's requests may take, against how long the gateway waits for them."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from infra.settings.errors import key
from infra.settings.gateway import GatewaySettings
from infra.settings.plain import at, entries


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each model that may take longer than our own gateway waits.

    It looks at the plain data, so that these errors come together with those of the fields.

    Args:
        raw: The settings as plain data.
    """
    try:
        gateway = GatewaySettings.model_validate(at(raw, "platform", "gateway") or {})
    except ValidationError:
        return []
    if gateway.class_name is not None:
        return []
    return [
        f"{key('models', name, 'timeoutSeconds')}: `{seconds}` is longer than the gateway waits; "
        f"raise `gateway.timeoutSeconds: {gateway.timeout_seconds}` of slipway:platform, or lower "
        "it"
        for name, model in entries(raw.get("models"))
        if isinstance(seconds := at(model, "timeoutSeconds"), int)
        and seconds > gateway.timeout_seconds
    ]
