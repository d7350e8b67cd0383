"""What AWS answers in pages is read to its last page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.loaders import Loader

ROOT = Path(__file__).parents[2]
FILES = [file for folder in ("lambda", "workloads", "infra", "groundwork") for file in (ROOT / folder).rglob("*.py")]
SERVICES = (
    "autoscaling", "batch", "cloudformation", "cloudwatch", "dynamodb", "ec2", "events", "iam", "lambda", "logs", "rds",
    "s3", "secretsmanager", "sns", "sqs", "ssm", "timestream-query", "timestream-write",
)  # fmt: skip
#: Parameters that name the few things that are wanted, which fit into a page, or say how many are wanted.
NAMING = {
    "AlarmNames",
    "AutoScalingGroupNames",
    "DBInstanceIdentifier",
    "InstanceIds",
    "Limit",
    "MaxKeys",
    "StackName",
    "jobDefinitions",
}
#: A call with one of these is part of a loop over pages.
LOOPING = {"ExclusiveStartKey", "NextToken", "nextToken", None}
#: Names that other libraries have, too.
SHARED = {"get_group": "GroupName", "list_commands": "CommandId", "query": "TableName", "scan": "TableName"}


@cache
def paged() -> set[str]:
    """boto3's names of the operations that answer in pages."""
    models = [Loader().load_service_model(service, "paginators-1")["pagination"] for service in SERVICES]
    return {xform_name(operation) for model in models for operation in model}


def single_pages(code: str) -> Iterator[tuple[int, str]]:
    """Line and operation of each call that reads one page of what may be several."""
    for node in ast.walk(ast.parse(code)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in paged()):
            continue
        given = {keyword.arg for keyword in node.keywords}
        is_aws = node.func.attr not in SHARED or SHARED[node.func.attr] in given
        if is_aws and not given & (NAMING | LOOPING):
            yield node.lineno, node.func.attr


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_page_is_read(file: Path) -> None:
    # One movie's items, of which there is one or, while its title changes, two.
    known = {"query"} if file.name == "library.py" else set()
    found = [(line, operation) for line, operation in single_pages(file.read_text()) if operation not in known]
    assert found == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("client.list_objects_v2(Bucket=bucket)", ["list_objects_v2"]),
        ("client.scan(TableName=table)", ["scan"]),
        ("helpers.scan(search, index=index)", []),
        ("client.get_paginator('list_objects_v2').paginate(Bucket=bucket)", []),
        ("client.describe_stacks(StackName=stack)", []),
        ("client.describe_stacks()", ["describe_stacks"]),
        ("table.scan(TableName=table, **page)", []),
    ],
)
def test_the_search_finds_single_pages_and_nothing_else(code: str, found: list[str]) -> None:
    assert [operation for _, operation in single_pages(code)] == found
