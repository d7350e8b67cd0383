"""Every setting of every stack: its type, default, limits and description.

The descriptions live here once. The CDK reads the settings from its context, the console's templates ask for them as
parameters (`infra.console`), and the documentation lists them (`infra.settings_table`).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator


class ConfigError(ValueError):
    """A setting that is unknown or has a value that is not allowed; the message is one line for people."""


def _split(value: object) -> object:
    """A list from the command line is `a,b`."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _whole(value: object) -> object:
    """A number from the command line is text, which `Literal` does not take."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Items = Annotated[list[str], BeforeValidator(_split)]
#: The retentions that CloudWatch Logs offers, in days.
RetentionDays = Annotated[Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 731, 1827, 3653], BeforeValidator(_whole)]


def _whole_minutes(seconds: int) -> int:
    if seconds % 60:
        raise ValueError(f"{seconds} is not a multiple of 60")
    return seconds


def setting(
    default: Any,
    description: str,
    *,
    group: str,
    kind: str = "",
    hint: str = "",
    empty: str = "",
    console: bool | Literal["required"] = True,
    **limits: Any,
) -> Any:
    """A setting.

    Args:
        default: what holds when nobody chooses.
        description: what it does, for people; the one place where that is said.
        group: heading under which the console shows it.
        kind: type of its CloudFormation parameter, where text or number will not do.
        hint: what is allowed, in words, where a pattern decides.
        empty: what an empty value means.
        console: whether the console's template has it as a parameter, and whether one must be chosen there. What
            decides which resources there are cannot be a parameter.
        limits: pydantic's constraints (`ge`, `le`, `pattern`, ...).
    """
    extra: dict[str, Any] = {"group": group, "kind": kind, "hint": hint, "empty": empty, "console": console}
    return Field(default, description=description, json_schema_extra=extra, **limits)


class Settings(BaseModel):
    """Settings that stand together: unknown names are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkSettings(Settings):
    """Where the instances of a stack run."""

    vpc_id: str = setting(
        "",
        "VPC for the instances.",
        empty="the stack makes its own, with public subnets in two zones and no NAT gateway",
        group="Network",
        kind="AWS::EC2::VPC::Id",
        console="required",
        pattern=r"^(vpc-[0-9a-f]+)?$",
        hint="a VPC's id, such as vpc-0a1b2c3d",
    )
    subnet_ids: Items = setting(
        [],
        "Subnets of that VPC, in at least two zones, that reach the internet.",
        empty="those of the VPC that the stack makes",
        group="Network",
        kind="List<AWS::EC2::Subnet::Id>",
        console="required",
    )

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if bool(self.vpc_id) != bool(self.subnet_ids):
            raise ValueError("vpc_id and subnet_ids go together: give both, or neither for a network of its own")
        if strange := [subnet for subnet in self.subnet_ids if not subnet.startswith("subnet-")]:
            raise ValueError(f"subnet_ids: {strange[0]!r} is not a subnet's id, such as subnet-0a1b2c3d")
        return self


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


