"""The account and the region: the CDK's bootstrap, the state of the stack, zones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundwork.preflight.checks import check, ok, refused, warning
from infra.regions import OFFERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Template

#: What has to happen before CloudFormation takes another deployment of a stack, by its status.
_STUCK = {
    "DELETE_FAILED": "Delete it: aws cloudformation delete-stack --stack-name {stack}",
    "UPDATE_ROLLBACK_FAILED": "Continue: aws cloudformation continue-update-rollback --stack-name {stack}",
    "ROLLBACK_FAILED": "Delete it: aws cloudformation delete-stack --stack-name {stack}",
    "REVIEW_IN_PROGRESS": "Execute its change set, or delete it: aws cloudformation delete-stack --stack-name {stack}",
}
_FAILED_AT_FIRST = {"ROLLBACK_COMPLETE", "CREATE_FAILED"}


@check("bootstrap", "ssm:GetParameter", "s3:ListBucket")
def bootstrap(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The CDK's bootstrap is there, with its bucket, and new enough."""
    if not stack.bootstrap:
        return
    name, least = stack.bootstrap
    way_out = f"npx cdk bootstrap aws://{account.number}/{account.region}"
    response = account.find("ssm:GetParameter", Name=name)
    if response is None:
        yield refused(f"This region of the account is not bootstrapped: there is no parameter {name}.", way_out)
        return
    version = response["Parameter"]["Value"]
    if not version.isdecimal() or int(version) < least:
        yield refused(f"The bootstrap has version {version}, and the stack needs {least} or newer.", way_out)
        return
    bucket = f"cdk-{name.split('/')[2]}-assets-{account.number}-{account.region}"
    if account.find("s3:ListBucket", Bucket=bucket, MaxKeys=1) is None:
        yield refused(
            f"The bootstrap's bucket {bucket} does not exist.",
            f"Delete the stack CDKToolkit, and then: {way_out}",
        )
        return
    yield ok(f"Version {version}.")


@check("stack", "cloudformation:DescribeStacks")
def state(stack: Template, account: Questions) -> Iterator[Judgement]:
    """CloudFormation can create or update the stack in the state in which it is."""
    response = account.find("cloudformation:DescribeStacks", StackName=stack.stack)
    if response is None:
        yield ok("It is new.")
        return
    status = response["Stacks"][0]["StackStatus"]
    if status in _STUCK:
        yield refused(f"CloudFormation cannot update it: it is in {status}.", _STUCK[status].format(stack=stack.stack))
    elif status.endswith("_IN_PROGRESS"):
        yield refused(
            f"Something else is changing it: it is in {status}.",
            "Wait until CloudFormation has finished, and run this again.",
        )
    elif status in _FAILED_AT_FIRST:
        yield warning(
            f"Its first deployment failed: it is in {status}.",
            "The CDK deletes it before it deploys it again. Read why it failed: "
            f"aws cloudformation describe-stack-events --stack-name {stack.stack}",
        )
    else:
        yield ok(f"It is deployed, in {status}.")


@check("region", "sts:GetCallerIdentity")
def region(stack: Template, account: Questions) -> Iterator[Judgement]:
    """AWS offers the services of the stack in the region."""
    absent = [
        offer for kind, offer in OFFERS.items() if any(stack.resources(kind)) and account.region not in offer.regions
    ]
    for offer in absent:
        yield refused(
            f"AWS does not offer {offer.name} in {account.region}.",
            f"{offer.instead.capitalize()}: {', '.join(offer.regions)}.",
        )
    if not absent:
        yield ok(f"{account.region} has the services of the stack.")


@check("zones", "ec2:DescribeAvailabilityZones")
def zones(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The region has the zones that the subnets of the stack are in."""
    subnet_zones = [
        zone for subnet in stack.resources("AWS::EC2::Subnet") if (zone := stack.zone({"Ref": subnet.name})) is not None
    ]
    if not subnet_zones:
        return
    account_zones = account.zones
    missing = [zone for zone in subnet_zones if isinstance(zone, str) and zone not in account_zones]
    if missing:
        yield refused(
            f"There is no zone {missing[0]} in {account.region}.", f"Choose among {', '.join(account_zones)}."
        )
        return
    number = max((zone for zone in subnet_zones if isinstance(zone, int)), default=-1) + 1
    if number > len(account_zones):
        yield refused(
            f"The stack needs {number} zones, and the account may use {len(account_zones)} in {account.region}.",
            "Choose another region.",
        )
        return
    yield ok(f"{number or len(set(subnet_zones))} of {len(account_zones)} zones are used.")
