"""Settings of the stack TerminationAlarm."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from infra.settings.network import NetworkSettings
from infra.settings.setting import setting
from infra.settings.shared import (
    AMAZON_LINUX,
    alert_email,
    alert_topic,
    data_deletion,
    encryption_key,
    log_retention,
    machine_image,
)
from infra.settings.types import EmailAddress, InstanceType, KmsKeyArn, MachineImage, RetentionDays, TopicArn, Watch

#: In seconds. CloudWatch looks back a day at most, and a week with periods of an hour or more. See
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html.
_HOUR, _DAY = 3600, 86400


def _whole_minutes(seconds: int) -> int:
    if seconds % 60:
        raise ValueError(f"{seconds} is not a multiple of 60")
    return seconds


class TerminationAlarmSettings(NetworkSettings):
    """An Auto Scaling group whose lost instances raise an alarm."""

    instance_type: InstanceType = setting("t3.micro", "EC2 instance type of the group.", group="Instances")
    machine_image: MachineImage = machine_image(
        AMAZON_LINUX,
        "Machine image, which EC2 looks up at each launch; its architecture must fit the instance type.",
        group="Instances",
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
    email: EmailAddress = alert_email("Address for the alarm's e-mails", group="Alarm")
    topic_arn: TopicArn = alert_topic(group="Alarm")
    watch: Watch = setting(
        "group",
        "Whose instances are watched: those of the stack's own group, those of existing groups by name or by a tag of "
        "theirs, or all of the account in this region.",
        group="Alarm",
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
    log_retention_days: RetentionDays = log_retention()
    kms_key_arn: KmsKeyArn = encryption_key()
    delete_data: bool = data_deletion("its logs and failed events")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.minimum_instances <= self.desired_instances <= self.maximum_instances:
            raise ValueError("minimum_instances <= desired_instances <= maximum_instances must hold")
        if self.datapoints_to_alarm > self.evaluation_periods:
            raise ValueError("datapoints_to_alarm (M) must not exceed evaluation_periods (N)")
        longest = _DAY if self.period_seconds < _HOUR else 7 * _DAY
        if self.period_seconds * self.evaluation_periods > longest:
            raise ValueError(
                f"period_seconds x evaluation_periods must not exceed {longest} seconds; longer alarms take periods of "
                "an hour or more, and look back a week at most"
            )
        return self
