"""Instances: their types are offered where they start, and their images exist and fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundwork.preflight.checks import check, ok, refused
from groundwork.preflight.network import zones_of
from workloads.account.facts import PRIVATE_IMAGE, describe_type, image_is_missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Launch, Template

_READ_AT_LAUNCH = "resolve:ssm:"  # before an SSM parameter, with which EC2 reads it at each launch
_CHOSEN_BY_BATCH = ("optimal", "default_x86_64", "default_arm64")


def _offers(kind: str, account: Questions) -> set[str]:
    """Return the zones that have an instance type, or some type of a family."""
    pattern = kind if "." in kind else f"{kind}.*"
    response = account.ask(
        "ec2:DescribeInstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": [pattern]}],
    )
    return {offering["Location"] for offering in response["InstanceTypeOfferings"]}


@check(
    "instance types",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeSubnets",
)
def offered(stack: Template, account: Questions) -> Iterator[Judgement]:
    """EC2 offers the instance types in the zones where the stack starts them."""
    good: dict[str, None] = {}
    for launch in stack.launches():
        zones = zones_of(stack, launch.subnets, account) or account.zones
        kinds = [kind for kind in launch.types if kind not in _CHOSEN_BY_BATCH]
        offers = {kind: _offers(kind, account) for kind in kinds}
        unknown = [kind for kind, places in offers.items() if not places]
        if unknown:
            yield refused(
                f"{launch.resource}: EC2 has no instance type {unknown[0]} in {account.region}.",
                "Choose another instance type, or another region.",
            )
        elif kinds and not any(places & set(zones) for places in offers.values()):
            places = sorted(set.union(*offers.values()))
            yield refused(
                f"{launch.resource}: {', '.join(kinds)} cannot be had in {', '.join(zones)}.",
                f"Choose subnets in {', '.join(places)}, or another instance type.",
            )
        else:
            good |= dict.fromkeys(kinds)
    if good:
        yield ok(f"{', '.join(good)} are offered." if len(good) > 1 else f"{next(iter(good))} is offered.")


@check("machine image", "ssm:GetParameter", "ec2:DescribeImages", "ec2:DescribeInstanceTypes")
def machine_images(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The machine images exist, and fit the processor of their instance type."""
    for launch in stack.launches():
        if launch.image:
            yield _machine_image(launch, account)


def _machine_image(launch: Launch, account: Questions) -> Judgement:
    identifier = launch.image
    if identifier.startswith(_READ_AT_LAUNCH):
        identifier = identifier.removeprefix(_READ_AT_LAUNCH)
        parameter = account.find("ssm:GetParameter", Name=identifier)
        if parameter is None:
            return refused(
                f"{launch.resource}: there is no SSM parameter {identifier}.",
                "Correct the setting machine_image, or choose a region that has this image.",
            )
        if parameter["Parameter"]["DataType"] != "aws:ec2:image":
            return refused(
                f"{launch.resource}: SSM parameter {identifier} does not have the data type aws:ec2:image.",
                "Delete it, and create it again with aws ssm put-parameter --data-type aws:ec2:image.",
            )
        identifier = parameter["Parameter"]["Value"]
    response = account.find("ec2:DescribeImages", ImageIds=[identifier])
    if not response or not response["Images"]:
        return refused(
            f"{launch.resource}: there is no machine image {identifier} in {account.region}.",
            "Correct the setting machine_image; an image's id is another one in each region.",
        )
    (image,) = response["Images"]
    kind = describe_type(launch.types[0], account) if launch.types else None
    fitting = kind["ProcessorInfo"]["SupportedArchitectures"] if kind else []
    if fitting and image["Architecture"] not in fitting:
        return refused(
            f"{launch.resource}: machine image {identifier} is for {image['Architecture']}, and {launch.types[0]} has "
            f"{', '.join(fitting)}.",
            "Choose a machine image and an instance type for the same architecture.",
        )
    return ok(f"{launch.resource}: {identifier} exists and fits.")


@check("container image", "ecr:DescribeImages")
def container_images(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Images in private registries of ECR exist; public ones are not asked for."""
    for image in stack.identifiers(PRIVATE_IMAGE.pattern):
        if image_is_missing(image, account.region, account):
            yield refused(f"There is no image {image}.", "Push it, or correct the setting image or gpu_image.")
        else:
            yield ok(f"{image} exists.")


@check("key pair", "ec2:DescribeKeyPairs")
def key_pairs(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The key pair for SSH exists."""
    names = {
        stack.text(data["KeyName"])
        for resource in stack.resources("AWS::EC2::LaunchTemplate", "AWS::EC2::Instance")
        for data in [resource.properties.get("LaunchTemplateData", resource.properties)]
        if "KeyName" in data
    } - {""}
    for name in sorted(names):
        if account.find("ec2:DescribeKeyPairs", KeyNames=[name]) is None:
            yield refused(
                f"There is no key pair {name} in {account.region}.",
                f"Create it: aws ec2 create-key-pair --key-name {name}; or leave the setting ssh_key_name empty.",
            )
        else:
            yield ok(f"{name} exists.")
