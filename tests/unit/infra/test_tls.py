"""Who signs the gateway's certificate, for whom, and who gets to know the authority."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit import mocked_program
from tests.unit.infra.test_gateway import ACME, _run
from tests.unit.mocked_program import Program, Registered

CERTIFICATE = "kubernetes:cert-manager.io/v1:Certificate"
ISSUER = "kubernetes:cert-manager.io/v1:ClusterIssuer"


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch)


def _certificate(program: Program, name: str = "certificate") -> Any:
    (found,) = [one for one in program.of_type(CERTIFICATE) if one.name == name]
    return found.inputs


def _issuer(program: Program) -> Registered:
    (found,) = program.of_type(ISSUER)
    return found


def test_a_local_certificate_is_for_the_loopback_address_and_every_host(program: Program) -> None:
    spec = _certificate(program)["spec"]
    assert spec["dnsNames"] == ["topics.example.com", "localhost"]
    assert spec["ipAddresses"] == ["127.0.0.1"]


def test_the_stacks_own_authority_signs_by_default(program: Program) -> None:
    authority = _certificate(program, "certificate-authority")
    assert authority["spec"]["isCA"] is True
    assert authority["spec"]["privateKey"]["algorithm"] == "ECDSA"
    issuer = _issuer(program).inputs
    assert issuer["spec"] == {"ca": {"secretName": authority["spec"]["secretName"]}}
    assert _certificate(program)["spec"]["issuerRef"]["name"] == issuer["metadata"]["name"]


def test_the_authoritys_key_is_where_traefik_reads_no_secrets(program: Program) -> None:
    assert _certificate(program, "certificate-authority")["metadata"]["namespace"] == "cert-manager"
    bindings = program.of_type("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding")
    assert "cert-manager" not in {
        binding.inputs["metadata"]["namespace"]
        for binding in bindings
        if "traefik" in binding.inputs["roleRef"]["name"]
    }


def test_the_authoritys_certificate_is_an_output_and_no_secret_is_read(program: Program) -> None:
    assert program.outputs["ca"] == mocked_program.CA
    assert "ca" not in program.secret_outputs
    assert not program.of_type("kubernetes:core/v1:Secret")


def test_everything_is_waited_for_until_it_is_ready(program: Program) -> None:
    for type_ in (CERTIFICATE, ISSUER, "kubernetes:cert-manager.io/v1:Issuer"):
        for resource in program.of_type(type_):
            waited = resource.inputs["metadata"]["annotations"]["pulumi.com/waitFor"]
            assert "condition=Ready" in waited, resource.label


def test_a_public_authority_signs_names_alone_and_asks_at_the_plain_listener(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, ACME)
    spec = _certificate(program)["spec"]
    assert spec["dnsNames"] == ["models.example.com", "topics.example.com"]
    assert "ipAddresses" not in spec
    acme = _issuer(program).inputs["spec"]["acme"]
    assert acme["email"] == "ops@example.com"
    assert acme["server"] == "https://acme-v02.api.letsencrypt.org/directory"
    ((solver,),) = [solver.values() for solver in acme["solvers"]]
    (parent,) = solver["gatewayHTTPRoute"]["parentRefs"]
    assert (parent["name"], parent["sectionName"]) == ("slipway", "http")


def test_an_issuer_of_the_cluster_signs_and_no_cert_manager_is_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = "{host: models.example.com, tls: {issuer: {clusterIssuer: company}}}"
    program = _run(tmp_path, monkeypatch, gateway)
    assert _certificate(program)["spec"]["issuerRef"] == {
        "group": "cert-manager.io",
        "kind": "ClusterIssuer",
        "name": "company",
    }
    assert not program.of_type(ISSUER)
    assert not [one for one in program.resources if one.name.startswith("cert-manager")]
    assert "ca" not in program.outputs
