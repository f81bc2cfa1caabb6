"""The cluster on AKS: what is open, who may do what, what stays, and which nodes there are."""

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.clusters.aks.scope import ROLES, Names, container
from infra.clusters.aks.traits import mounts_images
from infra.settings import AksClusterSettings
from infra.settings.cluster.aks import CALENDAR, VERSIONS
from infra.settings.cluster.azure import VmSize, firewall_rules
from tests.unit import mocked_program
from tests.unit.clouds import aks_answers
from tests.unit.mocked_program import Program

(STACK_FILE,) = (path for path in mocked_program.STACK_FILES if path.name == "Pulumi.aks.yaml")
STACK = yaml.safe_load(STACK_FILE.read_text())
AZURE = "azure-native:"
CLUSTER = f"{AZURE}containerservice:ManagedCluster"
POOL = f"{AZURE}containerservice:AgentPool"

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield mocked_program.run(STACK_FILE, tmp_path_factory.mktemp("project"), monkeypatch)


@pytest.fixture(name="changed")
def _changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Program]:
    """Run the program of the stack file with other keys."""

    def run(*, approve: tuple[str, ...] = (), **keys: object) -> Program:
        config = json.loads(json.dumps(STACK["config"]))
        if approve:
            config["slipway:approve"] = list(approve)
        cluster = {**config["slipway:cluster"], **keys}
        config["slipway:cluster"] = {k: v for k, v in cluster.items() if v is not None}
        return mocked_program.run_stack(yaml.safe_dump({"config": config}), tmp_path, monkeypatch)

    return run


def _one(program: Program, type_: str) -> Mapping[str, Any]:
    (resource,) = program.of_type(type_)
    return resource.inputs


def _pools(program: Program) -> dict[str, Mapping[str, Any]]:
    return {pool.inputs["agentPoolName"]: pool.inputs for pool in program.of_type(POOL)}


def _gateway(program: Program) -> Mapping[str, Any]:
    services = program.of_type("kubernetes:core/v1:Service")
    (gateway,) = (service for service in services if service.name == "traefik")
    return gateway.inputs


# What is open.


def test_the_models_are_read_with_a_token_alone_and_from_known_networks(program: Program) -> None:
    account = _one(program, f"{AZURE}storage:StorageAccount")
    assert account["allowBlobPublicAccess"] is False
    assert account["allowSharedKeyAccess"] is False
    assert account["enableHttpsTrafficOnly"] is True
    assert account["minimumTlsVersion"] == "TLS1_2"
    rules = account["networkRuleSet"]
    assert rules["defaultAction"] == "Deny"
    assert [rule["iPAddressOrRange"] for rule in rules["ipRules"]] == ["203.0.113.0/24"]
    assert [rule["virtualNetworkResourceId"] for rule in rules["virtualNetworkRules"]] == [
        "network-nodes"
    ]
    for blobs in program.of_type(f"{AZURE}storage:BlobContainer"):
        assert blobs.inputs["publicAccess"] == "None", blobs.label


def test_secrets_are_read_by_role_alone_and_cannot_be_purged(program: Program) -> None:
    vault = _one(program, f"{AZURE}keyvault:Vault")["properties"]
    assert vault["enableRbacAuthorization"] is True
    assert vault["enablePurgeProtection"] is True
    assert vault["enableSoftDelete"] is True
    assert vault["networkAcls"]["defaultAction"] == "Deny"
    assert vault["networkAcls"]["virtualNetworkRules"] == [{"id": "network-nodes"}]


def test_the_subnet_has_what_the_firewalls_of_the_stores_know_it_by(program: Program) -> None:
    subnet = _one(program, f"{AZURE}network:Subnet")
    assert {endpoint["service"] for endpoint in subnet["serviceEndpoints"]} == {
        "Microsoft.KeyVault",
        "Microsoft.Storage",
    }


def test_nobody_pulls_images_without_a_token(program: Program) -> None:
    registry = _one(program, f"{AZURE}containerregistry:Registry")
    assert registry["adminUserEnabled"] is False
    assert registry["anonymousPullEnabled"] is False


