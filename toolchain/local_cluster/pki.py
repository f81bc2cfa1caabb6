"""Keys and certificates of an `upstream` cluster.

Three authorities, as kubeadm has them: one for the cluster, one for etcd, one for the front proxy
(aggregated APIs), so that a certificate of one is worth nothing to the others. All keys are EC
P-256 and readable by root only.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from toolchain.local_cluster.network import Network
from toolchain.local_cluster.state import Layout, write_atomically

AUTHORITY_VALIDITY = timedelta(days=3650)
"""Ten years, as kubeadm: an authority that changes makes every kubeconfig worthless."""

VALIDITY = timedelta(days=365)
"""One year, as kubeadm and k3s."""

RENEWAL = timedelta(days=90)
"""A certificate with less left is issued anew at the next start, as k3s does."""

_SKEW = timedelta(hours=1)
"""How far back validity begins, for clocks that are set after a certificate was made."""

DOMAIN = "cluster.local"


@dataclass(frozen=True)
class Pair:
    """A private key and its certificate, as PEM files."""

    key: Path
    certificate: Path


@dataclass(frozen=True)
class Subject:
    """What a certificate is issued to, and by which authority.

    Attributes:
        file: Name of its files, without suffix.
        authority: Name of the authority's files.
        common_name: Kubernetes reads the user name from it.
        groups: Kubernetes reads the user's groups from them.
        names: DNS names and addresses of a server; empty for a client.
        is_client: Whether it may authenticate a client.
    """

    file: str
    authority: str
    common_name: str
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    is_client: bool = True


CLUSTER, ETCD, FRONT_PROXY = "ca", "etcd-ca", "front-proxy-ca"
AUTHORITIES = {
    CLUSTER: "slipway-ca",
    ETCD: "slipway-etcd-ca",
    FRONT_PROXY: "slipway-front-proxy-ca",
}
SERVICE_ACCOUNT = "service-account"
ADMIN_GROUP = "system:masters"


def subjects(node: str, network: Network) -> list[Subject]:
    """Return every certificate of a cluster.

    Args:
        node: Name of the node.
        network: Its addresses.
    """
    api = "kubernetes.default.svc"
    api_names = (
        *("localhost", node, "kubernetes", "kubernetes.default", api, f"{api}.{DOMAIN}"),
        *("127.0.0.1", str(network.node_ip), str(network.api_service_ip)),
    )
    node_names = (node, str(network.node_ip))
    return [
        Subject("apiserver", CLUSTER, "kube-apiserver", names=api_names, is_client=False),
        Subject(
            "apiserver-kubelet-client", CLUSTER, "kube-apiserver-kubelet-client", (ADMIN_GROUP,)
        ),
        Subject("apiserver-etcd-client", ETCD, "kube-apiserver-etcd-client"),
        Subject("front-proxy-client", FRONT_PROXY, "front-proxy-client"),
        # etcd's own gateway is a client of etcd.
        Subject("etcd", ETCD, "etcd", names=("localhost", "127.0.0.1")),
        Subject("kubelet", CLUSTER, node, names=node_names, is_client=False),
        Subject("kubelet-client", CLUSTER, f"system:node:{node}", ("system:nodes",)),
        Subject("controller-manager", CLUSTER, "system:kube-controller-manager"),
        Subject("scheduler", CLUSTER, "system:kube-scheduler"),
        Subject("proxy", CLUSTER, "system:kube-proxy"),
        Subject("admin", CLUSTER, "slipway-admin", (ADMIN_GROUP,)),
    ]


def pair(where: Layout, file: str) -> Pair:
    """Return the files of a key and its certificate."""
    return Pair(key=where.pki / f"{file}.key", certificate=where.pki / f"{file}.crt")


def ensure(where: Layout, node: str, network: Network, now: datetime | None = None) -> list[str]:
    """Make the keys and certificates that are missing, wrong or near their end.

    Args:
        where: Folders of the cluster.
        node: Name of the node.
        network: Its addresses.
        now: The current time, for tests.

    Returns:
        Names of the certificates that were issued.
    """
    at = now or datetime.now(UTC)
    where.pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    issued: list[str] = []
    for file, common_name in AUTHORITIES.items():
        files = pair(where, file)
        key = _key(files.key)
        if not _is_authority(files.certificate, key, at):
            _write(files.certificate, _authority(common_name, key, at))
            issued.append(file)
    for subject in subjects(node, network):
        files, authority = pair(where, subject.file), pair(where, subject.authority)
        key, issuer_key = _key(files.key), _key(authority.key)
        issuer = _certificate(authority.certificate)
        if issuer is None:
            raise FileNotFoundError(authority.certificate)
        if not _is_current(files.certificate, subject, key, issuer, at):
            _write(files.certificate, _issue(subject, key, issuer, issuer_key, at))
            issued.append(subject.file)
    service_account = _key(where.pki / f"{SERVICE_ACCOUNT}.key").public_key()
    _write_if_changed(where.pki / f"{SERVICE_ACCOUNT}.pub", _public_pem(service_account))
    return issued


def fingerprint(where: Layout) -> str:
    """Return a digest of all certificates, to see whether components have to read new ones."""
    digest = hashlib.sha256()
    for path in sorted(where.pki.glob("*.crt")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key of a file, made anew where there is none that can be read."""
    if path.exists():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except ValueError:
            key = None
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key
    made = ec.generate_private_key(ec.SECP256R1())
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_atomically(path, pem.decode(), mode=0o600)
    return made


def _certificate(path: Path) -> x509.Certificate | None:
    if not path.exists():
        return None
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        return None


def _public_pem(key: ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def _write(path: Path, certificate: x509.Certificate) -> None:
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    write_atomically(path, pem.decode(), mode=0o644)


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        write_atomically(path, text, mode=0o644)


def _is_authority(path: Path, key: ec.EllipticCurvePrivateKey, at: datetime) -> bool:
    certificate = _certificate(path)
    return (
        certificate is not None
        and certificate.public_key() == key.public_key()
        and certificate.not_valid_after_utc > at + RENEWAL
    )


def _is_current(
    path: Path,
    subject: Subject,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate,
    at: datetime,
) -> bool:
    certificate = _certificate(path)
    if certificate is None or certificate.public_key() != key.public_key():
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError):
        return False
    return (
        certificate.not_valid_after_utc > at + RENEWAL
        and certificate.subject == _name(subject.common_name, subject.groups)
        and _names_in(certificate) == set(subject.names)
    )


def _names_in(certificate: x509.Certificate) -> set[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in extension.value}


def _name(common_name: str, groups: Sequence[str] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(common_name: str, key: ec.EllipticCurvePrivateKey, at: datetime) -> x509.Certificate:
    name = _name(common_name)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _SKEW)
        .not_valid_after(at + AUTHORITY_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _issue(
    subject: Subject,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    at: datetime,
) -> x509.Certificate:
    usages = [ExtendedKeyUsageOID.SERVER_AUTH] if subject.names else []
    if subject.is_client:
        usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject.common_name, subject.groups))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _SKEW)
        .not_valid_after(at + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if subject.names:
        names = x509.SubjectAlternativeName([_general_name(name) for name in subject.names])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
