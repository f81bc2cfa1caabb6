"""The network of a cluster: a VPC over several zones, with private nodes."""

from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Final

import pulumi
import pulumi_aws.ec2 as ec2

from infra.clusters.protection import Protection
from infra.settings.cluster.eks import EksClusterSettings

# What nodes and pods ask of AWS, by https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
# and, for pods' rights, https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html.
_ENDPOINTS: Final = (
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "eks",
    "eks-auth",
    "elasticloadbalancing",
    "logs",
    "secretsmanager",
    "sts",
)


def subnets(cidr: str, zones: int) -> tuple[list[str], list[str]]:
    """Return the ranges of the private and of the public subnets of a VPC.

    A quarter of the addresses goes to the private subnet of each zone, where pods take one each; a
    sixteenth to the public one, which holds load balancers and NAT gateways.

    Args:
        cidr: The VPC's range.
        zones: How many zones; three at most.
    """
    *private, rest = IPv4Network(cidr).subnets(prefixlen_diff=2)
    public = list(rest.subnets(prefixlen_diff=2))
    return [str(one) for one in private[:zones]], [str(one) for one in public[:zones]]


class EksNetwork(pulumi.ComponentResource):
    """The VPC of a cluster.

    Type token: `slipway:infra:EksNetwork`. Resources: a VPC whose default security group lets
    nothing through, and for each zone a private and a public subnet; an internet gateway, NAT
    gateways with their addresses, route tables and routes; endpoints for S3 and, by the settings,
    for the other services of AWS. Where the subnets carry which tags is EKS's rule:
    https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html

    Args:
        resource_name: Logical name of the VPC; `<resource_name>-<role>-<zone>` are the others'.
        settings: The cluster.
        protection: What may be replaced.
        opts: Resource options.

    Attributes:
        vpc: The VPC.
        private: Ids of the private subnets.
        ready: What nodes need to reach anything: also what must go after them.
    """

    vpc: ec2.Vpc
    private: list[pulumi.Output[str]]
    ready: list[pulumi.Resource]

    def __init__(
        self,
        resource_name: str,
        settings: EksClusterSettings,
        protection: Protection,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:EksNetwork", resource_name, None, opts)
        self._name = resource_name
        self._settings = settings
        self._children = pulumi.ResourceOptions(parent=self)
        protected = pulumi.ResourceOptions(parent=self, protect=protection.of(resource_name))
        self.vpc = ec2.Vpc(
            resource_name,
            cidr_block=settings.vpc_cidr,
            # Private endpoints are found by their names.
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags={"Name": settings.name},
            opts=protected,
        )
        # Nothing uses it, and nothing should (CIS AWS Foundations Benchmark, "default security
        # group").
        ec2.DefaultSecurityGroup(
            f"{resource_name}-default", vpc_id=self.vpc.id, opts=self._children
        )
        private_ranges, public_ranges = subnets(settings.vpc_cidr, len(settings.zones))
        private = self._subnets("private", private_ranges, "kubernetes.io/role/internal-elb")
        public = self._subnets("public", public_ranges, "kubernetes.io/role/elb")
        self.private = [subnet.id for subnet in private]
        self.ready = []
        self._open_public(public)
        tables = self._lead_out(private, public)
        self._connect_services(tables)
        self.register_outputs({"vpc": self.vpc.id})

    def _subnets(self, kind: str, ranges: Sequence[str], role: str) -> list[ec2.Subnet]:
        return [
            ec2.Subnet(
                f"{self._name}-{kind}-{zone}",
                vpc_id=self.vpc.id,
                cidr_block=cidr,
                availability_zone=f"{self._settings.region}{zone}",
                map_public_ip_on_launch=False,
                tags={"Name": f"{self._settings.name}-{kind}-{zone}", role: "1"},
                opts=self._children,
            )
            for zone, cidr in zip(self._settings.zones, ranges, strict=True)
        ]

    def _open_public(self, public: Sequence[ec2.Subnet]) -> None:
        """Lead the public subnets to the internet."""
        gateway = ec2.InternetGateway(
            f"{self._name}-internet", vpc_id=self.vpc.id, opts=self._children
        )
        table = ec2.RouteTable(f"{self._name}-public", vpc_id=self.vpc.id, opts=self._children)
        self.ready.append(
            ec2.Route(
                f"{self._name}-public",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                gateway_id=gateway.id,
                opts=self._children,
            )
        )
        self.ready += self._associations("public", public, [table] * len(public))

    def _lead_out(
        self, private: Sequence[ec2.Subnet], public: Sequence[ec2.Subnet]
    ) -> list[ec2.RouteTable]:
        """Lead the private subnets out through NAT gateways, and return their route tables."""
        one = self._settings.nat_gateways == "one"
        zones = self._settings.zones
        gateways = [
            self._nat_gateway(zone, subnet)
            for zone, subnet in list(zip(zones, public, strict=True))[: 1 if one else None]
        ]
        tables = [
            ec2.RouteTable(f"{self._name}-private-{zone}", vpc_id=self.vpc.id, opts=self._children)
            for zone in zones
        ]
        for index, (zone, table) in enumerate(zip(zones, tables, strict=True)):
            self.ready.append(
                ec2.Route(
                    f"{self._name}-private-{zone}",
                    route_table_id=table.id,
                    destination_cidr_block="0.0.0.0/0",
                    nat_gateway_id=gateways[0 if one else index].id,
                    opts=self._children,
                )
            )
        self.ready += self._associations("private", private, tables)
        return tables

    def _nat_gateway(self, zone: str, subnet: ec2.Subnet) -> ec2.NatGateway:
        name = f"{self._name}-nat-{zone}"
        address = ec2.Eip(name, domain="vpc", opts=self._children)
        return ec2.NatGateway(
            name,
            allocation_id=address.id,
            subnet_id=subnet.id,
            tags={"Name": f"{self._settings.name}-{zone}"},
            # Its subnet has to reach the internet first.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self.ready]),
        )

    def _associations(
        self, kind: str, subnets: Sequence[ec2.Subnet], tables: Sequence[ec2.RouteTable]
    ) -> list[pulumi.Resource]:
        return [
            ec2.RouteTableAssociation(
                f"{self._name}-{kind}-{zone}",
                subnet_id=subnet.id,
                route_table_id=table.id,
                opts=self._children,
            )
            for zone, subnet, table in zip(self._settings.zones, subnets, tables, strict=True)
        ]

    def _connect_services(self, tables: Sequence[ec2.RouteTable]) -> None:
        """Let the private subnets reach AWS's services without the internet."""
        region = self._settings.region
        self.ready.append(
            ec2.VpcEndpoint(
                f"{self._name}-s3",
                vpc_id=self.vpc.id,
                service_name=f"com.amazonaws.{region}.s3",
                vpc_endpoint_type="Gateway",
                route_table_ids=[table.id for table in tables],
                opts=self._children,
            )
        )
        if not self._settings.private_endpoints:
            return
        group = ec2.SecurityGroup(
            f"{self._name}-endpoints",
            vpc_id=self.vpc.id,
            description="AWS services, from inside of the VPC",
            ingress=[
                ec2.SecurityGroupIngressArgs(
                    protocol="tcp",
                    from_port=443,
                    to_port=443,
                    cidr_blocks=[self._settings.vpc_cidr],
                    description="HTTPS from the VPC",
                )
            ],
            opts=self._children,
        )
        self.ready += [
            ec2.VpcEndpoint(
                f"{self._name}-{service.replace('.', '-')}",
                vpc_id=self.vpc.id,
                service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.private,
                security_group_ids=[group.id],
                opts=self._children,
            )
            for service in _ENDPOINTS
        ]
