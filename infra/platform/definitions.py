"""Resource types that a component brings: CustomResourceDefinitions of a pinned release."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import yaml

from toolchain import programs
from toolchain.errors import SlipwayError


def read_definitions(program: str) -> list[dict[str, Any]]:
    """Return the CustomResourceDefinitions of a pinned release, obtaining them if missing.

    Descriptions are left out. They are 70 % of a schema, the engine writes its whole state at every
    step, and logs it besides: with them a preview that finds nothing to do takes twice the CPU.
    Validation does not read them.

    Args:
        program: Name in `toolchain/catalog` of the folder with the manifests (`keda-crds`).

    Raises:
        pulumi.RunError: They cannot be obtained; Pulumi prints why without a traceback.
    """
    try:
        folder = programs.path(program)
    except SlipwayError as error:
        raise pulumi.RunError(str(error)) from error
    return sorted(_definitions(folder), key=lambda definition: str(definition["metadata"]["name"]))


def _definitions(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*.yaml")):
        for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
            if document and document["kind"] == "CustomResourceDefinition":
                yield {**document, "spec": without_descriptions(document["spec"])}


def without_descriptions(schema: Any) -> Any:
    """Return a schema without the texts that explain its fields.

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


class Definitions(pulumi.ComponentResource):
    """Resource types; whatever depends on it waits until the cluster serves them.

    Type token: `slipway:platform:Definitions`. Resources: one `CustomResourceDefinition` each, as
    docs/adr/0004 explains. What else the manifests hold is left out: the Gateway API's admission
    policies, for example, guard clusters where several tools install its types.

    Args:
        resource_name: Logical name.
        program: Name in `toolchain/catalog` of the folder with the manifests (`gateway-api-crds`).
        opts: Resource options.
        plurals: The types that are wanted (`externalsecrets`); all by default.
    """

    def __init__(
        self,
        resource_name: str,
        program: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        plurals: frozenset[str] | None = None,
    ) -> None:
        super().__init__("slipway:platform:Definitions", resource_name, None, opts)
        for definition in read_definitions(program):
            if plurals is not None and definition["spec"]["names"]["plural"] not in plurals:
                continue
            kubernetes.apiextensions.v1.CustomResourceDefinition(
                definition["metadata"]["name"],
                metadata=definition["metadata"],
                spec=definition["spec"],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
