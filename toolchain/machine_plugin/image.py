"""The resource `slipway:machine:Image`: an image in the node of a local cluster."""

from toolchain import images, local_cluster
from toolchain.errors import SlipwayError
from toolchain.machine_plugin.resource import Call, Checked, Difference, Inputs, Live, changed
from toolchain.machine_plugin.store import StoreError, parse
from toolchain.plugin.properties import Properties

PRESENT = "present"
"""Output: whether the node has the image. The kubelet removes images when its disk fills up."""


class ImageResource:
    """See `infra.machine.Image`."""

    def check(self, olds: Properties, news: Properties, call: Call) -> Checked:
        """See `Resource.check`; adds `ref`, with the hash over what goes into the image."""
        del olds, call
        inputs = Inputs(news)
        recipe = inputs.text("recipe")
        store = inputs.text("store", may_be_unknown=True)
        added: Properties = {PRESENT: True}
        if recipe:
            try:
                added["ref"] = images.reference(recipe)
            except images.ImageError as error:
                inputs.refuse("recipe", str(error))
        if store:
            try:
                parse(store)
            except StoreError as error:
                inputs.refuse("store", str(error))
        return Checked({**news, **added}, tuple(inputs.failures))

    def diff(self, state: Properties, inputs: Properties, call: Call) -> Difference:
        """See `Resource.diff`; all changes are made in place, so that what refers to it stays."""
        updates = changed(state, inputs, "recipe", "ref", "store")
        if not updates and not (state.get(PRESENT) and self._has(inputs)):
            call.tell(f"{inputs['ref']} is gone from the node: `up` brings it again")
            return Difference(updates=(PRESENT,), drifted=frozenset([PRESENT]))
        return Difference(updates=updates)

    def plan(self, state: Properties, inputs: Properties) -> Properties:
        """See `Resource.plan`: the reference is known before the image is built."""
        del state
        return dict(inputs)

    def create(self, inputs: Properties, call: Call) -> tuple[str, Properties]:
        """See `Resource.create`."""
        return str(inputs["recipe"]), self._bring(inputs, call)

    def left_behind(self, inputs: Properties, call: Call) -> None:
        """See `Resource.left_behind`: an import is whole or not there."""

    def update(self, state: Properties, inputs: Properties, call: Call) -> Properties:
        """See `Resource.update`.

        The image before it stays on the node while pods roll; the kubelet removes it when unused.
        """
        del state
        return self._bring(inputs, call)

    def read(self, identifier: str, state: Properties) -> Live | None:
        """See `Resource.read`; an image goes with its cluster."""
        del identifier
        store = parse(str(state["store"]))
        cluster = local_cluster.read(store.cluster)
        if cluster is None or cluster.identity != store.identity:
            return None
        inputs = {key: state[key] for key in ("recipe", "store", "ref")}
        return Live({**inputs, PRESENT: True}, {**inputs, PRESENT: self._has(inputs)})

    def delete(self, identifier: str, state: Properties, call: Call) -> None:
        """See `Resource.delete`: nothing to do.

        Pods that end may still use the image; the kubelet removes it once none does.
        """

    def _bring(self, inputs: Properties, call: Call) -> Properties:
        store, ref = parse(str(inputs["store"])), str(inputs["ref"])
        if not local_cluster.has_image(store.cluster, ref):
            archive = images.build(str(inputs["recipe"]), call.report)
            if images.reference(str(inputs["recipe"])) != ref:
                raise SlipwayError(
                    f"files of the image {inputs['recipe']} changed while it was built: "
                    "run `make up` again"
                )
            call.report(f"bringing {ref} to the cluster {store.cluster}")
            local_cluster.import_image(store.cluster, archive, call.report)
        return dict(inputs)

    @staticmethod
    def _has(inputs: Properties) -> bool:
        store = parse(str(inputs["store"]))
        # A stopped node cannot be asked; its images are still on its disk.
        if local_cluster.status(store.cluster).state != "running":
            return True
        return local_cluster.has_image(store.cluster, str(inputs["ref"]))
