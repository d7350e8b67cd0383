"""Smithy's RPC v2 protocol with CBOR, which the newer SDKs speak with CloudWatch."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.parsers
import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from localcloud import LocalCloud
from localcloud.cloud import cbor


@pytest.fixture
def cloudwatch(cloud: LocalCloud) -> Any:
    """A client of CloudWatch that speaks CBOR."""
    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    load = loader.load_service_model

    def load_with_cbor_only(service: str, kind: str, api_version: str | None = None) -> Any:
        model = load(service, kind, api_version)
        if kind != "service-2":
            return model
        return {**model, "metadata": {**model["metadata"], "protocols": ["smithy-rpc-v2-cbor"]}}

    loader.load_service_model = load_with_cbor_only
    environment = cloud.environment()
    client = boto3.Session(botocore_session=session).client(
        "cloudwatch",
        endpoint_url=cloud.endpoint,
        region_name="us-east-1",
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    assert client.meta.service_model.resolved_protocol == "smithy-rpc-v2-cbor"
    return client


def test_cloudwatch_speaks_cbor(cloudwatch: Any) -> None:
    namespace, now = uuid.uuid4().hex, datetime.now(UTC)
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", "Value": 2.5, "Timestamp": now}])
    found = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName="m",
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert [point["Sum"] for point in found] == [2.5]
    assert abs(found[0]["Timestamp"] - now) <= timedelta(minutes=1)


def test_an_error_keeps_its_name_in_cbor(cloudwatch: Any) -> None:
    with pytest.raises(ClientError) as error:
        cloudwatch.get_dashboard(DashboardName="never-there")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert error.value.response["Error"]["Code"] == "ResourceNotFound"


def test_a_missing_operation_is_refused_in_cbor(cloudwatch: Any) -> None:
    with pytest.raises(ClientError) as error:
        cloudwatch.list_metric_streams()
    assert error.value.response["Error"]["Code"] == "UnknownOperationException"
    assert "ListMetricStreams" in error.value.response["Error"]["Message"]


def test_a_body_that_is_not_cbor_is_refused(cloud: LocalCloud) -> None:
    environment = cloud.environment()
    url = f"{cloud.endpoint}/service/GraniteServiceVersion20100801/operation/ListMetrics"
    request = AWSRequest("POST", url, {"Smithy-Protocol": cbor.NAME, "Content-Type": cbor.CONTENT_TYPE}, b"\xff\xff")
    credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "monitoring", "us-east-1").add_auth(request)
    response = URLLib3Session().send(request.prepare())
    assert response.status_code == 400
    assert cbor.decode(response.content)["__type"] == "SerializationException"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        [0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1],
        [-1, -24, -25, -(2**31)],
        {"text": "ä" * 300, "bytes": b"\x00\xff", "number": 1.5, "list": []},
        [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)],
    ],
)
def test_what_is_written_as_cbor_can_be_read(value: Any) -> None:
    assert cbor.decode(cbor.encode(value)) == value
