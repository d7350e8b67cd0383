"""Settings of the stack DataEcosystem."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from infra.settings.network import TieredNetworkSettings
from infra.settings.setting import setting
from infra.settings.shared import (
    alert_email,
    alert_topic,
    backup_window,
    check_one_origin,
    check_room_to_grow,
    check_windows,
    code_bundle,
    data_deletion,
    encryption_key,
    influxdb_instance_type,
    influxdb_storage,
    influxdb_version,
    job_image,
    log_retention,
    magnetic_retention,
    maintenance_window,
    memory_retention,
    password_rotation,
    restore_source,
    restore_time,
    snapshot,
    time_series_engine,
)
from infra.settings.types import (
    BundleUrl,
    ContainerImage,
    DatabaseInstanceType,
    DatabaseResource,
    EmailAddress,
    InfluxDBInstanceType,
    Instant,
    KmsKeyArn,
    OptionalCidr,
    RetentionDays,
    SecretArn,
    Snapshot,
    StreamArn,
    TopicArn,
)

#: The largest volumes, in GiB, of the instance types that take less than the setting allows.
#: See https://docs.aws.amazon.com/opensearch-service/latest/developerguide/limits.html.
LARGEST_SEARCH_VOLUMES = {"t3.small.search": 100, "t3.medium.search": 200}


class DataEcosystemSettings(TieredNetworkSettings):
    """A film rental company's data in the engines that fit."""

    database_instance_type: DatabaseInstanceType = setting(
        "db.t4g.micro", "Instance type of PostgreSQL.", group="PostgreSQL"
    )
    database_storage_gib: int = setting(
        20, "Storage of PostgreSQL to begin with, in GiB; it grows by itself.", group="PostgreSQL", ge=20, le=16384
    )
    database_maximum_storage_gib: int = setting(
        100, "How far the storage may grow, in GiB.", group="PostgreSQL", ge=22, le=65536
    )
    database_two_zones: bool = setting(
        default=False,
        description="Keep a standby of PostgreSQL in a second zone, at twice the cost.",
        group="PostgreSQL",
    )
    backup_days: int = setting(
        7, "How long backups of PostgreSQL and Neptune are kept, in days.", group="PostgreSQL", ge=1, le=35
    )
    backup_window: str = backup_window("PostgreSQL and Neptune", group="PostgreSQL")
    maintenance_window: str = maintenance_window("PostgreSQL and Neptune", group="PostgreSQL")
    password_rotation_days: int = password_rotation("PostgreSQL", group="PostgreSQL")
    database_snapshot: Snapshot = snapshot("PostgreSQL", group="PostgreSQL")
    database_source: DatabaseResource = restore_source(group="PostgreSQL")
    database_restore_time: Instant = restore_time(group="PostgreSQL")
    movies_stream_arn: StreamArn = setting(
        "",
        "Stream of an existing DynamoDB table, such as a restored one, that becomes the film library.",
        empty="the stack makes the table",
        group="DynamoDB",
        console=False,
    )
    source_secret_arn: SecretArn = setting(
        "",
        "Secret whose text is the old database's URL, postgresql://user:password@host:port/database.",
        empty="whoever submits a job sets its variable MOVIE_RENTAL_SOURCE",
        group="Jobs",
    )
    source_cidr: OptionalCidr = setting(
        "",
        "Address range of the old database, which jobs may reach on PostgreSQL's port.",
        empty="jobs reach no database but the stack's own",
        group="Jobs",
    )
    graph_maximum_capacity: Literal["2.5", "4", "8", "16", "32", "64", "128"] = setting(
        "2.5", "Most capacity units (NCU) of Neptune; the least is 1.", group="Neptune"
    )
    graph_snapshot: Snapshot = snapshot("Neptune", group="Neptune")
    search_instance_type: str = setting(
        "t3.small.search",
        "Instance type of OpenSearch.",
        group="OpenSearch",
        pattern=r"^[a-z0-9]+\.[a-z0-9]+\.search$",
        hint="an instance type of OpenSearch, such as t3.small.search",
    )
    search_storage_gib: int = setting(
        10,
        "Storage of OpenSearch, in GiB; at most 100 on t3.small.search, and 200 on t3.medium.search.",
        group="OpenSearch",
        ge=10,
        le=3584,
    )
    search_off_peak_hour: int = setting(
        0,
        "Hour of the day (UTC) at which the ten hours begin in which OpenSearch may install updates.",
        group="OpenSearch",
        ge=0,
        le=23,
    )
    search_service_role: bool = setting(
        default=False,
        description="Create the account's role by which OpenSearch enters a VPC; once an account, if it has none yet.",
        group="OpenSearch",
    )
    engine: Literal["influxdb", "liveanalytics"] = time_series_engine(group="Timestream", console=False)
    influxdb_version: Literal["2", "3"] = influxdb_version(group="Timestream")
    influxdb_instance_type: InfluxDBInstanceType = influxdb_instance_type(group="Timestream")
    influxdb_storage_gib: int = influxdb_storage(group="Timestream")
    memory_retention_hours: int = memory_retention("rentals", group="Timestream", console=False)
    magnetic_retention_days: int = magnetic_retention(3650, "rentals", group="Timestream", console=False)
    timestream_cell: str = setting(
        "ingest-cell1",
        "Cell of LiveAnalytics that takes the account's writes: `aws timestream-write describe-endpoints` names it.",
        group="Timestream",
        console=False,
        pattern=r"^ingest-cell\d+$",
        hint="a cell, such as ingest-cell1",
    )
    code: BundleUrl = code_bundle(group="Jobs")
    image: ContainerImage = job_image(group="Jobs")
    job_timeout_seconds: int = setting(
        14400, "Longest time a job may run, in seconds; then it fails.", group="Jobs", ge=60
    )
    embedding_model: str = setting(
        "amazon.titan-embed-text-v2:0",
        "Model of Amazon Bedrock that jobs may ask for embeddings.",
        group="Jobs",
        pattern=r"^[a-z0-9.:-]+$",
        hint="a model's id, such as amazon.titan-embed-text-v2:0",
    )
    email: EmailAddress = alert_email()
    topic_arn: TopicArn = alert_topic()
    log_retention_days: RetentionDays = log_retention()
    kms_key_arn: KmsKeyArn = encryption_key()
    delete_data: bool = data_deletion("its data and logs")

    @model_validator(mode="after")
    def _possible_database(self) -> Self:
        check_room_to_grow(self)
        check_one_origin(self)
        check_windows(self)
        return self

    @model_validator(mode="after")
    def _search_volume_fits(self) -> Self:
        largest = LARGEST_SEARCH_VOLUMES.get(self.search_instance_type)
        if largest and self.search_storage_gib > largest:
            message = f"search_storage_gib is {self.search_storage_gib}, but {self.search_instance_type} has room for "
            raise ValueError(f"{message}{largest} GiB. Choose less storage or a larger search_instance_type.")
        return self
