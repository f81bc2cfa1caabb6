"""Ends a plug-in together with the engine that started it."""

import os
import select
import threading


def end_with_parent() -> None:
    """End this process at once when its parent ends, however that ends.

    An engine that is killed leaves its plug-ins running: they would go on changing the world
    while the next run already repairs it. Call it first thing in a plug-in's `main`.
    """
    parent = os.getppid()
    try:
        handle = os.pidfd_open(parent)
    except ProcessLookupError:
        os._exit(1)
    if os.getppid() != parent:
        os._exit(1)

    def watch() -> None:
        select.select([handle], [], [])
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
