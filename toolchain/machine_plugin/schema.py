"""The schema of the package `slipway`, for tools that ask a plug-in what it has."""

import json
from typing import Any

from pulumi.runtime.proto import plugin_pb2

VERSION = "0.1.0"

PluginInfo = plugin_pb2.PluginInfo

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_PORT = "slipway:machine:PortForward"


def text() -> str:
    """Return the schema as JSON."""
    return json.dumps(
        {
            "name": "slipway",
            "version": VERSION,
            "description": "What Slipway makes on the machine that runs Pulumi.",
            "types": {
                _PORT: {
                    "type": "object",
                    "properties": {"host": {"type": "integer"}, "node": {"type": "integer"}},
                    "required": ["host", "node"],
                }
            },
            "resources": {
                "slipway:machine:LocalCluster": _resource(
                    inputs={
                        "name": _TEXT,
                        "distributions": {"type": "array", "items": _TEXT},
                        "ports": {"type": "array", "items": {"$ref": f"#/types/{_PORT}"}},
                    },
                    outputs={
                        "distribution": _TEXT,
                        "version": _TEXT,
                        "identity": _TEXT,
                        "kubeconfig": {**_TEXT, "secret": True},
                        "running": _FLAG,
                        "address_pool": _TEXT,
                    },
                ),
                "slipway:machine:Image": _resource(
                    inputs={"recipe": _TEXT, "store": _TEXT},
                    outputs={"ref": _TEXT, "tag": _TEXT, "present": _FLAG},
                ),
                "slipway:machine:ModelFile": _resource(
                    inputs={"source": _TEXT, "digest": _TEXT, "store": _TEXT},
                    outputs={"node_path": _TEXT, "present": _FLAG},
                ),
            },
        }
    )


def _resource(inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    properties = {**inputs, **outputs}
    return {
        "inputProperties": inputs,
        "requiredInputs": sorted(inputs),
        "properties": properties,
        "required": sorted(properties),
    }