def test_the_api_server_knows_entra_alone_and_answers_known_ranges(program: Program) -> None:
    cluster = _one(program, CLUSTER)
    assert cluster["disableLocalAccounts"] is True
    assert cluster["enableRBAC"] is True
    assert cluster["aadProfile"]["managed"] is True
    assert cluster["aadProfile"]["adminGroupObjectIDs"] == ["aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"]
    access = cluster["apiServerAccessProfile"]
    assert access["authorizedIPRanges"] == ["203.0.113.0/24"]
    assert access["disableRunCommand"] is True


def test_a_private_cluster_has_no_address_outside(changed: Callable[..., Program]) -> None:
    program = changed(private=True, authorizedIpRanges=None)
    access = _one(program, CLUSTER)["apiServerAccessProfile"]
    assert access["enablePrivateCluster"] is True
    assert access["enablePrivateClusterPublicFQDN"] is False
    assert "authorizedIPRanges" not in access
    assert _one(program, f"{AZURE}storage:StorageAccount")["networkRuleSet"]["ipRules"] == []


def test_the_gateway_is_public_only_when_it_is_asked_for(
    program: Program, changed: Callable[..., Program]
) -> None:
    internal = "service.beta.kubernetes.io/azure-load-balancer-internal"
    assert _gateway(program)["metadata"]["annotations"][internal] == "true"
    public = _gateway(changed(publicGateway=True))
    assert internal not in public["metadata"].get("annotations", {})


def test_no_node_has_a_public_address_or_an_unencrypted_disk(program: Program) -> None:
    system = _one(program, CLUSTER)["agentPoolProfiles"]
    for pool in (*system, *_pools(program).values()):
        assert pool["enableNodePublicIP"] is False
        assert pool["enableEncryptionAtHost"] is True
    assert _one(program, f"{AZURE}network:Subnet")["defaultOutboundAccess"] is False


# Who may do what.


def test_the_role_assignments_are_these_and_each_is_of_one_resource(program: Program) -> None:
    names = {identifier: name for name, identifier in ROLES.items()}
    assigned = {
        (
            names[one.inputs["roleDefinitionId"].rpartition("/")[2]],
            one.inputs["principalId"],
            one.inputs["scope"],
        )
        for one in program.of_type(f"{AZURE}authorization:RoleAssignment")
    }
    assert assigned == {
        ("Network Contributor", "principal-of-ml-control-plane", "network-nodes"),
        ("Managed Identity Operator", "principal-of-ml-control-plane", "kubelet"),
        ("AcrPull", "principal-of-ml-kubelet", "registry"),
        ("Storage Blob Data Reader", "principal-of-ml-vision", "vision-models"),
        ("Key Vault Secrets User", "principal-of-ml-vision", "vision-secrets"),
    }


def test_the_names_of_role_assignments_are_the_same_in_every_run(
    program: Program, changed: Callable[..., Program]
) -> None:
    def named(of: Program) -> dict[str, str]:
        return {
            one.name: one.inputs["roleAssignmentName"]
            for one in of.of_type(f"{AZURE}authorization:RoleAssignment")
        }

    names = named(program)
    assert len({uuid.UUID(name) for name in names.values()}) == len(names)
    assert named(changed(version="1.37")) == names
    assert not set(named(changed(name="other")).values()) & set(names.values())


def test_the_control_plane_starts_with_its_rights(program: Program) -> None:
    (cluster,) = program.of_type(CLUSTER)
    waited_for = {urn.rpartition("::")[2] for urn in cluster.dependencies}
    assert {"control-plane-subnet", "control-plane-kubelet", "kubelet-registry"} <= waited_for


def test_entra_trusts_one_service_account_of_a_team(program: Program) -> None:
    trust = _one(program, f"{AZURE}managedidentity:FederatedIdentityCredential")
    assert trust["subject"] == "system:serviceaccount:vision:models"
    assert trust["issuer"] == "https://issuer.example/5e8a/"
    assert trust["audiences"] == ["api://AzureADTokenExchange"]


def test_pods_of_a_team_carry_what_gives_them_its_identity(program: Program) -> None:
    accounts = program.of_type("kubernetes:core/v1:ServiceAccount")
    (account,) = (one for one in accounts if one.inputs["metadata"].get("namespace") == "vision")
    assert account.inputs["metadata"]["annotations"] == {
        "azure.workload.identity/client-id": "client-of-ml-vision"
    }
    deployments = program.of_type("kubernetes:apps/v1:Deployment")
    (model,) = (one for one in deployments if one.inputs["metadata"].get("namespace") == "vision")
    labels = model.inputs["spec"]["template"]["metadata"]["labels"]
    assert labels["azure.workload.identity/use"] == "true"


