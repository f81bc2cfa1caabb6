"""The APIs of Google Cloud that a project has to have switched on."""

from typing import Final

import pulumi
import pulumi_gcp.projects as projects

# Two have to be on before, since they switch the others on and give roles: docs/gke.md.
APIS: Final = (
    "artifactregistry",
    "cloudkms",
    "compute",
    "container",
    "iam",
    "secretmanager",
    "storage",
)


class Apis(pulumi.ComponentResource):
    """The APIs that the cluster and what belongs to it need.

    They stay on when the stack goes: something else in the project may use them.

    Type token: `slipway:infra:GkeApis`. Resources: a `Service` for each.
    https://cloud.google.com/service-usage/docs/enable-disable

    Args:
        resource_name: Logical name.
        project: Id of the project.
        opts: Resource options.
    """

    def __init__(
        self, resource_name: str, project: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:infra:GkeApis", resource_name, None, opts)
        for api in APIS:
            projects.Service(
                api,
                project=project,
                service=f"{api}.googleapis.com",
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
