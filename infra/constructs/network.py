"""Networks without NAT gateways, so that nothing bills while idle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from aws_cdk import CfnRule, CfnRuleAssertion, Fn, RemovalPolicy, Stack, Tags, Token, aws_ec2, aws_s3
from constructs import Construct, IConstruct, IDependable

from infra.constructs.logs import log_group
from infra.constructs.security_groups import HTTPS, let_in, security_group
from infra.parameters import value_or
from infra.settings.network import NetworkSettings, TieredNetworkSettings

#: The key of a stack's context with the ARN of the bucket for its flow logs.
FLOW_LOG_BUCKET = "groundwork:flow-log-bucket"
#: What the CDK writes on subnets for its look-ups, which nothing here does.
_LOOK_UP_TAGS = ("aws-cdk:subnet-name", "aws-cdk:subnet-type")


def own_vpc(
    scope: Construct,
    settings: NetworkSettings | TieredNetworkSettings,
    *,
    subnets: Sequence[aws_ec2.SubnetConfiguration],
    gateways: Mapping[str, aws_ec2.GatewayVpcEndpointOptions],
    log_retention_days: int,
    policy: RemovalPolicy,
) -> aws_ec2.Vpc:
    """Make a VPC over two zones with flow logs and without NAT gateway, as `Vpc` and `FlowLogs` of the scope.

        public = aws_ec2.SubnetConfiguration(name="Public", subnet_type=aws_ec2.SubnetType.PUBLIC, cidr_mask=20)
        vpc = own_vpc(self, settings, subnets=[public], gateways={"S3": S3}, log_retention_days=90, policy=policy)

    Args:
        scope: Where it stands.
        settings: Name its zones, which are the first two of the region by default.
        subnets: The kinds of subnets, one of each in each zone.
        gateways: Ways to S3 and DynamoDB, which are free, by their constructs' names.
        log_retention_days: How long the flow logs are kept.
        policy: What becomes of the flow logs when the stack goes.
    """
    return aws_ec2.Vpc(
        scope,
        "Vpc",
        availability_zones=_zones(scope, settings),
        nat_gateways=0,
        subnet_configuration=list(subnets),
        restrict_default_security_group=False,  # needs a custom resource; nothing uses that group
        gateway_endpoints=dict(gateways),
        flow_logs={
            "Traffic": aws_ec2.FlowLogOptions(destination=_flow_log_destination(scope, log_retention_days, policy))
        },
    )


def _flow_log_destination(scope: Construct, retention_days: int, policy: RemovalPolicy) -> aws_ec2.FlowLogDestination:
    """Return the bucket that the account has for flow logs, or a log group made as `FlowLogs` of the scope."""
    if arn := scope.node.try_get_context(FLOW_LOG_BUCKET):
        bucket_arn, _, prefix = str(arn).partition("/")
        bucket = aws_s3.Bucket.from_bucket_arn(scope, "FlowLogBucket", bucket_arn)
        return aws_ec2.FlowLogDestination.to_s3(bucket, prefix or None)
    return aws_ec2.FlowLogDestination.to_cloud_watch_logs(log_group(scope, "FlowLogs", retention_days, policy))


def _zones(scope: Construct, settings: NetworkSettings | TieredNetworkSettings) -> list[str]:
    """Return the zones of a VPC; in a console template, those that the person may choose."""
    first, second = settings.first_zone, settings.second_zone
    if Token.is_unresolved(first):
        empty = [Fn.condition_equals(value, "") for value in (first, second)]
        chosen = [*map(Fn.condition_not, empty), Fn.condition_not(Fn.condition_equals(first, second))]
        CfnRule(
            Stack.of(scope),
            "ZonesGoTogether",
            assertions=[
                CfnRuleAssertion(
                    assert_=Fn.condition_or(Fn.condition_and(*empty), Fn.condition_and(*chosen)),
                    assert_description="Choose two zones that differ, or none for the first two of the region.",
                )
            ],
        )
    return [
        value_or(scope, name, value, Fn.select(place, Fn.get_azs()))
        for place, (name, value) in enumerate({"FirstZone": first, "SecondZone": second}.items())
    ]


def existing_vpc(scope: Construct, vpc_id: str) -> aws_ec2.IVpc:
    """Return the VPC that a setting names, as `Given` of the scope.

        vpc = existing_vpc(self, settings.vpc_id)

    Zones and subnets are not read from this object, so a placeholder saves asking AWS for them.
    """
    return aws_ec2.Vpc.from_vpc_attributes(scope, "Given", vpc_id=vpc_id, availability_zones=["unused"])


def let_in_vpc(scope: Construct, endpoint: aws_ec2.SecurityGroup, settings: TieredNetworkSettings) -> None:
    """Let everything in an existing VPC reach an interface endpoint.

        let_in_vpc(self, endpoint_group, settings)

    The name of the service leads to the endpoint in the whole VPC, also for what is not of the stack.
    """
    if settings.vpc_id:
        let_in(scope, "FromVpc", endpoint, settings.vpc_cidr, port=HTTPS, description="HTTPS from the VPC")


def gateway(
    service: aws_ec2.GatewayVpcEndpointAwsService, *, only: aws_ec2.SubnetType | None = None
) -> aws_ec2.GatewayVpcEndpointOptions:
    """Return a way to a service, from every subnet or from one kind only."""
    subnets = [aws_ec2.SubnetSelection(subnet_type=only)] if only else None
    return aws_ec2.GatewayVpcEndpointOptions(service=service, subnets=subnets)


S3 = gateway(aws_ec2.GatewayVpcEndpointAwsService.S3)
DYNAMODB = gateway(aws_ec2.GatewayVpcEndpointAwsService.DYNAMODB)


def remove_look_up_tags(construct: IConstruct) -> None:
    """Remove the tags that only the CDK's look-ups read, so that a person meets none that says nothing."""
    for tag in _LOOK_UP_TAGS:
        Tags.of(construct).remove(tag)


