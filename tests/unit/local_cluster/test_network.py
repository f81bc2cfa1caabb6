"""Addresses, resolvers and firewall rules of nodes."""

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from toolchain.local_cluster import network
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.spec import NAME_LIMIT


def test_the_first_cluster_gets_the_first_link_and_the_ranges_of_k3s() -> None:
    planned = network.plan([], [])
    assert planned.link == IPv4Network("10.231.0.0/28")
    assert (planned.host_ip, planned.node_ip) == (
        IPv4Address("10.231.0.1"),
        IPv4Address("10.231.0.2"),
    )
    assert (str(planned.pods), str(planned.services)) == ("10.42.0.0/16", "10.43.0.0/16")
    assert str(planned.api_service_ip) == "10.43.0.1"
    assert str(planned.dns_ip) == "10.43.0.10"


def test_two_clusters_never_share_a_link_but_may_share_the_inner_ranges() -> None:
    first = network.plan([], [])
    second = network.plan([], [first.link])
    assert not first.link.overlaps(second.link)
    assert first.pods == second.pods


def test_a_link_has_room_for_load_balancers_beside_machine_and_node() -> None:
    planned = network.plan([], [])
    assert planned.address_pool == "10.231.0.4-10.231.0.14"
    first, last = map(IPv4Address, planned.address_pool.split("-"))
    assert first in planned.link and last in planned.link
    assert not {planned.host_ip, planned.node_ip, planned.link[-1]} & {
        IPv4Address(number) for number in range(int(first), int(last) + 1)
    }


def test_the_link_of_an_earlier_slipway_has_no_pool_and_is_not_taken_again() -> None:
    narrow = IPv4Network("10.231.0.4/30")
    planned = network.plan([], [narrow])
    assert planned.link == IPv4Network("10.231.0.16/28")
    assert replace(planned, link=narrow).address_pool is None


def test_the_link_of_a_removed_cluster_is_used_again() -> None:
    first = network.plan([], [])
    second = network.plan([], [first.link])
    assert network.plan([], [second.link]).link == first.link


def test_a_link_that_the_machine_routes_elsewhere_is_not_taken() -> None:
    planned = network.plan([IPv4Network("10.231.0.8/29")], [])
    assert planned.link == IPv4Network("10.231.0.16/28")


def test_a_machine_that_routes_all_of_ten_gets_other_ranges() -> None:
    everything = IPv4Network("10.0.0.0/8")
    planned = network.plan([everything], [])
    for chosen in (planned.link, planned.pods, planned.services):
        assert not chosen.overlaps(everything)


def test_a_resolver_within_a_range_makes_it_unusable() -> None:
    planned = network.plan([IPv4Network("10.43.7.53/32")], [])
    assert not planned.services.overlaps(IPv4Network("10.43.7.53/32"))


def test_a_machine_that_routes_everything_is_told_so() -> None:
    with pytest.raises(LocalClusterError, match="no address range is free for the node"):
        network.plan([IPv4Network("0.0.0.0/0")], [])


def test_pods_and_services_never_overlap_each_other_or_the_links() -> None:
    for pods, services in network._CLUSTER_RANGES:
        assert not pods.overlaps(services)
        assert not any(
            pool.overlaps(net) for pool in network.LINK_POOLS for net in (pods, services)
        )


def test_routes_are_networks_and_default_routes_are_uplinks() -> None:
    document = [
        {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "flags": []},
        {"dst": "192.0.2.0/24", "dev": "eth0", "protocol": "kernel"},
        {"dst": "198.51.100.7", "dev": "tun0"},
    ]
    networks, uplinks = network.parse_routes(json.dumps(document))
    assert networks == [IPv4Network("192.0.2.0/24"), IPv4Network("198.51.100.7/32")]
    assert uplinks == ["eth0"]


def test_a_machine_without_routes_has_none() -> None:
    assert network.parse_routes("") == ([], [])


def test_loopback_and_ipv6_resolvers_are_left_out() -> None:
    text = "# made by hand\nnameserver 127.0.0.53\nnameserver fd00::1\nnameserver 192.0.2.53 \n"
    assert network.parse_resolvers(text) == [IPv4Address("192.0.2.53")]


def test_the_resolvers_behind_a_loopback_stub_are_found(tmp_path: Path) -> None:
    folder = tmp_path
    stub, real = folder / "stub", folder / "real"
    stub.write_text("nameserver 127.0.0.53\n")
    real.write_text("nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    found = network.resolvers([stub, folder / "missing", real])
    assert found == [IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")]


def test_interface_names_fit_linux_and_differ() -> None:
    names = ["a", "local", "x" * NAME_LIMIT, "x" * (NAME_LIMIT - 1)]
    interfaces = {network.interface(name) for name in names}
    assert len(interfaces) == len(names)
    assert all(len(interface) <= 15 for interface in interfaces)


def test_only_rules_with_exactly_the_clusters_mark_are_found() -> None:
    listing = "\n".join(
        [
            "-P FORWARD ACCEPT",
            "-A FORWARD -i slw1 -m comment --comment slipway-local -j ACCEPT",
            '-A FORWARD -i slw2 -m comment --comment "slipway-local" -j ACCEPT',
            "-A FORWARD -i slw3 -m comment --comment slipway-local2 -j ACCEPT",
            '-A FORWARD -i docker0 -m comment --comment "for slipway-local" -j ACCEPT',
        ]
    )
    found = network.parse_rules(listing, network.comment("local"))
    assert [words[2] for words in found] == ["slw1", "slw2"]


def test_every_rule_of_a_cluster_carries_its_mark() -> None:
    for _, _, match in network.rules("local", network.plan([], [])):
        assert match[match.index("--comment") + 1] == "slipway-local"


def test_no_packet_to_a_service_leaves_the_node() -> None:
    planned = network.plan([], [])
    table, chain, match = network.rules("local", planned)[-1]
    assert (table, chain) == ("filter", "FORWARD")
    assert match[match.index("-d") + 1] == str(planned.services)
    assert match[-2:] == ("-j", "REJECT")
