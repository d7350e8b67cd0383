"""Find the store that the stack DevOpsMetrics deployed, by the stack's outputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from workloads.devops_metrics.influxdb import InfluxDB
from workloads.devops_metrics.liveanalytics import LiveAnalytics
from workloads.devops_metrics.schema import Schema
from workloads.errors import InputError
from workloads.stack_outputs import stack_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloads.devops_metrics.store import MetricStore

STACK = "DevOpsMetrics"
_LOOPBACK = ("localhost", "127.0.0.1")


def connect(stack: str = STACK, schema: Schema | None = None) -> MetricStore:
    """The store of a deployed stack, whichever engine it has.

    Raises:
        InputError: There is no such stack, or AWS cannot be reached.
    """
    outputs = stack_outputs(stack)
    if "Engine" not in outputs:
        raise InputError(f"stack {stack} has no output Engine: is it DevOpsMetrics?")
    return store_of(outputs, schema or Schema())


def store_of(outputs: Mapping[str, str], schema: Schema) -> MetricStore:
    """The store that a stack's outputs name, whichever engine it has.

    Raises:
        InputError: Its secret cannot be read.
    """
    if outputs["Engine"] == "liveanalytics":
        return LiveAnalytics(outputs["DatabaseName"], outputs["TableName"], schema)
    secret = read_secret(outputs["SecretArn"])
    return InfluxDB(
        address(outputs["Endpoint"]),
        outputs["DatabaseName"],
        outputs["TableName"],
        username=secret["username"],
        password=secret["password"],
        token=secret.get("token", ""),
        schema=schema,
    )


def address(endpoint: str) -> str:
    """URL of an endpoint as AWS gives it, `host` or `host:port`: https and port 8086, but http on this machine."""
    host, _, port = endpoint.partition(":")
    return f"{'http' if host in _LOOPBACK else 'https'}://{host}:{port or 8086}"


def read_secret(arn: str) -> dict[str, Any]:
    """The content of a secret.

    Raises:
        InputError: It cannot be read.
    """
    try:
        content = boto3.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"secret {arn}: {error}") from error
    secret: dict[str, Any] = json.loads(content)
    return secret
