"""A plug-in `kubernetes` whose objects are files: the folder is `$SLOW_PLUGIN_FOLDER`.

Like the real one it makes names up where none is given, and refuses to create what exists unless
it is told to adopt it. A file `slow` in the folder makes each creation but the first hang halfway.
"""

import asyncio
import os
import sys
import uuid
from pathlib import Path

from pulumi.provider.experimental import provider as protocol
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import main

from toolchain.plugin.parent import end_with_parent

FOLDER = Path(os.environ["SLOW_PLUGIN_FOLDER"])
AUTONAMED = {"pulumi.com/autonamed": PropertyValue("true")}


def file_of(identity: str) -> Path:
    return FOLDER / "objects" / identity


def name_in(properties: dict[str, PropertyValue]) -> str | None:
    found = properties["metadata"].value.get("name")  # type: ignore[union-attr]
    return None if found is None else str(found.value)


class SlowProvider(protocol.Provider):
    async def check_config(self, request: protocol.CheckRequest) -> protocol.CheckResponse:
        return protocol.CheckResponse(request.new_inputs)

    async def diff_config(self, request: protocol.DiffRequest) -> protocol.DiffResponse:
        return protocol.DiffResponse(changes=False)

    async def configure(self, request: protocol.ConfigureRequest) -> protocol.ConfigureResponse:
        return protocol.ConfigureResponse()

    async def check(self, request: protocol.CheckRequest) -> protocol.CheckResponse:
        if name_in(request.new_inputs):
            return protocol.CheckResponse(request.new_inputs)
        if request.old_inputs and name_in(request.old_inputs):
            return protocol.CheckResponse(request.old_inputs)
        made_up = PropertyValue(f"made-{uuid.uuid4().hex[:8]}")
        metadata = {"name": made_up, "annotations": PropertyValue(AUTONAMED)}
        return protocol.CheckResponse({"metadata": PropertyValue(metadata)})

    async def diff(self, request: protocol.DiffRequest) -> protocol.DiffResponse:
        return protocol.DiffResponse(changes=False)

    async def create(self, request: protocol.CreateRequest) -> protocol.CreateResponse:
        name = str(name_in(request.properties))
        adopt = os.environ.get("PULUMI_K8S_UPSERT_EXISTING_OBJECTS") == "true"
        if file_of(name).exists() and not adopt:
            raise FileExistsError(f"{name} already exists")
        file_of(name).touch()
        if (FOLDER / "slow").exists() and name != "first":
            await asyncio.sleep(3600)
        return protocol.CreateResponse(name, request.properties)

    async def delete(self, request: protocol.DeleteRequest) -> None:
        file_of(request.resource_id).unlink(missing_ok=True)


if __name__ == "__main__":
    end_with_parent()
    main(sys.argv[1:], "4.34.2", SlowProvider())
