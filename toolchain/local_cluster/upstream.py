"""The distribution `upstream`: Kubernetes as its project releases it, on one node."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra import versions
from toolchain import images, programs
from toolchain.local_cluster import containerd, coredns, kubeconfig, pki
from toolchain.local_cluster.cgroups import root as cgroup_root
from toolchain.local_cluster.containerd import SOCKET
from toolchain.local_cluster.distribution import Addon, Blueprint, Machine
from toolchain.local_cluster.network import Network
from toolchain.local_cluster.sandbox import Kept
from toolchain.local_cluster.services import KUBERNETES, Service, socket_exists
from toolchain.local_cluster.spec import Brings
from toolchain.local_cluster.state import Layout, Record
from toolchain.progress import Report

_ETCD_PORT, _ETCD_PEER_PORT = 2379, 2380
_LOCAL = "127.0.0.1"
# One process shows the metrics of all components wherever those of one are read: 43,000 lines, of
# which these histograms are four in five. They cost memory too, and nothing reads them.
_UNREAD_METRICS = (
    "apiserver_request_body_size_bytes",
    "apiserver_request_duration_seconds",
    "apiserver_request_sli_duration_seconds",
    "apiserver_response_sizes",
    "apiserver_watch_cache_initialization_duration_seconds",
    "apiserver_watch_cache_read_wait_seconds",
    "apiserver_watch_events_dispatch_duration_seconds",
    "apiserver_watch_events_sizes",
    "apiserver_watch_list_duration_seconds",
    "etcd_request_duration_seconds",
    "informer_processing_latency_seconds",
    "workqueue_queue_duration_seconds",
    "workqueue_work_duration_seconds",
)


class Upstream:
    """See `DistributionSteps`."""

    version = f"v{versions.KUBERNETES}"
    programs = programs.UPSTREAM
    # kube-proxy and the plain CNI plug-ins ignore NetworkPolicy objects, and the registries of
    # packages have no storage provisioner.
    brings = Brings(
        network_policies=False, metrics_server=False, load_balancer=False, storage_class=None
    )
    containerd_socket = SOCKET
    images = ("pause", "coredns")

    def obstacle(self) -> str | None:
        """Return `None`: it adapts to what the machine allows."""
        return None

    def ctr(self) -> list[str]:
        """Return the command of containerd's client."""
        return [str(programs.path("ctr"))]

    def prepare(self, record: Record, where: Layout, report: Report) -> None:
        """Make keys and certificates, before the node starts."""
        if pki.ensure(where, record.name, record.network):
            report("keys and certificates issued")

    def kubeconfig(self, record: Record, where: Layout) -> str | None:
        """Return the admin's kubeconfig."""
        authority = pki.pair(where, pki.CLUSTER).certificate
        identity = pki.pair(where, "admin")
        return kubeconfig.embedded(record.name, record.network.node_ip, authority, identity)

    def addons(self, machine: Machine, record: Record) -> list[Addon]:
        """Return CoreDNS."""
        return coredns.addons(images.reference("coredns"), record.network.dns_ip, machine.resolvers)

    def blueprint(self, record: Record, where: Layout, machine: Machine) -> Blueprint:
        """Return the node's configuration."""
        found = {name: programs.path(name) for name in ("kubernetes", "containerd", "runc", "cni")}
        authority = pki.pair(where, pki.CLUSTER).certificate
        files = {
            where.config / f"{name}.kubeconfig": kubeconfig.of_component(
                authority, pki.pair(where, identity)
            )
            for name, identity in (
                ("kubelet", "kubelet-client"),
                ("controller-manager", "controller-manager"),
                ("scheduler", "scheduler"),
                ("proxy", "proxy"),
            )
        }
        shim = where.config / "containerd-shim"
        files[where.config / "containerd.toml"] = containerd.configuration(
            root=where.data / "containerd",
            shim=shim,
            runc=found["runc"],
            plugins=found["cni"],
            cni=where.config / "cni",
            pause=images.reference("pause"),
            machine=machine,
        )
        files[where.config / "cni" / "10-slipway.conflist"] = cni_configuration(record.network)
        files[where.config / "etcd.yaml"] = _json(_etcd(record, where))
        files[where.config / "kubelet.yaml"] = _json(_kubelet(record, where, machine))
        files[where.config / "proxy.yaml"] = _json(_proxy(record, where, machine))
        return Blueprint(
            files=files,
            services=_services(record, where, found),
            kept=(
                Kept(where.data / "kubelet", Path("/var/lib/kubelet")),
                Kept(where.data / "cni", Path("/var/lib/cni")),
                Kept(where.logs, Path("/var/log")),
            ),
            programs=(found["containerd"].parent, found["runc"].parent),
            scripts={
                shim: containerd.shim_script(found["containerd"].with_name(containerd.SHIM)),
            },
        )


