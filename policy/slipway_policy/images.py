"""Images that stay what they are."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from slipway_policy.rule import Resource
from slipway_policy.workloads import all_containers, chart_parts

# By digest, or built here: a tag that is the hash of what is inside, and that nobody can move.
_FIXED = re.compile(r".+@sha256:[0-9a-f]{64}|slipway\.local/[^:@]+:[0-9a-f]{12,}")


def images_are_fixed(resource: Resource) -> Iterator[str]:
    """Refuse images whose content can change: `latest`, and any without a digest."""
    for container in all_containers(resource):
        yield from _refusal(str(container.get("name")), str(container.get("image")))
    for path, part in chart_parts(resource):
        yield from _refusal(path, _chart_image(part["image"]))


def _refusal(where: str, image: str) -> Iterator[str]:
    if not _FIXED.fullmatch(image):
        yield f"{where}: the image {image} can change: name it with its digest, image@sha256:..."


def _chart_image(image: Mapping[str, Any]) -> str:
    """Return what a chart makes of the parts of an image's name; some charts join the digest."""
    name, tag = str(image["repository"]), image.get("tag")
    if digest := image.get("digest"):
        return f"{name}@{digest}"
    return f"{name}:{tag}" if tag else name
