"""The scripts that make a node, its services and its port forwards."""

import os
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from toolchain.local_cluster import commands, forward, kubeconfig, network, node, sandbox, services
from toolchain.local_cluster.sandbox import Kept
from toolchain.local_cluster.services import Service
from toolchain.local_cluster.spec import PortForward
from toolchain.local_cluster.state import Layout


def init_script(where: Layout) -> str:
    return sandbox.init_script(
        name="local",
        network=network.plan([], []),
        folder=where.folder,
        kept=[Kept(where.data / "kubelet", Path("/var/lib/kubelet"))],
        resolv_conf=where.config / "resolv.conf",
        services=where.services,
        svscan=Path("/usr/bin/s6-svscan"),
        path="/usr/bin:/bin",
    )


def is_valid(script: str) -> bool:
    return subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0


def test_every_script_is_valid_shell(where: Layout) -> None:
    joins = [Path("/sys/fs/cgroup/slipway-local/node/cgroup.procs")]
    port = PortForward(8080, 30080)
    service = Service("x", ["/bin/x", "--a=b c"], {"K": "a'b"}, ["[ -S '/run/x y' ]"])
    for script in (
        init_script(where),
        node.launch_script(joins, where.config / "init.sh", where.logs / "node"),
        forward.launch_script(joins, IPv4Address("10.231.0.2"), port, Path("socat"), Path("log")),
        services.run_script(service, "/bin"),
        services.finish_script(where.logs),
        services.log_script(where.logs, Path("s6-log")),
    ):
        assert is_valid(script), script
    assert not is_valid("if true; then")


def test_the_node_cuts_itself_off_before_its_first_mount(where: Layout) -> None:
    lines = init_script(where).splitlines()
    mounts = [line.strip() for line in lines if line.strip().startswith("mount ")]
    assert mounts[0] == "mount --make-rprivate /"


def test_the_node_hides_the_settings_that_a_kubelet_would_change_for_the_machine(
    where: Layout,
) -> None:
    script = init_script(where)
    for setting in ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops"):
        assert setting in script


def test_the_last_thing_is_to_become_the_supervisor(where: Layout) -> None:
    assert init_script(where).splitlines()[-1] == f"exec /usr/bin/s6-svscan {where.services}"


def test_what_outlives_a_run_sees_nothing_of_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "not for the node")
    script = tmp_path / "script.sh"
    script.write_text(f"exec {commands.clean_environment(EXTRA='1')} env\n")
    said = subprocess.run(["sh", script], capture_output=True, text=True, check=True).stdout
    assert "not for the node" not in said
    assert "EXTRA=1" in said.splitlines()
    for launcher in (
        node.launch_script([], Path("init"), Path("log")),
        forward.launch_script([], IPv4Address(1), PortForward(1, 2), Path("socat"), Path("log")),
    ):
        assert "exec env -i " in launcher


def test_a_forward_listens_on_loopback_only() -> None:
    script = forward.launch_script(
        [], IPv4Address("10.231.0.2"), PortForward(8080, 30080), Path("/usr/bin/socat"), Path("log")
    )
    assert "TCP-LISTEN:8080,bind=127.0.0.1," in script
    assert "TCP:10.231.0.2:30080" in script


def test_a_service_waits_for_what_it_needs_and_then_becomes_its_program() -> None:
    script = services.run_script(
        Service("x", ["/bin/x", "--a=b c"], {"KEY": "v"}, ["one", "two"]), "/bin"
    )
    lines = script.splitlines()
    assert lines[1:] == [
        "exec 2>&1",
        "export PATH=/bin",
        "export KEY=v",
        "until one; do sleep 0.2; done",
        "until two; do sleep 0.2; done",
        "exec /bin/x \\",
        "  '--a=b c'",
    ]


def test_services_are_written_anew_with_a_log_each(tmp_path: Path) -> None:
    folder, logs = tmp_path / "services", tmp_path / "logs"
    services.write(folder, [Service("old", ["x"])], logs, "/bin", Path("s6-log"))
    (logs / "old" / services.EXITS).write_text("exit code 1\n")
    assert services.exits(logs, "old") == 1
    services.write(folder, [Service("old", ["x"]), Service("new", ["y"])], logs, "/bin", Path("l"))
    assert services.exits(logs, "old") == 0
    for name in ("old", "new"):
        for script in ("run", "finish", "log/run"):
            assert os.access(folder / name / script, os.X_OK)
    services.write(folder, [Service("new", ["y"])], logs, "/bin", Path("l"))
    assert not (folder / "old").exists()


def test_exits_are_counted_by_the_script_that_s6_runs(tmp_path: Path) -> None:
    logs = tmp_path / "etcd"
    logs.mkdir()
    script = tmp_path / "finish"
    script.write_text(services.finish_script(logs))
    for _ in range(2):
        subprocess.run(["sh", script, "1", "0"], check=True)
    assert services.exits(tmp_path, "etcd") == 2


def test_the_digest_changes_with_the_configuration_and_nothing_else() -> None:
    one, two = Service("a", ["x"]), Service("b", ["y"])
    files = {Path("/f"): "text"}
    digest = services.digest([one, two], files)
    assert services.digest([two, one], dict(files)) == digest
    assert services.digest([one, Service("b", ["y", "z"])], files) != digest
    assert services.digest([one, two], {Path("/f"): "other"}) != digest
    assert services.digest([one], files) != digest


def test_a_node_without_resolvers_has_a_resolv_conf_that_says_so() -> None:
    assert sandbox.resolv_conf([IPv4Address("192.0.2.53")]) == "nameserver 192.0.2.53\n"
    assert sandbox.resolv_conf([]).startswith("#")


def test_another_distributions_kubeconfig_gets_our_address_and_name() -> None:
    written = """
apiVersion: v1
clusters:
- {name: default, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: QQ==}}
contexts: [{name: default, context: {cluster: default, user: default}}]
current-context: default
users: [{name: default, user: {client-certificate-data: Qg==, client-key-data: Qw==}}]
"""
    text = kubeconfig.readdressed(written, "local", IPv4Address("10.231.0.2"))
    assert "server: https://10.231.0.2:6443" in text
    assert "current-context: slipway-local" in text
    assert "client-key-data: Qw==" in text


def test_listeners_are_found_in_the_kernels_table() -> None:
    table = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4713 1
"""
    assert forward.parse_listeners(table, 8080) == ["4711"]
    assert forward.parse_listeners(table, 8082) == []


def test_mounts_below_a_folder_are_found_and_others_are_not() -> None:
    assert Path("/proc") in node.mounts_below(Path("/"))
    assert node.mounts_below(Path("/proc-of-another")) == []


def test_what_is_sent_to_a_pod_that_has_gone_does_not_leave_the_node(where: Layout) -> None:
    assert (
        f"ip route add unreachable {network.plan([], []).pods}" in init_script(where).splitlines()
    )