def test_the_kubeconfig_takes_the_address_and_nothing_secret_of_azures(program: Program) -> None:
    text = program.outputs["kubeconfig"]
    config = yaml.safe_load(text)
    assert config["clusters"][0]["cluster"]["server"].endswith(".azmk8s.io:443")
    user = config["users"][0]["user"]["exec"]
    assert user["command"] == "kubelogin"
    assert "66666666-7777-8888-9999-000000000000" in user["args"]
    assert aks_answers.TOKEN not in text


# What stays.


def test_what_holds_state_and_what_carries_it_is_protected(program: Program) -> None:
    assert {resource.name for resource in program.resources if resource.protected} == {
        "cluster",
        "logs",
        "models",
        "network",
        "network-nodes",
        "registry",
        "resource-group",
        "vision-models",
        "vision-secrets",
    }


def test_what_is_approved_may_go_and_nothing_else(
    program: Program, changed: Callable[..., Program]
) -> None:
    def protected(of: Program) -> set[str]:
        return {resource.name for resource in of.resources if resource.protected}

    assert protected(program) - protected(changed(approve=("cluster",))) == {"cluster"}
    assert protected(changed(protect=False)) == set()


def test_every_resource_of_a_fixed_name_is_in_the_one_group(program: Program) -> None:
    elsewhere = {"resources:ResourceGroup", "authorization:RoleAssignment"}
    elsewhere |= {"monitor:DiagnosticSetting"}
    for resource in program.resources:
        kind = resource.type.removeprefix(AZURE)
        if resource.type.startswith(AZURE) and kind not in elsewhere:
            assert resource.inputs["resourceGroupName"] == "slipway-ml", resource.label


def test_objects_of_the_cluster_go_before_its_nodes(program: Program) -> None:
    (provider,) = program.of_type("pulumi:providers:kubernetes")
    waited_for = {urn.rpartition("::")[2] for urn in provider.dependencies}
    assert {f"pool-{name}" for name in _pools(program)} <= waited_for


def test_objects_go_before_the_nodes_that_karpenter_makes(changed: Callable[..., Program]) -> None:
    pools = {"cpu": {"vmSize": "Standard_D8ds_v5", "max": 4}}
    program = changed(nodeProvisioning="auto", pools=pools)
    (provider,) = (
        one for one in program.of_type("pulumi:providers:kubernetes") if one.name == "cluster"
    )
    (pool,) = (one for one in program.kubernetes() if one.inputs.get("kind") == "NodePool")
    assert pool.urn in provider.dependencies
    for one in program.of_type("kubernetes:core/v1:Namespace"):
        assert one.provider.startswith(f"{provider.urn}::"), one.label


# Which nodes there are.


def test_the_network_is_an_overlay_that_cilium_enforces_policies_in(program: Program) -> None:
    network = _one(program, CLUSTER)["networkProfile"]
    assert (network["networkPlugin"], network["networkPluginMode"]) == ("azure", "overlay")
    assert (network["networkDataplane"], network["networkPolicy"]) == ("cilium", "cilium")
    assert network["dnsServiceIP"] == "10.250.0.10"


def test_only_the_system_is_on_the_systems_nodes(program: Program) -> None:
    (system,) = _one(program, CLUSTER)["agentPoolProfiles"]
    assert system["mode"] == "System"
    assert system["nodeTaints"] == ["CriticalAddonsOnly=true:NoSchedule"]
    assert (system["minCount"], system["maxCount"]) == (2, 4)


def test_the_autoscaler_moves_every_pool_between_its_bounds(program: Program) -> None:
    bounds = {name: (pool["minCount"], pool["maxCount"]) for name, pool in _pools(program).items()}
    assert bounds == {"cpu": (1, 10), "gpu": (0, 4), "spot": (0, 10), "spotod": (0, 3)}
    for resource in program.of_type(POOL):
        assert resource.inputs["enableAutoScaling"] is True, resource.label
        assert resource.ignored == ("count",), resource.label
    (cluster,) = program.of_type(CLUSTER)
    assert cluster.ignored == ("agentPoolProfiles[0].count",)


