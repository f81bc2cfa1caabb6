"""How secret values come from Pulumi's configuration to the program."""

import asyncio
import contextvars
import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pulumi.runtime import config as pulumi_config

from infra import settings

CLUSTER = {"slipway:cluster": {"kind": "local"}}
TEAMS = {"vision": {"secrets": {"labels": {"LABEL_TOKEN": {"config": "labelToken"}}}}}
VALUE = "planted-value-5d1c"


def _load(values: Mapping[str, Any], secrets: Mapping[str, str]) -> list[str]:
    """Load settings as Pulumi hands them out, and return the keys of the secret values."""

    async def load() -> list[str]:
        plain = {name: json.dumps(value) for name, value in values.items()}
        pulumi_config.set_all_config({**plain, **secrets}, list(secrets))
        _, _, found = settings.load()
        assert all(isinstance(value, pulumi.Output) for value in found.values())
        return list(found)

    return contextvars.Context().run(asyncio.run, load())


def test_an_encrypted_value_that_a_secret_names_reaches_the_program_as_an_output() -> None:
    found = _load({**CLUSTER, "slipway:teams": TEAMS}, {"slipway:labelToken": VALUE})
    assert found == ["labelToken"]


def test_a_secret_in_plain_text_is_refused_with_the_command_that_encrypts_it() -> None:
    with pytest.raises(pulumi.RunError) as caught:
        _load({**CLUSTER, "slipway:teams": TEAMS, "slipway:labelToken": VALUE}, {})
    assert "`pulumi config set --secret slipway:labelToken`" in str(caught.value)
    assert VALUE not in str(caught.value)


def test_a_flat_key_that_no_secret_names_stays_an_error() -> None:
    with pytest.raises(pulumi.RunError, match="slipway:labelToken: no secret uses it"):
        _load(CLUSTER, {"slipway:labelToken": VALUE})
    with pytest.raises(pulumi.RunError, match="slipway:labelToken: unknown key"):
        _load({**CLUSTER, "slipway:labelToken": VALUE}, {})


def test_errors_of_secrets_come_together_with_all_others() -> None:
    with pytest.raises(pulumi.RunError) as caught:
        _load({"slipway:cluster": {"kind": "local", "name": "?"}, "slipway:teams": TEAMS}, {})
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        "slipway:cluster.name",
        "slipway:teams.vision.secrets.labels.LABEL_TOKEN",
    ]


@pytest.mark.parametrize("source", [VALUE, {"config": f"{VALUE}!"}, [VALUE], {"path": VALUE}])
def test_no_error_repeats_what_stands_where_a_source_belongs(source: object) -> None:
    teams = {"vision": {"secrets": {"labels": {"LABEL_TOKEN": source}}}}
    with pytest.raises(pulumi.RunError) as caught:
        _load({**CLUSTER, "slipway:teams": teams}, {})
    assert VALUE not in str(caught.value)
