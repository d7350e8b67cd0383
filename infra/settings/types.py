"""Types of settings: each has its pattern, the words that say what is allowed, and what a pattern cannot check."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

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


def text(pattern: str, hint: str) -> Any:
    """Return what makes text a type: its pattern, and what is allowed in words."""
    return Field(pattern=rf"^{pattern}$", json_schema_extra={"hint": hint})


def arn(service: str, resource: str) -> str:
    """Return the pattern of the ARNs of a service's resources, or nothing: `arn("acm", "certificate/[0-9a-f-]+")`."""
    return rf"(arn:aws[a-z-]*:{service}:[a-z0-9-]+:[0-9]{{12}}:{resource})?"


Items = Annotated[list[str], BeforeValidator(_items)]
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

SecretArn = Annotated[str, text(arn("secretsmanager", r"secret:[\w/+=.@-]+"), "the ARN of a secret")]
CertificateArn = Annotated[
    str, text(arn("acm", "certificate/[0-9a-f-]+"), "the ARN of a certificate in this region, or nothing")
]

BundleUrl = Annotated[str, text(r"(s3://[a-z0-9.-]+/[\w./=+@-]+\.zip)?", "s3://bucket/key.zip")]
ContainerImage = Annotated[str, text(r"[\w./:@-]+", "a container image, such as public.ecr.aws/name/image:tag")]
InstanceType = Annotated[str, text(INSTANCE_TYPE, "an EC2 instance type, such as t3.micro")]
DatabaseInstanceType = Annotated[str, text(rf"db\.{INSTANCE_TYPE}", "an instance type of RDS, such as db.t4g.micro")]
InfluxDBInstanceType = Annotated[
    str, text(r"db\.influx\.[a-z0-9]+", "an instance type of Timestream for InfluxDB, such as db.influx.medium")
]
SsmParameter = Annotated[
    str, text(r"/[\w./-]+", "the name of an SSM parameter, such as /aws/service/ami-amazon-linux-latest/...")
]
