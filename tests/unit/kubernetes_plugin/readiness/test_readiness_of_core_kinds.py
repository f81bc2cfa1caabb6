from typing import Any

import pytest

from toolchain.kubernetes_plugin.readiness import core
from toolchain.kubernetes_plugin.readiness.verdict import (
    NOTHING_RELATED,
    Failed,
    Pending,
    Ready,
    Related,
    Verdict,
)

Object = dict[str, Any]


@pytest.mark.parametrize(
    ("phase", "binding", "kind"),
    [
        ("Bound", "Immediate", Ready),
        ("Bound", "WaitForFirstConsumer", Ready),
        ("Pending", "WaitForFirstConsumer", Ready),
        ("Pending", "Immediate", Pending),
        ("Pending", None, Pending),
        ("Lost", "Immediate", Failed),
        ("", "WaitForFirstConsumer", Pending),
    ],
)
def test_a_claim_is_ready_when_bound_or_when_it_waits_for_its_consumer(
    phase: str, binding: str | None, kind: type[Verdict]
) -> None:
    claim = {"kind": "PersistentVolumeClaim", "status": {"phase": phase}}
    storage_class = {"volumeBindingMode": binding} if binding else None
    verdict = core.persistent_volume_claim(claim, Related(storage_class=storage_class))
    assert isinstance(verdict, kind), verdict


@pytest.mark.parametrize(
    ("phase", "kind"),
    [("Available", Ready), ("Bound", Ready), ("Pending", Pending), ("Failed", Failed)],
)
def test_a_volume_is_ready_when_it_can_be_claimed(phase: str, kind: type[Verdict]) -> None:
    volume = {"kind": "PersistentVolume", "status": {"phase": phase, "message": "disk is gone"}}
    assert isinstance(core.persistent_volume(volume, NOTHING_RELATED), kind)


@pytest.mark.parametrize(
    ("of_type", "data", "ready"),
    [
        ("Opaque", None, True),
        ("kubernetes.io/service-account-token", None, False),
        ("kubernetes.io/service-account-token", {"token": "eA=="}, True),
    ],
)
def test_only_a_token_secret_waits_for_its_data(
    of_type: str, data: Object | None, ready: bool
) -> None:
    verdict = core.secret({"kind": "Secret", "type": of_type, "data": data}, NOTHING_RELATED)
    assert isinstance(verdict, Ready) is ready


@pytest.mark.parametrize(("in_force", "ready"), [({"pods": "2"}, True), ({}, False), (None, False)])
def test_a_quota_is_ready_when_its_limits_are_in_force(
    in_force: Object | None, ready: bool
) -> None:
    quota = {"spec": {"hard": {"pods": "2"}}, "status": {"hard": in_force}}
    assert isinstance(core.resource_quota(quota, NOTHING_RELATED), Ready) is ready


ACCEPTED = {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts"}
REFUSED = {
    "type": "NamesAccepted",
    "status": "False",
    "reason": "PluralConflict",
    "message": '"widgets" is already in use',
}
INSTALLING = {"type": "Established", "status": "False", "reason": "Installing"}
ESTABLISHED = {"type": "Established", "status": "True", "reason": "InitialNamesAccepted"}


@pytest.mark.parametrize(
    ("conditions", "unserved", "kind", "words"),
    [
        ([], (), Pending, "established"),
        ([ACCEPTED, INSTALLING], (), Pending, "established"),
        ([ACCEPTED, ESTABLISHED], ("a.org/v1", "a.org/v2"), Pending, "a.org/v1, a.org/v2"),
        ([ACCEPTED, ESTABLISHED], (), Ready, "served"),
        ([REFUSED, INSTALLING], (), Failed, '"widgets" is already in use'),
    ],
)
def test_a_kind_is_ready_when_the_api_server_serves_it(
    conditions: list[Object], unserved: tuple[str, ...], kind: type[Verdict], words: str
) -> None:
    verdict = core.custom_resource_definition(
        {"status": {"conditions": conditions}}, Related(unserved=unserved)
    )
    assert isinstance(verdict, kind), verdict
    assert words in verdict.message
