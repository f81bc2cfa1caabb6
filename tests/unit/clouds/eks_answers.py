"""What the provider of AWS answers."""

from collections.abc import Callable, Mapping
from typing import Any, Final

ACCOUNT: Final = "111122223333"
REGION: Final = "eu-central-1"
_ENDPOINT: Final = f"https://0123456789ABCDEF.gr7.{REGION}.eks.amazonaws.com"


def _arn(service: str) -> Callable[[str, Mapping[str, Any]], dict[str, Any]]:
    return lambda name, inputs: {"arn": f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"}


def _role(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"arn": f"arn:aws:iam::{ACCOUNT}:role/{name}", "name": name}


def _cluster(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "arn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{inputs['name']}",
        "endpoint": _ENDPOINT,
        "certificateAuthority": {"data": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"},
        "identities": [{"oidcs": [{"issuer": f"https://oidc.eks.{REGION}.amazonaws.com/id/0123"}]}],
        "vpcConfig": {**inputs["vpcConfig"], "clusterSecurityGroupId": "sg-0123"},
    }


def _provider(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    host = inputs["url"].removeprefix("https://")
    return {"arn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"}


def _repository(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    host = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    return {**_arn("ecr")(name, inputs), "repositoryUrl": f"{host}/{inputs['name']}"}


def _bucket(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"arn": f"arn:aws:s3:::{inputs['bucket']}"}


RESOURCES: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": lambda name, inputs: {"latestVersion": 1},
    "aws:ecr/repository:Repository": _repository,
    "aws:eks/cluster:Cluster": _cluster,
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _provider,
    "aws:iam/role:Role": _role,
    "aws:kms/key:Key": _arn("kms"),
    "aws:s3/bucket:Bucket": _bucket,
}
