"""Settings that several stacks have, each described once.

They are functions, not base classes, because a setting's place in its class is its place in the console and in the
documentation: `email: EmailAddress = alert_email()` stands where the stack asks for it.
"""

from __future__ import annotations

from typing import Any, Protocol

from infra.settings.setting import setting

AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
"""The SSM parameter with the id of the newest image of Amazon Linux 2023."""

LIVEANALYTICS_HOURS, LIVEANALYTICS_DAYS = 8766, 73000
"""The longest that LiveAnalytics keeps data in its fast store, in hours, and at all, in days."""


def alert_email(what: str = "Address for the alarms' e-mails", *, group: str = "Alarms") -> Any:
    """Describe the setting of the address that a stack's alarms write to."""
    return setting("", f"{what}; its owner must confirm the subscription.", empty="nobody is told", group=group)


def log_retention(what: str = "logs", *, console: bool = True) -> Any:
    """Describe the setting of how long logs are kept."""
    return setting(90, f"How long {what} are kept, in days.", group="Logs and data", console=console)


def data_deletion(what: str) -> Any:
    """Describe the setting of a stack's key to its data: what may go when the stack goes, if both keys agree."""
    return setting(
        default=False,
        description=f"Let removal of the stack delete {what}, if allow_data_deletion agrees.",
        group="Logs and data",
        console=False,
    )


def code_bundle(*, group: str) -> Any:
    """Describe the setting of where the workloads' code is; a console template must be told."""
    return setting(
        "",
        "Bundle of the workloads' code: a zip file in S3 that holds the folders contract, terminal and workloads.",
        empty="the CDK packs and uploads the folders itself",
        group=group,
        console="required",
    )


def machine_image(default: str, description: str, *, group: str, hint: str = "") -> Any:
    """Describe the setting of the SSM parameter that holds the id of a machine image."""
    kind = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    return setting(default, description, group=group, kind=kind, hint=hint)


def time_series_engine(*, group: str, console: bool = True) -> Any:
    """Describe the setting of which face of Timestream a stack has."""
    return setting(
        "influxdb",
        "Timestream for InfluxDB, for every account; or for LiveAnalytics, closed to new customers since 2025-06-20.",
        group=group,
        console=console,
    )


def influxdb_instance_type(*, group: str) -> Any:
    """Describe the setting of InfluxDB's instance type."""
    return setting("db.influx.medium", "Instance type of InfluxDB; LiveAnalytics has none.", group=group)


def influxdb_storage(*, group: str) -> Any:
    """Describe the setting of how much storage InfluxDB has, in GiB."""
    return setting(20, "Storage of InfluxDB, in GiB.", group=group, ge=20, le=15360)


def memory_retention(what: str, *, group: str, console: bool = True) -> Any:
    """Describe the setting of how long LiveAnalytics keeps data in its fast store."""
    description = f"How long LiveAnalytics keeps {what} in its fast store, in hours."
    return setting(24, description, group=group, console=console, ge=1, le=LIVEANALYTICS_HOURS)


def magnetic_retention(days: int, what: str, *, group: str, console: bool = True) -> Any:
    """Describe the setting of how long LiveAnalytics keeps data at all."""
    description = f"How long LiveAnalytics keeps {what} at all, in days."
    return setting(days, description, group=group, console=console, ge=1, le=LIVEANALYTICS_DAYS)


class GrowingStorage(Protocol):
    """Settings of a relational database whose storage grows."""

    @property
    def database_storage_gib(self) -> int: ...  # noqa: D102 - the settings describe themselves
    @property
    def database_maximum_storage_gib(self) -> int: ...  # noqa: D102


def check_room_to_grow(settings: GrowingStorage) -> None:
    """Refuse a maximum that RDS would refuse.

    Raises:
        ValueError: The maximum is less than a tenth above the storage at first.
    """
    if settings.database_maximum_storage_gib * 10 < settings.database_storage_gib * 11:
        raise ValueError("database_maximum_storage_gib must be a tenth above database_storage_gib or more")
