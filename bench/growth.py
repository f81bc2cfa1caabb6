"""How previews and updates grow with the number of models, on an API server without nodes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.timing import timed
from tests.engine.control_plane import ControlPlane
from tests.engine.workspace import ROOT, Workspace

COUNTS = (1, 10, 100)
_LIMIT_SECONDS = 3600

_PROGRAM = """
import sys
sys.path.insert(0, {root!r})
from bench.many_models import make
make(provider, {count})
"""

Report = Callable[[str], None]


def measure(folder: Path, report: Report) -> list[dict[str, Any]]:
    """Measure a first update, a preview and an update without changes, and a destroy.

    Args:
        folder: Where the control plane and the stacks keep their files.
        report: Takes progress lines.
    """
    plane = ControlPlane(folder / "control-plane")
    try:
        plane.start()
        return [_grown(folder / str(count), plane.kubeconfig, count, report) for count in COUNTS]
    finally:
        plane.stop()


def _grown(folder: Path, kubeconfig: str, count: int, report: Report) -> dict[str, Any]:
    report(f"{count} models, engine only")
    folder.mkdir()
    workspace = Workspace(folder, kubeconfig, limit=_LIMIT_SECONDS)
    workspace.program(_PROGRAM.format(root=str(ROOT), count=count))
    return {
        "models": count,
        "up": timed(workspace.up),
        "resources": len(workspace.deployment()["resources"]),
        "preview": timed(workspace.preview),
        "no_op": timed(workspace.up),
        "destroy": timed(workspace.destroy),
    }
