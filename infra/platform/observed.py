"""Objects of kinds without a typed class, with what their controller says of them."""

from typing import Any

import pulumi
from pulumi_kubernetes.meta import v1 as meta


class Observed(pulumi.CustomResource):
    """An object whose status the program reads; `CustomResource` of the SDK hands out none.

    Type token: `kubernetes:<apiVersion>:<kind>`, as that class has it. What the status holds is
    what it held when the object was last waited for, or refreshed.

    Args:
        resource_name: Logical name.
        api_version: Group and version.
        kind: Kind.
        metadata: Its metadata; `None` where `opts.id` says which object is read.
        spec: What it asks for.
        opts: Resource options.

    Attributes:
        status: What its controller wrote; it has to be there when the object is ready.
    """

    status: pulumi.Output[Any]

    def __init__(
        self,
        resource_name: str,
        api_version: str,
        kind: str,
        metadata: meta.ObjectMetaArgs | None = None,
        spec: Any = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
            # Only a property that is listed here becomes an output.
            "status": None,
        }
        super().__init__(f"kubernetes:{api_version}:{kind}", resource_name, properties, opts)
