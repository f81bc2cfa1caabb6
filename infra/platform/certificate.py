"""Certificates for what speaks TLS inside the cluster alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta import v1 as meta

from infra.platform.cert_manager import API

# As long as a cluster is likely to live: a new one is trusted at once, but a pod gets it up to two
# minutes later, and nobody trusts it in between.
_DURATION: Final = f"{10 * 365 * 24}h"


@dataclass(frozen=True)
class CertificateArgs:
    """What is certified.

    Attributes:
        namespace: Where the certificate is.
        labels: Labels of its objects.
        services: Services that it stands for, in that namespace.
        signing: Exists once certificates are signed; `None` where the cluster has cert-manager.
    """

    namespace: pulumi.Input[str]
    labels: dict[str, str]
    services: Sequence[str]
    signing: pulumi.Resource | None


class Certificate(pulumi.ComponentResource):
    """A certificate that is its own authority, in a Secret of its name with the key `ca.crt`.

    Type token: `slipway:platform:Certificate`. Resources: an `Issuer` and a `Certificate`. Servers
    and clients may use it; cert-manager renews it.
    https://cert-manager.io/docs/usage/certificate/

    Args:
        resource_name: Logical name; also the name of its objects and of the Secret.
        args: What is certified.
        opts: Resource options.

    Attributes:
        secret: Name of the Secret; using it waits for the certificate.
        source: What cert-manager's annotation `inject-ca-from` takes.
    """

    secret: pulumi.Output[str]
    source: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Certificate", resource_name, None, opts)
        issuer = kubernetes.apiextensions.CustomResource(
            f"{resource_name}-issuer",
            api_version=API,
            kind="Issuer",
            metadata=self._metadata(resource_name, args),
            spec={"selfSigned": {}},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.signing] if args.signing else None
            ),
        )
        certificate = kubernetes.apiextensions.CustomResource(
            resource_name,
            api_version=API,
            kind="Certificate",
            metadata=self._metadata(resource_name, args),
            spec={
                "secretName": resource_name,
                "duration": _DURATION,
                "commonName": resource_name,
                "dnsNames": pulumi.Output.from_input(args.namespace).apply(
                    lambda namespace: dns_names(args.services, namespace)
                ),
                "usages": ["server auth", "client auth"],
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                "issuerRef": {"name": resource_name, "kind": "Issuer"},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[issuer]),
        )
        self.source = certificate.id
        self.secret = certificate.id.apply(lambda identifier: identifier.rpartition("/")[2])
        self.register_outputs({})

    def _metadata(self, name: str, args: CertificateArgs) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(
            name=name,
            namespace=args.namespace,
            labels=args.labels,
            annotations={"pulumi.com/waitFor": "condition=Ready"},
        )


def dns_names(services: Sequence[str], namespace: str) -> list[str]:
    """Return the names under which Services are asked for from anywhere in the cluster.

    Args:
        services: Names of the Services.
        namespace: Where they are.
    """
    return [
        name
        for service in services
        for name in (f"{service}.{namespace}", f"{service}.{namespace}.svc")
    ]
