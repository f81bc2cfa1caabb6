"""How previews and updates grow with the number of models, on an API server without nodes."""

from pathlib import Path
from typing import Final

from bench.figures import Round
from bench.section import Context
from bench.timing import timed
from tests.engine.control_plane import ControlPlane
from tests.engine.workspace import ROOT, Workspace

COUNTS: Final = (1, 10, 100)
WRITTEN_ONCE: Final = 500
"""From so many models on the state is written once, when the engine ends (`docs/adr/0018`): at
every step it would take an hour."""

_LIMIT_SECONDS: Final = 3600
_WRITE_ONCE: Final = "PULUMI_SKIP_CHECKPOINTS"

_PROGRAM: Final = """
import sys
sys.path.insert(0, {root!r})
from bench.many_models import make
make(provider, {count})
"""


def measure(context: Context) -> Round:
    """Measure a first update, a preview and an update without changes, and a destroy.

    Returns:
        By number of models `resources`, and how long `up`, `preview`, `no_op` and `destroy` took.
    """
    plane = ControlPlane(context.folder / "control-plane")
    try:
        plane.start()
        return {
            str(count): _grown(context.folder / str(count), plane.kubeconfig, count, context)
            for count in context.models
        }
    finally:
        plane.stop()


def _grown(folder: Path, kubeconfig: str, count: int, context: Context) -> Round:
    context.report(f"{count} models, engine only")
    folder.mkdir()
    more = {_WRITE_ONCE: "true"} if count >= WRITTEN_ONCE else {}
    workspace = Workspace(folder, kubeconfig, limit=_LIMIT_SECONDS, more=more)
    workspace.program(_PROGRAM.format(root=str(ROOT), count=count))
    return {
        "up": timed(workspace.up),
        "resources": len(workspace.deployment()["resources"]),
        "preview": timed(workspace.preview),
        "no_op": timed(workspace.up),
        "destroy": timed(workspace.destroy),
    }
