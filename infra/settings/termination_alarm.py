"""Settings of the stack TerminationAlarm."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from infra.settings.network import NetworkSettings
from infra.settings.setting import RetentionDays, setting


def _whole_minutes(seconds: int) -> int:
    if seconds % 60:
        raise ValueError(f"{seconds} is not a multiple of 60")
    return seconds


class TerminationAlarmSettings(NetworkSettings):
    """An Auto Scaling group whose lost instances raise an alarm."""

    instance_type: str = setting(
        "t3.micro",
        "EC2 instance type of the group.",
        group="Instances",
        pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$",
        hint="an EC2 instance type, such as t3.micro",
    )
    machine_image: str = setting(
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "SSM parameter that holds the id of the machine image; its architecture must fit the instance type.",
        group="Instances",
        kind="AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
        pattern=r"^/[\w./-]+$",
        hint="the name of an SSM parameter, such as /aws/service/ami-amazon-linux-latest/...",
    )
    minimum_instances: int = setting(0, "Fewest instances the group may have.", group="Instances", ge=0, le=100)
    desired_instances: int = setting(1, "Instances the group starts with.", group="Instances", ge=0, le=100)
    maximum_instances: int = setting(2, "Most instances the group may have.", group="Instances", ge=1, le=100)
    volume_gib: int = setting(8, "Size of the encrypted root volume, in GiB.", group="Instances", ge=8, le=16384)
    detailed_monitoring: bool = setting(
        default=False,
        description="Instance metrics every minute instead of every five, at extra cost.",
        group="Instances",
    )
    email: str = setting(
        "",
        "Address for the alarm's e-mails; its owner must confirm the subscription.",
        empty="nobody is told",
        group="Alarm",
        pattern=r"^([^@\s]+@[^@\s]+\.[^@\s]+)?$",
        hint="an e-mail address, or nothing",
    )
    watch: Literal["group", "all"] = setting(
        "group", "Watch the instances of this group, or all instances of the account in this region.", group="Alarm"
    )
    count_expected: bool = setting(
        default=False,
        description="Also count expected terminations: scale-in, and instances tagged groundwork:expected-termination.",
        group="Alarm",
    )
    threshold: int = setting(
        1, "Counted terminations within one period that make it breaching.", group="Alarm", ge=1, le=10000
    )
    period_seconds: Annotated[int, AfterValidator(_whole_minutes)] = setting(
        60, "Length of the alarm's period, in seconds: a multiple of 60.", group="Alarm", ge=60, le=86400
    )
    datapoints_to_alarm: int = setting(
        1, "Breaching periods (M) among the last N that raise the alarm.", group="Alarm", ge=1, le=1440
    )
    evaluation_periods: int = setting(1, "Periods (N) the alarm looks back.", group="Alarm", ge=1, le=1440)
    log_retention_days: RetentionDays = setting(90, "How long logs are kept, in days.", group="Logs and data")
    delete_data: bool = setting(
        default=False,
        description="Let removal of the stack delete its logs and failed events, if allow_data_deletion agrees.",
        group="Logs and data",
        console=False,
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.minimum_instances <= self.desired_instances <= self.maximum_instances:
            raise ValueError("minimum_instances <= desired_instances <= maximum_instances must hold")
        if self.datapoints_to_alarm > self.evaluation_periods:
            raise ValueError("datapoints_to_alarm (M) must not exceed evaluation_periods (N)")
        return self
