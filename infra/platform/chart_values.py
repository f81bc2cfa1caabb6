"""What many charts take in the same form: images, and values."""

from collections.abc import Sequence
from typing import Any

import pulumi

from infra import machine
from infra.contract import ClusterTraits, Placement


def part_images(
    resource_name: str,
    tool: str,
    parts: Sequence[str],
    traits: ClusterTraits,
    opts: pulumi.ResourceOptions,
) -> dict[str, pulumi.Output[str]]:
    """Bring the images of a controller's parts, and return their references by part.

    Args:
        resource_name: Logical name of the component; `<resource_name>-<part>` is an image's.
        tool: The controller; `<tool>-<part>` is the recipe of an image.
        parts: Its parts.
        traits: Where the images are brought.
        opts: Resource options.
    """
    return {
        part: machine.Image(
            f"{resource_name}-{part}", recipe=f"{tool}-{part}", store=traits.store, opts=opts
        ).ref
        for part in parts
    }


def image_values(reference: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
    """Return an image as a chart takes it.

    Args:
        reference: Reference of the image, `<repository>:<tag>`.
    """
    parts = pulumi.Output.from_input(reference).apply(lambda text: text.rpartition(":"))
    return {
        "repository": parts.apply(lambda found: found[0]),
        "tag": parts.apply(lambda found: found[2]),
    }


def placement_values(placement: Placement) -> dict[str, Any]:
    """Return where pods may run as a chart takes it."""
    return {
        "nodeSelector": dict(placement.node_selector),
        "tolerations": [
            {"key": one.key, "operator": "Exists", "effect": one.effect}
            for one in placement.tolerations
        ],
    }
