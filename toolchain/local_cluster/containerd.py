"""containerd: its configuration, and what is asked of it through its client.

The client runs on the machine: the socket is reached through `/proc/<PID 1>/root`, while the
server, which does the mounts, is in the node.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from toolchain.local_cluster import commands, node
from toolchain.local_cluster.distribution import Machine

SOCKET = Path("/run/containerd/containerd.sock")
"""Where it is inside the node by default."""

SHIM = "containerd-shim-runc-v2"
"""What stays with the containers; beside containerd's own program."""

NAMESPACE = "k8s.io"
"""Where Kubernetes looks for images."""

IMPORT = 600.0
"""Seconds for one image; large ones on a slow disk take minutes."""

_DISABLED = (
    # It would make /opt/containerd.
    "io.containerd.internal.v1.opt",
    "io.containerd.nri.v1.nri",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.erofs",
    "io.containerd.snapshotter.v1.zfs",
)


def shim_script(shim: Path) -> str:
    """Return the script that containerd starts as its shim: the shim, told to serve every pod.

    By default each pod has a shim of its own, 17 MiB resident each. Containers share one that name
    the same group in their specification, but containerd has no setting that gives all of them one.
    It starts this script in the folder of a new container's specification.

    Args:
        shim: The program.
    """
    replaced, with_group = '"annotations":{', '"annotations":{"io.containerd.runc.v2.group":"node",'
    edit = shlex.quote(f"s/{replaced}/{with_group}/")
    return f"""\
#!/bin/sh
set -eu
for word in "$@"; do :; done
if [ "$word" = start ]; then
  sed -i {edit} config.json
fi
exec {shlex.quote(str(shim))} "$@"
"""


def configuration(
    *,
    root: Path,
    shim: Path,
    runc: Path,
    plugins: Path,
    cni: Path,
    pause: str,
    machine: Machine,
) -> str:
    """Return containerd's configuration file.

    Args:
        root: Where it keeps images.
        shim: What it starts as shim, see `shim_script`.
        runc: The program that starts containers.
        plugins: Folder of the CNI plug-ins.
        cni: Folder of their configuration.
        pause: Reference of the image of a pod's first container.
        machine: What the machine allows.
    """
    disabled = ", ".join(f"'{name}'" for name in _DISABLED)
    restricted = "false" if machine.may_protect_from_oom else "true"
    runtime = "plugins.'io.containerd.cri.v1.runtime'"
    return f"""\
version = 4
root = '{root}'
state = '{SOCKET.parent}'
# Nothing of the machine's own containerd.
imports = []
disabled_plugins = [{disabled}]

[plugins.'io.containerd.server.v1.grpc']
  address = '{SOCKET}'

[plugins.'io.containerd.server.v1.ttrpc']
  address = '{SOCKET}.ttrpc'

[plugins.'io.containerd.cri.v1.images']
  snapshotter = '{machine.snapshotter}'

  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '{pause}'

[{runtime}]
  restrict_oom_score_adj = {restricted}

  [{runtime}.cni]
    bin_dirs = ['{plugins}']
    conf_dir = '{cni}'

  [{runtime}.containerd]
    default_runtime_name = 'runc'

    [{runtime}.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      runtime_path = '{shim}'

      [{runtime}.containerd.runtimes.runc.options]
        BinaryName = '{runc}'
        SystemdCgroup = false
"""


def client(ctr: Sequence[str], pid: int, socket: Path) -> list[str]:
    """Return the command line that reaches a node's containerd from the machine.

    Args:
        ctr: Command of the client.
        pid: PID 1 of the node.
        socket: The socket inside the node.
    """
    return [*ctr, "--address", str(node.inside(pid, socket)), "--namespace", NAMESPACE]


def import_archive(command: Sequence[str], archive: Path) -> None:
    """Bring the images of an OCI or Docker archive into containerd; waits until they are there.

    Args:
        command: See `client`.
        archive: The file.

    Raises:
        LocalClusterError: containerd refuses it.
    """
    commands.run([*command, "images", "import", archive], timeout=IMPORT)


def images(command: Sequence[str]) -> set[str]:
    """Return the references of all images.

    Args:
        command: See `client`.
    """
    return set(commands.run([*command, "images", "list", "--quiet"]).split())
