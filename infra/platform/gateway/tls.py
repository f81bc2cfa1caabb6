"""The gateway's certificate, and who signs it."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta import v1 as meta

from infra.naming import is_address, labels
from infra.platform.cert_manager import API, NAMESPACE, SELF_SIGNED, CertManager
from infra.platform.observed import Observed
from infra.settings import IssuerSettings

SECRET: Final = "slipway-gateway-tls"
"""The Secret with the gateway's certificate and key, in the Gateway's namespace."""

_AUTHORITY: Final = "slipway-ca"
_ACME: Final = "slipway-acme"
_CHECK: Final = "slipway-webhook-check"
_SELF_SIGNED_ISSUER: Final = {"group": "cert-manager.io", "kind": "Issuer", "name": SELF_SIGNED}
_ECDSA: Final = {"algorithm": "ECDSA", "size": 256}
# As long as a cluster is likely to live; the gateway's own certificate is renewed every 60 days.
_AUTHORITY_DURATION: Final = f"{10 * 365 * 24}h"
_READY: Final = "condition=Ready"
# It is signed within a second or two by the stack's own authority; a public one asks the gateway
# back, which finds its name in the DNS only some time after it was entered there.
_PATIENCE: Final = pulumi.CustomTimeouts(create="10m", update="10m")


@dataclass(frozen=True)
class CertificateArgs:
    """What the certificate says, and who signs it.

    Attributes:
        issuer: Who signs it.
        hosts: DNS names of the gateway and of models.
        address: Address at which clients reach the gateway; used where the authority is the
            stack's own, since others sign names alone.
        namespace: Where the Gateway is.
        gateway: The Gateway, which has to lead requests to whoever asks for a proof of its name.
        gateway_name: Its name.
        listener: Name of its plain listener.
        cert_manager: What signs; `None` where the cluster has it.
    """

    issuer: IssuerSettings
    hosts: Sequence[str]
    address: pulumi.Input[str]
    namespace: pulumi.Input[str]
    gateway: pulumi.Resource
    gateway_name: str
    listener: str
    cert_manager: CertManager | None


class GatewayCertificate(pulumi.ComponentResource):
    """A certificate that cert-manager keeps valid in a Secret, and its issuer.

    Type token: `slipway:platform:GatewayCertificate`. Resources: a `Certificate`; for the stack's
    own authority also its `Certificate` in the namespace of cert-manager and a `ClusterIssuer`; for
    a public one a `ClusterIssuer`.

    Args:
        resource_name: Logical name.
        args: What it says, and who signs it.
        opts: Resource options.

    Attributes:
        secret: Name of the Secret; using it waits until the certificate is there.
        ca: Certificate of the stack's own authority, as PEM; `None` for any other.
        signing: Exists once cert-manager's webhook answers: objects of cert-manager in any other
            namespace wait for it. `None` where the cluster has cert-manager.
    """

    secret: pulumi.Output[str]
    ca: pulumi.Output[str | None]
    signing: pulumi.Resource | None

    def __init__(
        self,
        resource_name: str,
        args: CertificateArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:GatewayCertificate", resource_name, None, opts)
        self._args = args
        self._labels = labels("certificate", resource_name, "gateway")
        self.ca = pulumi.Output.from_input(None)
        self.signing = None
        issuer, dependencies = self._issuer(resource_name)
        certificate = kubernetes.apiextensions.CustomResource(
            resource_name,
            api_version=API,
            kind="Certificate",
            metadata=self._metadata(SECRET, args.namespace, _READY),
            spec={
                "secretName": SECRET,
                "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": issuer},
                "privateKey": {**_ECDSA, "rotationPolicy": "Always"},
                "usages": ["digital signature", "server auth"],
                **self._names(),
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[args.gateway, *dependencies],
                custom_timeouts=_PATIENCE,
            ),
        )
        self.secret = certificate.id.apply(lambda identifier: identifier.rpartition("/")[2])
        self.register_outputs({"ca": self.ca})

    def _metadata(
        self, name: str, namespace: pulumi.Input[str] | None, wait_for: str
    ) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(
            name=name,
            namespace=namespace,
            labels=self._labels,
            annotations={"pulumi.com/waitFor": wait_for},
        )

    def _names(self) -> dict[str, Any]:
        """Return the fields of a Certificate that say whom it is for."""
        if not self._args.issuer.self_signed:
            return {"dnsNames": list(self._args.hosts)}
        hosts = [*self._args.hosts, LOCAL_NAME]
        address = pulumi.Output.from_input(self._args.address)
        return {
            "dnsNames": address.apply(
                lambda given: hosts if is_address(given) else [*hosts, given]
            ),
            "ipAddresses": address.apply(lambda given: [given] if is_address(given) else []),
        }

    def _issuer(self, resource_name: str) -> tuple[str, list[pulumi.Resource]]:
        """Return the name of the ClusterIssuer that signs, and what the signing waits for."""
        issuer = self._args.issuer
        if issuer.cluster_issuer is not None:
            return issuer.cluster_issuer, []
        if issuer.acme is not None:
            solver = {"http01": {"gatewayHTTPRoute": {"parentRefs": [self._plain_listener()]}}}
            spec = {
                "acme": {
                    "email": issuer.acme.email,
                    "server": issuer.acme.server,
                    "privateKeySecretRef": {"name": _ACME},
                    "solvers": [solver],
                }
            }
            self.signing = self._webhook_check(resource_name)
            return _ACME, [self._cluster_issuer(resource_name, _ACME, spec, [self.signing])]
        authority = self.signing = self._authority(resource_name)
        self.ca = self._certificate_of(resource_name, authority)
        return _AUTHORITY, [
            self._cluster_issuer(
                resource_name, _AUTHORITY, {"ca": {"secretName": _AUTHORITY}}, [authority]
            )
        ]

    def _plain_listener(self) -> dict[str, Any]:
        return {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": self._args.gateway_name,
            "namespace": self._args.namespace,
            "sectionName": self._args.listener,
        }

    def _cluster_issuer(
        self,
        resource_name: str,
        name: str,
        spec: dict[str, Any],
        depends_on: Sequence[pulumi.Resource],
    ) -> pulumi.Resource:
        return kubernetes.apiextensions.CustomResource(
            f"{resource_name}-issuer",
            api_version=API,
            kind="ClusterIssuer",
            metadata=self._metadata(name, None, _READY),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
        )

    def _signer(self) -> list[pulumi.Resource]:
        return [self._args.cert_manager] if self._args.cert_manager else []

    def _webhook_check(self, resource_name: str) -> pulumi.Resource:
        """Make a certificate that nobody uses, and that is ready once the webhook answers.

        A webhook whose pods are ready may still refuse: the node's rules for its Service come up
        to a second later. The API server asks it about every object of cert-manager, except about
        those in its own namespace; only about the request that cert-manager itself makes for a
        certificate there it asks too, and cert-manager tries again until it has an answer.
        """
        return kubernetes.apiextensions.CustomResource(
            f"{resource_name}-webhook-check",
            api_version=API,
            kind="Certificate",
            metadata=self._metadata(_CHECK, NAMESPACE, _READY),
            spec={
                "secretName": _CHECK,
                "issuerRef": _SELF_SIGNED_ISSUER,
                "dnsNames": [f"{_CHECK}.invalid"],
                "privateKey": {**_ECDSA, "rotationPolicy": "Always"},
            },
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=self._signer(), custom_timeouts=_PATIENCE
            ),
        )

    def _authority(self, resource_name: str) -> Observed:
        """Make the stack's own authority: a certificate that signs itself and others.

        Its key is in the namespace of cert-manager, where Traefik reads no Secrets. What comes
        after it finds the webhook of cert-manager at work, as after `_webhook_check`.
        """
        return Observed(
            f"{resource_name}-authority",
            API,
            "Certificate",
            # The revision is what names the request that the certificate is read from.
            self._metadata(
                _AUTHORITY, NAMESPACE, json.dumps([_READY, "jsonpath={.status.revision}"])
            ),
            {
                "secretName": _AUTHORITY,
                "issuerRef": _SELF_SIGNED_ISSUER,
                "isCA": True,
                "commonName": "Slipway",
                "privateKey": {**_ECDSA, "rotationPolicy": "Never"},
                "duration": _AUTHORITY_DURATION,
                # The request of the certificate in use is kept: the stack output reads it.
                "revisionHistoryLimit": 3,
            },
            pulumi.ResourceOptions(
                parent=self, depends_on=self._signer(), custom_timeouts=_PATIENCE
            ),
        )

    def _certificate_of(self, resource_name: str, authority: Observed) -> pulumi.Output[str | None]:
        """Return the authority's certificate, as PEM.

        It is read from the request that cert-manager keeps, and not from the Secret: whatever
        the engine reads is in its state, and the Secret has the private key as well.
        """
        request = Observed(
            f"{resource_name}-authority-request",
            API,
            "CertificateRequest",
            opts=pulumi.ResourceOptions(
                parent=self,
                id=authority.status.apply(
                    lambda status: f"{NAMESPACE}/{_AUTHORITY}-{int(status['revision'])}"
                ),
            ),
        )
        return request.status.apply(
            lambda status: base64.b64decode(status["certificate"]).decode("ascii")
        )


LOCAL_NAME: Final = "localhost"
"""A name that every certificate of the stack's own authority has."""
