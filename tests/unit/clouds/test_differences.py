"""The table of docs/clusters.md is what the kinds' traits say."""

from collections.abc import Callable
from typing import Final

import yaml

from tests.unit import mocked_program
from tests.unit.clouds.built import KINDS, STACKS, Built, usual

PAGE: Final = mocked_program.ROOT / "docs" / "clusters.md"
BEGIN, END = "<!-- from the traits -->\n", "<!-- end -->\n"


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _identity(built: Built) -> str:
    (account,) = (
        resource
        for resource in built.program.of_type("kubernetes:core/v1:ServiceAccount")
        if resource.name == "vision-models"
    )
    metadata = account.inputs["metadata"]
    carried = [f"`{name}`" for name in metadata.get("annotations", {})]
    bound = [
        f"`{kind}`"
        for urn in account.dependencies
        for kind in [urn.split("::")[2].rpartition("$")[2]]
        if not kind.startswith(("kubernetes:", "slipway:"))
    ]
    return ", ".join(sorted({*carried, *bound})) or "none"


def _user(built: Built) -> str:
    config = yaml.safe_load(built.program.outputs["kubeconfig"])
    commands = [user["user"]["exec"]["command"] for user in config.get("users", [])]
    if built.cluster.exports["kind"] == "existing":
        return "whoever its own names"
    return ", ".join(f"`{command}`" for command in commands) or "nobody: it holds a key"


ROWS: Final[dict[str, Callable[[Built], str]]] = {
    "Service of the gateway": lambda built: built.cluster.traits.load_balancer.service_type,
    "the gateway's address is known beforehand": lambda built: _yes(
        built.cluster.traits.load_balancer.host
    ),
    "load balancer": lambda built: (
        "its own" if built.cluster.traits.address_pool is None else "MetalLB"
    ),
    "NetworkPolicies are enforced": lambda built: _yes(built.cluster.traits.network_policies),
    "addresses of pods": lambda built: ", ".join(built.cluster.traits.address_families),
    "metrics-server": lambda built: (
        "its own" if built.cluster.traits.metrics_server else "the stack's"
    ),
    "default StorageClass": lambda built: (
        f"`{built.cluster.traits.storage_class}`" if built.cluster.traits.storage_class else "none"
    ),
    "images as volumes": lambda built: _yes(built.cluster.traits.image_volumes),
    "pods with GPUs": lambda built: _yes(built.cluster.traits.gpu),
    "images": lambda built: (
        "loaded into the node" if built.cluster.traits.registry is None else "pushed to a registry"
    ),
    "a place for models": lambda built: _yes(built.cluster.traits.models),
    "a team's rights in the cloud": _identity,
    "who asks for tokens of the kubeconfig": _user,
    "protected": lambda built: (
        ", ".join(sorted(f"`{one.name}`" for one in built.program.resources if one.protected))
        or "nothing"
    ),
}


def table() -> str:
    """Return the table as Markdown."""
    built = {kind: usual(kind) for kind in KINDS}
    files = " | ".join(f"`{kind}`" for kind in built)
    lines = [f"| as `{STACKS[KINDS[0]].name.replace(KINDS[0], '<kind>')}` has it | {files} |"]
    lines.append("|---" * (len(built) + 1) + "|")
    for title, show in ROWS.items():
        lines.append(f"| {title} | {' | '.join(show(one) for one in built.values())} |")
    return "".join(f"{line}\n" for line in lines)


def test_the_page_of_clusters_shows_what_the_traits_say() -> None:
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert shown == table(), f"put this between the marks of {PAGE.name}:\n{table()}"
