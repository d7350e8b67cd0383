"""Define the network of the web application: public subnets for instances and isolated ones for the database."""

from __future__ import annotations

from aws_cdk import Aws, CfnCondition, Fn, RemovalPolicy, Stack, Tags, Token, aws_ec2
from constructs import Construct, IConstruct, IDependable

from infra.constructs.network import existing_vpc, gateway, own_vpc, remove_look_up_tags
from infra.constructs.security_groups import let_in, let_out, security_group
from infra.guardrails import acknowledge
from infra.settings.web_app import WebAppSettings

DATABASE_PORT = 3306
WEB = {80: "HTTP", 443: "HTTPS"}


class WebNetwork(Construct):
    """The VPC of the stack, without NAT: the isolated subnets have no way out, and need none.

    An existing VPC with subnets of both kinds may take its place.

    Attributes:
        vpc: The VPC.
        cidr: Its address range.
        public_subnets: Ids of the subnets that reach the internet.
        isolated_subnets: Ids of the subnets that need not.
        routes: What must stand before instances reach the internet, and outlive them.
        kept_with_data: What the stack makes of the network and a database stands on.
        instances: The security group of the instances.
        database: The security group of the database, which only the instances reach.
    """

    def __init__(self, scope: Construct, name: str, settings: WebAppSettings, policy: RemovalPolicy) -> None:
        super().__init__(scope, name)
        self.vpc: aws_ec2.IVpc
        self.routes: list[IDependable] = []
        self.kept_with_data: list[IConstruct] = []
        if settings.vpc_id:
            self.vpc, self.cidr = existing_vpc(self, settings.vpc_id), settings.vpc_cidr
            self.public_subnets, self.isolated_subnets = settings.public_subnet_ids, settings.isolated_subnet_ids
        else:
            self._make(settings, policy)
        self.instances = security_group(
            self,
            "Instances",
            self.vpc,
            "Instances of the web application.",
            https_out="HTTPS to AWS and package repositories",
        )
        self.database = security_group(self, "Database", self.vpc, "The database, for the instances alone.")
        connect(self, "InstancesToDatabase", self.instances, self.database, port=DATABASE_PORT, protocol="MySQL")

    def _make(self, settings: WebAppSettings, policy: RemovalPolicy) -> None:
        vpc = self.vpc = own_vpc(
            self,
            settings,
            subnets=[
                aws_ec2.SubnetConfiguration(name="Public", subnet_type=aws_ec2.SubnetType.PUBLIC, cidr_mask=20),
                aws_ec2.SubnetConfiguration(
                    name="Database", subnet_type=aws_ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                ),
            ],
            gateways={"S3": gateway(aws_ec2.GatewayVpcEndpointAwsService.S3, only=aws_ec2.SubnetType.PUBLIC)},
            log_retention_days=settings.log_retention_days,
            policy=policy,
        )
        # Named after the stack, whatever it is called; and a person who reads the tags need not know the CDK.
        Tags.of(vpc).add("Name", Aws.STACK_NAME)
        for subnet in (*vpc.public_subnets, *vpc.isolated_subnets):
            Tags.of(subnet).add("Name", f"{Aws.STACK_NAME} {subnet.node.id}")
            remove_look_up_tags(subnet)
        self.cidr = vpc.vpc_cidr_block
        self.public_subnets = [subnet.subnet_id for subnet in vpc.public_subnets]
        self.isolated_subnets = [subnet.subnet_id for subnet in vpc.isolated_subnets]
        self.routes = [subnet.internet_connectivity_established for subnet in vpc.public_subnets]
        self.kept_with_data = [vpc, *vpc.isolated_subnets]


def connect(
    scope: Construct,
    name: str,
    client: aws_ec2.SecurityGroup,
    server: aws_ec2.SecurityGroup,
    *,
    port: int,
    protocol: str,
) -> None:
    """Let one group reach another on a port, by the rules `<name>Out` and `<name>In`."""
    let_out(scope, f"{name}Out", client, server, port=port, description=f"{protocol} to {server.node.id.lower()}")
    let_in(scope, f"{name}In", server, client, port=port, description=f"{protocol} from {client.node.id.lower()}")


def open_to_visitors(scope: Construct, group: aws_ec2.SecurityGroup, cidr: str) -> None:
    """Let a network reach a security group by HTTP and HTTPS."""
    for port, protocol in WEB.items():
        rule = let_in(
            scope,
            f"{group.node.id}{protocol.title()}",
            group,
            cidr,
            port=port,
            description=f"{protocol} from visitors",
        )
        reason = "A public site; allowed_cidr narrows it."
        acknowledge(rule, {"EC23": reason} | ({"CKV_AWS_260": reason} if protocol == "HTTP" else {}))


def open_ssh(scope: Construct, group: aws_ec2.SecurityGroup, settings: WebAppSettings) -> str | None:
    """Let SSH in from one network if key and network are chosen, and return the key's name for the instances."""
    key, cidr = settings.ssh_key_name, settings.ssh_cidr
    if not key:
        return None
    rule = let_in(scope, "Ssh", group, cidr, port=22, description="SSH from one network")
    if not Token.is_unresolved(key):
        return key
    chosen = [Fn.condition_not(Fn.condition_equals(value, "")) for value in (key, cidr)]
    has_ssh = CfnCondition(Stack.of(scope), "HasSsh", expression=Fn.condition_and(*chosen))
    rule.cfn_options.condition = has_ssh
    return Fn.condition_if(has_ssh.logical_id, key, Aws.NO_VALUE).to_string()