def test_a_spot_pool_has_a_fallback_of_the_same_nodes_on_demand(program: Program) -> None:
    spot, fallback = _pools(program)["spot"], _pools(program)["spotod"]
    assert (spot["scaleSetPriority"], fallback["scaleSetPriority"]) == ("Spot", "Regular")
    assert spot["vmSize"] == fallback["vmSize"]
    shared = "slipway.local/pool"
    assert spot["nodeLabels"][shared] == fallback["nodeLabels"][shared] == "spot"
    assert f"{shared}=spot:NoSchedule" in spot["nodeTaints"]
    assert fallback["nodeTaints"] == [f"{shared}=spot:NoSchedule"]


def test_pods_of_a_spot_pool_tolerate_what_aks_has_on_its_nodes(program: Program) -> None:
    taint = "kubernetes.azure.com/scalesetpriority"
    assert f"{taint}=spot:NoSchedule" in _pools(program)["spot"]["nodeTaints"]
    for resource, template in program.pods():
        if resource.inputs["metadata"].get("namespace") == "vision":
            keys = {one["key"] for one in template["spec"]["tolerations"]}
            assert taint in keys, resource.label


def test_the_autoscaler_tries_spot_before_its_fallback(program: Program) -> None:
    maps = program.of_type("kubernetes:core/v1:ConfigMap")
    (expander,) = (one for one in maps if one.name == "prefer-spot")
    assert expander.inputs["metadata"]["namespace"] == "kube-system"
    priorities: dict[int, list[str]] = yaml.safe_load(expander.inputs["data"]["priorities"])

    def priority(group: str) -> int:
        return max(
            rank
            for rank, patterns in priorities.items()
            if any(re.match(pattern, group) for pattern in patterns)
        )

    assert priority("aks-spot-31415926-vmss") > priority("aks-spotod-31415926-vmss")
    assert _one(program, CLUSTER)["autoScalerProfile"]["expander"] == "priority"


def test_nodes_with_gpus_are_set_apart_and_upgraded_without_a_further_one(program: Program) -> None:
    gpu = _pools(program)["gpu"]
    assert gpu["nodeLabels"] == {"slipway.local/gpu": "true", "slipway.local/pool": "gpu"}
    assert gpu["nodeTaints"] == ["nvidia.com/gpu=present:NoSchedule"]
    assert gpu["upgradeSettings"] == {"maxSurge": "0", "maxUnavailable": "1"}


def test_upgrades_happen_in_the_window_alone(program: Program) -> None:
    windows = program.of_type(f"{AZURE}containerservice:MaintenanceConfiguration")
    assert {one.inputs["configName"] for one in windows} == {
        "aksManagedAutoUpgradeSchedule",
        "aksManagedNodeOSUpgradeSchedule",
        "default",
    }
    for one in windows:
        window = one.inputs["maintenanceWindow"]
        assert window["schedule"]["weekly"]["dayOfWeek"] == "Sunday"
        assert (window["startTime"], window["utcOffset"]) == ("02:00", "+01:00")
        assert window["durationHours"] >= 4


def test_node_auto_provisioning_makes_the_pools_nodes_of_karpenters(
    changed: Callable[..., Program],
) -> None:
    pools = json.loads(json.dumps(STACK["config"]["slipway:cluster"]["pools"]))
    del pools["cpu"]["min"]
    program = changed(nodeProvisioning="auto", pools=pools)
    cluster = _one(program, CLUSTER)
    assert cluster["nodeProvisioningProfile"] == {"mode": "Auto", "defaultNodePools": "None"}
    assert not program.of_type(POOL)
    # The autoscaler and Karpenter exclude each other.
    assert "autoScalerProfile" not in cluster
    assert cluster["agentPoolProfiles"][0]["enableAutoScaling"] is False
    specs = {
        one.inputs["metadata"]["name"]: one.inputs["spec"]
        for one in program.of_type("kubernetes:karpenter.sh/v1:NodePool")
    }
    assert set(specs) == {"cpu", "gpu", "spot", "spotod"}
    assert specs["spot"]["weight"] > specs["spotod"]["weight"]
    assert specs["cpu"]["limits"] == {"cpu": 80}
    assert _required(specs["gpu"])["karpenter.azure.com/sku-name"] == ["Standard_NC4as_T4_v3"]
    assert _required(specs["cpu"])["karpenter.azure.com/sku-family"] == ["D"]
    assert _required(specs["spot"])["karpenter.sh/capacity-type"] == ["spot"]
    assert _required(specs["spotod"])["karpenter.sh/capacity-type"] == ["on-demand"]
    assert _required(specs["cpu"])["topology.kubernetes.io/zone"] == [
        "westeurope-1",
        "westeurope-2",
        "westeurope-3",
    ]
    (taint,) = specs["gpu"]["template"]["spec"]["taints"]
    assert taint["key"] == "nvidia.com/gpu"


