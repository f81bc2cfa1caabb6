"""The configuration of both distributions, without starting anything."""

import dataclasses
import json
import os
import subprocess
import tomllib
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml

from toolchain import programs
from toolchain.local_cluster import (
    choose_distribution,
    containerd,
    coredns,
    distribution,
    distribution_of,
    k3s,
    state,
)
from toolchain.local_cluster.distribution import Blueprint, Machine
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.k3s import K3s
from toolchain.local_cluster.state import Layout, Record
from toolchain.local_cluster.upstream import Upstream, cni_configuration


@pytest.fixture
def upstream(record: Record, where: Layout, machine: Machine, no_programs: None) -> Blueprint:
    return Upstream().blueprint(record, where, machine)


def text(plan: Blueprint, name: str) -> str:
    return next(content for path, content in plan.files.items() if path.name == name)


def components(plan: Blueprint) -> dict[str, dict[str, str]]:
    """Return the flags of the components that are one program, in the order of their start."""
    command = next(service.command for service in plan.services if service.name == "kubernetes")
    found: dict[str, dict[str, str]] = {}
    for words in " ".join(command[1:]).split(" -- "):
        name, *flags = words.split()
        found[name] = {key: value for key, _, value in (flag.partition("=") for flag in flags)}
    return found


def test_a_node_is_containerd_and_one_program_that_is_all_of_kubernetes(
    upstream: Blueprint,
) -> None:
    assert [service.name for service in upstream.services] == ["containerd", "kubernetes"]
    assert upstream.services[1].command[0] == "/programs/kubernetes/kubernetes"


def test_no_component_starts_before_what_it_needs(upstream: Blueprint) -> None:
    first, second, *others = components(upstream)
    assert (first, second) == ("etcd", "kube-apiserver")
    assert set(others) == {"kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy"}
    # The kubelet ends where containerd does not answer, and everything with it.
    assert list(upstream.services[1].after) == ["[ -S /run/containerd/containerd.sock ]"]


def test_metrics_that_every_reader_of_one_component_would_get_are_few(upstream: Blueprint) -> None:
    disabled = components(upstream)["kube-apiserver"]["--disabled-metrics"].split(",")
    assert {"apiserver_request_duration_seconds", "etcd_request_duration_seconds"} <= {*disabled}


def test_the_kubelet_keeps_imported_images_and_ignores_the_machines_full_disk(
    upstream: Blueprint,
) -> None:
    kubelet = json.loads(text(upstream, "kubelet.yaml"))
    assert kubelet["imageGCHighThresholdPercent"] == 100
    assert not any("%" in value for value in kubelet["evictionHard"].values())


def test_the_kubelet_runs_on_both_cgroup_versions_below_the_clusters_own_group(
    upstream: Blueprint,
) -> None:
    kubelet = json.loads(text(upstream, "kubelet.yaml"))
    assert kubelet["failCgroupV1"] is False
    assert kubelet["cgroupDriver"] == "cgroupfs"
    assert kubelet["cgroupRoot"] == "/slipway-local"


def test_nobody_is_let_in_without_a_certificate(upstream: Blueprint) -> None:
    api_server = components(upstream)["kube-apiserver"]
    assert api_server["--anonymous-auth"] == "false"
    assert api_server["--authorization-mode"] == "Node,RBAC"
    etcd = json.loads(text(upstream, "etcd.yaml"))
    assert etcd["client-transport-security"]["client-cert-auth"] is True
    assert etcd["peer-transport-security"]["client-cert-auth"] is True
    kubelet = json.loads(text(upstream, "kubelet.yaml"))
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert kubelet["authorization"] == {"mode": "Webhook"}


def test_etcd_syncs_every_write_and_listens_on_loopback_only(upstream: Blueprint) -> None:
    etcd = json.loads(text(upstream, "etcd.yaml"))
    assert "unsafe-no-fsync" not in etcd
    for key in ("listen-client-urls", "listen-peer-urls"):
        assert etcd[key].startswith("https://127.0.0.1:")


def test_api_server_and_proxy_agree_on_the_ranges(upstream: Blueprint, record: Record) -> None:
    services = str(record.network.services)
    for name in ("kube-apiserver", "kube-controller-manager"):
        assert components(upstream)[name]["--service-cluster-ip-range"] == services
    pods = str(record.network.pods)
    assert json.loads(text(upstream, "proxy.yaml"))["clusterCIDR"] == pods
    plugins = json.loads(cni_configuration(record.network))["plugins"]
    assert plugins[0]["ipam"]["ranges"] == [[{"subnet": pods}]]


def test_the_proxy_sets_nothing_that_is_the_whole_machines(upstream: Blueprint) -> None:
    proxy = json.loads(text(upstream, "proxy.yaml"))
    assert proxy["conntrack"] == {"maxPerCore": 0, "min": 0}
    assert proxy["mode"] == "iptables"


