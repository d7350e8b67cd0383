"""Define the network: engines and functions in isolated subnets, jobs in public ones that nothing can enter."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, aws_ec2
from constructs import Construct, IDependable

from infra.constructs.functions import InNetwork
from infra.constructs.network import DYNAMODB, S3, existing_vpc, let_in_vpc, own_vpc, remove_look_up_tags
from infra.constructs.security_groups import HTTPS, let_reach, security_group
from infra.settings.data_ecosystem import DataEcosystemSettings


class EcosystemNetwork(Construct):
    """A VPC over two zones without NAT gateway.

    The isolated subnets cannot reach the internet and cannot be reached from it: AWS is reached through gateways to
    S3 and DynamoDB, which are free, and through an interface endpoint where a function needs one (`endpoint`). Jobs run
    in the public subnets for as long as they last: they fetch packages and images, and no port of theirs is open.

    An existing VPC with subnets of both kinds may take its place; it must have these gateways.

    Attributes:
        vpc: The VPC.
        isolated_subnets: Ids of the subnets of engines and functions.
        public_subnets: Ids of the subnets of jobs.
        routes: What must stand before jobs reach the internet, and outlive them.
    """

    def __init__(self, scope: Construct, name: str, settings: DataEcosystemSettings, policy: RemovalPolicy) -> None:
        super().__init__(scope, name)
        self._settings = settings
        self.vpc: aws_ec2.IVpc
        self.routes: list[IDependable] = []
        if settings.vpc_id:
            self.vpc = existing_vpc(self, settings.vpc_id)
            self.public_subnets, self.isolated_subnets = settings.public_subnet_ids, settings.isolated_subnet_ids
            first = aws_ec2.Subnet.from_subnet_id(self, "First", self.isolated_subnets[0])
            self._first_isolated: aws_ec2.ISubnet = first
        else:
            self._make(settings, policy)

    def _make(self, settings: DataEcosystemSettings, policy: RemovalPolicy) -> None:
        vpc = self.vpc = own_vpc(
            self,
            settings,
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
            log_retention_days=settings.log_retention_days,
            policy=policy,
        )
        remove_look_up_tags(vpc)
        self.isolated_subnets = [subnet.subnet_id for subnet in vpc.isolated_subnets]
        self.public_subnets = [subnet.subnet_id for subnet in vpc.public_subnets]
        self.routes = [subnet.internet_connectivity_established for subnet in vpc.public_subnets]
        self._first_isolated = vpc.isolated_subnets[0]

    def inside(self, group: aws_ec2.SecurityGroup) -> InNetwork:
        """Return the place of a function in the isolated subnets."""
        return InNetwork(self.vpc, group, self.isolated_subnets if self._settings.vpc_id else None)

    def client(self, name: str, description: str) -> aws_ec2.SecurityGroup:
        """Make a group for clients: nothing comes in; HTTPS goes out, as far as its subnet's routes reach."""
        return security_group(self, name, self.vpc, description, https_out="HTTPS to AWS")

    def server(self, name: str, description: str) -> aws_ec2.SecurityGroup:
        """Make a group for an engine: only what `let_reach` allows enters or leaves."""
        return security_group(self, name, self.vpc, description)

    def endpoint(
        self, name: str, service: str, **clients: aws_ec2.SecurityGroup
    ) -> aws_ec2.InterfaceVpcEndpoint | None:
        """Make an interface endpoint in the first zone only, since it bills by the hour and zone.

        The name of the service leads to it from the whole network, so its clients must include every caller of the
        service, even those that could do without it. In an existing VPC, everything in it may be such a caller.
        """
        if not self._settings.vpc_endpoint:
            return None
        group = self.server(f"{name}Group", f"Endpoint of {service}, for its clients alone.")
        endpoint = aws_ec2.InterfaceVpcEndpoint(
            self,
            name,
            vpc=self.vpc,
            service=aws_ec2.InterfaceVpcEndpointAwsService(service),
            subnets=aws_ec2.SubnetSelection(subnets=[self._first_isolated]),
            security_groups=[group],
            open=False,
        )
        let_in_vpc(group, group, self._settings)
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
        return endpoint