def _required(spec: Mapping[str, Any]) -> dict[str, list[str]]:
    requirements = spec["template"]["spec"]["requirements"]
    return {one["key"]: one["values"] for one in requirements}


def test_pods_mount_images_only_where_the_nodes_can() -> None:
    assert not mounts_images("1.35")
    assert mounts_images("1.36")


# Names.


@pytest.mark.parametrize("name", ["ml", "machine-learning-platform-of-us"])
@pytest.mark.parametrize("team", ["a", "vision", "team--of-two", "a-team-of-some-length"])
def test_every_name_is_one_that_azure_takes(name: str, team: str) -> None:
    names = Names(_settings(name=name, prefix="contosogroup"))
    assert re.fullmatch(r"[a-z0-9]{5,50}", names.registry)
    assert re.fullmatch(r"[a-z0-9]{3,24}", names.storage_account)
    vault = names.key_vault(team)
    assert re.fullmatch(r"[a-z][a-z0-9-]{1,22}[a-z0-9]", vault), vault
    assert "--" not in vault
    blobs = container(team)
    assert re.fullmatch(r"[a-z0-9](-?[a-z0-9]){2,62}", blobs), blobs


def test_the_stack_files_model_is_where_the_stack_has_its_teams_models() -> None:
    model = STACK["config"]["slipway:models"]["digits"]
    blobs = f"https://{Names(_settings()).storage_account}.blob.core.windows.net"
    assert model["uri"].startswith(f"{blobs}/{container(model['team'])}/")


def test_teams_that_differ_in_hyphens_alone_have_stores_of_their_own() -> None:
    names = Names(_settings())
    assert container("a--b") != container("a-b")
    assert names.key_vault("a--b") != names.key_vault("a-b")


def test_two_clusters_of_one_company_have_names_of_their_own() -> None:
    one, other = Names(_settings(name="dev")), Names(_settings(name="prod"))
    assert one.registry != other.registry
    assert one.storage_account != other.storage_account
    assert one.key_vault("vision") != other.key_vault("vision")


def _settings(**keys: object) -> AksClusterSettings:
    return AksClusterSettings.model_validate({**STACK["config"]["slipway:cluster"], **keys})


# What Azure takes.


def test_every_version_of_the_calendar_is_in_some_support() -> None:
    for version, (community, long) in VERSIONS.items():
        assert re.fullmatch(r"1\.\d\d", version)
        assert community < long
        assert long > CALENDAR, f"{version} is out of every support; remove it"


@pytest.mark.parametrize(
    ("name", "family", "vcpus", "has_gpus"),
    [
        ("Standard_D8ds_v5", "D", 8, False),
        ("Standard_DS2_v2", "DS", 2, False),
        ("Standard_E8-4ds_v5", "E", 8, False),
        ("Standard_NC4as_T4_v3", "NC", 4, True),
        ("Standard_NC24ads_A100_v4", "NC", 24, True),
        ("Standard_ND96isr_H100_v5", "ND", 96, True),
        ("Standard_ND96isr_MI300X_v5", "ND", 96, False),
        ("Standard_NV36ads_A10_v5", "NV", 36, True),
        ("Standard_NV8as_v4", "NV", 8, False),
        ("Standard_NP10s", "NP", 10, False),
    ],
)
def test_the_name_of_a_size_says_what_it_has(
    name: str, family: str, vcpus: int, has_gpus: bool
) -> None:
    size = VmSize.parse(name)
    assert (size.family, size.vcpus, size.has_gpus) == (family, vcpus, has_gpus)


def test_the_firewall_of_an_account_takes_small_ranges_as_addresses() -> None:
    assert firewall_rules(("203.0.113.0/24", "198.51.100.7/32", "198.51.100.8/31")) == (
        "203.0.113.0/24",
        "198.51.100.7",
        "198.51.100.8",
        "198.51.100.9",
    )