def _services(record: Record, where: Layout, found: Mapping[str, Path]) -> tuple[Service, ...]:
    return (
        Service(
            "containerd",
            [str(found["containerd"]), "--config", str(where.config / "containerd.toml")],
            {"GOGC": "50"},
        ),
        Service(
            KUBERNETES,
            [str(found["kubernetes"]), *_command_line(_components(record, where))],
            {"GOGC": "30"},
            # The kubelet does not wait for it.
            after=[socket_exists(SOCKET)],
        ),
    )


def _components(record: Record, where: Layout) -> dict[str, list[str]]:
    """Return the flags of each component of `toolchain/go/kubernetes`, in the order of starting."""
    return {
        "etcd": [f"--config-file={where.config / 'etcd.yaml'}"],
        "kube-apiserver": _api_server(record, where),
        "kubelet": [
            f"--config={where.config / 'kubelet.yaml'}",
            f"--kubeconfig={where.config / 'kubelet.kubeconfig'}",
            f"--hostname-override={record.name}",
            f"--node-ip={record.network.node_ip}",
        ],
        "kube-controller-manager": [
            *_controller_manager(record, where),
            *_own_access(where, "controller-manager"),
        ],
        "kube-scheduler": [
            f"--bind-address={_LOCAL}",
            "--leader-elect=false",
            "--profiling=false",
            *_own_access(where, "scheduler"),
        ],
        "kube-proxy": [f"--config={where.config / 'proxy.yaml'}"],
    }


def _command_line(components: Mapping[str, Sequence[str]]) -> list[str]:
    words = [word for name, flags in components.items() for word in ("--", name, *flags)]
    return words[1:]


