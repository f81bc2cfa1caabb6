"""What Azure answers the mocked program."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

# What a kubeconfig of Azure may hold, and none of the project does.
TOKEN: Final = "of-azure"

_KUBECONFIG: Final = {
    "clusters": [
        {
            "name": "ml",
            "cluster": {
                "server": "https://ml-1a2b3c4d.hcp.westeurope.azmk8s.io:443",
                "certificate-authority-data": "Q0E=",
            },
        }
    ],
    "users": [{"name": "clusterUser", "user": {"token": TOKEN}}],
}


def _named(key: str) -> Callable[[str, Mapping[str, Any]], dict[str, Any]]:
    return lambda name, inputs: {"name": inputs.get(key, name)}


def _cluster(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": inputs["resourceName"],
        "resourceUID": "5e8a",
        # A list when it is asked for, a mapping in the answer.
        "identity": {
            "type": "UserAssigned",
            "userAssignedIdentities": {
                one: {} for one in inputs["identity"]["userAssignedIdentities"]
            },
        },
        "currentKubernetesVersion": f"{inputs['kubernetesVersion']}.2",
        "oidcIssuerProfile": {"enabled": True, "issuerURL": "https://issuer.example/5e8a/"},
    }


def _identity(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    own = inputs["resourceName"]
    return {"name": own, "clientId": f"client-of-{own}", "principalId": f"principal-of-{own}"}


def _vault(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    vault = inputs["vaultName"]
    uri = f"https://{vault}.vault.azure.net/"
    return {"name": vault, "properties": {**inputs["properties"], "vaultUri": uri}}


RESOURCES: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    "azure-native:containerregistry:Registry": lambda name, inputs: {
        "name": inputs["registryName"],
        "loginServer": f"{inputs['registryName'].lower()}.azurecr.io",
    },
    "azure-native:containerservice:ManagedCluster": _cluster,
    "azure-native:keyvault:Vault": _vault,
    "azure-native:managedidentity:UserAssignedIdentity": _identity,
    "azure-native:network:VirtualNetwork": _named("virtualNetworkName"),
    "azure-native:resources:ResourceGroup": _named("resourceGroupName"),
    "azure-native:storage:StorageAccount": _named("accountName"),
}

CALLS: Final[Mapping[str, dict[str, Any]]] = {
    "azure-native:containerservice:listManagedClusterUserCredentials": {
        "kubeconfigs": [
            {
                "name": "clusterUser",
                "value": base64.b64encode(json.dumps(_KUBECONFIG).encode()).decode(),
            }
        ]
    }
}
