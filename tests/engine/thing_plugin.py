"""A plug-in with one resource that a test can hold up and let fail: a folder with files.

It is `toolchain.machine_plugin` with another resource in place of a local cluster. The folder of
the environment variable `THING_FOLDER` holds what the resource made (`made`) and what the test
wants: `hold` keeps a creation or a deletion from ending, `fail` makes a creation fail, and with
`takes-along` a deletion removes what is in the folder `objects`.
"""

import os
import sys
import time
from pathlib import Path

from toolchain.errors import SlipwayError
from toolchain.machine_plugin.resource import Call, Checked, Difference, Live
from toolchain.machine_plugin.serving import serve
from toolchain.plugin.properties import UNKNOWN, Properties, Secret

TOKEN = "slipway:machine:LocalCluster"
FOLDER = Path(os.environ.get("THING_FOLDER", "/nonexistent"))
SECRET = "not-for-plain-state"


class Thing:
    def check(self, olds: Properties, news: Properties, call: Call) -> Checked:
        return Checked(news)

    def diff(self, state: Properties, inputs: Properties, call: Call) -> Difference:
        return Difference()

    def plan(self, state: Properties, inputs: Properties) -> Properties:
        return {**inputs, "kubeconfig": UNKNOWN}

    def create(self, inputs: Properties, call: Call) -> tuple[str, Properties]:
        (FOLDER / "made").touch()
        (FOLDER / "working").touch()
        while (FOLDER / "hold").exists():
            time.sleep(0.02)
        if (FOLDER / "fail").exists():
            raise SlipwayError("the thing is not ready: look at its log")
        return "thing", self._outputs(inputs)

    def left_behind(self, inputs: Properties, call: Call) -> tuple[str, Properties] | None:
        return ("thing", self._outputs(inputs)) if (FOLDER / "made").exists() else None

    def update(self, state: Properties, inputs: Properties, call: Call) -> Properties:
        (FOLDER / "finished").touch()
        return self._outputs(inputs)

    def read(self, identifier: str, state: Properties) -> Live | None:
        return Live(state, state) if (FOLDER / "made").exists() else None

    def delete(self, identifier: str, state: Properties, call: Call) -> None:
        (FOLDER / "deleting").touch()
        while (FOLDER / "hold").exists():
            time.sleep(0.02)
        # Done again after a kill, as the real one is, it finds nothing.
        (FOLDER / "made").unlink(missing_ok=True)
        for name in (FOLDER / "objects").glob("*") if (FOLDER / "takes-along").exists() else ():
            name.unlink()

    @staticmethod
    def _outputs(inputs: Properties) -> Properties:
        return {**inputs, "kubeconfig": Secret(SECRET)}


if __name__ == "__main__":
    (FOLDER / "pid").write_text(str(os.getpid()))
    serve({TOKEN: Thing()}, engine=sys.argv[-1])
