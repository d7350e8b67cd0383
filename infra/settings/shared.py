"""Settings that several stacks have, each described once.

They are functions, not base classes, because a setting's place in its class is its place in the console and in the
documentation: `email: EmailAddress = alert_email()` stands where the stack asks for it.
"""

from __future__ import annotations

from typing import Any, Protocol

from infra.settings.setting import setting

AMAZON_LINUX = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
"""The newest image of Amazon Linux 2023, in the words of EC2, which reads the SSM parameter at each launch."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY, TIME = f"({'|'.join(DAYS)})", "([01][0-9]|2[0-3]):[0-5][0-9]"
DAY_MINUTES = 24 * 60
SHORTEST_WINDOW_MINUTES = 30

LIVEANALYTICS_HOURS, LIVEANALYTICS_DAYS = 8766, 73000
"""The longest that LiveAnalytics keeps data in its fast store, in hours, and at all, in days."""


def alert_email(what: str = "Address for the alarms' e-mails", *, group: str = "Alarms") -> Any:
    """Describe the setting of the address that a stack's alarms write to."""
    return setting("", f"{what}; its owner must confirm the subscription.", empty="no e-mail is sent", group=group)


def alert_topic(*, group: str = "Alarms") -> Any:
    """Describe the setting of the topic that a stack's alarms publish to; without it, the stack has one of its own."""
    return setting(
        "",
        "Existing SNS topic for the alarms; its policy and that of its key must let CloudWatch and EventBridge publish "
        "(see docs/company.md).",
        empty="the stack makes its own, under a key of its own",
        group=group,
        console=False,
    )


def log_retention(what: str = "logs", *, console: bool = True) -> Any:
    """Describe the setting of how long logs are kept."""
    return setting(90, f"How long {what} are kept, in days.", group="Logs and data", console=console)


def encryption_key() -> Any:
    """Describe the setting of the key that encrypts what a stack stores; without it, the stack has other resources."""
    return setting(
        "",
        "KMS key for everything that the stack stores; its policy must let services use it (see docs/encryption.md).",
        empty="AWS's own keys, which cost nothing, and a key of the stack's own for the alarms",
        group="Logs and data",
        console=False,
    )


def password_rotation(database: str, *, group: str) -> Any:
    """Describe the setting of how often a database's password changes."""
    return setting(
        0,
        f"How often Secrets Manager changes the password of {database}, in days; 0 never. It needs an endpoint of "
        "Secrets Manager, billed by the hour.",
        group=group,
        ge=0,
        le=365,
        console=False,
    )


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


def job_image(*, group: str, console: bool = True) -> Any:
    """Describe the setting of the container image in which jobs on Fargate run."""
    image = "public.ecr.aws/docker/library/python:3.12-slim"
    return setting(image, "Container image with Python in which jobs run.", group=group, console=console)


def machine_image(default: str, description: str, *, group: str) -> Any:
    """Describe the setting of a machine image; where an SSM parameter names it, EC2 reads that at each launch."""
    return setting(default, description, group=group)


def time_series_engine(*, group: str, console: bool = True) -> Any:
    """Describe the setting of which face of Timestream a stack has."""
    return setting(
        "influxdb",
        "Timestream for InfluxDB, for every account; or for LiveAnalytics, closed to new customers since 2025-06-20.",
        group=group,
        console=console,
    )


