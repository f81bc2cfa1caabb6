"""A plug-in with one resource that is made anew when its name changes."""

import sys

from toolchain.machine_plugin.resource import Call, Checked, Difference, Live, changed
from toolchain.machine_plugin.serving import serve
from toolchain.plugin.properties import Properties


class Replaced:
    def check(self, olds: Properties, news: Properties, call: Call) -> Checked:
        return Checked(news)

    def diff(self, state: Properties, inputs: Properties, call: Call) -> Difference:
        return Difference(replaces=changed(state, inputs, "name"), delete_first=True)

    def plan(self, state: Properties, inputs: Properties) -> Properties:
        return inputs

    def create(self, inputs: Properties, call: Call) -> tuple[str, Properties]:
        return str(inputs["name"]), inputs

    def left_behind(self, inputs: Properties, call: Call) -> None:
        return None

    def update(self, state: Properties, inputs: Properties, call: Call) -> Properties:
        return inputs

    def read(self, identifier: str, state: Properties) -> Live | None:
        return Live(state, state)

    def delete(self, identifier: str, state: Properties, call: Call) -> None:
        """Delete nothing: the state alone is looked at."""


if __name__ == "__main__":
    serve({"slipway:machine:LocalCluster": Replaced()}, engine=sys.argv[-1])
