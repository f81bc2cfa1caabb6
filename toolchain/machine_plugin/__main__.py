"""Entry point of the plug-in: `python -m toolchain.machine_plugin <address of the engine>`."""

import sys

from toolchain.machine_plugin.image import ImageResource
from toolchain.machine_plugin.local_cluster import LocalClusterResource
from toolchain.machine_plugin.model_file import ModelFileResource
from toolchain.machine_plugin.serving import serve

if __name__ == "__main__":
    serve(
        {
            "slipway:machine:Image": ImageResource(),
            "slipway:machine:LocalCluster": LocalClusterResource(),
            "slipway:machine:ModelFile": ModelFileResource(),
        },
        engine=sys.argv[-1],
    )
