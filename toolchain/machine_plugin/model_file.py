"""The resource `slipway:machine:ModelFile`: a model where the pods of a node see it."""

import re
from pathlib import Path, PurePosixPath

from infra import digests
from toolchain import local_cluster
from toolchain.local_cluster.state import layout
from toolchain.machine_plugin import claims
from toolchain.machine_plugin.resource import (
    Call,
    Checked,
    Difference,
    Inputs,
    Live,
    changed,
)
from toolchain.machine_plugin.store import LocalStore, StoreError, parse_local
from toolchain.plugin.properties import UNKNOWN, Properties

PRESENT = "present"
"""Output: whether the node has the model."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class ModelFileResource:
    """See `infra.machine.ModelFile`. Its id is `<digest>/<name of the file or folder>`."""

    def check(self, olds: Properties, news: Properties, call: Call) -> Checked:
        """See `Resource.check`; the model is read, so a wrong one is refused in the preview."""
        del olds, call
        inputs = Inputs(news)
        source = inputs.text("source")
        digest = inputs.text("digest")
        store = inputs.text("store", may_be_unknown=True)
        if digest and not _DIGEST.fullmatch(digest):
            inputs.refuse("digest", f"{digest!r} is no SHA-256: give 64 lower-case hex digits")
        elif source and digest:
            problem = _source_problem(source, digest)
            if problem:
                inputs.refuse("source", problem)
        if store:
            try:
                parse_local(store)
            except StoreError as error:
                inputs.refuse("store", str(error))
        return Checked({**news, PRESENT: True}, tuple(inputs.failures))

    def diff(self, state: Properties, inputs: Properties, call: Call) -> Difference:
        """See `Resource.diff`.

        Another model is another resource: pods that roll still find the old one. The same model in
        another folder of the project is no change of what the node has.
        """
        replaces = changed(state, inputs, "digest", "store")
        moved = changed(state, inputs, "source")
        if moved and _name(state) != _name(inputs):
            replaces = (*replaces, *moved)
        elif moved:
            return Difference(updates=moved, replaces=replaces)
        if not replaces and not (state.get(PRESENT) and _placed(state).exists()):
            call.tell(f"{state['source']} is gone from the node: `up` brings it again")
            return Difference(updates=(PRESENT,), drifted=frozenset([PRESENT]))
        return Difference(replaces=replaces)

    def plan(self, state: Properties, inputs: Properties) -> Properties:
        """See `Resource.plan`."""
        del state
        known = isinstance(inputs["store"], str)
        return {**inputs, "node_path": str(_placed(inputs).parent) if known else UNKNOWN}

    def create(self, inputs: Properties, call: Call) -> tuple[str, Properties]:
        """See `Resource.create`."""
        return f"{inputs['digest']}/{_name(inputs)}", self._put(inputs, call)

    def left_behind(self, inputs: Properties, call: Call) -> None:
        """See `Resource.left_behind`: a copy is whole or not there."""

    def update(self, state: Properties, inputs: Properties, call: Call) -> Properties:
        """See `Resource.update`."""
        del state
        return self._put(inputs, call)

    def read(self, identifier: str, state: Properties) -> Live | None:
        """See `Resource.read`; a model goes with its cluster."""
        del identifier
        if not _is_there(parse_local(str(state["store"]))) or not _placed(state).exists():
            return None
        inputs = {**{key: state[key] for key in ("source", "digest", "store")}, PRESENT: True}
        return Live(inputs, {**inputs, "node_path": str(_placed(state).parent)})

    def delete(self, identifier: str, state: Properties, call: Call) -> None:
        """See `Resource.delete`; a model that another resource has brought too stays."""
        del identifier
        store = parse_local(str(state["store"]))
        if not _is_there(store):
            return
        placed = _placed(state)
        if claims.release(_models(store), placed, call.urn):
            local_cluster.remove_model(placed)
            claims.remove_if_empty(placed.parent)

    @staticmethod
    def _put(inputs: Properties, call: Call) -> Properties:
        store = parse_local(str(inputs["store"]))
        source = Path(str(inputs["source"]))
        call.report(f"copying {source} to the cluster {store.cluster}")
        claims.claim(_models(store), _placed(inputs), call.urn)
        placed = local_cluster.put_model(store.cluster, source.resolve(), str(inputs["digest"]))
        return {**inputs, "node_path": str(placed.parent)}


def _source_problem(source: str, digest: str) -> str | None:
    path = PurePosixPath(source)
    if path.is_absolute() or ".." in path.parts:
        return f"{source} is not inside the project: give a path relative to it"
    try:
        found = digests.of(Path(source))
    except FileNotFoundError:
        return f"there is no {source} in the project: make it, or correct the path"
    except OSError as error:
        return f"{source} cannot be read: {error.strerror}"
    if found != digest:
        return f"{source} has the SHA-256 {found}, not {digest}: give the right model or digest"
    return None


def _name(properties: Properties) -> str:
    return PurePosixPath(str(properties["source"])).name


def _models(store: LocalStore) -> Path:
    return layout(store.cluster).models


def _placed(properties: Properties) -> Path:
    store = parse_local(str(properties["store"]))
    return _models(store) / str(properties["digest"]) / _name(properties)


def _is_there(store: LocalStore) -> bool:
    cluster = local_cluster.read(store.cluster)
    return cluster is not None and cluster.identity == store.identity
