"""How clients reach a cluster on AKS."""

import base64
from typing import Final

import pulumi
import pulumi_azure_native.containerservice as containerservice
import yaml

from infra.clusters.aks.scope import Scope
from infra.clusters.kubeconfig import Exec, kubeconfig

# Application that every AKS cluster with Microsoft Entra is to its clients (learn.microsoft.com,
# "Use kubelogin to authenticate users in AKS").
_SERVER_ID: Final = "6dae42f8-4368-4678-94ff-3960e28e3630"


def aks_kubeconfig(cluster: containerservice.ManagedCluster, scope: Scope) -> pulumi.Output[str]:
    """Return a kubeconfig that holds no credential.

    `kubelogin` gets a token as whoever is logged in with `az login`; the variable
    `AAD_LOGIN_METHOD` chooses another way, such as `workloadidentity` on a runner
    (https://azure.github.io/kubelogin/cli/get-token.html). Azure is asked for the address and the
    certificate of the cluster's authority alone: no resource has the latter.

    Args:
        cluster: The cluster.
        scope: What it is made in.
    """
    answer = containerservice.list_managed_cluster_user_credentials_output(
        resource_group_name=scope.group,
        # It waits for the cluster by this.
        resource_name=cluster.name,
        format="exec",
        opts=pulumi.InvokeOutputOptions(parent=scope.parent, provider=scope.provider),
    )
    given = answer.apply(lambda found: _address_and_authority(found.kubeconfigs[0].value))
    settings = scope.settings
    return kubeconfig(
        settings.name,
        given.apply(lambda pair: pair[0]),
        given.apply(lambda pair: pair[1]),
        Exec(
            api_version="client.authentication.k8s.io/v1beta1",
            command="kubelogin",
            arguments=[
                "get-token",
                *("--login", "azurecli"),
                *("--server-id", _SERVER_ID),
                *("--tenant-id", settings.tenant_id),
            ],
            install_hint="kubelogin is not there; see docs/aks.md",
        ),
    )


def _address_and_authority(encoded: str) -> tuple[str, str]:
    """Return the two from Azure's kubeconfig.

    Args:
        encoded: That kubeconfig, in base64.
    """
    cluster = yaml.safe_load(base64.b64decode(encoded))["clusters"][0]["cluster"]
    return cluster["server"], cluster["certificate-authority-data"]
