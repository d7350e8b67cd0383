"""The environment of the functions, and AWS by moto."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "TABLE": "terminations",
    "GROUP": "web",
    "WATCH": "group",
    "COUNT_EXPECTED": "false",
    "STACK": "Shop",
    "LOG_GROUP": "/aws/lambda/Shop-Logger",
    "TOPIC": "arn:aws:sns:us-east-1:123456789012:alarms",
    "PERIOD_SECONDS": "60",
    "EVALUATION_PERIODS": "5",
}


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    with mock_aws() as mocked, pytest.MonkeyPatch.context() as environment:
        mocked.reset()  # moto does so by itself only when no other mock is active in this process
        for name, value in ENVIRONMENT.items():
            environment.setenv(name, value)
        boto3.client("dynamodb").create_table(
            TableName="terminations",
            AttributeDefinitions=[{"AttributeName": "instanceId", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "instanceId", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield


@pytest.fixture(scope="module")
def records(aws: None) -> Any:
    """The table of terminations."""
    return boto3.resource("dynamodb").Table("terminations")


@pytest.fixture
def table(records: Any) -> Any:
    """The table, empty."""
    while items := records.scan()["Items"]:
        for item in items:
            records.delete_item(Key={"instanceId": item["instanceId"]})
    return records


def run(request_id: str) -> Any:
    """What Lambda tells a run about itself."""
    return SimpleNamespace(aws_request_id=request_id)
