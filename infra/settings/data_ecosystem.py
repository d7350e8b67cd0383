"""Settings of the stack DataEcosystem."""

from typing import Literal, Self

from pydantic import model_validator

from contract.projections import MOST_ATTEMPTS
from infra.settings.setting import RetentionDays, Settings, setting


class DataEcosystemSettings(Settings):
    """A film rental company's data in the engines that fit."""

    database_instance_type: str = setting(
        "db.t4g.micro",
        "Instance type of PostgreSQL.",
        group="PostgreSQL",
        pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$",
        hint="an instance type of RDS, such as db.t4g.micro",
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
    source_secret_arn: str = setting(
        "",
        "Secret whose text is the old database's URL, postgresql://user:password@host:port/database.",
        empty="who submits a job gives it the variable MOVIE_RENTAL_SOURCE",
        group="Jobs",
        pattern=r"^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+)?$",
        hint="the ARN of a secret",
    )
    source_cidr: str = setting(
        "",
        "Address range of the old database, which jobs may reach on PostgreSQL's port.",
        empty="jobs reach no database but the stack's own",
        group="Jobs",
        pattern=r"^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/\d{1,2})?$",
        hint="an IPv4 range, such as 203.0.113.7/32",
    )
    graph_maximum_capacity: Literal["2.5", "4", "8", "16", "32", "64", "128"] = setting(
        "2.5", "Most capacity units (NCU) of Neptune; the least is 1.", group="Neptune"
    )
    search_instance_type: str = setting(
        "t3.small.search",
        "Instance type of OpenSearch.",
        group="OpenSearch",
        pattern=r"^[a-z0-9]+\.[a-z0-9]+\.search$",
        hint="an instance type of OpenSearch, such as t3.small.search",
    )
    search_storage_gib: int = setting(10, "Storage of OpenSearch, in GiB.", group="OpenSearch", ge=10, le=3584)
    search_service_role: bool = setting(
        default=False,
        description="Create the account's role by which OpenSearch enters a VPC; once an account, if it has none yet.",
        group="OpenSearch",
    )
    engine: Literal["influxdb", "liveanalytics"] = setting(
        "influxdb",
        "Timestream for InfluxDB, for every account; or for LiveAnalytics, closed to new customers since 2025-06-20.",
        group="Timestream",
        console=False,
    )
    influxdb_instance_type: str = setting(
        "db.influx.medium",
        "Instance type of InfluxDB; LiveAnalytics has none.",
        group="Timestream",
        pattern=r"^db\.influx\.[a-z0-9]+$",
        hint="an instance type of Timestream for InfluxDB, such as db.influx.medium",
    )
    influxdb_storage_gib: int = setting(20, "Storage of InfluxDB, in GiB.", group="Timestream", ge=20, le=15360)
    memory_retention_hours: int = setting(
        24,
        "How long LiveAnalytics keeps rentals in its fast store, in hours.",
        group="Timestream",
        console=False,
        ge=1,
        le=8766,
    )
    magnetic_retention_days: int = setting(
        3650,
        "How long LiveAnalytics keeps rentals at all, in days.",
        group="Timestream",
        console=False,
        ge=1,
        le=73000,
    )
    timestream_cell: str = setting(
        "ingest-cell1",
        "Cell of LiveAnalytics that takes the account's writes: `aws timestream-write describe-endpoints` names it.",
        group="Timestream",
        console=False,
        pattern=r"^ingest-cell\d+$",
        hint="a cell, such as ingest-cell1",
    )
    patience_seconds: int = setting(
        3600,
        "How long a change of the film library waits for OpenSearch before it is given up, in seconds.",
        group="Functions",
        ge=1,
        le=43200,
    )
    attempts: int = setting(
        10, "How often a rental's event is tried before it is given up.", group="Functions", ge=1, le=MOST_ATTEMPTS
    )
    code: str = setting(
        "",
        "Bundle of the workloads' code: a zip file in S3 that holds the folders contract, terminal and workloads.",
        empty="the CDK packs and uploads the folders itself",
        group="Jobs",
        pattern=r"^(s3://[a-z0-9.-]+/\S+\.zip)?$",
        hint="s3://bucket/key.zip",
        console="required",
    )
    image: str = setting(
        "public.ecr.aws/docker/library/python:3.12-slim",
        "Container image with Python in which jobs run.",
        group="Jobs",
        pattern=r"^[\w./:@-]+$",
        hint="a container image, such as public.ecr.aws/name/image:tag",
    )
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
    email: str = setting(
        "",
        "Address for the alarms' e-mails; its owner must confirm the subscription.",
        empty="nobody is told",
        group="Alarms",
        pattern=r"^([^@\s]+@[^@\s]+\.[^@\s]+)?$",
        hint="an e-mail address, or nothing",
    )
    log_retention_days: RetentionDays = setting(90, "How long logs are kept, in days.", group="Logs and data")
    delete_data: bool = setting(
        default=False,
        description="Let removal of the stack delete its data and logs, if allow_data_deletion agrees.",
        group="Logs and data",
        console=False,
    )

    @model_validator(mode="after")
    def _room_to_grow(self) -> Self:
        if self.database_maximum_storage_gib * 10 < self.database_storage_gib * 11:
            raise ValueError("database_maximum_storage_gib must exceed database_storage_gib by a tenth")
        return self
