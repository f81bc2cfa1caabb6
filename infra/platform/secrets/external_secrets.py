"""External Secrets: copies values out of external stores, as docs/adr/0009-secrets.md explains."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi

from infra import hardening, machine
from infra.contract import ClusterTraits
from infra.naming import EXTERNAL_SECRETS_NAMESPACE
from infra.platform.chart import ChartArgs, chart
from infra.platform.chart_values import image_values, placement_values
from infra.platform.definitions import Definitions
from infra.platform.namespace import restricted_namespace
from infra.settings.stores import SecretsSettings

_LIVE_PORT: Final = 8082
# What the controller works on here, and what it does not start without. The others have 220 KB of
# schemas, and nothing would look at their objects.
_TYPES: Final = frozenset({"externalsecrets", "secretstores", "generatorstates"})
# Measured with two teams and four secrets: 10 m and 45 MiB. A limit on CPU would only slow it.
_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "64Mi"},
    "limits": {"cpu": "500m", "memory": "192Mi"},
}


@dataclass(frozen=True)
class ExternalSecretsArgs:
    """What External Secrets is made of.

    Attributes:
        settings: The external stores.
        traits: Where its image is brought, and where its pods may run.
        charts: Where its chart comes from.
        priority: Name of its pods' PriorityClass.
    """

    settings: SecretsSettings
    traits: ClusterTraits
    charts: str
    priority: pulumi.Input[str]


class ExternalSecrets(pulumi.ComponentResource):
    """External Secrets from its publisher's chart: its resource types and one controller.

    Type token: `slipway:platform:ExternalSecrets`. Resources: `Namespace` `external-secrets`, an
    `Image`. Components: `Definitions` and the chart.

    Args:
        resource_name: Logical name.
        args: What it is made of.
        opts: Resource options.
    """

    def __init__(
        self,
        resource_name: str,
        args: ExternalSecretsArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:ExternalSecrets", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        namespace = restricted_namespace(EXTERNAL_SECRETS_NAMESPACE, children)
        types = Definitions(
            "external-secrets-types", "external-secrets-crds", children, plurals=_TYPES
        )
        image = machine.Image(
            "external-secrets-image",
            recipe="external-secrets",
            store=args.traits.store,
            opts=children,
        )
        chart(
            resource_name,
            ChartArgs(
                name="external-secrets",
                source=args.charts,
                namespace=namespace.metadata.name,
                values=_values(args, image.ref),
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[types]),
        )
        self.register_outputs({})


def _values(args: ExternalSecretsArgs, image: pulumi.Output[str]) -> dict[str, Any]:
    user = {"runAsNonRoot": True, "runAsUser": hardening.USER, "runAsGroup": hardening.USER}
    seccomp = {"seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "installCRDs": False,
        # The settings are checked before; both would only watch over what others write.
        "webhook": {"create": False},
        "certController": {"create": False},
        # A store belongs to a namespace here, and nothing is written to one.
        "processClusterExternalSecret": False,
        "processClusterGenerator": False,
        "processClusterPushSecret": False,
        "processClusterStore": False,
        "processPushSecret": False,
        "extraArgs": {"enable-generator-state": "false"},
        "image": image_values(image),
        # Members of a team see what its namespace shows them, which these are no part of.
        "rbac": {
            "aggregateToView": False,
            "aggregateToEdit": False,
            "servicebindings": {"create": False},
        },
        "priorityClassName": args.priority,
        **placement_values(args.traits.cpu),
        "resources": _RESOURCES,
        "podSecurityContext": {"enabled": True, **user, **seccomp},
        "securityContext": {"enabled": True, **user, **seccomp},
        "livenessProbe": {"enabled": True, "spec": {"httpGet": {"port": _LIVE_PORT}}},
        "extraEnv": [
            {"name": "AWS_SECRETSMANAGER_ENDPOINT", "value": endpoint}
            for endpoint in args.settings.endpoints
        ],
    }
