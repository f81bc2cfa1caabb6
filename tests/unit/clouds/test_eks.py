"""What a cluster of Amazon EKS is made of."""

import json
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.clusters.eks import network
from infra.settings import stack_file
from tests.unit import mocked_program
from tests.unit.clouds.built import STACKS
from tests.unit.mocked_program import Program, Registered

PROTECTED = {"cluster", "cluster-key", "cluster-models", "cluster-registry", "network"}


def _variant(folder: Path, monkeypatch: pytest.MonkeyPatch, **cluster: Any) -> Program:
    """Return the program of the stack file with other settings of its cluster."""
    raw = stack_file.read(STACKS["eks"])
    approve = cluster.pop("approve", [])
    changed = {**raw, "approve": approve, "cluster": {**raw["cluster"], **cluster}}
    config = {f"slipway:{name}": value for name, value in changed.items()}
    return mocked_program.run_stack(yaml.safe_dump({"config": config}), folder, monkeypatch)


@pytest.fixture(name="auto", scope="module")
def _auto(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _variant(tmp_path_factory.mktemp("auto"), monkeypatch)


@pytest.fixture(name="groups", scope="module")
def _groups(tmp_path_factory: pytest.TempPathFactory) -> Program:
    pools = stack_file.read(STACKS["eks"])["cluster"]["pools"]
    pools["general"]["min"] = 2
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _variant(
            tmp_path_factory.mktemp("groups"),
            monkeypatch,
            nodes="groups",
            pools=pools,
            natGateways="one",
            internetFacing=False,
            apiAccess=[],
            privateEndpoints=False,
        )


@pytest.fixture(name="either", params=["auto", "groups"])
def _either(request: pytest.FixtureRequest) -> Program:
    program: Program = request.getfixturevalue(request.param)
    return program


def _one(program: Program, type_: str) -> Registered:
    (resource,) = program.of_type(type_)
    return resource


def _policies(program: Program) -> Iterator[tuple[Registered, Mapping[str, Any]]]:
    """Every statement of every policy document, with the resource that has it."""
    for resource in program.resources:
        for field in ("policy", "assumeRolePolicy"):
            if resource.type.startswith("aws:") and isinstance(resource.inputs.get(field), str):
                document = json.loads(resource.inputs[field])
                for statement in document.get("Statement", []):
                    yield resource, statement


def test_no_policy_allows_every_action_or_is_for_everything(either: Program) -> None:
    allowed = [
        (one, statement) for one, statement in _policies(either) if statement["Effect"] == "Allow"
    ]
    assert {one.type for one, _ in allowed} == {
        "aws:iam/role:Role",
        "aws:iam/rolePolicy:RolePolicy",
    }
    for one, statement in allowed:
        assert not any("*" in action for action in statement["Action"]), one.label
        assert "*" not in statement.get("Resource", []), one.label
        assert statement.get("Principal") != "*", one.label


def test_a_role_is_taken_by_one_service_or_one_service_account_of_this_cluster(
    either: Program,
) -> None:
    for one, statement in _policies(either):
        if "Principal" not in statement or statement["Effect"] != "Allow":
            continue
        (kind,) = statement["Principal"]
        assert kind in ("Service", "Federated"), one.label
        if one.name == "vision-models":
            named = json.dumps(statement["Condition"])
            assert "vision" in named and "models" in named, one.label


def test_a_team_reads_its_own_models_and_secrets_alone(auto: Program) -> None:
    (rights,) = (
        one for one in auto.of_type("aws:iam/rolePolicy:RolePolicy") if one.name == "vision-models"
    )
    statements = json.loads(rights.inputs["policy"])["Statement"]
    bucket = "arn:aws:s3:::ml-models-111122223333-eu-central-1"
    by_action = {action: one for one in statements for action in one["Action"]}
    assert by_action["s3:GetObject"]["Resource"] == [f"{bucket}/vision/*"]
    assert by_action["s3:ListBucket"]["Condition"] == {"StringLike": {"s3:prefix": ["vision/*"]}}
    (secrets,) = by_action["secretsmanager:GetSecretValue"]["Resource"]
    assert secrets.endswith(":secret:ml/vision/*")
    assert not any(action.split(":")[1].startswith(("Put", "Delete")) for action in by_action)


def test_a_pod_of_a_team_starts_with_its_rights(auto: Program) -> None:
    (account,) = (
        one
        for one in auto.of_type("kubernetes:core/v1:ServiceAccount")
        if one.name == "vision-models"
    )
    association = _one(auto, "aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert association.inputs["namespace"] == "vision"
    assert association.inputs["serviceAccount"] == account.inputs["metadata"]["name"]
    assert association.urn in account.dependencies
    assert account.inputs["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]


def test_nodes_are_private_and_the_default_security_group_lets_nothing_through(
    either: Program,
) -> None:
    subnets = either.of_type("aws:ec2/subnet:Subnet")
    assert len(subnets) == 6
    assert not any(one.inputs["mapPublicIpOnLaunch"] for one in subnets)
    private = {one.name for one in subnets if one.name.startswith("network-private")}
    cluster = _one(either, "aws:eks/cluster:Cluster")
    assert len(cluster.inputs["vpcConfig"]["subnetIds"]) == len(private) == 3
    default = _one(either, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert not {"ingress", "egress"} & set(default.inputs)
    for group in either.of_type("aws:ec2/securityGroup:SecurityGroup"):
        for rule in group.inputs["ingress"]:
            assert rule["cidrBlocks"] == ["10.40.0.0/16"], group.label


def test_the_api_answers_to_the_networks_alone_that_the_settings_name(
    auto: Program, groups: Program
) -> None:
    public = _one(auto, "aws:eks/cluster:Cluster").inputs["vpcConfig"]
    assert public["endpointPublicAccess"] is True
    assert public["publicAccessCidrs"] == ["203.0.113.0/24"]
    closed = _one(groups, "aws:eks/cluster:Cluster").inputs["vpcConfig"]
    assert closed["endpointPublicAccess"] is False
    assert public["endpointPrivateAccess"] is closed["endpointPrivateAccess"] is True


def test_everything_that_is_kept_is_encrypted(either: Program) -> None:
    key = _one(either, "aws:kms/key:Key")
    assert key.inputs["enableKeyRotation"] is True
    cluster = _one(either, "aws:eks/cluster:Cluster")
    assert cluster.inputs["encryptionConfig"]["resources"] == ["secrets"]
    registry = _one(either, "aws:ecr/repository:Repository")
    assert registry.inputs["encryptionConfigurations"][0]["encryptionType"] == "KMS"
    bucket = _one(
        either,
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    )
    (rule,) = bucket.inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
    storage = _one(either, "kubernetes:storage.k8s.io/v1:StorageClass")
    assert storage.inputs["parameters"]["encrypted"] == "true"
    for template in either.of_type("aws:ec2/launchTemplate:LaunchTemplate"):
        for device in template.inputs["blockDeviceMappings"]:
            assert device["ebs"]["encrypted"] == "true"
        assert template.inputs["metadataOptions"]["httpTokens"] == "required"


def test_the_bucket_is_closed_to_the_world_and_to_plain_http(auto: Program) -> None:
    block = _one(auto, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
    fields = (
        "blockPublicAcls",
        "blockPublicPolicy",
        "ignorePublicAcls",
        "restrictPublicBuckets",
    )
    assert all(block[field] is True for field in fields)
    policy = json.loads(_one(auto, "aws:s3/bucketPolicy:BucketPolicy").inputs["policy"])
    (statement,) = policy["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_control_plane_logs_everything_for_as_long_as_the_settings_say(auto: Program) -> None:
    logs = _one(auto, "aws:cloudwatch/logGroup:LogGroup")
    assert logs.inputs["retentionInDays"] == 90
    cluster = _one(auto, "aws:eks/cluster:Cluster")
    assert len(cluster.inputs["enabledClusterLogTypes"]) == 5
    # Else EKS makes it first, without an end.
    assert logs.urn in cluster.dependencies


def test_nobody_administrates_the_cluster_whom_the_settings_do_not_name(either: Program) -> None:
    access = _one(either, "aws:eks/cluster:Cluster").inputs["accessConfig"]
    assert access == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": False,
    }
    principals = {
        one.inputs["principalArn"]
        for one in either.of_type("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
        if one.inputs["policyArn"].endswith("AmazonEKSClusterAdminPolicy")
    }
    assert principals == {"arn:aws:iam::111122223333:role/platform"}


def test_the_provider_refuses_another_account(auto: Program) -> None:
    (provider,) = auto.of_type("pulumi:providers:aws")
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["111122223333"]


def test_what_holds_state_is_protected(auto: Program) -> None:
    assert {one.name for one in auto.resources if one.protected} == PROTECTED
    assert _one(auto, "aws:eks/cluster:Cluster").inputs["deletionProtection"] is True


def test_an_approved_name_alone_loses_its_protection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _variant(tmp_path, monkeypatch, approve=["cluster-registry"])
    protected = {one.name for one in program.resources if one.protected}
    assert protected == PROTECTED - {"cluster-registry"}


def test_one_setting_turns_protection_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _variant(tmp_path, monkeypatch, protect=False)
    assert not any(one.protected for one in program.resources)


def test_each_zone_has_its_way_out_or_all_have_one(auto: Program, groups: Program) -> None:
    assert len(auto.of_type("aws:ec2/natGateway:NatGateway")) == 3
    assert len(groups.of_type("aws:ec2/natGateway:NatGateway")) == 1
    for program in (auto, groups):
        routes = [
            one
            for one in program.of_type("aws:ec2/route:Route")
            if one.name.startswith("network-private")
        ]
        assert len(routes) == 3
        assert all("natGatewayId" in one.inputs for one in routes)


def test_nodes_reach_aws_without_the_internet_where_the_settings_say_so(
    auto: Program, groups: Program
) -> None:
    def services(program: Program) -> set[str]:
        endpoints = program.of_type("aws:ec2/vpcEndpoint:VpcEndpoint")
        return {one.inputs["serviceName"].partition("eu-central-1.")[2] for one in endpoints}

    assert services(groups) == {"s3"}
    assert services(auto) >= {"s3", "ec2", "ecr.api", "ecr.dkr", "eks-auth", "sts"}


def test_the_way_to_aws_outlives_the_nodes(either: Program) -> None:
    cluster = _one(either, "aws:eks/cluster:Cluster")
    for type_ in ("aws:ec2/route:Route", "aws:ec2/vpcEndpoint:VpcEndpoint"):
        for one in either.of_type(type_):
            assert one.urn in cluster.dependencies, one.label


def test_objects_go_before_the_nodes_that_their_controllers_run_on(
    auto: Program, groups: Program
) -> None:
    pools = {"pool-general", "pool-gpu", "pool-spot", "pool-spot-on-demand"}
    for program, needed in ((auto, pools), (groups, {*pools, "aws-ebs-csi-driver", "coredns"})):
        (provider,) = (
            one for one in program.of_type("pulumi:providers:kubernetes") if one.name == "cluster"
        )
        assert needed <= {urn.rpartition("::")[2] for urn in provider.dependencies}
        for one in program.of_type("kubernetes:core/v1:Namespace"):
            assert one.provider.startswith(f"{provider.urn}::"), one.label


def test_nodes_of_groups_follow_the_version_of_the_control_plane(groups: Program) -> None:
    cluster = _one(groups, "aws:eks/cluster:Cluster")
    for group in groups.of_type("aws:eks/nodeGroup:NodeGroup"):
        assert group.inputs["version"] == cluster.inputs["version"], group.label
        # What an autoscaler moves is not moved back.
        assert group.ignored == ("scalingConfig.desiredSize",), group.label


def test_principals_of_one_name_administrate_the_cluster_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admins = [
        "arn:aws:iam::111122223333:role/platform",
        "arn:aws:iam::111122223333:user/platform",
        "arn:aws:iam::444455556666:role/platform",
    ]
    program = _variant(tmp_path, monkeypatch, admins=admins)
    entries = [
        one for one in program.of_type("aws:eks/accessEntry:AccessEntry") if one.name != "nodes"
    ]
    assert sorted(one.inputs["principalArn"] for one in entries) == admins
    assert len({one.name for one in entries}) == len(admins)


def test_the_role_of_a_team_with_a_long_name_has_a_name_that_iam_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = stack_file.read(STACKS["eks"])
    team = "t" * 63
    changed = {**raw, "teams": {team: raw["teams"]["vision"]}}
    changed["models"] = {"digits": {**raw["models"]["digits"], "team": team}}
    config = {f"slipway:{name}": value for name, value in changed.items()}
    program = mocked_program.run_stack(yaml.safe_dump({"config": config}), tmp_path, monkeypatch)
    association = _one(program, "aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert association.inputs["namespace"] == team
    # Pulumi appends a hyphen and seven digits; IAM takes 64 characters.
    assert all(len(one.name) + 8 <= 64 for one in program.of_type("aws:iam/role:Role"))


def test_a_spot_pool_has_nodes_on_demand_that_stand_in(auto: Program, groups: Program) -> None:
    pools = {
        one.inputs["metadata"]["name"]: one.inputs["spec"]
        for one in auto.kubernetes()
        if one.inputs.get("kind") == "NodePool"
    }
    assert set(pools) == {"general", "gpu", "spot", "spot-on-demand"}
    assert pools["spot"]["weight"] > pools["spot-on-demand"]["weight"]
    assert (
        pools["spot"]["template"]["spec"]["taints"]
        == (pools["spot-on-demand"]["template"]["spec"]["taints"])
    )
    by_name = {one.name: one.inputs for one in groups.of_type("aws:eks/nodeGroup:NodeGroup")}
    assert by_name["pool-spot"]["capacityType"] == "SPOT"
    assert by_name["pool-spot-on-demand"]["capacityType"] == "ON_DEMAND"
    assert by_name["pool-spot-on-demand"]["labels"] == by_name["pool-spot"]["labels"]
    assert by_name["pool-gpu"]["amiType"] == "BOTTLEROCKET_x86_64_NVIDIA"


def test_a_pool_has_at_most_the_processors_of_its_largest_nodes(auto: Program) -> None:
    (gpu,) = (one for one in auto.kubernetes() if one.name == "pool-gpu")
    # Four of g6.2xlarge, with eight vCPUs each.
    assert gpu.inputs["spec"]["limits"] == {"cpu": "32"}


def test_groups_bring_what_auto_mode_has_built_in(auto: Program, groups: Program) -> None:
    def addons(program: Program) -> set[str]:
        return {one.inputs["addonName"] for one in program.of_type("aws:eks/addon:Addon")}

    assert addons(auto) == {"metrics-server"}
    assert addons(groups) == {
        "aws-ebs-csi-driver",
        "coredns",
        "eks-pod-identity-agent",
        "kube-proxy",
        "metrics-server",
        "vpc-cni",
    }


def test_the_load_balancer_is_internal_unless_the_settings_say_otherwise(
    auto: Program, groups: Program
) -> None:
    prefix = "service.beta.kubernetes.io/aws-load-balancer-"

    def annotations(program: Program) -> Mapping[str, str]:
        (service,) = (
            one for one in program.of_type("kubernetes:core/v1:Service") if one.name == "traefik"
        )
        found: Mapping[str, str] = service.inputs["metadata"]["annotations"]
        return found

    assert annotations(auto)[f"{prefix}scheme"] == "internet-facing"
    assert annotations(groups)[f"{prefix}internal"] == "true"


@pytest.mark.parametrize("zones", [2, 3])
@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "10.8.16.0/20"])
def test_subnets_lie_in_their_vpc_and_share_no_address(cidr: str, zones: int) -> None:
    private, public = network.subnets(cidr, zones)
    assert len(private) == len(public) == zones
    ranges = [IPv4Network(one) for one in (*private, *public)]
    assert all(one.subnet_of(IPv4Network(cidr)) for one in ranges)
    for index, one in enumerate(ranges):
        assert not any(one.overlaps(other) for other in ranges[index + 1 :])
