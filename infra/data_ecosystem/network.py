"""Define the network: engines and functions in isolated subnets, jobs in public ones that nothing can enter."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, aws_ec2
from constructs import Construct

from infra.constructs.network import DYNAMODB, S3, own_vpc, remove_look_up_tags
from infra.constructs.security_groups import HTTPS, let_reach, security_group


class EcosystemNetwork(Construct):
    """A VPC over two zones without NAT gateway.

    The isolated subnets cannot reach the internet and cannot be reached from it: AWS is reached through gateways to
    S3 and DynamoDB, which are free, and through an interface endpoint where a function needs one (`endpoint`). Jobs run
    in the public subnets for as long as they last: they fetch packages and images, and no port of theirs is open.

    Attributes:
        vpc: The VPC.
        isolated_subnets: Ids of the subnets of engines and functions.
        public_subnets: Ids of the subnets of jobs.
    """

    def __init__(self, scope: Construct, name: str, *, log_retention_days: int, policy: RemovalPolicy) -> None:
        super().__init__(scope, name)
        self.vpc = own_vpc(
            self,
            subnets=[
                aws_ec2.SubnetConfiguration(
                    name="Isolated", subnet_type=aws_ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                ),
                aws_ec2.SubnetConfiguration(
                    name="Public",
                    subnet_type=aws_ec2.SubnetType.PUBLIC,
                    cidr_mask=24,
                    map_public_ip_on_launch=False,  # jobs ask for an address themselves
                ),
            ],
            gateways={"S3": S3, "DynamoDB": DYNAMODB},
            log_retention_days=log_retention_days,
            policy=policy,
        )
        remove_look_up_tags(self.vpc)
        self.isolated_subnets = [subnet.subnet_id for subnet in self.vpc.isolated_subnets]
        self.public_subnets = [subnet.subnet_id for subnet in self.vpc.public_subnets]

    def client(self, name: str, description: str) -> aws_ec2.SecurityGroup:
        """Make a group for clients: nothing comes in; HTTPS goes out, as far as its subnet's routes reach."""
        return security_group(self, name, self.vpc, description, https_out="HTTPS to AWS")

    def server(self, name: str, description: str) -> aws_ec2.SecurityGroup:
        """Make a group for an engine: only what `let_reach` allows enters or leaves."""
        return security_group(self, name, self.vpc, description)

    def endpoint(self, name: str, service: str, **clients: aws_ec2.SecurityGroup) -> None:
        """Make an interface endpoint in the first zone only, since it bills by the hour and zone.

        The name of the service leads to it from the whole network, so its clients must include every caller of the
        service, even those that could do without it.
        """
        group = self.server(f"{name}Group", f"Endpoint of {service}, for its clients alone.")
        aws_ec2.InterfaceVpcEndpoint(
            self,
            name,
            vpc=self.vpc,
            service=aws_ec2.InterfaceVpcEndpointAwsService(service),
            subnets=aws_ec2.SubnetSelection(subnets=self.vpc.isolated_subnets[:1]),
            security_groups=[group],
            open=False,
        )
        for client, source in clients.items():
            let_reach(
                Construct(self, f"{client}To{name}"),
                name,
                source=source,
                target=group,
                port=HTTPS,
                service=service,
                client=client,
            )