def _etcd(record: Record, where: Layout) -> dict[str, Any]:
    own, authority = pki.pair(where, "etcd"), pki.pair(where, pki.ETCD).certificate
    client, peer = f"https://{_LOCAL}:{_ETCD_PORT}", f"https://{_LOCAL}:{_ETCD_PEER_PORT}"
    security = {
        "cert-file": str(own.certificate),
        "key-file": str(own.key),
        "trusted-ca-file": str(authority),
        "client-cert-auth": True,
    }
    return {
        "name": record.name,
        "data-dir": str(where.data / "etcd"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"{record.name}={peer}",
        "client-transport-security": security,
        "peer-transport-security": security,
    }


def _api_server(record: Record, where: Layout) -> list[str]:
    network = record.network
    serving = pki.pair(where, "apiserver")
    authority = pki.pair(where, pki.CLUSTER).certificate
    kubelet_client = pki.pair(where, "apiserver-kubelet-client")
    etcd_client = pki.pair(where, "apiserver-etcd-client")
    proxy_client = pki.pair(where, "front-proxy-client")
    return [
        f"--advertise-address={network.node_ip}",
        f"--secure-port={kubeconfig.API_PORT}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={authority}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
        f"--disabled-metrics={','.join(_UNREAD_METRICS)}",
        f"--service-cluster-ip-range={network.services}",
        f"--etcd-servers=https://{_LOCAL}:{_ETCD_PORT}",
        f"--etcd-cafile={pki.pair(where, pki.ETCD).certificate}",
        f"--etcd-certfile={etcd_client.certificate}",
        f"--etcd-keyfile={etcd_client.key}",
        f"--kubelet-certificate-authority={authority}",
        f"--kubelet-client-certificate={kubelet_client.certificate}",
        f"--kubelet-client-key={kubelet_client.key}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer=https://kubernetes.default.svc.{pki.DOMAIN}",
        f"--service-account-key-file={where.pki / f'{pki.SERVICE_ACCOUNT}.pub'}",
        f"--service-account-signing-key-file={where.pki / f'{pki.SERVICE_ACCOUNT}.key'}",
        f"--proxy-client-cert-file={proxy_client.certificate}",
        f"--proxy-client-key-file={proxy_client.key}",
        f"--requestheader-client-ca-file={pki.pair(where, pki.FRONT_PROXY).certificate}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
    ]


def _controller_manager(record: Record, where: Layout) -> list[str]:
    authority = pki.pair(where, pki.CLUSTER)
    return [
        f"--bind-address={_LOCAL}",
        # One node: nobody to agree with, and waiting for the last leader's lease costs a restart
        # 15 s.
        "--leader-elect=false",
        "--profiling=false",
        # It keeps the schemas of all types, 13 MiB, to write warnings about admission policies
        # into their status.
        "--controllers=*,-validatingadmissionpolicy-status-controller",
        # Its controllers ask for a token each, which the default limit of 20 requests a second
        # stretches to 5 s at every start.
        "--use-service-account-credentials=true",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        f"--service-cluster-ip-range={record.network.services}",
        f"--cluster-signing-cert-file={authority.certificate}",
        f"--cluster-signing-key-file={authority.key}",
        f"--root-ca-file={authority.certificate}",
        f"--service-account-private-key-file={where.pki / f'{pki.SERVICE_ACCOUNT}.key'}",
    ]


def _own_access(where: Layout, name: str) -> list[str]:
    """Return the flags by which a component reaches the API server and lets it judge callers."""
    file = where.config / f"{name}.kubeconfig"
    return [
        f"--kubeconfig={file}",
        f"--authentication-kubeconfig={file}",
        f"--authorization-kubeconfig={file}",
    ]


def cni_configuration(network: Network) -> str:
    """Return the network of the pods: each pod has a link of its own to the node, which routes.

    A bridge would need the kernel module br_netfilter, or answers from a Service to a pod of the
    same node would come from the wrong address.

    Args:
        network: Addresses of the cluster.
    """
    return _json(
        {
            "cniVersion": "1.0.0",
            "name": "slipway",
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": True,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": str(network.pods)}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
    )


def _kubelet(record: Record, where: Layout, machine: Machine) -> dict[str, Any]:
    serving = pki.pair(where, "kubelet")
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup_root(record.name),
        # Version 1 is deprecated, but some machines have nothing else.
        "failCgroupV1": False,
        "failSwapOn": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.pair(where, pki.CLUSTER).certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "clusterDNS": [str(record.network.dns_ip)],
        "clusterDomain": pki.DOMAIN,
        "resolvConf": str(where.config / "resolv.conf"),
        # Percentages would trip on a machine whose large disk is mostly full of other things.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "500Mi",
            "imagefs.available": "500Mi",
        },
        # Imported images cannot be pulled again, so none is ever collected.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "oomScoreAdj": -999 if machine.may_protect_from_oom else 0,
        "shutdownGracePeriod": "0s",
        "enableServer": True,
    }


def _proxy(record: Record, where: Layout, machine: Machine) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(where.config / "proxy.kubeconfig")},
        "hostnameOverride": record.name,
        "clusterCIDR": str(record.network.pods),
        # The limit is the machine's, and a network namespace may only read it.
        "conntrack": {"maxPerCore": 0, "min": 0},
        "oomScoreAdj": -999 if machine.may_protect_from_oom else 0,
    }


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"
