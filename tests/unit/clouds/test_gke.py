"""What a GKE cluster is made of: who reaches it, who may do what, what is kept, what is paid for.

Inputs have the types of Google's SDK, which mypy holds the program to; here it is their values.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from infra import clusters
from infra.clusters.gke.services import APIS
from infra.contract import ClusterHandle, ClusterTraits
from infra.settings.cluster.gke.catalog import ACCELERATORS, AS_OF, VERSIONS, supported
from infra.settings.cluster.gke.network import GkeNetworkSettings
from infra.settings.cluster.gke.nodes import Gpu
from tests.unit import mocked_program
from tests.unit.clouds import gke_answers
from tests.unit.mocked_program import Program, Registered
from toolchain.previews import kinds

Run = Callable[..., Program]

CLUSTER: Mapping[str, Any] = {"kind": "gke", "project": "example-ml", "region": "europe-west4"}
STANDARD: Mapping[str, Any] = {
    **CLUSTER,
    "mode": "standard",
    "pools": {"main": {"machine": "e2-standard-4", "max": 3}},
}
TEAMS = {"vision": {"quota": {"cpu": 2, "memory": "4Gi", "pods": 10, "storage": "1Gi"}}}
NODES = "serviceAccount:slipway-nodes@example-ml.iam.gserviceaccount.com"
MODELS_OF_VISION = (
    f"principal://iam.googleapis.com/projects/{gke_answers.PROJECT_NUMBER}/locations/global/"
    "workloadIdentityPools/example-ml.svc.id.goog/subject/ns/vision/sa/models"
)


@pytest.fixture(name="run")
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(cluster: Mapping[str, Any], **more: Any) -> Program:
        settings = {"cluster": dict(cluster), "teams": TEAMS, **more}
        config = {f"slipway:{name}": value for name, value in settings.items()}
        return mocked_program.run_stack(yaml.safe_dump({"config": config}), tmp_path, monkeypatch)

    return run


@pytest.fixture(name="traits_of")
def _traits_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ClusterTraits]:
    handles: list[ClusterHandle] = []
    usual = clusters.build

    def recording(*args: Any) -> ClusterHandle:
        handles.append(usual(*args))
        return handles[-1]

    def traits_of(cluster: Mapping[str, Any]) -> ClusterTraits:
        monkeypatch.setattr(clusters, "build", recording)
        run(cluster)
        return handles[-1].traits

    return traits_of


def _one(program: Program, type_: str, name: str | None = None) -> Registered:
    (found,) = (
        resource for resource in program.of_type(type_) if name is None or resource.name == name
    )
    return found


def _cluster(program: Program) -> Mapping[str, Any]:
    return _one(program, "gcp:container/cluster:Cluster").inputs


def _pools(program: Program) -> dict[str, Mapping[str, Any]]:
    return {pool.name: pool.inputs for pool in program.of_type("gcp:container/nodePool:NodePool")}


def _google(program: Program) -> list[Registered]:
    return [resource for resource in program.resources if resource.type.startswith("gcp:")]


def _bindings(program: Program) -> set[tuple[str, str]]:
    """Everything that anybody may do, as (who, role)."""
    return {
        (resource.inputs["member"], resource.inputs["role"])
        for resource in _google(program)
        if "member" in resource.inputs
    }


# Who reaches it.


@pytest.mark.parametrize("cluster", [CLUSTER, STANDARD], ids=["autopilot", "standard"])
def test_nodes_have_no_public_address(run: Run, cluster: Mapping[str, Any]) -> None:
    program = run(cluster)
    assert _cluster(program)["privateClusterConfig"]["enablePrivateNodes"] is True
    for pool in _pools(program).values():
        assert pool["networkConfig"]["enablePrivateNodes"] is True


def test_the_control_plane_is_at_no_address_unless_the_settings_say_so(run: Run) -> None:
    cluster = _cluster(run(CLUSTER))
    endpoints = cluster["controlPlaneEndpointsConfig"]
    assert endpoints["ipEndpointsConfig"]["enabled"] is False
    assert endpoints["dnsEndpointConfig"]["allowExternalTraffic"] is True
    assert cluster["privateClusterConfig"]["enablePrivateEndpoint"] is True
    assert not {"masterIpv4CidrBlock"} & set(cluster["privateClusterConfig"])
    assert "masterAuthorizedNetworksConfig" not in cluster


def test_a_private_control_plane_is_at_an_address_of_the_network_alone(run: Run) -> None:
    cluster = _cluster(run({**CLUSTER, "controlPlane": {"endpoint": "private"}}))
    endpoints = cluster["controlPlaneEndpointsConfig"]
    assert endpoints["ipEndpointsConfig"]["enabled"] is True
    assert endpoints["dnsEndpointConfig"]["allowExternalTraffic"] is False
    assert cluster["privateClusterConfig"]["enablePrivateEndpoint"] is True


def test_a_public_control_plane_is_open_to_the_authorised_networks_alone(run: Run) -> None:
    access = {"endpoint": "public", "authorizedNetworks": ["203.0.113.0/24"]}
    cluster = _cluster(run({**CLUSTER, "controlPlane": access}))
    assert cluster["privateClusterConfig"]["enablePrivateEndpoint"] is False
    networks = cluster["masterAuthorizedNetworksConfig"]
    assert [block["cidrBlock"] for block in networks["cidrBlocks"]] == ["203.0.113.0/24"]
    assert networks["gcpPublicCidrsAccessEnabled"] is False
    assert networks["privateEndpointEnforcementEnabled"] is True


@pytest.mark.parametrize(
    ("balancer", "annotation"),
    [
        ({}, {"networking.gke.io/load-balancer-type": "Internal"}),
        ({"loadBalancer": {"public": True}}, {"cloud.google.com/l4-rbs": "enabled"}),
    ],
)
def test_the_gateway_is_public_only_where_the_settings_say_so(
    run: Run, balancer: Mapping[str, Any], annotation: dict[str, str]
) -> None:
    service = _one(run({**CLUSTER, **balancer}), "kubernetes:core/v1:Service", "traefik")
    assert service.inputs["metadata"]["annotations"] == annotation


@pytest.mark.parametrize(
    ("public", "offered"), [(False, "gke-l7-rilb"), (True, "gke-l7-regional-external-managed")]
)
def test_the_gateway_class_that_is_offered_is_as_public_as_our_own_gateway(
    traits_of: Callable[..., ClusterTraits], public: bool, offered: str
) -> None:
    assert traits_of({**CLUSTER, "loadBalancer": {"public": public}}).gateway_class == offered


def test_google_brings_the_gateway_apis_types_and_nobody_else_does(run: Run) -> None:
    program = run(CLUSTER)
    assert _cluster(program)["gatewayApiConfig"] == {"channel": "CHANNEL_STANDARD"}
    types = [
        resource.inputs["metadata"]["name"]
        for resource in program.of_type(
            "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
        )
    ]
    assert types
    assert "things.gateway-api-crds.example" not in types


@pytest.mark.parametrize(
    ("version", "mounts"),
    [
        ({}, True),
        ({"channel": "stable"}, False),
        ({"channel": "stable", "version": "1.35"}, True),
        ({"channel": "extended", "version": "1.34"}, False),
    ],
)
def test_images_are_volumes_where_every_node_can_mount_them(
    traits_of: Callable[..., ClusterTraits], version: Mapping[str, Any], mounts: bool
) -> None:
    assert traits_of({**CLUSTER, **version}).image_volumes is mounts


def test_only_a_control_plane_that_has_addresses_is_let_to_nodes_and_to_nodes_alone(
    run: Run,
) -> None:
    assert run(CLUSTER).of_type("gcp:compute/firewall:Firewall") == []
    private = run({**CLUSTER, "controlPlane": {"endpoint": "private"}})
    rule = _one(private, "gcp:compute/firewall:Firewall").inputs
    assert rule["sourceRanges"] == ["172.16.0.0/28"]
    assert rule["targetServiceAccounts"] == [NODES.partition(":")[2]]


def test_nodes_reach_the_internet_and_the_network_makes_no_ranges_of_its_own(run: Run) -> None:
    program = run(CLUSTER)
    assert _one(program, "gcp:compute/network:Network").inputs["autoCreateSubnetworks"] is False
    nat = _one(program, "gcp:compute/routerNat:RouterNat")
    assert nat.inputs["subnetworks"][0]["sourceIpRangesToNats"] == ["ALL_IP_RANGES"]


def test_the_cluster_has_the_ranges_of_the_settings(run: Run) -> None:
    ranges = {
        "nodes": "10.64.0.0/22",
        "pods": "10.96.0.0/16",
        "services": "10.65.0.0/20",
        "controlPlane": "192.168.7.0/28",
        "proxies": "10.66.0.0/24",
    }
    program = run({**CLUSTER, "network": ranges, "controlPlane": {"endpoint": "private"}})
    nodes = _one(program, "gcp:compute/subnetwork:Subnetwork", "network-nodes").inputs
    proxies = _one(program, "gcp:compute/subnetwork:Subnetwork", "network-proxies").inputs
    secondary = {one["rangeName"]: one["ipCidrRange"] for one in nodes["secondaryIpRanges"]}
    used = {
        "nodes": nodes["ipCidrRange"],
        **secondary,
        "controlPlane": _cluster(program)["privateClusterConfig"]["masterIpv4CidrBlock"],
        "proxies": proxies["ipCidrRange"],
    }
    assert used == ranges
    policy = _cluster(program)["ipAllocationPolicy"]
    assert policy["clusterSecondaryRangeName"] in secondary
    assert policy["servicesSecondaryRangeName"] in secondary


def test_nothing_that_a_team_may_not_have_is_let_to_the_internet(run: Run) -> None:
    """Google's names of everybody and of whoever has an account."""
    for member, role in _bindings(run(CLUSTER)):
        assert member not in ("allUsers", "allAuthenticatedUsers"), role


