"""The address that a cluster gives the gateway, and what to do when it gives none."""

from typing import Final

import pulumi
from pulumi_kubernetes.core.v1.outputs import ServiceStatus

from infra.platform import load_balancer
from infra.platform.gateway.traefik_config import SERVICE
from infra.platform.namespace import SYSTEM

_NONE: Final = f"the gateway's Service {SYSTEM}/{SERVICE} has no address: "


def missing(*, metallb: bool) -> str:
    """Return the error of a Service that got no address, with the way out.

    Args:
        metallb: Whether the stack brings MetalLB to give it one.
    """
    if metallb:
        return (
            f"{_NONE}MetalLB gave it none. Its pool is the cluster's trait `address_pool`; see "
            f"`kubectl get pods,ipaddresspools -n {load_balancer.NAMESPACE}` and "
            f"`kubectl describe service -n {SYSTEM} {SERVICE}`"
        )
    return (
        f"{_NONE}no load balancer of the cluster gave it one. If it has none, its file in "
        "infra/clusters says so by the trait `address_pool`, from which MetalLB gives one, or by "
        "`load_balancer.service_type`; or the setting `slipway:platform.gateway.class` names a "
        f"class of gateways that it brings. Else see `kubectl describe service -n {SYSTEM} "
        f"{SERVICE}`, and docs/tls.md"
    )


def missing_of_class(name: str, class_name: str) -> str:
    """Return the error of a Gateway that a class of the cluster's gave no address.

    Args:
        name: Name of the Gateway.
        class_name: Name of the class.
    """
    return (
        f"the Gateway {SYSTEM}/{name} has no address: the class `{class_name}`, which the setting "
        "`slipway:platform.gateway.class` names, gave it none. See `kubectl get gatewayclasses` "
        f"for the classes that the cluster has, and `kubectl describe gateway -n {SYSTEM} {name}`; "
        "without the setting the stack brings a gateway of its own"
    )


def explained(resource_name: str, error: str) -> pulumi.ResourceHookBinding:
    """Return hooks that put an error beside what the provider says of a missing address.

    Args:
        resource_name: Logical name of the resource that waits for its address.
        error: The error, with the way out.
    """

    def explain(failed: pulumi.ErrorHookArgs) -> bool:
        # Both kubernetes plug-ins name it; what else can go wrong speaks for itself.
        if any("address" in reason for reason in failed.errors):
            pulumi.log.error(error)
        return False

    return pulumi.ResourceHookBinding(
        on_error=[pulumi.ErrorHook(f"{resource_name}-address", explain)]
    )


def host_of(status: ServiceStatus | None, *, metallb: bool) -> str:
    """Return the host name or address that the Service's load balancer was given.

    Args:
        status: Status of the Service.
        metallb: Whether the stack brings MetalLB.

    Raises:
        pulumi.RunError: It has none.
    """
    given = (status.load_balancer.ingress if status and status.load_balancer else None) or []
    hosts = [host for address in given for host in (address.hostname, address.ip) if host]
    if not hosts:
        raise pulumi.RunError(missing(metallb=metallb))
    return hosts[0]
