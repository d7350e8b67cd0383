"""Settings of the stack DevOpsMetrics."""

from typing import Literal

from infra.settings.network import NetworkSettings, subnets, vpc
from infra.settings.setting import Items, RetentionDays, setting


class DevOpsMetricsSettings(NetworkSettings):
    """A time series database for monitoring data."""

    vpc_id: str = vpc("VPC for InfluxDB; LiveAnalytics stands in none.")
    subnet_ids: Items = subnets("Subnets of that VPC, in at least two zones; InfluxDB needs no way to the internet.")
    engine: Literal["influxdb", "liveanalytics"] = setting(
        "influxdb",
        "Timestream for InfluxDB, for every account; or for LiveAnalytics, closed to new customers since 2025-06-20.",
        group="Engine",
    )
    instance_type: str = setting(
        "db.influx.medium",
        "Instance type of InfluxDB; LiveAnalytics has none.",
        group="Engine",
        pattern=r"^db\.influx\.[a-z0-9]+$",
        hint="an instance type of Timestream for InfluxDB, such as db.influx.medium",
    )
    storage_gib: int = setting(20, "Storage of InfluxDB, in GiB.", group="Engine", ge=20, le=15360)
    memory_retention_hours: int = setting(
        24, "How long LiveAnalytics keeps data in its fast store, in hours.", group="Engine", ge=1, le=8766
    )
    magnetic_retention_days: int = setting(
        400, "How long LiveAnalytics keeps data at all, in days.", group="Engine", ge=1, le=73000
    )
    email: str = setting(
        "",
        "Address for the alarms' e-mails; its owner must confirm the subscription.",
        empty="nobody is told",
        group="Alarms",
        pattern=r"^([^@\s]+@[^@\s]+\.[^@\s]+)?$",
        hint="an e-mail address, or nothing",
    )
    silence_minutes: int = setting(
        60, "Minutes without a written row that raise the alarm.", group="Alarms", ge=1, le=1440
    )
    log_retention_days: RetentionDays = setting(
        90, "How long the flow logs of the stack's own VPC are kept, in days.", group="Logs and data", console=False
    )
    report_days: int = setting(
        90, "How long rejected records and InfluxDB's own logs are kept, in days.", group="Logs and data", ge=1, le=3650
    )
    delete_data: bool = setting(
        default=False,
        description="Let removal of the stack delete its database and logs, if allow_data_deletion agrees.",
        group="Logs and data",
        console=False,
    )