class TrainingSettings(NetworkSettings):
    """Training jobs on AWS Batch, which costs nothing while idle."""

    code: str = setting(
        "",
        "Bundle of the workloads' code: a zip file in S3 that holds the folder workloads.",
        empty="the CDK packs and uploads the folder itself",
        group="Job",
        pattern=r"^(s3://[a-z0-9.-]+/\S+\.zip)?$",
        hint="s3://bucket/key.zip",
        console="required",
    )
    image: str = setting(
        "public.ecr.aws/deep-learning-containers/pytorch:2.13-cpu-amzn2023",
        "Container image with Python and PyTorch in which the job runs.",
        group="Job",
        pattern=r"^[\w./:@-]+$",
        hint="a container image, such as public.ecr.aws/name/image:tag",
    )
    job_vcpus: int = setting(4, "vCPUs of a job.", group="Job", ge=1, le=192)
    job_memory_mib: int = setting(7168, "Memory of a job, in MiB.", group="Job", ge=512, le=1536000)
    shared_memory_mib: int = setting(
        2048, "Shared memory of a job (data loaders' workers exchange batches there), in MiB.", group="Job", ge=64
    )
    job_timeout_seconds: int = setting(
        21600, "Longest time an attempt may run, in seconds; then the job fails.", group="Job", ge=60
    )
    job_attempts: int = setting(
        3, "Attempts when the host is reclaimed; a job that fails by itself is not repeated.", group="Job", ge=1, le=10
    )
    instance_types: Items = setting(
        ["m7i", "c7i", "m6i", "c6i"],
        "Instance types or families that may run jobs; more choice finds spot capacity sooner.",
        group="Capacity",
        kind="CommaDelimitedList",
        min_length=1,
    )
    maximum_vcpus: int = setting(16, "Most vCPUs in use at one time.", group="Capacity", ge=1, le=10000)
    volume_gib: int = setting(50, "Size of an instance's encrypted volume, in GiB.", group="Capacity", ge=30, le=16384)
    runnable_limit_seconds: int = setting(
        1800,
        "A job that waits this long for capacity at the head of the queue is cancelled, in seconds.",
        group="Capacity",
        ge=600,
        le=86400,
    )
    log_retention_days: RetentionDays = setting(90, "How long logs are kept, in days.", group="Logs and data")
    infrequent_access_days: int = setting(
        30, "Age at which training data moves to cheaper storage, in days.", group="Logs and data", ge=30, le=3650
    )
    old_artifact_days: int = setting(
        90, "How long replaced versions of artifacts are kept, in days.", group="Logs and data", ge=1, le=3650
    )
    delete_data: bool = setting(
        default=False,
        description="Let removal of the stack delete its buckets (if empty) and logs, if allow_data_deletion agrees.",
        group="Logs and data",
        console=False,
    )


class DevOpsMetricsSettings(NetworkSettings):
    """A time series database for monitoring data."""

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


class Config(Settings):
    """All settings, by stack."""

    allow_data_deletion: bool = setting(
        default=False,
        description="The second key: without it no stack deletes data on removal, whatever its delete_data says.",
        group="All stacks",
        console=False,
    )
    termination_alarm: TerminationAlarmSettings = TerminationAlarmSettings()
    training: TrainingSettings = TrainingSettings()
    devops_metrics: DevOpsMetricsSettings = DevOpsMetricsSettings()

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """The settings in a CDK context: `threshold` of a stack is `termination_alarm.threshold`, or stands nested.

        Raises:
            ConfigError: a name is unknown or a value is not allowed.
        """
        values: dict[str, Any] = {}
        for key, value in context.items():
            if not _belongs_to_cdk(key):
                for name, leaf in _leaves(key, value):
                    _insert(values, name, leaf)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError("; ".join(_explain(cls, detail) for detail in error.errors())) from None


def _belongs_to_cdk(key: str) -> bool:
    """Feature flags (`@aws-cdk/...`), switches (`aws:...`, `cdk-...`) and cached lookups (`ami:account=...`)."""
    return key.startswith(("@", "cdk-")) or ":" in key


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Single settings by dotted name, whether a context nests them, spells them out, or has them as JSON."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ConfigError(f"setting {json.dumps(key)}: not JSON ({error})") from None
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{key}.{name}", inner)
    else:
        yield key, value


def _insert(values: dict[str, Any], key: str, value: Any) -> None:
    """Put the setting `a.b` where it belongs in nested settings."""
    *parents, name = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"setting {json.dumps(key)}: {json.dumps(parent)} has no settings of its own")
    if isinstance(values.get(name), dict):
        raise ConfigError(f"setting {json.dumps(key)}: {value!r} is not allowed beside {json.dumps(key)}.*")
    values[name] = value


def _explain(model: type[BaseModel], detail: Any) -> str:
    """One complaint of pydantic as a line that names the setting and what is allowed."""
    path = [str(part) for part in detail["loc"]]
    name = json.dumps(".".join(path))
    fields, field = model.model_fields, None
    for part in path:
        field = fields.get(part)
        if field and isinstance(field.default, BaseModel):
            fields, field = type(field.default).model_fields, None
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], fields, n=1)
        prefix = "".join(f"{part}." for part in path[:-1])
        meant = f'; did you mean "{prefix}{near[0]}"?' if near else ";"
        return f"unknown setting {name}{meant} Allowed: {', '.join(prefix + known for known in fields)}"
    message = detail["msg"].removeprefix("Value error, ")
    if not field:
        return f"setting {name}: {message}"
    extra = field.json_schema_extra
    hint = extra.get("hint") if isinstance(extra, dict) else ""
    allowed = f"must be {hint}" if hint else message
    return f"setting {name}: {detail['input']!r} is not allowed: {allowed}. {field.description}"
