"""External stores as External Secrets knows them: the provider part of a SecretStore.

https://external-secrets.io/latest/api/secretstore/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.settings.stores import AwsStore, AzureStore, GcpStore, StoreSettings, VaultStore


@dataclass(frozen=True)
class Reader:
    """As whom a team reads a store.

    Attributes:
        service_account: The team's service account, whose workload identity the store knows.
        credentials: The Kubernetes Secret with a key to the store; `None` where it takes none.
    """

    service_account: pulumi.Input[str]
    credentials: pulumi.Input[str] | None = None

    @property
    def account(self) -> Mapping[str, Any]:
        """Reference to the service account."""
        return {"serviceAccountRef": {"name": self.service_account}}

    def key(self, name: str) -> Mapping[str, Any]:
        """Return the reference to an entry of the credentials."""
        return {"name": self.credentials, "key": name}


def credentials(store: StoreSettings, value: pulumi.Input[str]) -> Mapping[str, pulumi.Input[str]]:
    """Return what the Kubernetes Secret with a store's credentials holds.

    Args:
        store: The store.
        value: The secret value that its settings name.
    """
    match store:
        case AwsStore():
            return {"id": store.access_key_id or "", "key": value}
        case AzureStore():
            return {"id": store.client_id or "", "key": value}
        case _:
            return {"key": value}


def provider(store: StoreSettings, reader: Reader) -> dict[str, Any]:
    """Return the `provider` of a SecretStore.

    Args:
        store: The store.
        reader: As whom it is read.
    """
    match store:
        case AwsStore():
            return {"aws": _aws(store, reader)}
        case AzureStore():
            return {"azurekv": _azure(store, reader)}
        case GcpStore():
            return {"gcpsm": _gcp(store, reader)}
        case VaultStore():
            return {"vault": _vault(store, reader)}


def _aws(store: AwsStore, reader: Reader) -> dict[str, Any]:
    if reader.credentials is None:
        auth: dict[str, Any] = {"jwt": reader.account}
    else:
        auth = {
            "secretRef": {
                "accessKeyIDSecretRef": reader.key("id"),
                "secretAccessKeySecretRef": reader.key("key"),
            }
        }
    role = {"role": store.role} if store.role else {}
    return {"service": "SecretsManager", "region": store.region, "auth": auth, **role}


def _azure(store: AzureStore, reader: Reader) -> dict[str, Any]:
    if reader.credentials is None:
        # The service account's annotations name the client and its tenant.
        return {"vaultUrl": store.vault_url, "authType": "WorkloadIdentity", **reader.account}
    return {
        "vaultUrl": store.vault_url,
        "authType": "ServicePrincipal",
        "tenantId": store.tenant_id,
        "authSecretRef": {"clientId": reader.key("id"), "clientSecret": reader.key("key")},
    }


def _gcp(store: GcpStore, reader: Reader) -> dict[str, Any]:
    auth: dict[str, Any] = (
        {"workloadIdentity": reader.account}
        if reader.credentials is None
        else {"secretRef": {"secretAccessKeySecretRef": reader.key("key")}}
    )
    return {"projectID": store.project, "auth": auth}


def _vault(store: VaultStore, reader: Reader) -> dict[str, Any]:
    auth: dict[str, Any] = (
        {"kubernetes": {"mountPath": store.mount, "role": store.role, **reader.account}}
        if reader.credentials is None
        else {"tokenSecretRef": reader.key("key")}
    )
    return {"server": store.server, "path": store.path, "version": "v2", "auth": auth}
