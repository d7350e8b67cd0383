"""The alarm of a stack that somebody uploaded in the console rings as that of the CDK does."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from groundwork.demo.alarm import EMAIL, drill
from groundwork.demo.checklist import Checklist
from infra.console.templates import FOLDER
from localcloud import LocalCloud


def test_the_alarm_drill_passes_on_the_console_stack(cloud: LocalCloud, tmp_path: Path) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{index}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for index, zone in enumerate("ab")
    ]
    values = {
        "VpcId": vpc,
        "SubnetIds": ",".join(subnet["Subnet"]["SubnetId"] for subnet in subnets),
        "Email": EMAIL,
    }
    cloud.client("cloudformation").create_stack(
        StackName="TerminationAlarm",
        TemplateBody=(FOLDER / "termination-alarm.yaml").read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
    )
    report = Checklist(Console(quiet=True))
    drill(cloud, report, tmp_path)  # every promise holds, or it raises
    assert report.promises_kept >= 8
    assert (tmp_path / "alarm" / "time_line.png").exists()
