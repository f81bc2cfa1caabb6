"""The table of rules."""

from collections.abc import Iterator

from slipway_policy import encryption, exposure, images, owners, pods, rights, tags
from slipway_policy.exemptions import EXEMPTIONS
from slipway_policy.rule import Resource, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        "images-are-fixed",
        "An image has a digest, or is one of this project's, whose tag is its content's hash.",
        images.images_are_fixed,
    ),
    Rule(
        "containers-have-limits",
        "A container has requests and limits of CPU and memory.",
        pods.containers_have_limits,
    ),
    Rule(
        "containers-have-probes",
        "A container that serves has a readiness and a liveness probe.",
        pods.containers_have_probes,
    ),
    Rule(
        "pods-have-no-rights-on-the-node",
        "No pod is privileged or root, or uses what is the node's.",
        pods.pods_have_no_rights_on_the_node,
    ),
    Rule(
        "load-balancers-are-internal",
        "A load balancer is internal, or says why it is not.",
        exposure.load_balancers_are_internal,
    ),
    Rule(
        "models-have-an-owner",
        "What belongs to a model, and its pods, carries the label of a team.",
        owners.models_have_an_owner,
    ),
    Rule(
        "cloud-resources-are-tagged",
        "Resources of a cloud carry tags.",
        tags.cloud_resources_are_tagged,
    ),
    Rule(
        "stores-are-encrypted",
        "Stores and disks of a cloud are encrypted, and answer over TLS alone.",
        encryption.stores_are_encrypted,
    ),
    Rule(
        "rights-are-named",
        "No right is to everything.",
        rights.rights_are_named,
    ),
)


def broken(rule: Rule, resource: Resource) -> Iterator[str]:
    """Yield what a rule finds wrong with a resource that is not exempt from it."""
    if not any(
        (exemption.rule, exemption.type, exemption.name)
        == (rule.name, resource.type, resource.name)
        for exemption in EXEMPTIONS
    ):
        yield from rule.check(resource)
