"""The engines' bulk loaders, with the permissions that the stack gives Neptune and its jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from .conftest import Stack

Eventually = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def job(stack: Stack) -> Iterator[boto3.Session]:
    """A session of the jobs' role, which trusts the account for one test."""
    iam = stack.cloud.client("iam")
    [role] = [role for role in iam.list_roles()["Roles"] if "JobsRole" in role["RoleName"]]
    account = {"Effect": "Allow", "Principal": {"AWS": role["Arn"].split(":")[4]}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [account]})
    iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=trust)
    keys = stack.cloud.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
    yield boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1")
    iam.update_assume_role_policy(
        RoleName=role["RoleName"], PolicyDocument=json.dumps(role["AssumeRolePolicyDocument"])
    )


def test_a_job_loads_a_file_into_the_graph(stack: Stack, job: boto3.Session, eventually: Eventually) -> None:
    bucket = stack.outputs["BulkLoadBucketName"]
    s3 = job.client("s3", endpoint_url=stack.cloud.endpoint)
    s3.put_object(Bucket=bucket, Key="graph/people.csv", Body=b"~id,~label,name:String\nloaded,Loaded,Ada\n")
    graph = job.client(
        "neptunedata", endpoint_url=stack.outputs["GraphEndpoint"], verify=str(stack.cloud.certificate_authority)
    )
    load = graph.start_loader_job(
        source=f"s3://{bucket}/graph/",
        format="csv",
        iamRoleArn=stack.outputs["GraphLoaderRoleArn"],
        s3BucketRegion="us-east-1",
    )["payload"]["loadId"]
    ending = {"LOAD_COMPLETED", "LOAD_FAILED"}

    def status() -> str:
        current = str(graph.get_loader_job_status(loadId=load)["payload"]["overallStatus"]["status"])
        return current if current in ending else ""

    assert eventually(status) == "LOAD_COMPLETED"
    assert stack.graph("MATCH (n:Loaded) RETURN n.name AS name") == [{"name": "Ada"}]
    stack.graph("MATCH (n:Loaded) DETACH DELETE n")
    [file] = s3.list_objects_v2(Bucket=bucket)["Contents"]
    s3.delete_object(Bucket=bucket, Key=file["Key"])


def test_a_job_puts_a_file_into_the_library_and_reads_the_report(
    index: Stack, job: boto3.Session, eventually: Eventually
) -> None:
    bucket = index.outputs["BulkLoadBucketName"]
    s3 = job.client("s3", endpoint_url=index.cloud.endpoint)
    dynamodb = job.client("dynamodb", endpoint_url=index.cloud.endpoint)
    movie = {"MovieID": {"S": "bulk"}, "MovieTitle": {"S": "Loaded"}, "Version": {"N": "1"}}
    lines = [{"Item": movie}, {"Item": {"MovieID": {"S": "bulk"}}}]
    s3.put_object(Bucket=bucket, Key="library/1.json", Body="\n".join(map(json.dumps, lines)).encode())
    operation = dynamodb.start_bulk_put_items(
        TableName=index.outputs["MoviesTableName"],
        InputS3Configuration={"S3Bucket": bucket, "S3KeyPrefix": "library/", "InputFormat": "DYNAMODB_JSON"},
        OutputS3Configuration={"S3Bucket": bucket, "S3KeyPrefix": "report/", "OutputType": ["ERROR"]},
    )["BulkOperationDescription"]["BulkOperationArn"]

    def ended() -> dict[str, Any] | None:
        description = dynamodb.describe_bulk_operation(BulkOperationArn=operation)["BulkOperationDescription"]
        return description if description["BulkOperationStatus"] != "IN_PROGRESS" else None

    description = eventually(ended)
    assert description["BulkOperationStatus"] == "COMPLETED_WITH_ERRORS", description
    assert description["FailedItemCount"] == 1
    assert index.movies.get_item(Key={"MovieID": "bulk", "MovieTitle": "Loaded"})["Item"]
    assert eventually(lambda: index.document("bulk"))  # the library's stream tells of it
    index.movies.delete_item(Key={"MovieID": "bulk", "MovieTitle": "Loaded"})
    assert eventually(lambda: not index.document("bulk"))
    keys = [file["Key"] for file in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert any(key.startswith("report/") for key in keys)
    for key in keys:
        s3.get_object(Bucket=bucket, Key=key)
        s3.delete_object(Bucket=bucket, Key=key)


def test_neptune_may_only_read_the_bucket(stack: Stack, job: boto3.Session) -> None:
    s3 = stack.cloud.client("s3")
    s3.create_bucket(Bucket="not-of-the-stack")
    s3.put_object(Bucket="not-of-the-stack", Key="people.csv", Body=b"~id\nperson\n")
    graph = job.client(
        "neptunedata", endpoint_url=stack.outputs["GraphEndpoint"], verify=str(stack.cloud.certificate_authority)
    )
    with pytest.raises(ClientError, match="is not authorized to perform: s3:ListBucket"):
        graph.start_loader_job(
            source="s3://not-of-the-stack/",
            format="csv",
            iamRoleArn=stack.outputs["GraphLoaderRoleArn"],
            s3BucketRegion="us-east-1",
        )
