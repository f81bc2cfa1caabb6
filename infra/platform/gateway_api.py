"""The Gateway API: its resource types, in the standard channel."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import yaml

from toolchain import programs
from toolchain.errors import SlipwayError


def read_definitions() -> list[dict[str, Any]]:
    """Return the CustomResourceDefinitions of the pinned release, obtaining them if missing.

    Raises:
        pulumi.RunError: They cannot be obtained; Pulumi prints why without a traceback.
    """
    try:
        folder = programs.path("gateway-api-crds")
    except SlipwayError as error:
        raise pulumi.RunError(str(error)) from error
    return sorted(_definitions(folder), key=lambda definition: str(definition["metadata"]["name"]))


def _definitions(folder: Path) -> Iterator[dict[str, Any]]:
    for path in folder.glob("*.yaml"):
        for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
            if document and document["kind"] == "CustomResourceDefinition":
                yield document


def without_descriptions(schema: Any) -> Any:
    """Return a schema without the texts that explain its fields.

    They are 70 % of it, the engine writes its whole state at every step, and logs it besides: with
    them a preview that finds nothing to do takes twice the CPU. Validation does not read them.

    Args:
        schema: Any part of an OpenAPI schema.
    """
    if isinstance(schema, list):
        return [without_descriptions(item) for item in schema]
    if isinstance(schema, dict):
        return {
            name: without_descriptions(value)
            for name, value in schema.items()
            # A field that is itself called `description` has a schema, not a text.
            if name != "description" or not isinstance(value, str)
        }
    return schema


class GatewayApi(pulumi.ComponentResource):
    """The Gateway API's types; whatever depends on it waits until the cluster serves them.

    Type token: `slipway:platform:GatewayApi`. Resources: one `CustomResourceDefinition` each, as
    docs/adr/0004 explains. The release's admission policies, which guard clusters where several
    tools install the types, are left out.

    Args:
        resource_name: Logical name.
        opts: Resource options.
    """

    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:platform:GatewayApi", resource_name, None, opts)
        for definition in read_definitions():
            kubernetes.apiextensions.v1.CustomResourceDefinition(
                definition["metadata"]["name"],
                metadata=definition["metadata"],
                spec=without_descriptions(definition["spec"]),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