class Network(Construct):
    """A VPC and its subnets: those that the settings name, or else a VPC of the stack's own.

    Its own has public subnets in two zones, no NAT gateway, flow logs, and a free gateway to S3.

        network = Network(self, "Network", settings, log_retention_days=90, policy=self.policy)
        ... subnets=network.subnet_ids, security_groups=[network.security_group.security_group_id]

    Attributes:
        vpc: The VPC.
        subnet_ids: Its subnets; one token for all of them in a console template.
        routes: What must stand before instances reach the internet, and outlive them.
    """

    def __init__(
        self, scope: Construct, name: str, settings: NetworkSettings, *, log_retention_days: int, policy: RemovalPolicy
    ) -> None:
        super().__init__(scope, name)
        self.vpc: aws_ec2.IVpc
        self.subnet_ids: list[str]
        self.routes: list[IDependable] = []
        if settings.vpc_id:
            self.vpc = existing_vpc(self, settings.vpc_id)
            self.subnet_ids = settings.subnet_ids
        else:
            public = aws_ec2.SubnetConfiguration(name="Public", subnet_type=aws_ec2.SubnetType.PUBLIC, cidr_mask=20)
            self.vpc = own_vpc(
                self,
                settings,
                subnets=[public],
                gateways={"S3": S3},
                log_retention_days=log_retention_days,
                policy=policy,
            )
            self.subnet_ids = [subnet.subnet_id for subnet in self.vpc.public_subnets]
            self.routes = [subnet.internet_connectivity_established for subnet in self.vpc.public_subnets]

    @cached_property
    def security_group(self) -> aws_ec2.SecurityGroup:
        """A group that lets nothing in, and only HTTPS out; made when it is first asked for."""
        return security_group(
            self, "SecurityGroup", self.vpc, "No way in; HTTPS out.", https_out="HTTPS to AWS and the web"
        )
