"""The network of the web application: public subnets for instances, isolated ones for the database, in two zones."""

from aws_cdk import Aws, CfnCondition, Fn, RemovalPolicy, Stack, Tags, Token, aws_ec2
from constructs import Construct

from infra.constructs.logs import log_group
from infra.guardrails import acknowledge
from infra.settings.web_app import WebAppSettings

DATABASE_PORT = 3306
WEB = {80: "HTTP", 443: "HTTPS"}


class WebNetwork(Construct):
    """A VPC of the stack's own, without NAT: the isolated subnets have no way out, and need none.

    Attributes:
        vpc: the VPC.
        public_subnets: ids of the subnets that reach the internet.
        isolated_subnets: ids of those that do not.
        instances: the security group of the instances.
        database: the security group of the database, reached from the instances alone.
    """

    def __init__(self, scope: Construct, name: str, settings: WebAppSettings, policy: RemovalPolicy) -> None:
        super().__init__(scope, name)
        flow_logs = log_group(self, "FlowLogs", settings.log_retention_days, policy)
        self.vpc = aws_ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[
                aws_ec2.SubnetConfiguration(name="Public", subnet_type=aws_ec2.SubnetType.PUBLIC, cidr_mask=20),
                aws_ec2.SubnetConfiguration(
                    name="Database", subnet_type=aws_ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                ),
            ],
            restrict_default_security_group=False,  # needs a custom resource; nothing uses that group
            gateway_endpoints={
                "S3": aws_ec2.GatewayVpcEndpointOptions(
                    service=aws_ec2.GatewayVpcEndpointAwsService.S3,
                    subnets=[aws_ec2.SubnetSelection(subnet_type=aws_ec2.SubnetType.PUBLIC)],
                )
            },
            flow_logs={
                "Traffic": aws_ec2.FlowLogOptions(destination=aws_ec2.FlowLogDestination.to_cloud_watch_logs(flow_logs))
            },
        )
        # Named after the stack, whatever it is called; and a person who reads the tags need not know the CDK.
        Tags.of(self.vpc).add("Name", Aws.STACK_NAME)
        for subnet in (*self.vpc.public_subnets, *self.vpc.isolated_subnets):
            Tags.of(subnet).add("Name", f"{Aws.STACK_NAME} {subnet.node.id}")
            for tag in ("aws-cdk:subnet-name", "aws-cdk:subnet-type"):
                Tags.of(subnet).remove(tag)
        self.public_subnets = [subnet.subnet_id for subnet in self.vpc.public_subnets]
        self.isolated_subnets = [subnet.subnet_id for subnet in self.vpc.isolated_subnets]
        self.instances = security_group(self, "Instances", self.vpc, "Instances of the web application.")
        self.database = security_group(self, "Database", self.vpc, "The database, for the instances alone.")
        everywhere = aws_ec2.Peer.any_ipv4()
        self.instances.add_egress_rule(everywhere, aws_ec2.Port.tcp(443), "HTTPS to AWS and package repositories")
        connect(self, "InstancesToDatabase", self.instances, self.database, port=DATABASE_PORT, protocol="MySQL")


def security_group(scope: Construct, name: str, vpc: aws_ec2.IVpc, description: str) -> aws_ec2.SecurityGroup:
    """A group that lets nothing in or out yet."""
    return aws_ec2.SecurityGroup(scope, name, vpc=vpc, allow_all_outbound=False, description=description)


def connect(
    scope: Construct,
    name: str,
    client: aws_ec2.SecurityGroup,
    server: aws_ec2.SecurityGroup,
    *,
    port: int,
    protocol: str,
) -> None:
    """Let one group reach another on a port; by resources of their own, for groups may refer to each other."""
    aws_ec2.CfnSecurityGroupEgress(
        scope,
        f"{name}Out",
        description=f"{protocol} to {server.node.id.lower()}",
        group_id=client.security_group_id,
        destination_security_group_id=server.security_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
    )
    aws_ec2.CfnSecurityGroupIngress(
        scope,
        f"{name}In",
        description=f"{protocol} from {client.node.id.lower()}",
        group_id=server.security_group_id,
        source_security_group_id=client.security_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
    )


def open_to_visitors(scope: Construct, group: aws_ec2.SecurityGroup, cidr: str) -> None:
    """Let a network in by HTTP and HTTPS."""
    for port, protocol in WEB.items():
        rule = open_port(
            scope,
            f"{group.node.id}{protocol.title()}",
            group,
            port=port,
            cidr=cidr,
            description=f"{protocol} from visitors",
        )
        reason = "A public site; allowed_cidr narrows it."
        acknowledge(rule, {"EC23": reason, "CKV_AWS_260": reason})


def open_ssh(scope: Construct, group: aws_ec2.SecurityGroup, settings: WebAppSettings) -> str | None:
    """Let SSH in from one network, if key and network are chosen; the key's name for the instances."""
    key, cidr = settings.ssh_key_name, settings.ssh_cidr
    if not key:
        return None
    rule = open_port(scope, "Ssh", group, port=22, cidr=cidr, description="SSH from one network")
    if not Token.is_unresolved(key):
        return key
    given = [Fn.condition_not(Fn.condition_equals(value, "")) for value in (key, cidr)]
    has_ssh = CfnCondition(Stack.of(scope), "HasSsh", expression=Fn.condition_and(*given))
    rule.cfn_options.condition = has_ssh
    return Fn.condition_if(has_ssh.logical_id, key, Aws.NO_VALUE).to_string()


def open_port(
    scope: Construct, name: str, group: aws_ec2.SecurityGroup, *, port: int, cidr: str, description: str
) -> aws_ec2.CfnSecurityGroupIngress:
    """Let a network in on one port."""
    return aws_ec2.CfnSecurityGroupIngress(
        scope,
        name,
        description=description,
        group_id=group.security_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        cidr_ip=cidr,
    )
