"""The executables print what https://kubernetes.io/docs/reference/kubectl/ shows."""

from functools import partial
from typing import Any, Final

import pytest

from infra.settings import ExistingClusterSettings
from tests.unit.toolchain.doctor.clis import Clis, Refusal, missing, unchecked, with_level
from toolchain.doctor import asking, existing
from toolchain.doctor.finding import Finding

SETTINGS: Final = ExistingClusterSettings.model_validate(
    {"kind": "existing", "context": "shared", "registry": "registry.example.com/ml/slipway"}
)
START: Final = "--context shared --request-timeout 10s"


def _config(user: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "Config",
        "apiVersion": "v1",
        "current-context": "shared",
        "clusters": [{"name": "shared", "cluster": {"server": "https://192.0.2.1"}}],
        "users": [{"name": "shared", "user": user}],
        "contexts": [{"name": "shared", "context": {"cluster": "shared", "user": "shared"}}],
    }


VERSION: Final = {
    "clientVersion": {"gitVersion": "v1.37.1"},
    "kustomizeVersion": "v5.7.1",
    "serverVersion": {"major": "1", "minor": "36", "gitVersion": "v1.36.4"},
}


def _kubectl(clis: Clis, **more: object) -> None:
    answers = {
        "config view": _config({"token": "REDACTED"}),
        "version": VERSION,
        "auth can-i create": "yes",
        **more,
    }
    # What is first wins.
    order = sorted(answers, key=len, reverse=True)
    clis.add("kubectl", {f"{START} {start}": answers[start] for start in order})


def _found(clis: Clis) -> list[Finding]:
    return existing.findings(SETTINGS, clis.ask)


def test_a_cluster_that_answers_and_grants_the_rights_misses_nothing(clis: Clis) -> None:
    _kubectl(clis)
    found = _found(clis)
    assert missing(found) == []
    assert with_level(found, "Kubernetes v1.36.4") == "ok"
    assert with_level(found, "rights: customresourcedefinitions may be made") == "ok"
    assert "quotas, zones and addresses" in unchecked(found)


def test_without_kubectl_nothing_can_be_checked(
    clis: Clis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.host.ADMIN_PATH", ())
    found = _found(clis)
    assert missing(found) == []
    assert "`make shell` obtains it" in unchecked(found)


def test_a_context_that_is_not_there_is_missing(clis: Clis) -> None:
    _kubectl(clis, **{"config view": Refusal("error: cannot locate context shared")})
    (problem,) = missing(_found(clis))
    assert "cannot locate context shared" in problem
    assert "correct `context` or `kubeconfig`" in problem


def test_the_program_that_gives_out_tokens_is_looked_for(clis: Clis) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "some-login"}}
    _kubectl(clis, **{"config view": _config(user)})
    (problem,) = missing(_found(clis))
    assert problem.startswith("some-login is not on PATH")


def test_a_cluster_that_refuses_is_missing(clis: Clis) -> None:
    text = "error: You must be logged in to the server (Unauthorized)"
    _kubectl(clis, version=Refusal(text))
    (problem,) = missing(_found(clis))
    assert "Unauthorized" in problem


def test_a_cluster_that_does_not_answer_is_unchecked(clis: Clis) -> None:
    clis.hang("kubectl")
    found = existing.findings(SETTINGS, partial(asking.run, patience=0.2))
    assert missing(found) == []
    assert "did not answer within 0.2 s" in unchecked(found)


def test_a_right_that_is_not_granted_is_missing(clis: Clis) -> None:
    warning = "Warning: resource 'namespaces' is not namespace scoped"
    _kubectl(clis, **{"auth can-i create namespaces": Refusal(warning, 1, "no")})
    (problem,) = missing(_found(clis))
    assert problem.startswith("rights: namespaces may not be made")


def test_a_right_that_cannot_be_asked_for_is_unchecked(clis: Clis) -> None:
    _kubectl(clis, **{"auth can-i create": Refusal("error: the server is overloaded")})
    found = _found(clis)
    assert missing(found) == []
    assert "the right to make namespaces: `kubectl` says: error: the server" in unchecked(found)
