"""The resource `slipway:machine:LocalCluster`."""

from pathlib import Path
from typing import Any

from toolchain import local_cluster
from toolchain.local_cluster import ClusterSpec, ClusterState, LocalClusterError, PortForward
from toolchain.local_cluster.spec import DISTRIBUTIONS
from toolchain.machine_plugin.resource import (
    Call,
    Checked,
    Difference,
    Inputs,
    Live,
    changed,
)
from toolchain.plugin.properties import UNKNOWN, Properties, Secret, contains_unknown

RUNNING = "running"
IDENTITY = "identity"
KUBECONFIG = "kubeconfig"
ADDRESS_POOL = "address_pool"


class LocalClusterResource:
    """See `infra.machine.LocalCluster`."""

    def check(self, olds: Properties, news: Properties, call: Call) -> Checked:
        """See `Resource.check`.

        It adds the `distribution` that was chosen, its `version`, and that the node is `running`.
        """
        if contains_unknown(news):
            unknown = sorted(key for key, value in news.items() if contains_unknown(value))
            inputs = Inputs(news)
            for key in unknown:
                inputs.refuse(
                    key, "it must be known before anything is created: give a plain value"
                )
            return Checked(news, tuple(inputs.failures))
        inputs = Inputs(news)
        name = inputs.text("name")
        _check_distributions(inputs)
        _check_ports(inputs)
        if inputs.failures:
            return Checked(news, tuple(inputs.failures))
        existing = local_cluster.read(name)
        if existing is not None and olds.get("name") == name:
            # The owner of record stays, also where the project's folder has moved.
            owner = existing.owner
        else:
            owner = _owner(call)
        try:
            checked = {**news, **_choice(olds, news, existing, call), RUNNING: True}
        except LocalClusterError as error:
            inputs.refuse("", str(error))
            return Checked(news, tuple(inputs.failures))
        spec = _spec(checked, owner)
        if existing is None or not _is_as_asked(existing, spec):
            for problem in local_cluster.preflight(spec):
                inputs.refuse("", problem)
        return Checked(checked, tuple(inputs.failures))

    def diff(self, state: Properties, inputs: Properties, call: Call) -> Difference:
        """See `Resource.diff`; a node that does not run is a change of `running`."""
        replaces = changed(state, inputs, "name", "distribution")
        updates = changed(state, inputs, "ports", "version")
        if state.get(ADDRESS_POOL) is None:
            # The state of an earlier Slipway.
            updates = (*updates, ADDRESS_POOL)
        name = str(state["name"])
        existing = local_cluster.read(name)
        if existing is None or existing.identity != state.get(IDENTITY):
            call.tell(f"the cluster {name} is gone from this machine: `up` makes it anew")
            replaces = (*replaces, IDENTITY)
            return Difference(updates, replaces, delete_first=True)
        # The new cluster may want the name, the ports and the memory of the old one.
        delete_first = bool(replaces)
        status = local_cluster.status(name)
        if state.get(RUNNING) and status.state == "running":
            return Difference(updates, replaces, delete_first)
        if not replaces:
            why = f" ({'; '.join(status.reasons)})" if status.reasons else ""
            call.tell(f"the cluster {name} is {status.state}{why}: `up` starts it")
        return Difference((*updates, RUNNING), replaces, delete_first, frozenset([RUNNING]))

    def plan(self, state: Properties, inputs: Properties) -> Properties:
        """See `Resource.plan`."""
        kept = {key: state.get(key, UNKNOWN) for key in (IDENTITY, KUBECONFIG, ADDRESS_POOL)}
        return {**inputs, **kept}

    def create(self, inputs: Properties, call: Call) -> tuple[str, Properties]:
        """See `Resource.create`."""
        made = local_cluster.create(_spec(inputs, _owner(call)), call.report)
        return made.name, _outputs(inputs, made, running=True)

    def left_behind(self, inputs: Properties, call: Call) -> tuple[str, Properties] | None:
        """See `Resource.left_behind`: a cluster that is half made."""
        existing = local_cluster.read(str(inputs["name"]))
        if existing is None or existing.owner != _owner(call):
            return None
        return existing.name, _outputs(inputs, existing, running=False)

    def update(self, state: Properties, inputs: Properties, call: Call) -> Properties:
        """See `Resource.update`: new ports, a stopped node, or a creation that did not finish."""
        del state
        existing = local_cluster.read(str(inputs["name"]))
        # The owner of record stays, also where the project's folder has moved.
        owner = _owner(call) if existing is None else existing.owner
        made = local_cluster.create(_spec(inputs, owner), call.report)
        return _outputs(inputs, made, running=True)

    def read(self, identifier: str, state: Properties) -> Live | None:
        """See `Resource.read`; with an empty state it is an import by name."""
        existing = local_cluster.read(identifier)
        if existing is None or state.get(IDENTITY, existing.identity) != existing.identity:
            return None
        inputs = {
            "name": existing.name,
            "distributions": state.get("distributions", [existing.distribution]),
            "ports": [{"host": port.host, "node": port.node} for port in existing.ports],
            "distribution": existing.distribution,
            "version": existing.version,
            RUNNING: True,
        }
        return Live(inputs, _outputs(inputs, existing, running=_runs(existing.name)))

    def delete(self, identifier: str, state: Properties, call: Call) -> None:
        """See `Resource.delete`; another cluster that took the name is left alone."""
        existing = local_cluster.read(identifier)
        if existing is not None and not _is_own(existing, state, call):
            call.tell(f"the cluster {identifier} is another one by now and is left alone")
            return
        local_cluster.destroy(identifier, call.report)


