"""Types of settings: each has its pattern, the words that say what is allowed, and what a pattern cannot check."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

MOST_TAGS = 50  # of a stack
IPV4 = r"([0-9]{1,3}\.){3}[0-9]{1,3}"
INSTANCE_TYPE = r"[a-z0-9-]+\.[a-z0-9-]+"
ANY_PREFIX, NARROW_PREFIX = r"([0-9]|[12][0-9]|3[0-2])", r"([89]|[12][0-9]|3[0-2])"


def _items(value: object) -> object:
    """Split a list from the command line, which is `a,b`."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _whole(value: object) -> object:
    """Read a number from the command line, which is text there; `Literal` does not take that."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _network(value: str) -> str:
    """Refuse what has the form of a network and is none, such as 10.0.0.300/8."""
    if value:
        ip_network(value)
    return value


def _allowed_tags(tags: dict[str, str]) -> dict[str, str]:
    """Refuse tags that AWS refuses: see the AWS General Reference, "Tag naming limits and requirements"."""
    if len(tags) > MOST_TAGS:
        raise ValueError(f"a stack takes {MOST_TAGS} tags at most")
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            raise ValueError(f"{key}: tags that begin with aws: are AWS's own")
        if not re.fullmatch(r"[\w\s.:/=+@-]{1,128}", key) or not re.fullmatch(r"[\w\s.:/=+@-]{0,256}", value):
            raise ValueError(f"{key}={value}: a tag has letters, digits, spaces and _.:/=+-@, 128 at most in its key")
    return tags


def text(pattern: str, hint: str) -> Any:
    """Return what makes text a type: its pattern, and what is allowed in words."""
    return Field(pattern=rf"^{pattern}$", json_schema_extra={"hint": hint})


def arn(service: str, resource: str) -> str:
    """Return the pattern of the ARNs of a service's resources, or nothing: `arn("acm", "certificate/[0-9a-f-]+")`."""
    return rf"(arn:aws[a-z-]*:{service}:[a-z0-9-]+:[0-9]{{12}}:{resource})?"


Items = Annotated[list[str], BeforeValidator(_items)]
Tags = Annotated[
    dict[str, str],
    AfterValidator(_allowed_tags),
    Field(json_schema_extra={"hint": "keys and values, such as Owner=data,CostCenter=42"}),
]
EnvironmentName = Annotated[
    str,
    text(r"([a-z][a-z0-9]{0,15})?", "lower-case letters and digits, 16 at most, beginning with a letter: dev"),
]
Boundary = Annotated[
    str,
    text(
        r"(arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[\w+=,.@/-]+|[\w+=,.@-]{1,128})?",
        "the name or ARN of a managed policy of the account, or nothing",
    ),
]
RolePath = Annotated[str, text(r"/([\x21-\x7e]{1,510}/)?", "a path of IAM, such as /teams/data/")]
RetentionDays = Annotated[Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 731, 1827, 3653], BeforeValidator(_whole)]
"""The retentions that CloudWatch Logs offers, in days."""

EmailAddress = Annotated[str, text(r"([^@\s]+@[^@\s]+\.[^@\s]+)?", "an e-mail address, or nothing")]

Cidr = Annotated[
    str,
    text(rf"{IPV4}/{ANY_PREFIX}", "an IPv4 network, such as 203.0.113.0/24; 0.0.0.0/0 is everybody"),
    AfterValidator(_network),
]
OptionalCidr = Annotated[
    str, text(rf"({IPV4}/{ANY_PREFIX})?", "an IPv4 range, such as 203.0.113.7/32"), AfterValidator(_network)
]
NarrowCidr = Annotated[
    str,
    text(
        rf"({IPV4}/{NARROW_PREFIX})?",
        "an IPv4 network of /8 or smaller, such as 203.0.113.7/32; SSH is never opened to everybody",
    ),
    AfterValidator(_network),
]

AvailabilityZone = Annotated[
    str, text(r"([a-z]{2}(-[a-z]+)+-[0-9]+[a-z])?", "an availability zone, such as us-east-1a, or nothing")
]

SecretArn = Annotated[str, text(arn("secretsmanager", r"secret:[\w/+=.@-]+"), "the ARN of a secret")]
StreamArn = Annotated[
    str,
    text(arn("dynamodb", r"table/[\w.-]+/stream/[0-9T:.-]+"), "the ARN of a table's stream in this region, or nothing"),
]
CertificateArn = Annotated[
    str, text(arn("acm", "certificate/[0-9a-f-]+"), "the ARN of a certificate in this region, or nothing")
]

GROUP_NAME = r"[^\s:,]{1,255}"
Watch = Annotated[
    str,
    text(
        rf"(group|all|groups:{GROUP_NAME}(,{GROUP_NAME})*|tag:[^=]{{1,128}}=.{{0,256}})",
        "group, all, groups:NAME,NAME or tag:KEY=VALUE",
    ),
]
TopicArn = Annotated[
    str, text(arn("sns", r"[\w-]+"), "the ARN of a standard topic in this region and account, or nothing")
]
KmsKeyArn = Annotated[
    str, text(arn("kms", r"key/[\w-]+"), "the ARN of a symmetric key in this region and account, or nothing")
]

LogBucketArn = Annotated[
    str,
    text(
        r"(arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w!.*'()/=-]*)?)?",
        "the ARN of a bucket, with a prefix or without: arn:aws:s3:::flow-logs/shop",
    ),
]
BucketName = Annotated[
    str, text(r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?", "the name of a bucket in this region, or nothing")
]
BundleUrl = Annotated[str, text(r"(s3://[a-z0-9.-]+/[\w./=+@-]+\.zip)?", "s3://bucket/key.zip")]
ContainerImage = Annotated[str, text(r"[\w./:@-]+", "a container image, such as public.ecr.aws/name/image:tag")]
InstanceType = Annotated[str, text(INSTANCE_TYPE, "an EC2 instance type, such as t3.micro")]
DatabaseInstanceType = Annotated[str, text(rf"db\.{INSTANCE_TYPE}", "an instance type of RDS, such as db.t4g.micro")]
InfluxDBInstanceType = Annotated[
    str, text(r"db\.influx\.[a-z0-9]+", "an instance type of Timestream for InfluxDB, such as db.influx.medium")
]
MachineImage = Annotated[
    str,
    text(
        r"(resolve:ssm:[\w./:-]+|ami-[0-9a-f]{8,17})",
        "an image's id, or resolve:ssm: and the SSM parameter that holds it, such as resolve:ssm:/my/image",
    ),
]
Snapshot = Annotated[
    str,
    text(
        r"(arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:(cluster-)?snapshot:[\w:-]+|[a-zA-Z][\w:-]*)?",
        "the name or ARN of a snapshot in this region, or nothing",
    ),
]
DatabaseResource = Annotated[
    str, text(r"(db-[A-Z0-9]{1,255})?", "the resource id of an RDS instance in this region, db-..., or nothing")
]
Instant = Annotated[
    str,
    text(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?", "a time in UTC, such as 2026-11-29T08:30:00Z"),
]
