"""Where a rule does not hold, and why."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Exemption:
    """A resource that one rule lets pass.

    Attributes:
        rule: Name of the rule.
        type: Type token of the resource.
        name: Its whole logical name.
        reason: Why it has to be as it is.
    """

    rule: str
    type: str
    name: str
    reason: str


_DEPLOYMENT = "kubernetes:apps/v1:Deployment"
_SPEAKER = (
    "it answers for addresses on the node's own link, for which the node's network and CAP_NET_RAW "
    "are needed; its namespace holds nothing else: docs/adr/0007-metallb.md"
)
_CHART_PROBE = (
    "its chart has no value for what is missing; it is a controller that answers no requests"
)

EXEMPTIONS: tuple[Exemption, ...] = (
    Exemption(
        "load-balancers-are-internal",
        "kubernetes:core/v1:Service",
        "traefik",
        "the gateway is what users reach; it is internal on a cloud unless the stack file says "
        "otherwise, in a line of its own that is reviewed there",
    ),
    Exemption(
        "pods-have-no-rights-on-the-node",
        "kubernetes:helm.sh/v4:Chart",
        "metallb",
        _SPEAKER,
    ),
    Exemption(
        "pods-have-no-rights-on-the-node",
        "kubernetes:apps/v1:DaemonSet",
        "metallb:metallb-system/metallb-speaker",
        _SPEAKER,
    ),
    Exemption(
        "containers-have-probes",
        _DEPLOYMENT,
        "cert-manager:cert-manager/cert-manager",
        _CHART_PROBE,
    ),
    Exemption(
        "containers-have-probes",
        _DEPLOYMENT,
        "cert-manager:cert-manager/cert-manager-cainjector",
        _CHART_PROBE,
    ),
    Exemption(
        "containers-have-probes",
        _DEPLOYMENT,
        "external-secrets:external-secrets/external-secrets",
        _CHART_PROBE,
    ),
    Exemption(
        "cloud-resources-are-tagged",
        "pulumi:providers:gcp",
        "google-apis",
        "it switches Google's APIs on, which take no labels",
    ),
)