# How it is spoken to.


def test_the_kubeconfig_names_the_dns_endpoint_and_a_public_authority(run: Run) -> None:
    config = yaml.safe_load(run(CLUSTER).outputs["kubeconfig"])
    (cluster,) = config["clusters"]
    assert cluster["cluster"] == {"server": f"https://{gke_answers.DNS_ENDPOINT}"}


@pytest.mark.parametrize("endpoint", ["private", "public"])
def test_the_kubeconfig_names_the_address_and_the_clusters_own_authority(
    run: Run, endpoint: str
) -> None:
    networks = ["203.0.113.0/24"] if endpoint == "public" else []
    access = {"endpoint": endpoint, "authorizedNetworks": networks}
    config = yaml.safe_load(run({**CLUSTER, "controlPlane": access}).outputs["kubeconfig"])
    (cluster,) = config["clusters"]
    assert cluster["cluster"] == {
        "server": f"https://{gke_answers.ENDPOINT}",
        "certificate-authority-data": gke_answers.CA,
    }


def test_whoever_runs_pulumi_gets_a_token_of_their_own(run: Run) -> None:
    program = run(CLUSTER)
    (user,) = yaml.safe_load(program.outputs["kubeconfig"])["users"]
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert user["user"]["exec"]["args"] == ["--use_application_default_credentials"]
    assert "kubeconfig" in program.secret_outputs


