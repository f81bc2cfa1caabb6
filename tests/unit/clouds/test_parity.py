"""What every kind of cluster can do, and what every cloud can beyond that."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from infra import settings
from infra.contract import ClusterTraits
from infra.settings import stack_file
from tests.unit.clouds.built import CLOUDS, KINDS, STACKS, Built, usual


@pytest.fixture(name="built", params=KINDS, scope="module")
def _built(request: pytest.FixtureRequest) -> Built:
    return usual(request.param)


@pytest.fixture(name="cloud", params=CLOUDS, scope="module")
def _cloud(request: pytest.FixtureRequest) -> Built:
    return usual(request.param)


CAPABILITIES: dict[str, Callable[[ClusterTraits], object]] = {
    "a class of storage": lambda traits: traits.storage_class,
    "network policies": lambda traits: traits.network_policies,
    "a metrics server": lambda traits: traits.metrics_server,
    "a load balancer of its own": lambda traits: (
        traits.load_balancer.service_type == "LoadBalancer" and traits.address_pool is None
    ),
    "a place for GPU pods": lambda traits: traits.gpu is not None and traits.gpu.node_selector,
    "a registry": lambda traits: traits.registry,
    "a store of models": lambda traits: traits.models,
}

# What the nodes carry that a resource makes.
NODE_LABELS: dict[str, Callable[[Mapping[str, Any]], Mapping[str, str]]] = {
    "azure-native:containerservice:AgentPool": lambda inputs: inputs["nodeLabels"],
    "gcp:container/nodePool:NodePool": lambda inputs: inputs["nodeConfig"]["labels"],
    "kubernetes:karpenter.sh/v1:NodePool": lambda inputs: inputs["spec"]["template"]["metadata"][
        "labels"
    ],
}


def test_every_kind_has_a_stack_file() -> None:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse({"cluster": {"kind": "?"}})
    known = str(caught.value).partition("known: ")[2].split(", ")
    assert sorted(known) == sorted(KINDS)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_cloud_has(cloud: Built, capability: str) -> None:
    assert CAPABILITIES[capability](cloud.cluster.traits), capability


def test_every_cloud_gives_a_team_rights_of_its_own(cloud: Built) -> None:
    account = next(
        resource
        for resource in cloud.program.of_type("kubernetes:core/v1:ServiceAccount")
        if resource.name.endswith("-models")
    )
    annotations = account.inputs["metadata"].get("annotations")
    # Or bindings in the cloud, which name the account.
    bindings = [urn for urn in account.dependencies if re.search(r"[$:](aws|gcp):", urn)]
    assert annotations or bindings, account.label


def test_every_gateway_has_an_address_or_waits_for_one(built: Built) -> None:
    balancer = built.cluster.traits.load_balancer
    assert balancer.host or balancer.service_type == "LoadBalancer"
    assert built.program.outputs["endpoint"].startswith("https://")


def test_what_pods_tolerate_and_select_is_the_same_on_every_kind(built: Built) -> None:
    traits = built.cluster.traits
    assert traits.gpu_resource == "nvidia.com/gpu"
    assert "nvidia.com/gpu" not in {one.key for one in traits.cpu.tolerations}
    if traits.gpu is not None:
        assert "nvidia.com/gpu" in {one.key for one in traits.gpu.tolerations}


def test_a_model_chooses_any_pool_by_one_label_on_every_cloud(cloud: Built) -> None:
    carried = [
        labels(resource.inputs)
        for resource in cloud.program.resources
        for type_, labels in NODE_LABELS.items()
        if resource.type == type_
    ]
    pools = stack_file.read(STACKS[str(cloud.cluster.exports["kind"])])["cluster"]["pools"]
    assert {labels["slipway.local/pool"] for labels in carried} == set(pools)


def test_no_kubeconfig_of_a_cloud_holds_a_key(cloud: Built) -> None:
    config = yaml.safe_load(cloud.program.outputs["kubeconfig"])
    (user,) = config["users"]
    assert set(user["user"]) == {"exec"}, sorted(user["user"])
    assert user["user"]["exec"]["interactiveMode"] == "Never"
    (cluster,) = config["clusters"]
    # Without an authority it is a public one, as of GKE's DNS endpoints.
    assert {"server"} <= set(cluster["cluster"]) <= {"server", "certificate-authority-data"}
    assert cluster["cluster"]["server"].startswith("https://")


def test_nothing_in_a_cloud_is_passed_over_when_the_stack_goes(cloud: Built) -> None:
    assert cloud.cluster.deleted_with is None
