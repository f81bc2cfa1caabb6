"""Chooses the distribution that a machine can get."""

from collections.abc import Sequence

from toolchain import programs
from toolchain.local_cluster import state
from toolchain.local_cluster.distributions import steps_of
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.spec import DISTRIBUTIONS, Choice


def distribution_of(name: str, ordered: Sequence[str]) -> Choice:
    """Return what a cluster is, or would be if it were created now.

    Args:
        name: The cluster; an existing one keeps its distribution while that is on the list.
        ordered: Names of distributions, the preferred one first.

    Raises:
        LocalClusterError: As `choose_distribution`, or the cluster's record cannot be read.
    """
    record = state.load(name)
    if record is not None and record.distribution in ordered:
        return Choice(record.distribution, record.version, ())
    return choose_distribution(ordered)


def choose_distribution(ordered: Sequence[str]) -> Choice:
    """Return the first distribution of an ordered list whose programs this machine can get.

    Args:
        ordered: Names, the preferred one first.

    Raises:
        LocalClusterError: A name is unknown, or none of them can be had.
    """
    known = ", ".join(DISTRIBUTIONS)
    for name in ordered:
        if name not in DISTRIBUTIONS:
            raise LocalClusterError(
                f"slipway:cluster.distributions has {name!r}: this machine can run {known}"
            )
    skipped: list[tuple[str, str]] = []
    for candidate in (known for name in ordered for known in DISTRIBUTIONS if known == name):
        steps = steps_of(candidate)
        reason = steps.obstacle() or next(
            (
                answer.reason
                for program in steps.programs
                if not (answer := programs.obtainable(program)).ok
            ),
            None,
        )
        if reason is None:
            return Choice(candidate, steps.version, tuple(skipped))
        skipped.append((candidate, reason))
    reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped) or "the list is empty"
    raise LocalClusterError(
        f"slipway:cluster.distributions names nothing that this machine can get ({reasons})"
    )
