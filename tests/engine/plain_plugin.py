"""A plug-in `kubernetes` whose objects are nothing: it compares inputs and keeps them as they are.

A change of `fixed` replaces an object, of one with `first` after the old one is gone. What the
environment variable `PLAIN_PLUGIN_DRIFT` holds (JSON, by id) is what is found of an object.
"""

import json
import os
import sys

from pulumi.provider.experimental import provider as protocol
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import main

from toolchain.plugin.parent import end_with_parent

# Whole numbers are no values of the protocol.
DRIFT = json.loads(os.environ.get("PLAIN_PLUGIN_DRIFT", "{}"), parse_int=float)


class PlainProvider(protocol.Provider):
    async def check_config(self, request: protocol.CheckRequest) -> protocol.CheckResponse:
        return protocol.CheckResponse(request.new_inputs)

    async def diff_config(self, request: protocol.DiffRequest) -> protocol.DiffResponse:
        return protocol.DiffResponse(changes=False)

    async def configure(self, request: protocol.ConfigureRequest) -> protocol.ConfigureResponse:
        return protocol.ConfigureResponse()

    async def check(self, request: protocol.CheckRequest) -> protocol.CheckResponse:
        return protocol.CheckResponse(request.new_inputs)

    async def diff(self, request: protocol.DiffRequest) -> protocol.DiffResponse:
        old, new = request.old_state, request.new_inputs
        ignored = request.ignore_changes
        changed = sorted(
            key for key in {*old, *new} if old.get(key) != new.get(key) and key not in ignored
        )
        kinds = {
            key: protocol.PropertyDiffKind.UPDATE_REPLACE
            if key == "fixed"
            else protocol.PropertyDiffKind.UPDATE
            for key in changed
        }
        return protocol.DiffResponse(
            changes=bool(changed),
            detailed_diff={key: protocol.PropertyDiff(kind, True) for key, kind in kinds.items()},
            replaces=[key for key in changed if key == "fixed"],
            delete_before_replace="first" in new,
        )

    async def create(self, request: protocol.CreateRequest) -> protocol.CreateResponse:
        return protocol.CreateResponse(request.urn.rpartition("::")[2], request.properties)

    async def update(self, request: protocol.UpdateRequest) -> protocol.UpdateResponse:
        return protocol.UpdateResponse(request.news)

    async def read(self, request: protocol.ReadRequest) -> protocol.ReadResponse:
        found = {**request.properties}
        if request.resource_id in DRIFT:
            seen = DRIFT[request.resource_id]
            if seen is None:
                return protocol.ReadResponse()
            found |= {key: PropertyValue(value) for key, value in seen.items()}
        return protocol.ReadResponse(request.resource_id, found, found)

    async def delete(self, request: protocol.DeleteRequest) -> None:
        """Nothing was made."""


if __name__ == "__main__":
    end_with_parent()
    main(sys.argv[1:], "4.34.2", PlainProvider())
