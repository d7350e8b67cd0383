"""Settings of the stack DevOpsMetrics."""

from __future__ import annotations

from typing import Literal

from infra.settings.network import NetworkSettings, subnets, vpc
from infra.settings.setting import setting
from infra.settings.shared import (
    alert_email,
    data_deletion,
    influxdb_instance_type,
    influxdb_storage,
    log_retention,
    magnetic_retention,
    memory_retention,
    time_series_engine,
)
from infra.settings.types import EmailAddress, InfluxDBInstanceType, Items, RetentionDays


class DevOpsMetricsSettings(NetworkSettings):
    """A time series database for monitoring data."""

    vpc_id: str = vpc("VPC for InfluxDB; LiveAnalytics stands in none.")
    subnet_ids: Items = subnets("Subnets of that VPC, in at least two zones; InfluxDB needs no way to the internet.")
    engine: Literal["influxdb", "liveanalytics"] = time_series_engine(group="Engine")
    instance_type: InfluxDBInstanceType = influxdb_instance_type(group="Engine")
    storage_gib: int = influxdb_storage(group="Engine")
    memory_retention_hours: int = memory_retention("data", group="Engine")
    magnetic_retention_days: int = magnetic_retention(400, "data", group="Engine")
    email: EmailAddress = alert_email()
    silence_minutes: int = setting(
        60, "Minutes without a written row that raise the alarm.", group="Alarms", ge=1, le=1440
    )
    log_retention_days: RetentionDays = log_retention("the flow logs of the stack's own VPC", console=False)
    report_days: int = setting(
        90, "How long rejected records and InfluxDB's own logs are kept, in days.", group="Logs and data", ge=1, le=3650
    )
    delete_data: bool = data_deletion("its database and logs")
