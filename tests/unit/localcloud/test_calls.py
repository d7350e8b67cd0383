"""What a request asks for is read from it as the service will read it."""

from __future__ import annotations

from email.message import Message
from typing import Any

import pytest

from localcloud.access import calls
from localcloud.access.signatures import SignedRequest


def read(method: str, target: str, service: str = "s3", body: bytes = b"", **headers: str) -> tuple[str, Any] | None:
    sent = Message()
    for name, value in {"Host": "localhost:1", **headers}.items():
        sent[name.replace("_", "-")] = value
    path, _, query = target.partition("?")
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "RAW_URI": target, "QUERY_STRING": query}
    environ |= {"HTTP_HOST": sent["Host"], "SERVER_NAME": "localhost", "SERVER_PORT": "1", "wsgi.url_scheme": "http"}
    environ |= {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": headers.get("Content_Type", "")}
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    call = calls.read(SignedRequest(method, target, sent, body), environ, service)
    return (call.operation, call.parameters) if call else None


@pytest.mark.parametrize(
    ("method", "target", "headers", "operation", "parameters"),
    [
        ("PUT", "/bucket/a/b%20c", {}, "PutObject", {"Bucket": "bucket", "Key": "a/b c"}),
        ("GET", "/bucket/key", {}, "GetObject", {"Bucket": "bucket", "Key": "key"}),
        ("HEAD", "/bucket/key", {}, "HeadObject", {"Bucket": "bucket", "Key": "key"}),
        ("DELETE", "/bucket/key", {}, "DeleteObject", {"Bucket": "bucket", "Key": "key"}),
        ("GET", "/bucket/key?versionId=1", {}, "GetObject", {"VersionId": "1"}),
        ("GET", "/bucket/key?tagging", {}, "GetObjectTagging", {"Key": "key"}),
        ("GET", "/bucket?list-type=2&prefix=a", {}, "ListObjectsV2", {"Bucket": "bucket", "Prefix": "a"}),
        ("PUT", "/bucket/key?partNumber=1&uploadId=u", {}, "UploadPart", {"Key": "key"}),
        ("PUT", "/bucket/key", {"x_amz_copy_source": "o/k"}, "CopyObject", {"CopySource": "o/k", "Key": "key"}),
        ("PUT", "/bucket/key", {"x_amz_acl": "private"}, "PutObject", {"ACL": "private"}),
        ("GET", "/key", {"Host": "bucket.s3.localhost:1"}, "GetObject", {"Bucket": "bucket", "Key": "key"}),
    ],
)
def test_operations_of_s3(method: str, target: str, headers: Any, operation: str, parameters: Any) -> None:
    found = read(method, target, **headers)
    assert found is not None
    assert found[0] == operation
    assert parameters.items() <= found[1].items()


def test_objects_to_delete_are_in_the_body() -> None:
    body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"
    found = read("POST", "/bucket?delete", body=body)
    assert found is not None
    assert [item["Key"] for item in found[1]["Delete"]["Objects"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("service", "target", "operation"),
    [
        ("dynamodb", "DynamoDB_20120810.PutItem", "PutItem"),
        ("dynamodb", "DynamoDBStreams_20120810.GetRecords", "GetRecords"),
        ("timestream", "Timestream_20181101.WriteRecords", "WriteRecords"),
        ("timestream", "Timestream_20181101.Query", "Query"),
    ],
)
def test_services_that_share_a_signing_name(service: str, target: str, operation: str) -> None:
    found = read("POST", "/", service, b'{"TableName": "t"}', X_Amz_Target=target)
    assert found == (operation, {"TableName": "t"})


def test_a_form() -> None:
    found = read(
        "POST",
        "/",
        "iam",
        b"Action=GetRole&RoleName=r&Version=2010-05-08",
        Content_Type="application/x-www-form-urlencoded",
    )
    assert found == ("GetRole", {"RoleName": "r"})


def test_what_no_service_knows_is_nothing() -> None:
    assert read("POST", "/", "dynamodb", b"{}", X_Amz_Target="DynamoDB_20120810.Invent") is None
