"""Objects of S3, where moto differs from AWS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from localcloud import LocalCloud

WRITERS = 8


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
