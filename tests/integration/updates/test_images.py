"""A newer machine image reaches deployed instances when it is asked for, and no other way."""

from __future__ import annotations

from contract.stacks import StackName
from localcloud import LocalCloud

FIRST, SECOND = "ami-12c6146b", "ami-03cf127a"
STACKS = {StackName.WEB_APP: "web_app", StackName.TERMINATION_ALARM: "termination_alarm"}


def publish(cloud: LocalCloud, image: str) -> None:
    cloud.client("ssm").put_parameter(
        Name="/golden", Value=image, Type="String", DataType="aws:ec2:image", Overwrite=True
    )


def deploy(cloud: LocalCloud, **settings: str) -> None:
    """Deploy both stacks with plain `cdk deploy`, each with these settings."""
    for stack, section in STACKS.items():
        cloud.deploy(stack, context={f"{section}.{name}": value for name, value in settings.items()})


def running(cloud: LocalCloud) -> dict[str, tuple[str, str]]:
    """Return the id and the image of the instance of each stack."""
    found = cloud.client("ec2").describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
    instances = [instance for reservation in found["Reservations"] for instance in reservation["Instances"]]
    return {
        next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name"): (
            instance["InstanceId"],
            instance["ImageId"],
        )
        for instance in instances
    }


def test_a_plain_deployment_leaves_instances_alone_though_there_is_a_newer_image(cloud: LocalCloud) -> None:
    publish(cloud, FIRST)
    deploy(cloud, machine_image="resolve:ssm:/golden")
    first = running(cloud)
    assert {image for _, image in first.values()} == {FIRST}
    publish(cloud, SECOND)
    deploy(cloud, machine_image="resolve:ssm:/golden", email="you@example.com")
    assert running(cloud) == first

    # Asked for: the group replaces an instance that is gone, and the site's instance takes another id of an image.
    group, site = (first[stack][0] for stack in (StackName.TERMINATION_ALARM, StackName.WEB_APP))
    cloud.client("ec2").terminate_instances(InstanceIds=[group])
    cloud.deploy(StackName.WEB_APP, context={"web_app.machine_image": SECOND})
    later = running(cloud)
    assert {image for _, image in later.values()} == {SECOND}
    assert not {group, site} & {instance for instance, _ in later.values()}
