"""The resource `slipway:machine:Image`: an image where a cluster takes it from."""

import functools
from typing import Final

from toolchain import images, local_cluster
from toolchain.errors import SlipwayError
from toolchain.images import credentials
from toolchain.images.registry import Repository
from toolchain.machine_plugin.resource import Call, Checked, Difference, Inputs, Live, changed
from toolchain.machine_plugin.store import LocalStore, RegistryStore, StoreError, parse
from toolchain.plugin.properties import UNKNOWN, Properties

PRESENT = "present"
"""Output: whether the image is there. The kubelet removes images when its disk fills up."""

# The input that is the hash over what goes into the image: in the node of a local cluster it is the
# reference itself; in a registry it is the tag, and pods take the digest that a push gives it.
_REF: Final = "ref"
_TAG: Final = "tag"

# A cloud's program takes a second to give out a password, and one run pushes many images.
_credentials = functools.cache(credentials.find)


class ImageResource:
    """See `infra.machine.Image`."""

    def check(self, olds: Properties, news: Properties, call: Call) -> Checked:
        """See `Resource.check`; adds the hash over what goes into the image."""
        del olds, call
        inputs = Inputs(news)
        recipe = inputs.text("recipe")
        store = inputs.text("store", may_be_unknown=True)
        place: LocalStore | RegistryStore | None = None
        if store:
            try:
                place = parse(store)
            except StoreError as error:
                inputs.refuse("store", str(error))
        added: Properties = {PRESENT: True}
        if recipe:
            try:
                reference = images.reference(recipe)
            except images.ImageError as error:
                inputs.refuse("recipe", str(error))
            else:
                in_registry = isinstance(place, RegistryStore)
                added.update({_TAG: _tag(reference)} if in_registry else {_REF: reference})
        kept = {name: value for name, value in news.items() if name not in (_REF, _TAG)}
        return Checked({**kept, **added}, tuple(inputs.failures))

    def diff(self, state: Properties, inputs: Properties, call: Call) -> Difference:
        """See `Resource.diff`; all changes are made in place, so that what refers to it stays."""
        updates = changed(state, inputs, "recipe", _hash_key(inputs), "store")
        if not updates and not (state.get(PRESENT) and self._has(inputs)):
            call.tell(f"{inputs[_hash_key(inputs)]} is gone: `up` brings it again")
            return Difference(updates=(PRESENT,), drifted=frozenset([PRESENT]))
        return Difference(updates=updates)

    def plan(self, state: Properties, inputs: Properties) -> Properties:
        """See `Resource.plan`: what a registry makes of a new image is known once it is there."""
        if _REF in inputs:
            return dict(inputs)
        pushed = not changed(state, inputs, "recipe", _TAG, "store") and _REF in state
        return {**inputs, _REF: state[_REF] if pushed else UNKNOWN}

    def create(self, inputs: Properties, call: Call) -> tuple[str, Properties]:
        """See `Resource.create`."""
        return str(inputs["recipe"]), self._bring(inputs, call)

    def left_behind(self, inputs: Properties, call: Call) -> None:
        """See `Resource.left_behind`: an import, or a push, is whole or not there."""

    def update(self, state: Properties, inputs: Properties, call: Call) -> Properties:
        """See `Resource.update`.

        The image before it stays while pods roll; a kubelet removes it when it is unused, and a
        registry keeps it for whoever goes back.
        """
        del state
        return self._bring(inputs, call)

    def read(self, identifier: str, state: Properties) -> Live | None:
        """See `Resource.read`; an image goes with its cluster."""
        del identifier
        store = parse(str(state["store"]))
        if isinstance(store, RegistryStore):
            inputs = {key: state[key] for key in ("recipe", "store", _TAG)}
            there = Repository(store.repository, _credentials).digest(str(state[_TAG]))
            found = there is not None and str(state[_REF]).endswith(f"@{there}")
            outputs = {**inputs, _REF: state[_REF], PRESENT: found}
            return Live({**inputs, PRESENT: True}, outputs)
        cluster = local_cluster.read(store.cluster)
        if cluster is None or cluster.identity != store.identity:
            return None
        inputs = {key: state[key] for key in ("recipe", "store", _REF)}
        return Live({**inputs, PRESENT: True}, {**inputs, PRESENT: self._has(inputs)})

    def delete(self, identifier: str, state: Properties, call: Call) -> None:
        """See `Resource.delete`: nothing to do.

        Pods that end may still use the image; the kubelet removes it once none does, and a registry
        goes with what it has.
        """

    def _bring(self, inputs: Properties, call: Call) -> Properties:
        store, recipe = parse(str(inputs["store"])), str(inputs["recipe"])
        if isinstance(store, RegistryStore):
            return {**inputs, _REF: _push(store, recipe, str(inputs[_TAG]), call)}
        ref = str(inputs[_REF])
        if not local_cluster.has_image(store.cluster, ref):
            archive = images.build(recipe, call.report)
            _refuse_changed(recipe, images.reference(recipe) == ref)
            call.report(f"bringing {ref} to the cluster {store.cluster}")
            local_cluster.import_image(store.cluster, archive, call.report)
        return dict(inputs)

    @staticmethod
    def _has(inputs: Properties) -> bool:
        store = parse(str(inputs["store"]))
        if isinstance(store, RegistryStore):
            # A preview needs no rights in the registry; a refresh looks (`read`).
            return True
        # A stopped node cannot be asked; its images are still on its disk.
        if local_cluster.status(store.cluster).state != "running":
            return True
        return local_cluster.has_image(store.cluster, str(inputs[_REF]))


def _push(store: RegistryStore, recipe: str, tag: str, call: Call) -> str:
    """Push an image that the registry lacks, and return the reference that pods take."""
    repository = Repository(store.repository, _credentials)
    digest = repository.digest(tag)
    if digest is None:
        archive = images.build(recipe, call.report)
        _refuse_changed(recipe, _tag(images.reference(recipe)) == tag)
        digest = repository.push(archive, tag, call.report)
    return f"{store.repository}@{digest}"


def _hash_key(inputs: Properties) -> str:
    return _TAG if _TAG in inputs else _REF


def _tag(reference: str) -> str:
    """Return the tag in a repository that all images of a cluster share: `<recipe>-<hash>`."""
    return reference.rpartition("/")[2].replace(":", "-")


def _refuse_changed(recipe: str, is_same: bool) -> None:
    if not is_same:
        raise SlipwayError(
            f"files of the image {recipe} changed while it was built: run `make up` again"
        )