@pytest.mark.parametrize("allowed", [True, False])
def test_oom_scores_are_restricted_exactly_where_the_machine_demands_it(
    record: Record, where: Layout, machine: Machine, no_programs: None, allowed: bool
) -> None:
    plan = Upstream().blueprint(
        record, where, dataclasses.replace(machine, may_protect_from_oom=allowed)
    )
    runtime = tomllib.loads(text(plan, "containerd.toml"))["plugins"][
        "io.containerd.cri.v1.runtime"
    ]
    assert runtime["restrict_oom_score_adj"] is not allowed
    assert json.loads(text(plan, "kubelet.yaml"))["oomScoreAdj"] == (-999 if allowed else 0)


def test_containerd_reads_nothing_of_the_machines_own(upstream: Blueprint, where: Layout) -> None:
    settings = tomllib.loads(text(upstream, "containerd.toml"))
    assert settings["imports"] == []
    assert settings["root"].startswith(str(where.folder))
    assert settings["state"] == "/run/containerd"
    runtime = settings["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["cni"] == {"bin_dirs": ["/programs/cni/cni"], "conf_dir": f"{where.config}/cni"}


def test_every_pod_is_served_by_the_same_shim(upstream: Blueprint, tmp_path: Path) -> None:
    settings = tomllib.loads(text(upstream, "containerd.toml"))
    runtime = settings["plugins"]["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]["runc"]
    ((path, script),) = upstream.scripts.items()
    assert runtime["runtime_path"] == str(path)
    assert "exec /programs/containerd/containerd-shim-runc-v2 " in script

    # The program prints what it finds where containerd starts it.
    started = tmp_path / "shim"
    started.write_text(containerd.shim_script(Path("/bin/cat")))
    spec = {"ociVersion": "1.3.0", "annotations": {"io.kubernetes.cri.sandbox-id": "0"}}
    config = tmp_path / "config.json"
    config.write_text(json.dumps(spec, separators=(",", ":")))
    for words, grouped in ((["delete"], False), (["-id", "0", "start"], True)):
        subprocess.run(["sh", started, *words], cwd=tmp_path, capture_output=True, check=False)
        annotations = json.loads(config.read_text())["annotations"]
        assert annotations["io.kubernetes.cri.sandbox-id"] == "0"
        assert ("io.containerd.runc.v2.group" in annotations) is grouped


def test_no_configuration_holds_a_key(upstream: Blueprint) -> None:
    for content in upstream.files.values():
        assert "PRIVATE KEY" not in content
        assert "client-key-data" not in content


def test_what_survives_a_restart_is_kept_in_the_clusters_folder(
    upstream: Blueprint, where: Layout
) -> None:
    assert all(kept.folder.is_relative_to(where.folder) for kept in upstream.kept)
    assert {str(kept.place) for kept in upstream.kept} == {
        "/var/lib/kubelet",
        "/var/lib/cni",
        "/var/log",
    }


def test_coredns_asks_the_machines_resolvers() -> None:
    found = coredns.corefile([IPv4Address("192.0.2.53"), IPv4Address("192.0.2.54")])
    assert "forward . 192.0.2.53 192.0.2.54 {" in found


def test_coredns_forwards_nothing_on_a_machine_without_resolvers() -> None:
    assert "forward" not in coredns.corefile([])


def test_coredns_answers_where_every_pod_asks(record: Record, machine: Machine) -> None:
    addons = coredns.addons("image:1", record.network.dns_ip, machine.resolvers)
    service = next(a.manifest for a in addons if a.manifest["kind"] == "Service")
    deployment = next(a.manifest for a in addons if a.manifest["kind"] == "Deployment")
    assert service["spec"]["clusterIP"] == "10.43.0.10"
    assert service["metadata"]["name"] == "kube-dns"
    template = deployment["spec"]["template"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_coredns_runs_with_no_rights_and_within_limits() -> None:
    addons = coredns.addons("image:1", IPv4Address("10.43.0.10"), [])
    pod = addons[-1].manifest["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"]["memory"]
    assert container["imagePullPolicy"] == "Never"


def test_k3s_leaves_the_gateway_to_the_platform_and_keeps_the_rest(
    record: Record, where: Layout, machine: Machine
) -> None:
    assert k3s.configuration(record, where, machine)["disable"] == ["traefik"]


def test_k3s_keeps_everything_in_the_clusters_folder(
    record: Record, where: Layout, machine: Machine, no_programs: None
) -> None:
    settings = k3s.configuration(record, where, machine)
    for key in ("data-dir", "write-kubeconfig", "resolv-conf"):
        assert settings[key].startswith(str(where.folder)), key
    assert settings["write-kubeconfig-mode"] == "0600"
    kept = {str(kept.place) for kept in K3s().blueprint(record, where, machine).kept}
    assert "/etc/rancher" in kept


def test_k3s_has_the_addresses_of_the_record(
    record: Record, where: Layout, machine: Machine
) -> None:
    settings = k3s.configuration(record, where, machine)
    network = record.network
    assert settings["node-ip"] == settings["advertise-address"] == str(network.node_ip)
    assert settings["tls-san"] == [str(network.node_ip)]
    assert settings["cluster-cidr"] == str(network.pods)
    assert settings["service-cidr"] == str(network.services)
    assert settings["cluster-dns"] == str(network.dns_ip)
    assert f"cgroup-root=/slipway-{record.name}" in settings["kubelet-arg"]


def test_k3s_is_one_service_with_its_configuration_file(
    record: Record, where: Layout, machine: Machine, no_programs: None
) -> None:
    plan = K3s().blueprint(record, where, machine)
    file = where.config / "k3s.yaml"
    assert [list(service.command) for service in plan.services] == [
        ["/programs/k3s/k3s", "server", "--config", str(file)]
    ]
    assert yaml.safe_load(plan.files[file]) == k3s.configuration(record, where, machine)


def obtainable(**reasons: str) -> object:
    def answer(name: str) -> programs.Obtainable:
        if name in reasons:
            return programs.Obtainable(False, "none", reasons[name])
        return programs.Obtainable(True, "cached", "")

    return answer


@pytest.fixture
def any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k3s, "may_protect_from_oom", lambda: True)


def test_the_first_distribution_that_can_be_had_is_chosen(
    monkeypatch: pytest.MonkeyPatch, any_machine: None
) -> None:
    monkeypatch.setattr(programs, "obtainable", obtainable())
    choice = choose_distribution(["k3s", "upstream"])
    assert (choice.distribution, choice.version, choice.skipped) == ("k3s", K3s.version, ())


def test_one_that_cannot_be_had_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, any_machine: None
) -> None:
    monkeypatch.setattr(programs, "obtainable", obtainable(k3s="no registry has it"))
    choice = choose_distribution(["k3s", "upstream"])
    assert choice.distribution == "upstream"
    assert choice.skipped == (("k3s", "no registry has it"),)


def test_k3s_is_skipped_where_its_pods_could_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "obtainable", obtainable())
    monkeypatch.setattr(k3s, "may_protect_from_oom", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    choice = choose_distribution(["k3s", "upstream"])
    assert choice.distribution == "upstream"
    assert "CAP_SYS_RESOURCE" in choice.skipped[0][1]


def test_a_list_without_any_that_can_be_had_says_why_for_each(
    monkeypatch: pytest.MonkeyPatch, any_machine: None
) -> None:
    monkeypatch.setattr(programs, "obtainable", obtainable(k3s="no k3s", runc="no runc"))
    with pytest.raises(LocalClusterError, match="k3s: no k3s; upstream: no runc"):
        choose_distribution(["k3s", "upstream"])


def test_an_existing_cluster_keeps_its_distribution_while_that_is_on_the_list(
    root: Path, record: Record, monkeypatch: pytest.MonkeyPatch, any_machine: None
) -> None:
    state.save(record)
    monkeypatch.setattr(programs, "obtainable", obtainable())
    kept = distribution_of(record.name, ["k3s", "upstream"])
    assert (kept.distribution, kept.version, kept.skipped) == ("upstream", record.version, ())
    assert distribution_of(record.name, ["k3s"]).distribution == "k3s"
    assert distribution_of("another", ["k3s", "upstream"]).distribution == "k3s"


def test_an_unknown_distribution_is_refused_before_anything_is_looked_for() -> None:
    with pytest.raises(LocalClusterError, match="'minicube': this machine can run k3s, upstream"):
        choose_distribution(["minicube"])


def test_a_capability_is_read_from_the_kernels_bits() -> None:
    everything = "Name:\tx\nCapEff:\t000001ffffffffff\n"
    without = "Name:\tx\nCapEff:\t000001fffeffffff\n"
    assert distribution.has_capability(everything, 24)
    assert not distribution.has_capability(without, 24)


def test_an_overlay_is_never_put_on_an_overlay(where: Layout) -> None:
    container = "1 0 0:1 / / rw - overlay overlay rw\n"
    volume = container + "2 1 8:1 / /var/lib/slipway rw - ext4 /dev/sda1 rw\n"
    kinds = [distribution.file_system(where.folder, table) for table in (container, volume)]
    assert kinds == ["overlay", "ext4"]
    assert [distribution.snapshotter_for(kind) for kind in kinds] == ["native", "overlayfs"]