# Who may do what.


def test_nobody_has_more_than_these_rights(run: Run) -> None:
    gke = f"service-{gke_answers.PROJECT_NUMBER}@container-engine-robot.iam.gserviceaccount.com"
    assert _bindings(run(STANDARD)) == {
        (NODES, "roles/container.defaultNodeServiceAccount"),
        (NODES, "roles/artifactregistry.reader"),
        (f"serviceAccount:{gke}", "roles/cloudkms.cryptoKeyEncrypterDecrypter"),
        (MODELS_OF_VISION, "roles/storage.objectViewer"),
        (MODELS_OF_VISION, "roles/secretmanager.secretAccessor"),
    }


def test_rights_that_are_not_bound_to_a_resource_are_the_nodes_or_have_a_condition(
    run: Run,
) -> None:
    for binding in run(CLUSTER).of_type("gcp:projects/iAMMember:IAMMember"):
        assert binding.inputs["member"] == NODES or binding.inputs["condition"], binding.label


def test_a_team_reads_its_own_secrets_alone(run: Run) -> None:
    binding = _one(run(CLUSTER), "gcp:projects/iAMMember:IAMMember", "vision-models-reads-secrets")
    # A team `vision-lab` has `vision-lab_...`, which does not begin so.
    assert binding.inputs["condition"]["expression"] == (
        f'resource.name.startsWith("projects/{gke_answers.PROJECT_NUMBER}/secrets/vision_")'
    )


