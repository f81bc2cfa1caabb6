"""`python -m toolchain.kubernetes_plugin <engine address>`: what the engine starts."""

import argparse
import asyncio

from toolchain.kubernetes_plugin.server import serve
from toolchain.plugin.parent import end_with_parent


def main() -> None:
    """Serve the engine whose address is the first argument; its logging flags are accepted."""
    end_with_parent()
    parser = argparse.ArgumentParser(prog="pulumi-resource-kubernetes", description=main.__doc__)
    parser.add_argument("engine", help="address of the engine, host:port")
    arguments, _ = parser.parse_known_args()
    asyncio.run(serve(arguments.engine))


if __name__ == "__main__":
    main()
