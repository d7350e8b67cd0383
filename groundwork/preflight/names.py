"""Names: what a stack wants to create under a name of its own is not there yet, for example because it was retained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from groundwork.preflight.checks import check, ok, refused
from workloads.account.reader import NotPermittedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Template


class Named(NamedTuple):
    """A resource type whose resources may have a name of their own.

    Attributes:
        property: The property with the name.
        permission: What asks for the one of that name.
        parameters: The parameters of that question.
        list: The key of a list in the answer, which is empty if there is none.
    """

    property: str
    permission: str
    parameters: Callable[[str], dict[str, Any]]
    list: str = ""


NAMED = {
    "AWS::S3::Bucket": Named("BucketName", "s3:ListBucket", lambda name: {"Bucket": name, "MaxKeys": 1}),
    "AWS::DynamoDB::Table": Named("TableName", "dynamodb:DescribeTable", lambda name: {"TableName": name}),
    "AWS::IAM::Role": Named("RoleName", "iam:GetRole", lambda name: {"RoleName": name}),
    "AWS::Lambda::Function": Named(
        "FunctionName", "lambda:GetFunctionConfiguration", lambda name: {"FunctionName": name}
    ),
    "AWS::Logs::LogGroup": Named(
        "LogGroupName", "logs:DescribeLogGroups", lambda name: {"logGroupNamePrefix": name}, "logGroups"
    ),
    "AWS::OpenSearchService::Domain": Named("DomainName", "es:DescribeDomain", lambda name: {"DomainName": name}),
    "AWS::RDS::DBInstance": Named(
        "DBInstanceIdentifier", "rds:DescribeDBInstances", lambda name: {"DBInstanceIdentifier": name}
    ),
    "AWS::SecretsManager::Secret": Named("Name", "secretsmanager:DescribeSecret", lambda name: {"SecretId": name}),
    "AWS::SQS::Queue": Named("QueueName", "sqs:GetQueueUrl", lambda name: {"QueueName": name}),
    "AWS::Timestream::Database": Named(
        "DatabaseName", "timestream:DescribeDatabase", lambda name: {"DatabaseName": name}
    ),
}


@check("names", "cloudformation:ListStackResources", *sorted({named.permission for named in NAMED.values()}))
def names(stack: Template, account: Questions) -> Iterator[Judgement]:
    """No resource that the stack does not have yet exists under the name that it would get."""
    deployed, free = None, []
    for resource in stack.resources(*NAMED):
        named = NAMED[resource.kind]
        name = stack.text(resource.properties.get(named.property))
        if not name:
            continue
        deployed = account.deployed(stack.stack) if deployed is None else deployed
        if resource.name in deployed:
            continue
        if _exists(named, name, account):
            yield refused(
                f"{resource.name}: {resource.kind} {name} exists already, perhaps because another stack retained it.",
                f"Bring it into the stack (cdk import {stack.stack}), or delete it if nobody needs what it holds.",
            )
        else:
            free.append(name)
    if free:
        yield ok(f"{', '.join(free)}: free.")


def _exists(named: Named, name: str, account: Questions) -> bool:
    try:
        response = account.find(named.permission, **named.parameters(name))
    except NotPermittedError:
        if named.permission == "s3:ListBucket":  # a bucket of another account answers 403, one that is missing 404
            return True
        raise
    if response is None or not named.list:
        return response is not None
    return any(name in summary.values() for summary in response[named.list])
