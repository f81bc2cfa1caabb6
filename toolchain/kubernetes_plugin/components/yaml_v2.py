"""The components `kubernetes:yaml/v2:ConfigFile` and `kubernetes:yaml/v2:ConfigGroup`."""

import asyncio
from collections.abc import Mapping
from typing import Any

from toolchain.kubernetes_plugin.components import manifests
from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.components.inputs import Inputs

CONFIG_FILE = "kubernetes:yaml/v2:ConfigFile"
CONFIG_GROUP = "kubernetes:yaml/v2:ConfigGroup"

Object = dict[str, Any]


async def objects_of_file(inputs: Inputs) -> list[Object]:
    """Return the objects of a ConfigFile: one file or URL.

    Raises:
        ComponentError: An input is missing or wrong, or the manifest is.
    """
    location = inputs.text("file")
    if not location:
        raise ComponentError("file: name the file or URL of the manifest")
    return await asyncio.to_thread(manifests.read, location)


async def objects_of_group(inputs: Inputs) -> list[Object]:
    """Return the objects of a ConfigGroup: files, URLs and patterns, then a text, then objects.

    Raises:
        ComponentError: An input is wrong, or a manifest is.
    """
    found: list[Object] = []
    for location in inputs.items("files"):
        if not isinstance(location, str):
            raise ComponentError("files: expected file names, patterns or URLs")
        found += await asyncio.to_thread(manifests.read, location, globbing=True)
    found += await asyncio.to_thread(manifests.parse, inputs.text("yaml"), "yaml")
    for obj in inputs.items("objs"):
        if not isinstance(obj, Mapping):
            raise ComponentError("objs: expected Kubernetes objects")
        found.append(dict(obj))
    return found
