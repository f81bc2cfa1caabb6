import json
from typing import Any

import pytest

from toolchain.kubernetes_plugin.readiness.criteria import (
    InvalidCriterionError,
    judge_all,
    parse,
)
from toolchain.kubernetes_plugin.readiness.verdict import NOTHING_RELATED, Pending, Ready, Verdict

Object = dict[str, Any]

GATEWAY: Object = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "edge", "generation": 3},
    "spec": {"listeners": [{"name": "http", "port": 80}]},
    "status": {
        "phase": "Running",
        "replicas": 2,
        "listening": True,
        "addresses": [],
        "conditions": [
            {"type": "Accepted", "status": "True", "observedGeneration": 3},
            {
                "type": "Programmed",
                "status": "False",
                "message": "no port",
                "observedGeneration": 3,
            },
            {"type": "Stale", "status": "True", "observedGeneration": 2},
        ],
    },
}


def judge(annotation: str, obj: Object = GATEWAY) -> Verdict:
    return judge_all(parse(annotation))(obj, NOTHING_RELATED)


@pytest.mark.parametrize(
    "annotation",
    [
        "condition=Accepted",
        "condition=accepted=true",
        "condition=Programmed=False",
        "jsonpath={.status.phase}",
        "jsonpath={.status.phase}=Running",
        "jsonpath={ $.status.phase }=Running",
        "jsonpath={.status.replicas}=2",
        "jsonpath={.status.listening}=true",
        "jsonpath={.status.addresses}",
        "jsonpath={.spec.listeners[*].port}=80",
        'jsonpath={.status.conditions[?(@.type=="Accepted")].status}=True',
        '["condition=Accepted", "jsonpath={.status.phase}=Running"]',
    ],
)
def test_a_criterion_that_holds_makes_the_object_ready(annotation: str) -> None:
    assert isinstance(judge(annotation), Ready)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("condition=Programmed", "condition Programmed=True (found False: no port)"),
        ("condition=Ready", "has no such condition"),
        ("condition=Stale", "has not seen the change"),
        ("jsonpath={.status.phase}=Done", "{.status.phase}=Done (found 'Running')"),
        ("jsonpath={.status.missing}", "selects nothing"),
        ('["condition=Accepted", "condition=Programmed"]', "Programmed"),
    ],
)
def test_a_criterion_that_does_not_hold_says_what_was_found(annotation: str, words: str) -> None:
    verdict = judge(annotation)
    assert isinstance(verdict, Pending), verdict
    assert words in verdict.message


def test_a_status_from_before_the_change_satisfies_no_path() -> None:
    stale = GATEWAY | {"status": {"phase": "Running", "observedGeneration": 2}}
    assert isinstance(judge("jsonpath={.status.phase}=Running", stale), Pending)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("", 'must start with "jsonpath=" or "condition="'),
        ("{.status.phase}", 'must start with "jsonpath=" or "condition="'),
        ("condition=", 'must start with "jsonpath=" or "condition="'),
        ("[]", "lists no criterion"),
        ("jsonpath={.a}=", "{.path} or {.path}=value"),
        ("jsonpath={.a}=b=c", "{.path} or {.path}=value"),
        ("jsonpath='{.a}'=b", "quotes of a shell"),
        ("jsonpath=.a", "in braces"),
        ("jsonpath={.a[}", "is no JSONPath"),
        (json.dumps(["condition=Ready", "ready"]), "'ready'"),
    ],
)
def test_an_expression_that_cannot_be_understood_is_named(annotation: str, words: str) -> None:
    with pytest.raises(InvalidCriterionError) as caught:
        parse(annotation)
    assert words in str(caught.value)
    assert "pulumi.com/waitFor" in str(caught.value)
    assert "\n" not in str(caught.value)
