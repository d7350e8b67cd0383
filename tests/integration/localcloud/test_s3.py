"""Objects of S3, where moto differs from AWS."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

WRITERS = 8


@pytest.fixture
def name() -> str:
    return f"bucket-{uuid.uuid4().hex[:8]}"


def test_of_those_who_write_an_object_that_must_not_be_there_one_succeeds(cloud: LocalCloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="conditions")

    def write(name: str) -> str:
        try:
            s3.put_object(Bucket="conditions", Key=name, Body=b"mine", IfNoneMatch="*")
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "written"

    with ThreadPoolExecutor(WRITERS) as writers:
        for number in range(40):
            answers = sorted(writers.map(write, [f"object-{number}"] * WRITERS))
            assert answers == ["PreconditionFailed"] * (WRITERS - 1) + ["written"]


def test_an_object_tells_how_long_it_is_locked(cloud: LocalCloud, name: str) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=name, Key="free", Body=b"")
    with pytest.raises(ClientError, match="NoSuchObjectLockConfiguration"):
        s3.get_object_retention(Bucket=name, Key="free")
    until = datetime(2046, 1, 1, tzinfo=UTC)
    s3.put_object_retention(Bucket=name, Key="free", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    assert s3.get_object_retention(Bucket=name, Key="free")["Retention"] == {
        "Mode": "GOVERNANCE",
        "RetainUntilDate": until,
    }


@pytest.mark.parametrize(
    ("expression", "form", "code"),
    [("x", {"CSV": {}}, "ParseUnexpectedToken"), ("SELECT * FROM s3object", {"Parquet": {}}, "NotImplemented")],
)
def test_s3_select_refuses_what_it_cannot_read(
    cloud: LocalCloud, name: str, expression: str, form: dict[str, Any], code: str
) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="rows", Body=b"a,b\n1,2\n")
    with pytest.raises(ClientError, match=code):
        s3.select_object_content(
            Bucket=name,
            Key="rows",
            Expression=expression,
            ExpressionType="SQL",
            InputSerialization=form,
            OutputSerialization={"JSON": {}},
        )
