"""Controllers that third parties publish as Helm charts, at pinned versions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from infra import versions
from infra.settings.charts import UPSTREAM
from toolchain import programs
from toolchain.errors import SlipwayError


@dataclass(frozen=True)
class ChartArgs:
    """What a chart is rendered from.

    Attributes:
        name: Name of the chart, and of its release.
        source: Where it comes from: the setting `platform.charts`.
        namespace: Namespace of its objects.
        values: Values of the chart. They switch off the chart's own resource types, which
            `Definitions` installs.
        version: Its version at a mirror; by default what `versions.CHARTS` pins.
        brings_definitions: Whether the chart's own resource types are installed, where no module
            has them.
    """

    name: str
    source: str
    namespace: pulumi.Input[str]
    values: Mapping[str, Any] = field(default_factory=dict)
    version: str | None = None
    brings_definitions: bool = False


def chart(
    resource_name: str, args: ChartArgs, opts: pulumi.ResourceOptions | None = None
) -> kubernetes.helm.v4.Chart:
    """Return the objects of a pinned chart, as docs/adr/0005 explains.

    The plug-in renders the chart and makes each object a resource of its own; hooks are left out.
    Neither plug-in keeps the chart's place in the state, so it may be a path of this machine.

    Args:
        resource_name: Logical name, the first part of those of its objects.
        args: What it is rendered from.
        opts: Resource options.

    Raises:
        pulumi.RunError: The chart cannot be obtained; Pulumi prints why without a traceback.
    """
    return kubernetes.helm.v4.Chart(
        resource_name,
        **_location(args),
        name=args.name,
        namespace=args.namespace,
        skip_crds=not args.brings_definitions,
        values=dict(args.values),
        opts=opts,
    )


def _location(args: ChartArgs) -> dict[str, Any]:
    """Return the arguments by which helm finds a chart."""
    name, source = args.name, args.source
    if source == UPSTREAM:
        return {"chart": str(upstream_folder(name))}
    if source.startswith("file:"):
        # The plug-in runs in the project's folder; without the dot it would ask a repository.
        return {"chart": f"./{Path(source.removeprefix('file:')) / name}"}
    version = args.version or versions.CHARTS[name]
    if source.startswith("oci://"):
        return {"chart": f"{source}/{name}", "version": version}
    repository = kubernetes.helm.v4.RepositoryOptsArgs(repo=source)
    return {"chart": name, "version": version, "repository_opts": repository}


def upstream_folder(name: str) -> Path:
    """Return the folder of a chart as its publisher's release has it, obtaining it if missing.

    Raises:
        pulumi.RunError: It cannot be obtained.
    """
    try:
        return programs.path(f"{name}-chart")
    except SlipwayError as error:
        raise pulumi.RunError(str(error)) from error
