"""Settings of the stack DevOpsMetrics."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from infra.settings.network import NetworkSettings, subnets, vpc
from infra.settings.setting import setting
from infra.settings.shared import (
    alert_email,
    alert_topic,
    code_bundle,
    data_deletion,
    encryption_key,
    influxdb_instance_type,
    influxdb_storage,
    influxdb_version,
    job_image,
    log_retention,
    magnetic_retention,
    memory_retention,
    time_series_engine,
)
from infra.settings.types import (
    BundleUrl,
    ContainerImage,
    EmailAddress,
    InfluxDBInstanceType,
    Items,
    KmsKeyArn,
    RetentionDays,
    TopicArn,
)


class DevOpsMetricsSettings(NetworkSettings):
    """A time series database for monitoring data."""

    vpc_id: str = vpc(
        "VPC for InfluxDB; LiveAnalytics stands in none.",
        empty="the stack makes its own, with public subnets in two zones and no NAT gateway",
    )
    subnet_ids: Items = subnets(
        "Subnets of that VPC, in at least two zones; the job that backs up needs a way to the internet."
    )
    engine: Literal["influxdb", "liveanalytics"] = time_series_engine(group="Engine")
    influxdb_version: Literal["2", "3"] = influxdb_version(group="Engine")
    instance_type: InfluxDBInstanceType = influxdb_instance_type(group="Engine")
    storage_gib: int = influxdb_storage(group="Engine")
    memory_retention_hours: int = memory_retention("data", group="Engine")
    magnetic_retention_days: int = magnetic_retention(400, "data", group="Engine")
    raw_days: int = setting(
        0,
        "How long InfluxDB 2 keeps rows, in days; 0 leaves the retention as it is, at first for ever.",
        group="Engine",
        console=False,
        ge=0,
        le=36500,
    )
    rollup_days: int = setting(
        0,
        "How long InfluxDB 2 keeps rollups, in days; 0 leaves the retention as it is, at first for ever.",
        group="Engine",
        console=False,
        ge=0,
        le=36500,
    )
    backup_schedule_hours: int = setting(
        24,
        "Hours between two backups of InfluxDB into a bucket of the stack; 0 makes none.",
        group="Backups",
        console=False,
        ge=0,
        le=72,
    )
    backup_days: int = setting(
        30, "How long replaced and deleted files of the backup are kept, in days.", group="Backups", ge=1, le=3650
    )
    code: BundleUrl = code_bundle(group="Backups")
    image: ContainerImage = job_image(group="Backups", console=False)
    email: EmailAddress = alert_email()
    topic_arn: TopicArn = alert_topic()
    silence_minutes: int = setting(
        60, "Minutes without a written row that raise the alarm.", group="Alarms", ge=1, le=1440
    )
    log_retention_days: RetentionDays = log_retention("the flow logs of the stack's own VPC", console=False)
    kms_key_arn: KmsKeyArn = encryption_key()
    delete_data: bool = data_deletion("its database and logs")

    @model_validator(mode="after")
    def _rollups_outlive_rows(self) -> Self:
        if self.rollup_days and not 0 < self.raw_days <= self.rollup_days:
            message = f"rollup_days is {self.rollup_days}, and raw_days is {self.raw_days or '0, which is for ever'}. "
            raise ValueError(f"{message}Rollups must be kept for at least as long as rows.")
        return self
