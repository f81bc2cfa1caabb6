"""The identities that a cluster on AKS itself acts as."""

import pulumi
import pulumi_azure_native.authorization as authorization
import pulumi_azure_native.managedidentity as managedidentity

from infra.clusters.aks.scope import Scope


class AksIdentities(pulumi.ComponentResource):
    """The identities of the control plane and of the kubelets, with their rights.

    Both are made before the cluster, so that their rights are there when it starts
    (learn.microsoft.com, "Use a user-assigned managed identity in AKS" and "Use a pre-created
    kubelet managed identity").

    Type token: `slipway:infra:AksIdentities`. Resources: two `UserAssignedIdentity`, three
    `RoleAssignment`.

    Args:
        resource_name: Logical name.
        scope: What they are made in.
        subnet: Id of the nodes' subnet.
        registry: Id of the registry.
        opts: Resource options.

    Attributes:
        control_plane: Identity of the control plane: it joins nodes and load balancers to the
            subnet, and gives nodes the identity of the kubelets.
        kubelet: Identity of the kubelets: it pulls from the registry.
        rights: What has to be there before the cluster.
    """

    control_plane: managedidentity.UserAssignedIdentity
    kubelet: managedidentity.UserAssignedIdentity
    rights: tuple[authorization.RoleAssignment, ...]

    def __init__(
        self,
        resource_name: str,
        scope: Scope,
        subnet: pulumi.Input[str],
        registry: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:AksIdentities", resource_name, None, opts)
        inside = scope.within(self)
        self.control_plane = inside.identity(
            "control-plane", f"{scope.settings.name}-control-plane"
        )
        self.kubelet = inside.identity("kubelet", f"{scope.settings.name}-kubelet")
        control_plane = self.control_plane.principal_id
        self.rights = (
            inside.grant("control-plane-subnet", "Network Contributor", control_plane, subnet),
            inside.grant(
                "control-plane-kubelet",
                "Managed Identity Operator",
                control_plane,
                self.kubelet.id,
            ),
            inside.grant("kubelet-registry", "AcrPull", self.kubelet.principal_id, registry),
        )
        self.register_outputs({})
