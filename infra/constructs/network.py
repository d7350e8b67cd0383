"""Where instances run: the network a person names, or one of the stack's own."""

from functools import cached_property

from aws_cdk import RemovalPolicy, aws_ec2, aws_logs
from constructs import Construct, IDependable

from infra.constructs.logs import log_group
from infra.settings.network import NetworkSettings


class Network(Construct):
    """A VPC and its subnets, given by id or made here.

    Its own: two zones, public subnets, no NAT gateway (nothing bills while idle), flow logs, a free gateway to S3.

    Attributes:
        vpc: the VPC.
        subnet_ids: its subnets; one token for all of them in a console template.
        routes: what must stand before instances reach the internet, and outlive them.
    """

    def __init__(
        self, scope: Construct, name: str, settings: NetworkSettings, *, log_retention_days: int, policy: RemovalPolicy
    ) -> None:
        super().__init__(scope, name)
        self.vpc: aws_ec2.IVpc
        self.subnet_ids: list[str]
        self.routes: list[IDependable] = []
        if settings.vpc_id:
            # Zones and subnets are not read from this object, so a placeholder saves asking AWS for them.
            self.vpc = aws_ec2.Vpc.from_vpc_attributes(
                self, "Given", vpc_id=settings.vpc_id, availability_zones=["unused"]
            )
            self.subnet_ids = settings.subnet_ids
        else:
            self.vpc = self._own_vpc(log_group(self, "FlowLogs", log_retention_days, policy))
            self.subnet_ids = [subnet.subnet_id for subnet in self.vpc.public_subnets]
            self.routes = [subnet.internet_connectivity_established for subnet in self.vpc.public_subnets]

    @cached_property
    def security_group(self) -> aws_ec2.SecurityGroup:
        """Lets nothing in, and out HTTPS alone; made for who asks for it."""
        group = aws_ec2.SecurityGroup(
            self, "SecurityGroup", vpc=self.vpc, allow_all_outbound=False, description="No way in; HTTPS out."
        )
        group.add_egress_rule(aws_ec2.Peer.any_ipv4(), aws_ec2.Port.tcp(443), "HTTPS to AWS and the web")
        return group

    def _own_vpc(self, flow_logs: aws_logs.LogGroup) -> aws_ec2.Vpc:
        public = aws_ec2.SubnetConfiguration(name="Public", subnet_type=aws_ec2.SubnetType.PUBLIC, cidr_mask=20)
        return aws_ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[public],
            restrict_default_security_group=False,  # needs a custom resource; nothing uses that group
            gateway_endpoints={
                "S3": aws_ec2.GatewayVpcEndpointOptions(service=aws_ec2.GatewayVpcEndpointAwsService.S3)
            },
            flow_logs={
                "Traffic": aws_ec2.FlowLogOptions(destination=aws_ec2.FlowLogDestination.to_cloud_watch_logs(flow_logs))
            },
        )