def influxdb_version(*, group: str) -> Any:
    """Describe the setting of InfluxDB's version, which decides what the stack makes of it."""
    return setting(
        "2",
        "Version of InfluxDB: 2, or 3 (Core), which stores in S3 and has no storage to choose.",
        group=group,
        console=False,
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


def backup_window(what: str, *, group: str) -> Any:
    """Describe the setting of the daily window in which RDS and Neptune make their backups."""
    return setting(
        "03:00-04:00",
        f"When backups of {what} are made (UTC), half an hour or more.",
        group=group,
        pattern=rf"^{TIME}-{TIME}$",
        hint="a daily window in UTC outside maintenance_window, such as 03:00-04:00",
    )


def maintenance_window(what: str, *, group: str) -> Any:
    """Describe the setting of the weekly window in which RDS and Neptune install updates."""
    return setting(
        "sun:04:30-sun:05:30",
        f"When AWS may install updates of {what} (UTC), which interrupt it; half an hour or more.",
        group=group,
        pattern=rf"^{DAY}:{TIME}-{DAY}:{TIME}$",
        hint="a weekly window in UTC outside backup_window, such as sun:04:30-sun:05:30",
    )


def snapshot(what: str, *, group: str) -> Any:
    """Describe the setting of the snapshot with whose data a database is created."""
    description = (
        f"Snapshot with whose data {what} is created. A change replaces the database, so leave it as it is afterwards."
    )
    return setting("", description, empty="it is created empty", group=group)


def restore_source(*, group: str) -> Any:
    """Describe the setting of the instance from whose backups a database is created."""
    description = (
        "Resource id of the RDS instance from whose automated backups the database is created, as of "
        "database_restore_time. A change replaces the database, so leave it as it is afterwards."
    )
    return setting("", description, empty="it is created empty, or from database_snapshot", group=group, console=False)


def restore_time(*, group: str) -> Any:
    """Describe the setting of the time as of which a database is created from the backups of another one."""
    description = "The time as of which database_source is restored."
    return setting("", description, empty="the latest time that RDS has", group=group, console=False)


class RestoredDatabase(Protocol):
    """Settings of a relational database that may be created with the data of another one."""

    @property
    def database_snapshot(self) -> str: ...  # noqa: D102 - the settings describe themselves
    @property
    def database_source(self) -> str: ...  # noqa: D102
    @property
    def database_restore_time(self) -> str: ...  # noqa: D102


def check_one_origin(settings: RestoredDatabase) -> None:
    """Refuse data from two origins, and a time without the instance that it is about.

    Raises:
        ValueError: Settings exclude each other, or one needs another.
    """
    if settings.database_snapshot and settings.database_source:
        raise ValueError("database_snapshot and database_source exclude each other: give one of them")
    if settings.database_restore_time and not settings.database_source:
        raise ValueError("database_restore_time needs database_source, the instance whose backups are restored")


class Windows(Protocol):
    """Settings of databases that are backed up and updated at certain times."""

    @property
    def backup_window(self) -> str: ...  # noqa: D102 - the settings describe themselves
    @property
    def maintenance_window(self) -> str: ...  # noqa: D102


def check_windows(settings: Windows) -> None:
    """Refuse windows that RDS and Neptune would refuse.

    Raises:
        ValueError: A window is shorter than half an hour, maintenance is longer than a day, or the two overlap.
    """
    backup = [_minutes(time) for time in settings.backup_window.split("-")]
    maintenance = [
        DAYS.index(day) * DAY_MINUTES + _minutes(time)
        for day, _, time in (moment.partition(":") for moment in settings.maintenance_window.split("-"))
    ]
    backup_length = (backup[1] - backup[0]) % DAY_MINUTES
    length = (maintenance[1] - maintenance[0]) % (len(DAYS) * DAY_MINUTES)
    if backup_length < SHORTEST_WINDOW_MINUTES:
        raise ValueError(f"backup_window {settings.backup_window} must have half an hour or more")
    if not SHORTEST_WINDOW_MINUTES <= length <= DAY_MINUTES:
        raise ValueError(f"maintenance_window {settings.maintenance_window} must have half an hour to a day")
    later = (maintenance[0] - backup[0]) % DAY_MINUTES
    if later < backup_length or -later % DAY_MINUTES < length:
        raise ValueError(
            f"backup_window {settings.backup_window} and maintenance_window {settings.maintenance_window} must not "
            "overlap"
        )


def _minutes(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


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