def test_a_team_reads_its_own_models_alone(run: Run) -> None:
    program = run(CLUSTER)
    binding = _one(program, "gcp:storage/managedFolderIamMember:ManagedFolderIamMember")
    assert binding.inputs["managedFolder"] == "vision/"
    assert not program.of_type("gcp:storage/bucketIAMMember:BucketIAMMember")


def test_a_teams_account_waits_for_its_rights_and_its_downloads_reach_the_metadata_server(
    run: Run,
) -> None:
    models = {
        "digits": {
            "team": "vision",
            "format": "onnx",
            "uri": "gs://example-ml-slipway-models/vision/digits.onnx",
            "version": "1",
        }
    }
    program = run(CLUSTER, models=models)
    account = _one(program, "kubernetes:core/v1:ServiceAccount", "vision-models")
    for name in ("vision-models-reads-models", "vision-models-reads-secrets"):
        assert any(urn.endswith(f"::{name}") for urn in account.dependencies), name
    policy = _one(
        program, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "digits-storage"
    ).inputs["spec"]
    reached = [
        (peer["ipBlock"]["cidr"], rule["ports"][0]["port"])
        for rule in policy["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    assert ("169.254.169.254/32", 80) in reached


@pytest.mark.parametrize("cluster", [CLUSTER, STANDARD], ids=["autopilot", "standard"])
def test_no_node_has_googles_default_account(run: Run, cluster: Mapping[str, Any]) -> None:
    program = run(cluster)
    account = NODES.partition(":")[2]
    inputs = _cluster(program)
    accounts = [pool["nodeConfig"]["serviceAccount"] for pool in _pools(program).values()]
    if inputs.get("enableAutopilot"):
        defaults = inputs["clusterAutoscaling"]["autoProvisioningDefaults"]
        accounts.append(defaults["serviceAccount"])
    else:
        accounts.append(inputs["nodeConfig"]["serviceAccount"])
    assert set(accounts) == {account}


def test_pods_of_a_standard_cluster_get_no_token_of_the_node(run: Run) -> None:
    program = run(STANDARD)
    assert _cluster(program)["workloadIdentityConfig"]["workloadPool"] == "example-ml.svc.id.goog"
    for pool in _pools(program).values():
        assert pool["nodeConfig"]["workloadMetadataConfig"]["mode"] == "GKE_METADATA"


# How it is hardened.


@pytest.mark.parametrize("cluster", [CLUSTER, STANDARD], ids=["autopilot", "standard"])
def test_secrets_are_encrypted_with_a_key_of_the_project_that_changes(
    run: Run, cluster: Mapping[str, Any]
) -> None:
    program = run(cluster)
    key = _one(program, "gcp:kms/cryptoKey:CryptoKey")
    assert key.inputs["rotationPeriod"] == "7776000s"
    encryption = _cluster(program)["databaseEncryption"]
    assert encryption == {"state": "ENCRYPTED", "keyName": key.name}


def test_a_standard_cluster_says_what_autopilot_always_has(run: Run) -> None:
    program = run({**STANDARD, "autoProvisioning": {"cpu": 64, "memory": 256}})
    cluster = _cluster(program)
    assert cluster["datapathProvider"] == "ADVANCED_DATAPATH"
    assert cluster["enableShieldedNodes"] is True
    defaults = cluster["clusterAutoscaling"]["autoProvisioningDefaults"]
    shielded = {"enableSecureBoot": True, "enableIntegrityMonitoring": True}
    assert defaults["shieldedInstanceConfig"] == shielded
    for pool in _pools(program).values():
        assert pool["nodeConfig"]["shieldedInstanceConfig"] == shielded
        assert pool["nodeConfig"]["kubeletConfig"]["insecureKubeletReadonlyPortEnabled"] == "FALSE"
        assert pool["management"] == {"autoRepair": True, "autoUpgrade": True}


@pytest.mark.parametrize("cluster", [CLUSTER, STANDARD], ids=["autopilot", "standard"])
def test_nobody_is_anonymous_or_gets_rights_as_anybody(
    run: Run, cluster: Mapping[str, Any]
) -> None:
    inputs = _cluster(run(cluster))
    assert inputs["anonymousAuthenticationConfig"]["mode"] == "LIMITED"
    assert set(inputs["rbacBindingConfig"].values()) == {False}


def test_autopilot_is_told_nothing_that_it_decides_itself(run: Run) -> None:
    # The provider refuses these beside `enableAutopilot`.
    refused = {
        "addonsConfig",
        "datapathProvider",
        "enableShieldedNodes",
        "initialNodeCount",
        "nodeConfig",
        "removeDefaultNodePool",
        "workloadIdentityConfig",
    }
    cluster = _cluster(run(CLUSTER))
    assert cluster["enableAutopilot"] is True
    assert not refused & set(cluster)


def test_models_are_never_public_and_can_be_had_back(run: Run) -> None:
    bucket = _one(run(CLUSTER), "gcp:storage/bucket:Bucket").inputs
    assert bucket["publicAccessPrevention"] == "enforced"
    assert bucket["uniformBucketLevelAccess"] is True
    assert bucket["versioning"] == {"enabled": True}
    assert bucket["forceDestroy"] is False


# What is kept.


PROTECTED = {
    "cluster",
    "images",
    "models",
    "network",
    "network-nodes",
    "network-proxies",
    "secrets-key",
    "secrets-key-ring",
}


def _protected(program: Program) -> set[str]:
    return {resource.name for resource in _google(program) if resource.protected}


def test_what_holds_state_and_what_takes_it_along_is_protected(run: Run) -> None:
    program = run(CLUSTER)
    assert _protected(program) == PROTECTED
    assert _cluster(program)["deletionProtection"] is True


def test_the_report_of_a_preview_knows_everything_that_is_protected_as_state(run: Run) -> None:
    for resource in _google(run(CLUSTER)):
        known = kinds.stateful(resource.type, resource.inputs) is not None
        assert known == resource.protected, resource.label


def test_an_approval_takes_the_protection_off_what_it_names_alone(run: Run) -> None:
    program = run(CLUSTER, approve=["cluster"])
    assert _protected(program) == PROTECTED - {"cluster"}
    assert _cluster(program)["deletionProtection"] is False


def test_one_setting_takes_the_protection_off(run: Run) -> None:
    program = run({**CLUSTER, "protect": False})
    assert _protected(program) == set()
    assert _cluster(program)["deletionProtection"] is False


def test_no_api_is_used_before_it_is_on_nor_switched_off_for_others(run: Run) -> None:
    program = run(CLUSTER)
    services = program.of_type("gcp:projects/service:Service")
    assert {service.inputs["service"] for service in services} == {
        f"{api}.googleapis.com" for api in APIS
    }
    assert {service.inputs["disableOnDestroy"] for service in services} == {False}
    provider = _one(program, "pulumi:providers:gcp", "google")
    assert {service.urn for service in services} <= provider.dependencies
    for resource in _google(program):
        if resource not in services:
            assert f"::{provider.name}::" in resource.provider, resource.label


def test_objects_go_before_the_nodes_and_the_way_out_that_they_need(run: Run) -> None:
    program = run(STANDARD)
    provider = _one(program, "pulumi:providers:kubernetes")
    for type_, name in (
        ("gcp:container/cluster:Cluster", "cluster"),
        ("gcp:container/nodePool:NodePool", "main"),
        ("gcp:compute/routerNat:RouterNat", "network-nat"),
        ("gcp:projects/iAMMember:IAMMember", "nodes"),
        ("gcp:artifactregistry/repositoryIamMember:RepositoryIamMember", "images-nodes"),
    ):
        assert _one(program, type_, name).urn in provider.dependencies, name


# Nodes.


def test_a_pool_is_bounded_over_all_zones(run: Run) -> None:
    pools = {"main": {"machine": "e2-standard-4", "min": 2, "max": 7}}
    pool = _pools(run({**STANDARD, "pools": pools}))["main"]
    scaling = pool["autoscaling"]
    assert (scaling["totalMinNodeCount"], scaling["totalMaxNodeCount"]) == (2, 7)
    # A name of Google's own choice would be taken while its successor is made.
    assert "name" not in pool


@pytest.mark.parametrize(
    ("pool", "gpu", "count"),
    [
        ({"machine": "g2-standard-8"}, "nvidia-l4", 1),
        ({"machine": "g2-standard-48"}, "nvidia-l4", 4),
        ({"machine": "a2-highgpu-2g"}, "nvidia-tesla-a100", 2),
        ({"machine": "a2-ultragpu-1g"}, "nvidia-a100-80gb", 1),
        ({"machine": "a3-highgpu-8g"}, "nvidia-h100-80gb", 8),
        ({"machine": "n1-standard-8", "accelerator": "nvidia-tesla-t4"}, "nvidia-tesla-t4", 1),
        (
            {"machine": "n1-standard-8", "accelerator": "nvidia-tesla-t4", "gpus": 2},
            "nvidia-tesla-t4",
            2,
        ),
    ],
)
def test_a_gpu_pool_has_the_gpus_of_its_machine_with_their_driver(
    run: Run, pool: Mapping[str, Any], gpu: str, count: int
) -> None:
    pools = {**STANDARD["pools"], "gpu": {**pool, "gpu": True, "max": 2}}
    made = _pools(run({**STANDARD, "pools": pools}))["gpu"]["nodeConfig"]
    assert made["guestAccelerators"] == [
        {
            "type": gpu,
            "count": count,
            "gpuDriverInstallationConfig": {"gpuDriverVersion": "DEFAULT"},
        }
    ]


def _gpu_model() -> dict[str, Any]:
    return {
        "models": {
            "digits": {
                "team": "vision",
                "format": "onnx",
                "uri": "gs://example-ml-slipway-models/vision/digits.onnx",
                "version": "1",
                "resources": {"gpu": 1},
            }
        },
        "teams": {"vision": {"quota": {**TEAMS["vision"]["quota"], "gpu": 2}}},
    }


@pytest.mark.parametrize(
    "cluster",
    [
        {**CLUSTER, "autopilot": {"accelerator": "nvidia-l4"}},
        {
            **STANDARD,
            "pools": {
                **STANDARD["pools"],
                "gpu": {"machine": "g2-standard-8", "gpu": True, "max": 2},
            },
        },
    ],
    ids=["autopilot", "standard"],
)
def test_a_model_with_a_gpu_runs_where_google_has_that_gpu(
    run: Run, cluster: Mapping[str, Any]
) -> None:
    program = run(cluster, **_gpu_model())
    (spec,) = (
        template["spec"] for resource, template in program.pods() if resource.name == "digits"
    )
    assert spec["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    assert "nvidia.com/gpu" in {one["key"] for one in spec["tolerations"]}


def test_spot_nodes_and_their_stand_ins_take_the_same_pods(run: Run) -> None:
    pools = {
        **STANDARD["pools"],
        "batch": {"machine": "e2-standard-8", "spot": True, "max": 9, "fallback": 2},
    }
    made = _pools(run({**STANDARD, "pools": pools}))
    spot, stand_in = made["batch"], made["batch-on-demand"]
    assert (spot["nodeConfig"]["spot"], stand_in["nodeConfig"]["spot"]) == (True, False)
    assert stand_in["autoscaling"]["totalMaxNodeCount"] == 2
    for pool in (spot, stand_in):
        assert pool["nodeConfig"]["labels"] == {"slipway.local/pool": "batch"}
        assert pool["nodeConfig"]["taints"] == [
            {"key": "slipway.local/pool", "value": "batch", "effect": "NO_SCHEDULE"}
        ]
    assert made["main"]["nodeConfig"]["taints"] == []


def test_a_gpu_pool_keeps_others_away_whichever_pool_is_made_first(run: Run) -> None:
    l4 = {"machine": "g2-standard-8", "gpu": True, "max": 4}
    pools = {
        **STANDARD["pools"],
        "l4": l4,
        "spot": {**l4, "spot": True, "fallback": 1},
    }
    made = _pools(run({**STANDARD, "pools": pools}))
    gpu = {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
    for name in ("l4", "spot", "spot-on-demand"):
        assert gpu in made[name]["nodeConfig"]["taints"], name
    assert gpu not in made["main"]["nodeConfig"]["taints"]


def test_a_class_of_spot_nodes_of_autopilot_falls_back_on_demand(run: Run) -> None:
    spot = {"batch": {"series": "n2"}, "l4": {"accelerator": "nvidia-l4"}}
    program = run({**CLUSTER, "autopilot": {"spot": spot}})
    classes = {
        resource.name: resource.inputs["spec"]
        for resource in program.resources
        if resource.type == "kubernetes:cloud.google.com/v1:ComputeClass"
    }
    assert classes["batch"]["priorities"] == [
        {"machineFamily": "n2", "spot": True},
        {"machineFamily": "n2", "spot": False},
    ]
    assert classes["l4"]["priorities"] == [
        {"gpu": {"type": "nvidia-l4", "count": 1}, "spot": True},
        {"gpu": {"type": "nvidia-l4", "count": 1}, "spot": False},
    ]


def test_a_system_pool_is_for_what_gke_runs(run: Run) -> None:
    pools = {**STANDARD["pools"], "system": {"machine": "e2-standard-2", "max": 3, "system": True}}
    taints = _pools(run({**STANDARD, "pools": pools}))["system"]["nodeConfig"]["taints"]
    assert taints == [
        {
            "key": "components.gke.io/gke-managed-components",
            "value": "true",
            "effect": "NO_SCHEDULE",
        }
    ]


def test_pools_that_gke_adds_are_bounded(run: Run) -> None:
    limits = {"cpu": 64, "memory": 256, "gpus": {"nvidia-l4": 4}}
    scaling = _cluster(run({**STANDARD, "autoProvisioning": limits}))["clusterAutoscaling"]
    assert scaling["enabled"] is True
    assert {one["resourceType"]: one["maximum"] for one in scaling["resourceLimits"]} == {
        "cpu": 64,
        "memory": 256,
        "nvidia-l4": 4,
    }
    assert _cluster(run(STANDARD))["clusterAutoscaling"]["enabled"] is False


# What is copied from Google's documents.


def test_every_gpu_that_the_settings_know_has_its_machines() -> None:
    assert set(get_args(Gpu)) == set(ACCELERATORS)
    for name, accelerator in ACCELERATORS.items():
        assert bool(accelerator.machines) != bool(accelerator.counts), name
        for machine in accelerator.machines:
            assert machine.startswith(f"{accelerator.series}-"), machine


def test_every_channel_supports_a_version_and_no_date_is_before_another() -> None:
    assert [version for version in supported("regular") if VERSIONS[version].standard < AS_OF] == []
    assert set(supported("regular")) < set(supported("extended"))
    for version, support in VERSIONS.items():
        assert support.standard < support.extended, version


@pytest.mark.parametrize(("pods", "nodes"), [("10.4.0.0/14", 1024), ("10.4.0.0/20", 16)])
def test_a_node_takes_a_24_of_the_range_of_pods(pods: str, nodes: int) -> None:
    assert GkeNetworkSettings.model_validate({"pods": pods}).most_nodes == nodes
