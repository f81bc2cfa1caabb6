"""Settings of the gateway."""

import re
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from infra.settings.types import (
    Flag,
    HostName,
    ObjectName,
    Replicas,
    Size,
    StrictModel,
    TimeoutSeconds,
    parse_quantity,
)

# https://letsencrypt.org/docs/acme-protocol-updates/
_LETS_ENCRYPT: Final = "https://acme-v02.api.letsencrypt.org/directory"
_SMALLEST_BODY: Final = 1024
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# What an issuer may be written as; the first takes no settings.
_SELF_SIGNED: Final = "selfSigned"
_ISSUERS: Final = f"`{_SELF_SIGNED}`, `{{acme: {{email: ...}}}}` or `{{clusterIssuer: <name>}}`"


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise ValueError(f"`{value}` is not an e-mail address; write one like `ops@example.com`")
    return value


def _https_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(f"`{value}` is not an https URL; write one like `{_LETS_ENCRYPT}`")
    return value


def _body_size(value: str) -> str:
    # The gateway takes 0 for no limit at all.
    if parse_quantity(value) < _SMALLEST_BODY:
        raise ValueError(f"`{value}` is too small for a request; the smallest is 1Ki")
    return value


def _written_out(value: object) -> object:
    """Let an issuer without settings be written as its name alone."""
    if isinstance(value, str):
        if value != _SELF_SIGNED:
            raise ValueError(f"`{value}` is not an issuer; write {_ISSUERS}")
        return {}
    return value


class AcmeSettings(StrictModel):
    """An authority that proves by HTTP that the gateway has its name (ACME, http01).

    Attributes:
        email: Where the authority writes to before a certificate runs out.
        server: Its directory; Let's Encrypt's by default.
    """

    email: Annotated[str, AfterValidator(_email)]
    server: Annotated[str, AfterValidator(_https_url)] = _LETS_ENCRYPT


class IssuerSettings(StrictModel):
    """Who signs the gateway's certificate; a certificate authority of the stack's own by default.

    Attributes:
        acme: A public authority.
        cluster_issuer: Name of a ClusterIssuer of a cert-manager that the cluster already has.
    """

    acme: AcmeSettings | None = None
    cluster_issuer: ObjectName | None = None

    @property
    def self_signed(self) -> bool:
        """Whether the stack has an authority of its own."""
        return self.acme is None and self.cluster_issuer is None

    @property
    def installs_cert_manager(self) -> bool:
        """Whether the stack brings cert-manager, rather than use the cluster's."""
        return self.cluster_issuer is None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.acme is not None and self.cluster_issuer is not None:
            raise ValueError(f"names two issuers; write {_ISSUERS}")
        return self


class TlsSettings(StrictModel):
    """The gateway's certificate.

    Attributes:
        issuer: Who signs it.
    """

    issuer: Annotated[IssuerSettings, BeforeValidator(_written_out)] = Field(
        default_factory=IssuerSettings
    )


class GatewaySettings(StrictModel):
    """The gateway that every model answers behind.

    Attributes:
        replicas: Pods of the gateway controller; 1 by default, which is what a laptop needs.
        class_name: A GatewayClass that the cluster brings; the project's own Traefik without it.
        host: DNS name of the gateway; without it, its address is its name.
        access_log: One JSON line per request, without headers and query strings; on by default:
            it is the only place that tells who asked what.
        max_body: Largest body of a request; 8Mi by default, as much as a model's server takes.
        timeout_seconds: Longest time until a model's answer begins; 60 by default.
        tls: Its certificate.
    """

    replicas: Replicas = 1
    class_name: ObjectName | None = Field(default=None, alias="class")
    host: HostName | None = None
    access_log: Flag = True
    max_body: Annotated[Size, AfterValidator(_body_size)] = "8Mi"
    timeout_seconds: TimeoutSeconds = 60
    tls: TlsSettings = Field(default_factory=TlsSettings)

    @property
    def max_body_bytes(self) -> int:
        """`max_body` in bytes."""
        return int(parse_quantity(self.max_body))

    @model_validator(mode="after")
    def _certificate_has_a_name(self) -> Self:
        if not self.tls.issuer.self_signed and self.host is None:
            raise ValueError(
                "such a `tls.issuer` signs names, not addresses; add the gateway's name as `host`"
            )
        return self

    @model_validator(mode="after")
    def _other_class_has_its_own_settings(self) -> Self:
        ours = {"replicas", "access_log", "max_body", "timeout_seconds"} & self.model_fields_set
        if self.class_name is not None and ours:
            names = ", ".join(
                f"`{field.alias}`"
                for name, field in type(self).model_fields.items()
                if name in ours
            )
            raise ValueError(
                f"{names} cannot be set for the gateway of class `{self.class_name}`, which the "
                "cluster brings; remove what is set, or `class`"
            )
        return self
