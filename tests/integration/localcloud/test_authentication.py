"""Who may use the local cloud: those who sign with a key that it knows."""

from __future__ import annotations

import http.client
import os
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from localcloud.access.peer import same_user
from localcloud.cloud.settings import SECRET_ACCESS_KEY
from tests.policies import document

#: Of each kind of protocol one service, an operation that needs no arguments, and the service's names of two errors:
#: a key that is not known, and a wrong signature.
SERVICES = {
    "s3": ("list_buckets", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    "ec2": ("describe_vpcs", "AuthFailure", "AuthFailure"),
    "iam": ("list_users", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "sqs": ("list_queues", "UnrecognizedClientException", "InvalidSignatureException"),
    "dynamodb": ("list_tables", "UnrecognizedClientException", "InvalidSignatureException"),
    "lambda": ("list_functions", "UnrecognizedClientException", "InvalidSignatureException"),
    "cloudwatch": ("list_metrics", "UnrecognizedClientException", "InvalidSignatureException"),
    "route53": ("list_hosted_zones", "InvalidClientTokenId", "SignatureDoesNotMatch"),
}
KEY = "a key/ü with+all ~!*'()&=$@;,#%?.txt"
Client = Callable[..., Any]


@pytest.fixture
def client(cloud: LocalCloud) -> Client:
    """Makes clients with other credentials than the cloud's own, or with other settings."""
    environment = cloud.environment()

    def make(service: str, key: str = "", secret: str = "", token: str | None = None, **settings: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=cloud.endpoint,
            region_name="us-east-1",
            aws_access_key_id=key or environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=secret or environment["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, **settings),
        )

    return make


def error(ask: Callable[[], Any]) -> str:
    """What a request is refused with."""
    with pytest.raises(ClientError) as refused:
        ask()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return str(refused.value.response["Error"]["Code"])


def status(request: str | urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the local cloud's own address
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


# Keys


def test_each_cloud_has_a_secret_key_that_only_its_owner_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRET_ACCESS_KEY)
    secrets = set()
    for name in ("one", "two", "one"):
        with LocalCloud(tmp_path / name) as other:
            secrets.add(other.environment()["AWS_SECRET_ACCESS_KEY"])
            assert other.client("sts").get_caller_identity()["Account"] == "123456789012"
        assert stat.S_IMODE((tmp_path / name / "secret-access-key").stat().st_mode) == 0o600
    assert len(secrets) == 3
    assert min(map(len, secrets)) >= 40


def test_the_secret_key_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_ACCESS_KEY, "mine")
    with LocalCloud(tmp_path) as other:
        assert other.environment()["AWS_SECRET_ACCESS_KEY"] == "mine"  # noqa: S105
        assert "Buckets" in other.client("s3").list_buckets()


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_key_is_refused_in_the_services_own_words(client: Client, service: str) -> None:
    operation, unknown, wrong = SERVICES[service]
    assert getattr(client(service), operation)()
    assert error(getattr(client(service, secret="wrong"), operation)) == wrong  # noqa: S106
    assert error(getattr(client(service, key="AKIAIOSFODNN7EXAMPLE"), operation)) == unknown


def test_a_token_that_is_left_in_the_environment_does_no_harm(client: Client) -> None:
    assert "Buckets" in client("s3", token="of somebody's session with AWS").list_buckets()  # noqa: S106


@pytest.mark.parametrize("service", sorted(SERVICES.keys() - {"lambda", "route53"}))  # their paths could be objects'
def test_what_is_not_signed_is_refused(client: Client, service: str) -> None:
    error(getattr(client(service, signature_version=UNSIGNED), SERVICES[service][0]))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a connection is")
def test_a_program_of_the_same_user_may_use_the_known_key(client: Client) -> None:
    s3 = client("s3", secret="local")  # noqa: S106
    s3.create_bucket(Bucket="known-key")
    s3.put_object(Bucket="known-key", Key=KEY, Body=b"content")
    assert client("sqs", secret="local").list_queues()  # noqa: S106
    assert status(s3.generate_presigned_url("get_object", Params={"Bucket": "known-key", "Key": KEY})) == 200


def test_the_known_key_opens_nothing_that_a_page_could_have_in_a_url(client: Client, cloud: LocalCloud) -> None:
    ec2, words = client("ec2", secret="local"), {"Action": "RunInstances", "MinCount": "1"}  # noqa: S106
    url = ec2.generate_presigned_url("describe_vpcs", HttpMethod="GET")
    assert status(url) == 403
    assert status(f"{url}&{urlencode(words)}") == 403
    form = client("s3", secret="local").generate_presigned_post("known-key", "by-a-form")  # noqa: S106
    assert post(cloud, "known-key", form["fields"]) == 403


def test_a_browser_may_not_use_the_known_key_whatever_page_it_shows(cloud: LocalCloud, client: Client) -> None:
    sqs = client("sqs", secret="local")  # noqa: S106
    host = cloud.endpoint.partition("://")[2]
    for headers in ({"Origin": f"http://{host}"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):

        def as_a_browser(request: Any, headers: dict[str, str] = headers, **_: Any) -> None:
            for name, value in headers.items():
                request.headers[name] = value

        sqs.meta.events.register("before-send.sqs.ListQueues", as_a_browser, unique_id="browser")
        assert error(sqs.list_queues) == "InvalidSignatureException"
        sqs.meta.events.unregister("before-send.sqs.ListQueues", unique_id="browser")


def test_whose_a_connection_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = server.getsockname()
        with socket.create_connection(here) as client, server.accept()[0]:
            there = client.getsockname()
            assert same_user(there, here) == (sys.platform == "linux")
            assert not same_user((there[0], there[1] - 1), here)
            user = os.getuid()
            monkeypatch.setattr("os.getuid", lambda: user + 1)
            assert not same_user(there, here)
        monkeypatch.undo()
        assert not same_user(there, here), "it has been closed"


# Keys that the cloud issues


def test_temporary_credentials_work_with_their_token(client: Client) -> None:
    sts = client("sts")
    trust = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    reader = client("iam").create_role(RoleName="reader", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    for issued in (
        sts.assume_role(RoleArn=reader, RoleSessionName="one"),
        sts.get_session_token(),
        sts.get_federation_token(Name="somebody"),
    ):
        key, secret, token = (
            issued["Credentials"][name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
        )
        assert client("sts", key, secret, token).get_caller_identity()["Account"]
        error(client("sts", key, secret).get_caller_identity)
        error(client("sts", key, secret, token + "x").get_caller_identity)
        error(client("sts", key, "wrong", token).get_caller_identity)


def test_a_users_key_works_until_it_is_switched_off(client: Client) -> None:
    iam = client("iam")
    iam.create_user(UserName="programmer")
    made = iam.create_access_key(UserName="programmer")["AccessKey"]
    key, secret = made["AccessKeyId"], made["SecretAccessKey"]
    assert client("sts", key, secret).get_caller_identity()["Arn"].endswith("user/programmer")
    iam.update_access_key(UserName="programmer", AccessKeyId=key, Status="Inactive")
    assert error(client("sts", key, secret).get_caller_identity) == "InvalidClientTokenId"
    iam.delete_access_key(UserName="programmer", AccessKeyId=key)
    assert error(client("sts", key, secret).get_caller_identity) == "InvalidClientTokenId"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a connection is")
def test_operations_that_nobody_signs_need_no_signature_of_the_owner(client: Client) -> None:
    token = {"RoleArn": "arn:aws:iam::123456789012:role/web", "RoleSessionName": "web", "WebIdentityToken": "t" * 20}
    with pytest.raises(ClientError, match="InvalidIdentityToken"):  # not because of a signature
        client("sts", signature_version=UNSIGNED).assume_role_with_web_identity(**token)
    pools = client("cognito-identity")
    pool = pools.create_identity_pool(IdentityPoolName="visitors", AllowUnauthenticatedIdentities=True)
    visitor = client("cognito-identity", signature_version=UNSIGNED)
    identity = visitor.get_id(IdentityPoolId=pool["IdentityPoolId"])["IdentityId"]
    issued = visitor.get_credentials_for_identity(IdentityId=identity)["Credentials"]
    key, secret = issued["AccessKeyId"], issued["SecretKey"]
    assert client("sts", key, secret, issued["SessionToken"]).get_caller_identity()["Account"]
    error(lambda: visitor.list_identity_pools(MaxResults=1))


# S3


@pytest.fixture(scope="module")
def bucket(cloud: LocalCloud) -> str:
    cloud.client("s3").create_bucket(Bucket="signatures")
    return "signatures"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.parametrize("style", ["path", "virtual"])
def test_objects_by_both_versions_and_styles(
    client: Client, bucket: str, version: str, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo  # not every system knows the names below localhost
    monkeypatch.setattr(
        "socket.getaddrinfo",
        lambda host, *rest, **options: resolve(
            "localhost" if str(host).endswith(".localhost") else host, *rest, **options
        ),
    )
    s3 = client("s3", signature_version=version, s3={"addressing_style": style})
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"content", Metadata={"note": "two  spaces"})
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"content"
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix="a key/ü")["Contents"]] == [KEY]
    place = {"Bucket": bucket, "Key": KEY}
    url = s3.generate_presigned_url("get_object", Params={**place, "ResponseContentType": "text/plain; a=b"})
    assert ("X-Amz-Signature" in url, "bucket" in style or bucket in url) == (version == "s3v4", True)
    assert status(url) == 200
    assert status(url.replace("content", "c0ntent").replace("ignature=", "ignature=0")) == 403
    assert status(s3.generate_presigned_url("get_object", Params=place, ExpiresIn=-1)) == 403
    put = urllib.request.Request(  # noqa: S310 - the local cloud's own address
        s3.generate_presigned_url("put_object", Params=place), b"new", {"Content-Type": ""}, method="PUT"
    )
    assert status(put) == 200
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": KEY}]})


def test_a_body_that_comes_in_signed_chunks_or_in_parts(client: Client, bucket: str) -> None:
    s3 = client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", ChecksumAlgorithm="CRC32")["UploadId"]
    names = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    part = s3.upload_part(**names, PartNumber=1, Body=b"content", ChecksumAlgorithm="CRC32")
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == b"content"


def post(cloud: LocalCloud, bucket: str, fields: dict[str, str]) -> int:
    """Send a form with a file, as a browser would."""
    parts = [
        f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    file = '--limit\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\ncontent\r\n--limit--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=limit"}
    body = "".join([*parts, file]).encode()
    return status(urllib.request.Request(f"{cloud.endpoint}/{bucket}", body, headers))  # noqa: S310


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_form_uploads_with_a_policy_that_is_signed(
    cloud: LocalCloud, client: Client, bucket: str, version: str
) -> None:
    s3 = client("s3", signature_version=version)
    fields = s3.generate_presigned_post(bucket, f"form/{version}/")["fields"]
    name = next(name for name in fields if name.lower().endswith("signature"))
    unsigned = {key: value for key, value in fields.items() if key != name}
    late = s3.generate_presigned_post(bucket, f"form/{version}/", ExpiresIn=-1)["fields"]
    bad_policy = {**fields, "policy": "bm90aGluZw=="}
    for refused in (unsigned, {**fields, name: "0" * 64}, late, bad_policy, {"key": f"form/{version}/"}):
        assert post(cloud, bucket, refused) == 403
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix=f"form/{version}/")
    assert post(cloud, bucket, fields) == 204
    assert s3.get_object(Bucket=bucket, Key=f"form/{version}/")["Body"].read() == b"content"


def test_anybody_may_read_a_public_object_and_nothing_else(cloud: LocalCloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="public", Body=b"", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="private", Body=b"")
    assert status(f"{cloud.endpoint}/{bucket}/public") == 200
    for path in ("", bucket, f"{bucket}?list-type=2", f"{bucket}/private", f"{bucket}/public?acl"):
        assert status(f"{cloud.endpoint}/{path}") == 403
    for method in ("PUT", "POST", "DELETE", "OPTIONS"):
        request = urllib.request.Request(f"{cloud.endpoint}/{bucket}/public", method=method)  # noqa: S310
        assert status(request) == 403


# What is not AWS's


@pytest.mark.parametrize(
    "path", ["", "reset", "reset-auth", "seed?a=1", "data.json", "config", "recorder/start-recording"]
)
def test_motos_own_pages_are_switched_off(cloud: LocalCloud, path: str) -> None:
    for method in ("GET", "POST"):
        request = urllib.request.Request(f"{cloud.endpoint}/moto-api/{path}", method=method)  # noqa: S310
        assert status(request) in {403, 404}


def test_a_path_that_names_a_service_leads_to_no_service(cloud: LocalCloud) -> None:
    query = urlencode({"Action": "DescribeVpcs", "Version": "2016-11-15"})
    assert status(f"{cloud.endpoint}/ec2_us-east-1/?{query}") == 403


def test_to_take_a_host_back_needs_the_clouds_key(cloud: LocalCloud) -> None:
    port = int(cloud.endpoint.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/moto-api/reclaim?job=some")
    assert connection.getresponse().status == 403
    connection.close()


def test_curl_can_sign(cloud: LocalCloud) -> None:
    environment = cloud.environment()
    access = f"{environment['AWS_ACCESS_KEY_ID']}:{environment['AWS_SECRET_ACCESS_KEY']}"
    words = ["-d", "Action=GetCallerIdentity&Version=2011-06-15", cloud.endpoint]
    command = ["curl", "--silent", "--aws-sigv4", "aws:amz:us-east-1:sts", "--user", access, *words]
    assert "123456789012" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_signature_of_version_2_may_hold_any_slashes(cloud: LocalCloud) -> None:
    """With four slashes in it, moto took the signature for a credential scope, and found no service of that name."""
    headers = {"Authorization": "AWS local:a/b/c/d/e", "Date": "Sun, 01 Jan 2023 00:00:00 GMT"}
    request = urllib.request.Request(f"{cloud.endpoint}/bucket", headers=headers)  # noqa: S310 - the local cloud's own
    assert status(request) == 403
