"""Keys and certificates of a cluster."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from toolchain.local_cluster import network, pki
from toolchain.local_cluster.state import Layout

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NETWORK = network.plan([], [])


@pytest.fixture
def where(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    pki.ensure(made, "local", NETWORK, NOW)
    return made


def certificate(where: Layout, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pki.pair(where, name).certificate.read_bytes())


def names(found: x509.Certificate) -> set[str]:
    extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return {str(name.value) for name in extension.value}


def test_every_key_is_p256_and_readable_by_root_only(where: Layout) -> None:
    keys = sorted(where.pki.glob("*.key"))
    assert len(keys) == len(pki.subjects("local", NETWORK)) + len(pki.AUTHORITIES) + 1
    for path in keys:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        key = load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert key.curve.name == "secp256r1"
    assert stat.S_IMODE(where.pki.stat().st_mode) == 0o700


def test_each_certificate_is_issued_by_its_own_authority_only(where: Layout) -> None:
    for subject in pki.subjects("local", NETWORK):
        found = certificate(where, subject.file)
        found.verify_directly_issued_by(certificate(where, subject.authority))
        for other in set(pki.AUTHORITIES) - {subject.authority}:
            with pytest.raises(ValueError, match="does not match"):
                found.verify_directly_issued_by(certificate(where, other))


def test_the_api_server_is_known_by_every_name_that_it_is_called_by(where: Layout) -> None:
    assert {
        "127.0.0.1",
        str(NETWORK.node_ip),
        str(NETWORK.api_service_ip),
        "localhost",
        "kubernetes",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    } <= names(certificate(where, "apiserver"))


def test_users_and_groups_are_those_that_kubernetes_gives_rights_to(where: Layout) -> None:
    def user(name: str) -> tuple[str, list[str]]:
        subject = certificate(where, name).subject
        groups = [str(a.value) for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value), groups

    assert user("kubelet-client") == ("system:node:local", ["system:nodes"])
    assert user("controller-manager") == ("system:kube-controller-manager", [])
    assert user("scheduler") == ("system:kube-scheduler", [])
    assert user("proxy") == ("system:kube-proxy", [])
    assert user("admin")[1] == ["system:masters"]


def test_a_clients_certificate_cannot_serve_and_a_servers_cannot_ask(where: Layout) -> None:
    def usages(name: str) -> set[x509.ObjectIdentifier]:
        extension = certificate(where, name).extensions
        return set(extension.get_extension_for_class(x509.ExtendedKeyUsage).value)

    assert usages("admin") == {ExtendedKeyUsageOID.CLIENT_AUTH}
    assert usages("apiserver") == {ExtendedKeyUsageOID.SERVER_AUTH}


def test_a_second_start_issues_nothing(where: Layout) -> None:
    before = pki.fingerprint(where)
    assert pki.ensure(where, "local", NETWORK, NOW + timedelta(days=1)) == []
    assert pki.fingerprint(where) == before


def test_certificates_are_renewed_before_they_end_and_authorities_stay(where: Layout) -> None:
    authority = certificate(where, pki.CLUSTER)
    near_the_end = NOW + pki.VALIDITY - pki.RENEWAL + timedelta(hours=1)
    issued = pki.ensure(where, "local", NETWORK, near_the_end)
    assert set(issued) == {subject.file for subject in pki.subjects("local", NETWORK)}
    assert certificate(where, pki.CLUSTER) == authority
    assert certificate(where, "admin").not_valid_after_utc == near_the_end + pki.VALIDITY


def test_a_changed_address_renews_exactly_the_servers_that_have_it(where: Layout) -> None:
    other = network.plan([], [NETWORK.link])
    assert set(pki.ensure(where, "local", other, NOW)) == {"apiserver", "kubelet"}
    assert str(other.node_ip) in names(certificate(where, "apiserver"))


@pytest.mark.parametrize("content", ["", "half a certif"])
def test_a_file_that_a_crash_left_unreadable_is_made_again(where: Layout, content: str) -> None:
    pki.pair(where, "admin").certificate.write_text(content)
    assert pki.ensure(where, "local", NETWORK, NOW) == ["admin"]


def test_a_key_that_does_not_belong_to_its_certificate_gets_one(where: Layout) -> None:
    pki.pair(where, "admin").key.unlink()
    assert pki.ensure(where, "local", NETWORK, NOW) == ["admin"]


def test_a_new_authority_renews_all_that_it_issued(where: Layout) -> None:
    pki.pair(where, pki.ETCD).key.unlink()
    issued = pki.ensure(where, "local", NETWORK, NOW)
    assert set(issued) == {pki.ETCD, "etcd", "apiserver-etcd-client"}
