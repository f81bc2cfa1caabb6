"""The gateway: one entry point for every model, and the controller behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta import v1 as meta

from infra.contract import GATEWAY_API, ClusterTraits, GatewayReference, MirroringReference
from infra.naming import HTTPS_PORT, TEAM_LABEL, https_url, labels
from infra.platform.cert_manager import CertManager
from infra.platform.definitions import Definitions
from infra.platform.gateway import address, traefik_config
from infra.platform.gateway.tls import (
    LOCAL_NAME,
    SECRET,
    CertificateArgs,
    GatewayCertificate,
)
from infra.platform.gateway.traefik import CONTROLLER_NAME, HTTP, HTTPS, Traefik, TraefikArgs
from infra.platform.observed import Observed
from infra.settings import GatewaySettings

_NAME: Final = "slipway"
_STANDARD_HTTP: Final = 80
# Traefik serves the plain listener. The other one it cannot serve before the certificate is there,
# and a public authority signs that only once the plain listener leads to the proof.
_PLAIN_LISTENER_SERVES: Final = (
    f'jsonpath={{.status.listeners[?(@.name=="{HTTP}")]'
    '.conditions[?(@.type=="Programmed")].status}=True'
)
_HAS_ADDRESS: Final = "jsonpath={.status.addresses[0].value}"
_TEAMS_ONLY: Final = {
    "namespaces": {
        "from": "Selector",
        "selector": {"matchExpressions": [{"key": TEAM_LABEL, "operator": "Exists"}]},
    }
}
_PLATFORM_ONLY: Final = {"namespaces": {"from": "Same"}}


@dataclass(frozen=True)
class GatewayArgs:
    """What the gateway is made of.

    Attributes:
        settings: Settings of the gateway.
        traits: How the cluster is asked for an entry point.
        namespace: Where it and its controller are.
        teams: Namespaces of the teams, by team.
        model_hosts: DNS names of models.
        priority: Name of its pods' PriorityClass.
        api: The Gateway API's types, which the gateway waits for.
        cert_manager: What signs its certificate; `None` where the cluster has it.
        balancer: What gives its Service an address; `None` where the cluster has it.
        metrics: Whether Traefik counts requests for Prometheus.
        counts_versions: Whether it counts those of each version of a model, too.
        mirrors: Whether it sends copies of requests to other versions.
    """

    settings: GatewaySettings
    traits: ClusterTraits
    namespace: pulumi.Input[str]
    teams: Mapping[str, pulumi.Input[str]]
    model_hosts: Sequence[str]
    priority: pulumi.Input[str]
    api: Definitions
    cert_manager: CertManager | None
    balancer: pulumi.Resource | None
    metrics: bool
    counts_versions: bool
    mirrors: bool

    @property
    def hosts(self) -> list[str]:
        """The names that the certificate is for, the gateway's own first."""
        return [*([self.settings.host] if self.settings.host else []), *self.model_hosts]


