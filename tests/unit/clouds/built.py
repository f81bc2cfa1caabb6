"""Clusters as the program of their kind's stack file builds them."""

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import clusters
from infra.contract import ClusterHandle
from infra.settings import stack_file
from tests.unit import mocked_program
from tests.unit.mocked_program import Program

LOCAL = "local"

STACKS = {stack_file.read(path)["cluster"]["kind"]: path for path in mocked_program.STACK_FILES}
"""The stack file of each kind."""

KINDS = tuple(STACKS)
CLOUDS = tuple(kind for kind in KINDS if kind not in (LOCAL, "existing"))


@dataclass(frozen=True)
class Built:
    """A cluster, and the program that it is part of."""

    cluster: ClusterHandle
    program: Program


def build(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    """Return what the program of a kind's stack file builds.

    Args:
        kind: The kind.
        folder: An empty folder.
        monkeypatch: Restores what is changed.
    """
    handles: list[ClusterHandle] = []
    usual = clusters.build

    def recording(*args: Any) -> ClusterHandle:
        handles.append(usual(*args))
        return handles[-1]

    monkeypatch.setattr(clusters, "build", recording)
    program = mocked_program.run(STACKS[kind], folder, monkeypatch)
    (handle,) = handles
    return Built(handle, program)


@functools.cache
def usual(kind: str) -> Built:
    """Return what the program of a kind's stack file builds, once for all tests.

    Args:
        kind: The kind.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        return build(kind, Path(folder), monkeypatch)
