"""Resources of clouds say which stack they belong to."""

import json
from collections.abc import Iterator
from typing import Any, Final

from slipway_policy.rule import Resource, at, mapping

# Providers that label all of their resources with one setting, and where it is.
_OF_PROVIDER = {
    "pulumi:providers:aws": ("defaultTags", "tags"),
    "pulumi:providers:gcp": ("defaultLabels",),
}
# Azure's provider has no such setting.
_TAGGABLE: Final = frozenset(
    f"azure-native:{name}"
    for name in (
        "compute:Disk",
        "containerregistry:Registry",
        "containerservice:AgentPool",
        "containerservice:ManagedCluster",
        "keyvault:Vault",
        "managedidentity:UserAssignedIdentity",
        "network:NatGateway",
        "network:NetworkSecurityGroup",
        "network:PrivateEndpoint",
        "network:PublicIPAddress",
        "network:VirtualNetwork",
        "operationalinsights:Workspace",
        "resources:ResourceGroup",
        "storage:StorageAccount",
    )
)


def cloud_resources_are_tagged(resource: Resource) -> Iterator[str]:
    """Refuse resources of a cloud that no bill and no search can tell apart."""
    if path := _OF_PROVIDER.get(resource.type):
        if not mapping(_at_encoded(resource.properties, *path)):
            yield f"{'.'.join(path)} is empty: what the provider makes would have no tags"
    elif resource.type in _TAGGABLE and not mapping(resource.properties.get("tags")):
        yield "tags is empty"


def _at_encoded(properties: Any, first: str, *rest: str) -> Any:
    """Return what is at a path; the SDK hands a provider its settings as JSON."""
    value = properties.get(first)
    return at(json.loads(value) if isinstance(value, str) else value, *rest)