class Gateway(pulumi.ComponentResource):
    """A Gateway that takes routes from every team over HTTPS, and leads HTTP there.

    Type token: `slipway:platform:Gateway`. Resources: a `Gateway` `slipway`, an `HTTPRoute` that
    redirects, and a `GatewayCertificate` component; unless the cluster brings a class, also a
    `GatewayClass` `slipway` and a `Traefik` component.

    Args:
        resource_name: Logical name.
        args: What it is made of.
        opts: Resource options.

    Attributes:
        reference: The listener that routes attach to.
        address: URL at which it answers, without a trailing slash.
        https_port: Port of that URL.
        ca: Certificate of the authority, as PEM, where it is the stack's own.
        signing: As `GatewayCertificate` has it.
    """

    reference: GatewayReference
    address: pulumi.Output[str]
    https_port: int
    ca: pulumi.Output[str | None]
    signing: pulumi.Resource | None

    def __init__(
        self, resource_name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Gateway", resource_name, None, opts)
        self._args = args
        self._labels = labels("gateway", resource_name, "gateway")
        mirroring = MirroringReference()
        if args.settings.class_name is None:
            self.https_port = args.traits.load_balancer.https_port
            traefik = self._traefik()
            mirroring = MirroringReference("TraefikService", (traefik,))
            gateway, given = self._our_own(resource_name, traefik)
        else:
            self.https_port = HTTPS_PORT
            gateway, given = self._of_the_cluster(resource_name, args.settings.class_name)
        certificate = GatewayCertificate(
            "certificate",
            CertificateArgs(
                issuer=args.settings.tls.issuer,
                hosts=args.hosts,
                address=given,
                namespace=args.namespace,
                gateway=gateway,
                gateway_name=_NAME,
                listener=HTTP,
                cert_manager=args.cert_manager,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._redirect(resource_name, gateway)
        self.reference = GatewayReference(
            # Whoever uses it waits for the Gateway and its certificate.
            name=pulumi.Output.all(gateway.id, certificate.secret).apply(
                lambda made: str(made[0]).rpartition("/")[2]
            ),
            namespace=args.namespace,
            section=HTTPS,
            mirroring=mirroring,
        )
        self.address = self._endpoint(given)
        self.ca = certificate.ca
        self.signing = certificate.signing
        self.register_outputs({"address": self.address})

    def _traefik(self) -> Traefik:
        return Traefik(
            "traefik",
            TraefikArgs(
                settings=self._args.settings,
                traits=self._args.traits,
                namespace=self._args.namespace,
                teams=self._args.teams,
                certificate_name=[*self._args.hosts, LOCAL_NAME][0],
                priority=self._args.priority,
                api=self._args.api,
                balancer=self._args.balancer,
                metrics=self._args.metrics,
                counts_versions=self._args.counts_versions,
                mirrors=self._args.mirrors,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _our_own(self, resource_name: str, traefik: Traefik) -> tuple[Observed, pulumi.Input[str]]:
        """Make the Gateway of our class, and return it with the address of its Service."""
        gateway_class = kubernetes.apiextensions.CustomResource(
            f"{resource_name}-class",
            api_version=GATEWAY_API,
            kind="GatewayClass",
            metadata=meta.ObjectMetaArgs(name=_NAME, labels=self._labels),
            spec={"controllerName": CONTROLLER_NAME},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._args.api]),
        )
        gateway = self._gateway(
            resource_name,
            _NAME,
            (traefik_config.HTTP_PORT, traefik_config.HTTPS_PORT),
            _PLAIN_LISTENER_SERVES,
            # Nothing programs it before its class and the controller are there.
            [gateway_class, traefik],
        )
        known = self._args.traits.load_balancer.host
        metallb = self._args.balancer is not None
        return gateway, known or traefik.service.status.apply(
            lambda status: address.host_of(status, metallb=metallb)
        )

    def _of_the_cluster(
        self, resource_name: str, class_name: str
    ) -> tuple[Observed, pulumi.Input[str]]:
        """Make the Gateway of a class that the cluster brings, and return it with its address."""
        gateway = self._gateway(
            resource_name,
            class_name,
            (_STANDARD_HTTP, HTTPS_PORT),
            _HAS_ADDRESS,
            [self._args.api],
            hooks=address.explained(resource_name, address.missing_of_class(_NAME, class_name)),
        )
        return gateway, gateway.status.apply(lambda status: str(status["addresses"][0]["value"]))

    def _gateway(
        self,
        resource_name: str,
        class_name: str,
        ports: tuple[int, int],
        wait_for: str,
        depends_on: list[pulumi.Resource],
        hooks: pulumi.ResourceHookBinding | None = None,
    ) -> Observed:
        plain, encrypted = ports
        return Observed(
            resource_name,
            GATEWAY_API,
            "Gateway",
            meta.ObjectMetaArgs(
                name=_NAME,
                namespace=self._args.namespace,
                labels=self._labels,
                annotations={"pulumi.com/waitFor": wait_for},
            ),
            {
                "gatewayClassName": class_name,
                "listeners": [
                    {
                        "name": HTTP,
                        "protocol": "HTTP",
                        "port": plain,
                        # What is here: the redirection, and proofs for public authorities.
                        "allowedRoutes": _PLATFORM_ONLY,
                    },
                    {
                        "name": HTTPS,
                        "protocol": "HTTPS",
                        "port": encrypted,
                        "tls": {
                            "mode": "Terminate",
                            "certificateRefs": [{"group": "", "kind": "Secret", "name": SECRET}],
                        },
                        "allowedRoutes": _TEAMS_ONLY,
                    },
                ],
            },
            pulumi.ResourceOptions(parent=self, depends_on=depends_on, hooks=hooks),
        )

    def _redirect(self, resource_name: str, gateway: Observed) -> None:
        """Lead every request over HTTP to the same URL over HTTPS."""
        kubernetes.apiextensions.CustomResource(
            f"{resource_name}-redirect",
            api_version=GATEWAY_API,
            kind="HTTPRoute",
            metadata=meta.ObjectMetaArgs(
                name=f"{_NAME}-redirect", namespace=self._args.namespace, labels=self._labels
            ),
            spec={
                "parentRefs": [
                    {"name": _NAME, "namespace": self._args.namespace, "sectionName": HTTP}
                ],
                "rules": [{"filters": [redirection(self.https_port)]}],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway]),
        )

    def _endpoint(self, given: pulumi.Input[str]) -> pulumi.Output[str]:
        """Return the gateway's URL: its name, or its address where the certificate has that too."""
        settings = self._args.settings
        known = self._args.traits.load_balancer.host if settings.class_name is None else None
        if settings.host and not (known and settings.tls.issuer.self_signed):
            return pulumi.Output.from_input(https_url(settings.host, self.https_port))
        return pulumi.Output.from_input(given).apply(lambda host: https_url(host, self.https_port))


def redirection(port: int) -> dict[str, Any]:
    """Return the filter that answers with the same URL over HTTPS.

    Args:
        port: Port at which clients reach the HTTPS listener.
    """
    return {
        "type": "RequestRedirect",
        "requestRedirect": {"scheme": "https", "port": port, "statusCode": 301},
    }
