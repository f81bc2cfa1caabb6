"""Settings of external stores: where secret values stay that are not in a stack file."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from infra.settings.secrets import ConfigReference
from infra.settings.types import StoreName, StrictModel

_URL = re.compile(r"https?://[A-Za-z0-9.\-:\[\]]+(/[A-Za-z0-9._~/-]*)?")
_INTERVAL = re.compile(r"([1-9][0-9]*)(s|m|h)")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+=-]*")
_SHORTEST_SECONDS: Final = 5
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError(f"`{value}` is not a URL; write it like `https://vault.example.org:8200`")
    return value


def _word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError(f"`{value}` is not a name; use letters, digits and `._:/@+=-`")
    return value


def _seconds(interval: str) -> int:
    return int(interval[:-1]) * _SECONDS[interval[-1]]


def _interval(value: str) -> str:
    if not _INTERVAL.fullmatch(value) or _seconds(value) < _SHORTEST_SECONDS:
        raise ValueError(f"`{value}` is not a time of at least 5 s; write it like `30s` or `1h`")
    return value


Url = Annotated[str, AfterValidator(_url)]
Word = Annotated[str, AfterValidator(_word)]
Interval = Annotated[str, AfterValidator(_interval)]


class _Store(StrictModel):
    """What every store may have.

    Attributes:
        credentials: A key to the store, for test and on-premise use. By default there is none: the
            store knows the team's workload identity, which the cluster gives its service account.
    """

    credentials: ConfigReference | None = None


class AwsStore(_Store):
    """AWS Secrets Manager.

    Attributes:
        kind: Always `aws`.
        region: Its region.
        role: ARN of a role that is assumed for reading.
        endpoint: URL of a VPC endpoint or of a compatible server; one for all stores of a cluster.
        access_key_id: The id of `credentials`, which are then the secret access key.
    """

    kind: Literal["aws"]
    region: Word
    role: Word | None = None
    endpoint: Url | None = None
    access_key_id: Word | None = None

    @model_validator(mode="after")
    def _whole_credentials(self) -> Self:
        if (self.access_key_id is None) != (self.credentials is None):
            raise ValueError("`accessKeyId` and `credentials` belong together; give both or none")
        return self


class AzureStore(_Store):
    """Azure Key Vault.

    Attributes:
        kind: Always `azure`.
        vault_url: URL of the vault.
        tenant_id: Tenant of `client_id`.
        client_id: The service principal of `credentials`, which are then its client secret.
    """

    kind: Literal["azure"]
    vault_url: Url
    tenant_id: Word | None = None
    client_id: Word | None = None

    @model_validator(mode="after")
    def _whole_credentials(self) -> Self:
        if len({self.tenant_id is None, self.client_id is None, self.credentials is None}) > 1:
            raise ValueError(
                "`tenantId`, `clientId` and `credentials` belong together; give all or none"
            )
        return self


class GcpStore(_Store):
    """Google Secret Manager; `credentials` are the JSON key of a service account.

    Attributes:
        kind: Always `gcp`.
        project: The project that holds the secrets.
    """

    kind: Literal["gcp"]
    project: Word


class VaultStore(_Store):
    """HashiCorp Vault or its like, key-value engine version 2; `credentials` are a token.

    Attributes:
        kind: Always `vault`.
        server: URL of the server.
        path: Where the engine is mounted.
        role: The role that Vault gives the team's service account.
        mount: Where Vault's Kubernetes authentication is mounted.
    """

    kind: Literal["vault"]
    server: Url
    path: Word = "secret"
    role: Word | None = None
    mount: Word = "kubernetes"

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.role is None) == (self.credentials is None):
            raise ValueError("needs a way in; give `role`, or `credentials: {config: <key>}`")
        return self


StoreSettings = Annotated[
    AwsStore | AzureStore | GcpStore | VaultStore, Field(discriminator="kind")
]


class SecretsSettings(StrictModel):
    """External stores; External Secrets is installed when there is one.

    Attributes:
        stores: Stores by name.
        refresh_interval: How often each store is asked whether a value is another one (`s`, `m` or
            `h`); what it is asked costs money on clouds.
    """

    stores: dict[StoreName, StoreSettings] = Field(default_factory=dict)
    refresh_interval: Interval = "1h"

    @model_validator(mode="after")
    def _one_endpoint(self) -> Self:
        if len(self.endpoints) > 1:
            raise ValueError(
                f"stores have different endpoints ({', '.join(sorted(self.endpoints))}); "
                "External Secrets takes one for all stores of kind `aws`"
            )
        return self

    @property
    def refresh_seconds(self) -> int:
        """`refresh_interval` in seconds."""
        return _seconds(self.refresh_interval)

    @property
    def endpoints(self) -> frozenset[str]:
        """The endpoints of its AWS stores: one, or none for the public ones."""
        aws = [store for store in self.stores.values() if isinstance(store, AwsStore)]
        # The public endpoint beside another one would be overridden: it counts as different.
        found = {store.endpoint for store in aws}
        return frozenset(str(url or "public") for url in found) if found != {None} else frozenset()