def _check_distributions(inputs: Inputs) -> None:
    wanted = inputs.values.get("distributions")
    if not isinstance(wanted, list) or not wanted:
        inputs.refuse("distributions", f"name at least one of {', '.join(DISTRIBUTIONS)}")
        return
    for name in wanted:
        if name not in DISTRIBUTIONS:
            known = ", ".join(DISTRIBUTIONS)
            inputs.refuse("distributions", f"{name!r} is not known: use {known}")


def _check_ports(inputs: Inputs) -> None:
    """Check the form; `preflight` checks the numbers, and that nobody uses them."""
    ports = inputs.values.get("ports")
    if not isinstance(ports, list):
        inputs.refuse("ports", "give a list of `{host: <port>, node: <port>}`")
        return
    for index, port in enumerate(ports):
        for side in ("host", "node"):
            number = port.get(side) if isinstance(port, dict) else None
            if not isinstance(number, int):
                inputs.refuse(f"ports[{index}].{side}", f"{number!r} is no port from 1 to 65535")


def _choice(
    olds: Properties, news: Properties, existing: ClusterState | None, call: Call
) -> Properties:
    """Return the distribution and its version; what a cluster has is kept while it is allowed.

    Raises:
        LocalClusterError: Nothing on the list can be had.
    """
    wanted = list(news["distributions"])
    if existing is not None and existing.distribution in wanted:
        try:
            version = local_cluster.choose_distribution([existing.distribution]).version
        except LocalClusterError:
            # It runs, though its programs could not be had again: that keeps no one from using it.
            version = existing.version
        return {"distribution": existing.distribution, "version": version}
    if olds.get("name") == news["name"] and olds.get("distribution") in wanted:
        wanted = [olds["distribution"], *wanted]
    choice = local_cluster.choose_distribution(wanted)
    for name, reason in choice.skipped:
        call.tell(f"{name} cannot be had here ({reason}): the next distribution is taken")
    return {"distribution": choice.distribution, "version": choice.version}


def _owner(call: Call) -> str:
    """Return whose the cluster is: two clones of a project may both have a stack `local`."""
    return f"{call.name} of stack {call.stack} in {Path.cwd()}"


def _is_own(existing: ClusterState, state: Properties, call: Call) -> bool:
    """Tell whether a cluster is the one of a state, which has no identity if it was never made."""
    if IDENTITY in state:
        return bool(existing.identity == state[IDENTITY])
    return existing.owner == _owner(call)


def _spec(inputs: Properties, owner: str) -> ClusterSpec:
    return ClusterSpec(
        name=inputs["name"],
        distribution=inputs["distribution"],
        ports=tuple(PortForward(port["host"], port["node"]) for port in inputs["ports"]),
        owner=owner,
    )


def _outputs(inputs: Properties, cluster: ClusterState, *, running: bool) -> dict[str, Any]:
    return {
        **inputs,
        "version": cluster.version,
        IDENTITY: cluster.identity,
        KUBECONFIG: Secret(cluster.kubeconfig),
        ADDRESS_POOL: cluster.address_pool,
        RUNNING: running,
    }


def _is_as_asked(existing: ClusterState, spec: ClusterSpec) -> bool:
    """Tell whether nothing has to be made or started, so that the machine need not be checked."""
    return (
        existing.owner == spec.owner
        and existing.ports == spec.ports
        and existing.address_pool is not None
        and _runs(spec.name)
    )


def _runs(name: str) -> bool:
    return local_cluster.status(name).state == "running"
